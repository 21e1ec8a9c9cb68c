import * as z from 'zod';
import { hubLiveness } from './fleet.ts';
import { type Answer, errorCodeSchema, host, nonNegative, time } from './values.ts';

/** Ready or not. Has no ids and no names, because it needs no key. */
export const healthSchema = z.strictObject({
  ready: z.boolean().meta({ description: "False while this package's own fleet file has problems." }),
  newerFormats: z
    .array(
      z.strictObject({
        document: z.string(),
        format: nonNegative,
        known: nonNegative,
        times: nonNegative,
        since: time.nullable(),
        lastAt: time.nullable(),
      }),
    )
    .optional()
    .meta({ description: 'Stored documents that this package is too old for.' }),
});
export type HealthAnswer = Answer<typeof healthSchema>;

/** Every dependency of the app, for operators and monitoring. Needs a key, because it names hubs. */
export const healthDetailSchema = z.strictObject({
  ok: z.boolean().meta({ description: 'Nothing below is wrong. The status is 200, else 503.' }),
  troubles: z.array(z.string()).meta({ description: 'What is wrong, one sentence each.' }),
  fleet: z.strictObject({
    revision: z.string().nullable().meta({ description: 'Null: there is no valid fleet file.' }),
    problems: nonNegative.meta({ description: "Problems of this package's own fleet file." }),
  }),
  build: z.strictObject({ running: z.string(), newest: z.string().nullable() }),
  newerFormats: healthSchema.shape.newerFormats.unwrap(),
  store: z.strictObject({
    ok: z.boolean(),
    code: errorCodeSchema.nullable(),
  }),
  timer: z.strictObject({
    lastRunAt: time.nullable().meta({ description: 'The last run of resyncFleet.' }),
    late: z.boolean().meta({ description: 'It should have run since.' }),
  }),
  eventHub: z.strictObject({
    status: z.enum(['reading', 'behind', 'stopped', 'unknown']),
    since: time.nullable().meta({ description: 'Since when it is not `reading`.' }),
    oldestUnreadSince: time.nullable().meta({ description: 'Null: everything was read at the last run.' }),
    partitions: nonNegative,
    why: z.string(),
  }),
  hubs: z.array(z.strictObject({ host, liveness: hubLiveness })),
});
export type HealthDetail = Answer<typeof healthDetailSchema>;
