import { type EpochMs, epochMs, plus } from './epoch-ms.ts';

/**
 * A moment in UTC with the hub's resolution of 100 ns, always in the form `2022-06-01T22:27:50.2612586Z`. Two moments
 * therefore compare correctly as texts. The hub writes several forms of one moment (without trailing zeros, with
 * `+00:00`). `Date` would lose the last four digits, the ticks.
 */
export type Instant = string & { readonly brand: 'Instant' };

const FORM = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** The form of most times that a hub writes. Such a time needs no parsing: the day exists in every month. */
const PLAIN =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)\.(\d{7})(?:Z|\+00:00)$/;

/** The length of an instant in its one form. */
const LENGTH = '2022-06-01T22:27:50.2612586Z'.length;

/** Reads every form that the hub writes. Undefined for any other text. */
export function parseInstant(text: unknown): Instant | undefined {
  if (typeof text !== 'string') return undefined;
  if (PLAIN.test(text)) return `${text.slice(0, 27)}Z` as Instant;
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const seconds = new Date(`${match[1]}${match[3]}`);
  if (Number.isNaN(seconds.getTime())) return undefined;
  // With an offset, the year may get a fifth digit or a sign. Such texts would not sort as times.
  if (!/^\d{4}-/.test(seconds.toISOString())) return undefined;
  const fraction = (match[2] ?? '').padEnd(7, '0').slice(0, 7);
  return `${seconds.toISOString().slice(0, -5)}.${fraction}Z` as Instant;
}

/** Whether a value is an instant in its one form, in which instants are stored. Makes no text. */
export function isInstant(value: unknown): value is Instant {
  if (typeof value !== 'string') return false;
  return (
    (value.length === LENGTH && value.endsWith('Z') && PLAIN.test(value)) || parseInstant(value) === value
  );
}

/** The hub's own "never": the time of a section that has not changed yet. */
export const NEVER = '0001-01-01T00:00:00.0000000Z' as Instant;

/** @throws RangeError for a time outside of what `Date` can hold */
export function instantOf(at: EpochMs): Instant {
  return `${new Date(at).toISOString().slice(0, -1)}0000Z` as Instant;
}

/** The instant without its ticks. */
export function millisecondsOf(instant: Instant): EpochMs {
  return epochMs(Date.parse(`${instant.slice(0, 23)}Z`));
}

/** How far a time may be ahead of the hub's own clock. The clocks of a hub's machines differ by less. */
const MOST_AHEAD_MS = 5 * 60_000;

/** The latest time that Berth believes when the hub's own clock shows `hubTime`. */
export function latestBelievable(hubTime: Instant): Instant {
  return instantOf(plus(millisecondsOf(hubTime), MOST_AHEAD_MS));
}

export function latest(first: Instant, ...others: readonly Instant[]): Instant {
  return others.reduce((greatest, other) => (other > greatest ? other : greatest), first);
}
