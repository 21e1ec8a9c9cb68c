import * as z from 'zod';
import { type Answer, jsonObject } from './values.ts';

/** What DPS sends to a custom-allocation webhook, as far as Berth reads it. Unknown members are ignored. */
export const allocationRequestSchema = z.looseObject({
  deviceRuntimeContext: z.looseObject({
    registrationId: z.string(),
    currentIotHubHostName: z.string().optional(),
    currentDeviceId: z.string().optional(),
    payload: z.unknown().optional(),
  }),
  individualEnrollment: z.looseObject({}).optional(),
  enrollmentGroup: z.looseObject({}).optional(),
  linkedHubs: z.array(z.string().nullable()).min(1),
});

/** What DPS reads; its spelling is exact (concepts-custom-allocation, AllocationResponse). */
export const allocationAnswerSchema = z.strictObject({
  iotHubHostName: z.string(),
  initialTwin: z
    .looseObject({ tags: jsonObject, properties: z.looseObject({ desired: jsonObject }) })
    .optional(),
  payload: jsonObject.optional(),
});
export type AllocateAnswer = Answer<typeof allocationAnswerSchema>;
