import * as z from 'zod';
import {
  type Answer,
  errorCodeSchema,
  host,
  json,
  next,
  nonNegative,
  policyStatus,
  time,
  twinStatus,
  workPriority,
} from './values.ts';

const ofTwin = { hub: host, deviceId: z.string(), moduleId: z.string().nullable() };

/** A page of the twins that Berth has stored, by hub and then by a fixed order within it. */
export const devicePageSchema = z.strictObject({
  items: z.array(
    z.strictObject({
      ...ofTwin,
      status: twinStatus,
      policies: z
        .record(z.string(), policyStatus)
        .meta({ description: 'How each policy of the present fleet file stands here, by name.' }),
    }),
  ),
  next: next.meta({
    description:
      'Give it as `after` to get the next page, which may follow an empty one; null: there is none.',
  }),
});
export type DevicePage = Answer<typeof devicePageSchema>;

/** A page of the work queue, the most urgent first. */
export const queuePageSchema = z.strictObject({
  items: z.array(
    z.strictObject({
      ...ofTwin,
      priority: workPriority,
      at: time.meta({ description: 'When it may be worked on.' }),
      due: z.boolean(),
      why: z.string(),
    }),
  ),
  next,
});
export type QueuePage = Answer<typeof queuePageSchema>;

const letter = {
  id: z.string(),
  enqueuedAt: z.string(),
  code: errorCodeSchema,
  reason: z.string(),
  hub: z.string().nullable().meta({ description: 'As the event names it.' }),
  deviceId: z.string().nullable(),
  moduleId: z.string().nullable(),
};

/** The newest dead letters, without their contents. */
export const deadLetterListSchema = z.strictObject({
  letters: z.array(z.strictObject(letter)),
  more: nonNegative.meta({ description: 'Older ones that match and are left out.' }),
  isCounted: z
    .boolean()
    .meta({ description: 'False: counting was given up, and there are `more` at least.' }),
  onlyCounted: nonNegative.meta({ description: 'Events of the same time that were too many to be kept.' }),
});
export type DeadLetterList = Answer<typeof deadLetterListSchema>;

/** One dead letter with what is kept of its contents. Values under `twins.redact` were replaced. */
export const deadLetterSchema = z.strictObject({
  ...letter,
  partition: z.string(),
  sequenceNumber: z.number(),
  isRedacted: z.boolean(),
  properties: z.record(z.string(), json),
  systemProperties: z.record(z.string(), json),
  cut: z
    .array(z.enum(['body', 'properties', 'systemProperties']))
    .meta({ description: 'What was too long to be kept whole.' }),
  body: z.strictObject({
    bytes: nonNegative.meta({ description: 'Of the event.' }),
    text: z.string().optional(),
    base64: z
      .string()
      .optional()
      .meta({ description: 'In the place of `text` where the body is not UTF-8.' }),
  }),
});
export type DeadLetterAnswer = Answer<typeof deadLetterSchema>;
