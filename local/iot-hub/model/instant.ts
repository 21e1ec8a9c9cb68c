/** A point in time in units of 100 ns since 1970, the resolution of Azure's timestamps. */
export type Ticks = bigint;

const PER_MS = 10_000n;
const PER_SECOND = 10_000_000n;

/** What a twin section that was never written says of its last update. */
export const NO_TICKS = '0001-01-01T00:00:00Z';

/**
 * A clock whose every reading is later than the one before, so that changes of the same millisecond keep
 * their order.
 */
export function createClock(now: () => number): () => Ticks {
  let last = 0n;
  return () => {
    const read = BigInt(Math.floor(now())) * PER_MS;
    last = read > last ? read : last + 1n;
    return last;
  };
}

export function toMilliseconds(instant: Ticks): number {
  return Number(instant / PER_MS);
}

/** As in `$lastUpdated`: trailing zeros trimmed, `Z`. @example '2020-10-21T14:13:39.36491Z' */
export function formatInstant(instant: Ticks): string {
  const fraction = fractionOf(instant).replace(/0+$/, '');
  return `${secondsOf(instant)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** As in `operationTimestamp`: seven digits and an offset. @example '2020-10-21T14:13:39.3649100+00:00' */
export function formatOperationTimestamp(instant: Ticks): string {
  return `${secondsOf(instant)}.${fractionOf(instant)}+00:00`;
}

/** As in DPS's `createdDateTimeUtc`: seven digits, `Z`. */
export function formatDateTimeUtc(instant: Ticks): string {
  return `${secondsOf(instant)}.${fractionOf(instant)}Z`;
}

/** Ticks between the epochs of .NET (year 1) and of Unix. */
const DOTNET_OFFSET = 621_355_968_000_000_000n;

/** As a `DateTime` of .NET counts: since year 1. @example '637570574076206429' */
export function formatTicks(instant: Ticks): string {
  return (instant + DOTNET_OFFSET).toString();
}

function secondsOf(instant: Ticks): string {
  return new Date(Number(instant / PER_MS)).toISOString().slice(0, 19);
}

function fractionOf(instant: Ticks): string {
  return (instant % PER_SECOND).toString().padStart(7, '0');
}
