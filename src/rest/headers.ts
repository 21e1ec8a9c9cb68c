import { type EpochMs, epochMs } from '../time/epoch-ms.ts';
import { type Instant, instantOf } from '../time/instant.ts';

/** The headers of an answer, by their names in lower case. */
export type RestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The service's own clock, by the `Date` of its answer (RFC 9110, 6.6.1); undefined where it did not say. */
export function serviceTime(headers: RestHeaders | undefined): Instant | undefined {
  const text = headers?.date;
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : instantOf(epochMs(ms));
}

/**
 * How long the service asks to be left alone, in milliseconds: `Retry-After` holds seconds or a date (RFC 9110, 10.2.3).
 * Undefined where it did not ask.
 */
export function retryAfterMs(headers: RestHeaders, now: EpochMs): number | undefined {
  const text = headers['retry-after'];
  if (typeof text !== 'string') return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
