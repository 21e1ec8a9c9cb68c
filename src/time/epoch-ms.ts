/**
 * A point in time: milliseconds since 1970-01-01T00:00:00Z. Durations are plain numbers, whose names end in `Ms`.
 *
 * Two times compare as numbers, and `later - earlier` is a duration. A sum needs `plus`, so that a duration cannot
 * stand where a time belongs.
 */
export type EpochMs = number & { readonly brand: 'EpochMs' };

/** The time that a number of milliseconds since 1970 is, as `Date` and stored columns have it. */
export function epochMs(ms: number): EpochMs {
  return ms as EpochMs;
}

/** The time that a column of a table holds as a `Date`. */
export function epochMsOf(date: Date): EpochMs {
  return epochMs(date.getTime());
}

/**
 * The time `ms` milliseconds after another; before it, where `ms` is negative.
 *
 * @example plus(now, 60_000) // in one minute
 */
export function plus(at: EpochMs, ms: number): EpochMs {
  return epochMs(at + ms);
}

/** 1970-01-01T00:00:00Z. Stands for "long ago" where no time is known. */
export const EPOCH = 0 as EpochMs;

/** The earlier of two times. */
export function earlierOf(one: EpochMs, other: EpochMs): EpochMs {
  return one <= other ? one : other;
}

/** The later of two times. */
export function laterOf(one: EpochMs, other: EpochMs): EpochMs {
  return one >= other ? one : other;
}

/** The time now, by the clock of this machine. Only for the entries: the core takes the time as an argument. */
export function systemTime(): EpochMs {
  return epochMs(Date.now());
}
