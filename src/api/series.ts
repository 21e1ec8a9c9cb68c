import * as z from 'zod';
import { EDGE_DEVICE_STATUSES } from '../twin/snapshot/edge-device-status.ts';
import { TWIN_STATUSES } from '../twin/snapshot/snapshot.ts';
import { type Answer, host, time } from './values.ts';

/** One number for each time; null: nothing was recorded. */
const numbers = z.array(z.number().nullable());

/** Counts over time, by hub: columns as long as `at`. */
export const seriesSchema = z.strictObject({
  step: z.enum(['minute', 'hour']),
  from: time,
  to: time,
  at: z.array(time).meta({ description: 'The beginning of each minute or hour that was recorded.' }),
  hubs: z.array(
    z.strictObject({
      host,
      twins: z
        .record(z.enum(TWIN_STATUSES), numbers)
        .meta({ description: 'Twins by status, as last counted in the minute or hour.' }),
      edge: z.record(z.enum(EDGE_DEVICE_STATUSES), numbers).nullable().meta({
        description: 'IoT Edge devices by status. Null: no time of the answer has counted any.',
      }),
      events: numbers.meta({ description: 'Events of twins that were applied.' }),
      gaps: numbers.meta({
        description: 'Events that did not follow the snapshot, each of which cost a read.',
      }),
      reads: numbers.meta({ description: 'GETs of twins.' }),
      writes: numbers.meta({ description: 'Corrections: PATCHes of twins.' }),
      failed: numbers.meta({ description: 'Calls to the hub that failed.' }),
      lagMs: numbers.meta({
        description: 'How long events waited in the Event Hub, on average; null: there were no events.',
      }),
    }),
  ),
});
export type Series = Answer<typeof seriesSchema>;
