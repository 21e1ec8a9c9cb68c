import * as z from 'zod';
import { type Answer, nonNegative, time } from './values.ts';

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
