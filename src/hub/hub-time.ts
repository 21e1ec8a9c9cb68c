import { type Instant, instantOf } from '../time/instant.ts';

/** The hub's own clock, by the `Date` of its answer (RFC 9110, 6.6.1); undefined where it did not say. */
export function hubTime(
  headers: Readonly<Record<string, string | string[] | undefined>> | undefined,
): Instant | undefined {
  const text = headers?.date;
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : instantOf(ms);
}
