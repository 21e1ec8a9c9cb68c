import * as z from 'zod';
import { type Answer, host, next, time, twinStatus } from './values.ts';

/** A twin that needs a person. */
const attention = z.strictObject({
  hub: host,
  deviceId: z.string(),
  moduleId: z.string().optional(),
  status: twinStatus,
  since: time.nullable(),
  why: z.string(),
});

/** A page of the twins that need a person, by hub and status. */
export const attentionPageSchema = z.strictObject({ items: z.array(attention), next });
export type AttentionPage = Answer<typeof attentionPageSchema>;
