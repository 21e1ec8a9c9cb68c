import * as z from 'zod';
import { BerthError } from '../errors.ts';
import { epochMs } from '../time/epoch-ms.ts';
import { STATUS_FILTERS } from '../twin/snapshot/snapshot.ts';

/* The query parameters of the HTTP functions. Handlers read them with these schemas. */

/** The longest page of a list; of the work queue, which is sorted over all hubs, fewer. */
export const LONGEST_PAGE = 1_000;
const LONGEST_QUEUE_PAGE = 200;
const LONGEST_LETTERS = 500;
const DEFAULT_PAGE = 100;

/** The times of series go back so far: a day of minutes, 90 days of hours. */
export const SERIES_STEPS = ['minute', 'hour'] as const;

function top(most: number) {
  return z.coerce
    .number(`give a whole number from 1 to ${most}`)
    .int(`give a whole number from 1 to ${most}`)
    .min(1, `give a whole number from 1 to ${most}`)
    .max(most, `give a whole number from 1 to ${most}`)
    .default(DEFAULT_PAGE)
    .meta({ description: 'How many items a page has at most.' });
}

const after = z
  .string()
  .min(1, 'give what `next` of the page before had, or leave it out')
  .optional()
  .meta({ description: 'What `next` of the page before had.' });
const hub = z.string().optional().meta({ description: 'Only this hub, by any of its host names.' });
/** With a zone, or a date alone: a time without one would be another for each reader. */
const moment = z
  .string()
  .refine(
    (text) =>
      /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) &&
      !Number.isNaN(Date.parse(text)),
    'write a time such as 2026-11-30T18:00Z, or a date',
  )
  .transform((text) => epochMs(Date.parse(text)))
  .optional();

export const noQuery = z.object({});
export const fleetQuery = z.object({ top: top(LONGEST_PAGE), after });
export const attentionQuery = z.object({ hub, top: top(LONGEST_PAGE), after });
export const queueQuery = z.object({ hub, top: top(LONGEST_QUEUE_PAGE), after });
export const deviceQuery = z.object({
  registrationId: z.string().optional().meta({
    description: 'Where an individual enrollment gives the device another id than it registers with.',
  }),
});
export const devicesQuery = z.object({
  hub,
  status: z
    .enum(STATUS_FILTERS, `write one of ${STATUS_FILTERS.join(', ')}`)
    .optional()
    .meta({ description: 'Only twins with this status; `notInSync`: every status but `inSync`.' }),
  policy: z.string().optional().meta({ description: 'Only twins in which this policy owns a property.' }),
  prefix: z.string().optional().meta({ description: 'Only device ids that begin with it.' }),
  top: top(LONGEST_PAGE),
  after,
});
export const deadLettersQuery = z.object({
  hub: z
    .string()
    .optional()
    .meta({ description: 'Only events of this hub, by its short name or host name.' }),
  errorCode: z
    .string()
    .optional()
    .meta({ description: 'Only this error code. (`code` is the function key.)' }),
  since: moment.meta({ description: 'From this time on; default seven days ago.' }),
  until: moment.meta({ description: 'Before this time; default now.' }),
  top: top(LONGEST_LETTERS),
});
export const seriesQuery = z.object({
  hub,
  step: z.enum(SERIES_STEPS, 'write minute or hour').default('minute'),
  from: moment.meta({ description: 'Default: an hour before `to` for minutes, a week before it for hours.' }),
  to: moment.meta({ description: 'Default: now.' }),
});

/**
 * Reads the query of a request.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID` with the parameter, its value and what to write
 */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  query: { entries(): Iterable<[string, string]> },
): z.output<Schema> {
  const given = Object.fromEntries(query.entries());
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? 'the query');
  const value = Object.hasOwn(given, name) ? given[name] : undefined;
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `${name} is ${JSON.stringify(value ?? null)}: ${issue?.message ?? 'it cannot be read'}.`,
  );
}
