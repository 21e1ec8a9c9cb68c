import { type EpochMs, epochMs } from '../time/epoch-ms.ts';
import { type Instant, instantOf } from '../time/instant.ts';

/** The headers of an answer, by their names in lower case. */
export type RestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The time of the service, from the `Date` header (RFC 9110, 6.6.1); undefined without one. */
export function serviceTime(headers: RestHeaders | undefined): Instant | undefined {
  const text = headers?.date;
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : instantOf(epochMs(ms));
}

/**
 * How long the service asks to wait, in milliseconds. `Retry-After` contains seconds or a date (RFC 9110,
 * 10.2.3). Undefined without the header.
 */
export function retryAfterMs(headers: RestHeaders, now: EpochMs): number | undefined {
  const text = headers['retry-after'];
  if (typeof text !== 'string') return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
