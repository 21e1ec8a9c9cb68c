import { type EpochMs, epochMs, plus } from './epoch-ms.ts';

/**
 * A moment in UTC with the hub's 100 ns resolution, always in the one form `2022-06-01T22:27:50.2612586Z`, so
 * that comparing two as texts compares them as 100 ns integers. The hub itself writes several forms for one
 * moment (trailing zeros trimmed, `+00:00`), and `Date` would cut off the ticks.
 */
export type Instant = string & { readonly brand: 'Instant' };

const FORM = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** A time of UTC that is none but itself, so that it need not be computed: most that a hub writes. */
const PLAIN =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)\.(\d{7})(?:Z|\+00:00)$/;

/** Reads any form the hub writes; undefined for anything else. */
export function parseInstant(text: unknown): Instant | undefined {
  if (typeof text !== 'string') return undefined;
  if (PLAIN.test(text)) return `${text.slice(0, 27)}Z` as Instant;
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const seconds = new Date(`${match[1]}${match[3]}`);
  if (Number.isNaN(seconds.getTime())) return undefined;
  // An offset may lead out of the years that this form can hold, and out of the order of texts.
  if (!/^\d{4}-/.test(seconds.toISOString())) return undefined;
  const fraction = (match[2] ?? '').padEnd(7, '0').slice(0, 7);
  return `${seconds.toISOString().slice(0, -5)}.${fraction}Z` as Instant;
}

/** The hub's own "never": what a section without a change carries. */
export const NEVER = '0001-01-01T00:00:00.0000000Z' as Instant;

/** @throws RangeError for a time outside of what `Date` can hold */
export function instantOf(at: EpochMs): Instant {
  return `${new Date(at).toISOString().slice(0, -1)}0000Z` as Instant;
}

/** The instant without its ticks. */
export function millisecondsOf(instant: Instant): EpochMs {
  return epochMs(Date.parse(`${instant.slice(0, 23)}Z`));
}

/**
 * How far a time may lie ahead of the hub's own clock and still be believed: the clocks of a hub's machines differ by
 * less than that.
 */
const MOST_AHEAD_MS = 5 * 60_000;

/** The latest time that is believed where the hub's own clock says `hubTime`. */
export function latestBelievable(hubTime: Instant): Instant {
  return instantOf(plus(millisecondsOf(hubTime), MOST_AHEAD_MS));
}

export function latest(first: Instant, ...others: readonly Instant[]): Instant {
  return others.reduce((greatest, other) => (other > greatest ? other : greatest), first);
}
