/** A point in time in units of 100 ns since 1970, the resolution of Azure's timestamps. */
export type Ticks = bigint;

const PER_MS = 10_000n;
const PER_SECOND = 10_000_000n;

/** The time of the last update of a twin section that was never written. */
export const NO_TICKS = '0001-01-01T00:00:00Z';

/**
 * A clock that always returns a later time than before, so that changes in the same millisecond keep their order.
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

/** The form of `$lastUpdated`: no trailing zeros, `Z`. @example '2020-10-21T14:13:39.36491Z' */
export function formatInstant(instant: Ticks): string {
  const fraction = fractionOf(instant).replace(/0+$/, '');
  return `${secondsOf(instant)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** The form of `operationTimestamp` (iot-hub-non-telemetry-event-schema.md). @example '2022-06-01T22:27:50.2612586Z' */
export function formatOperationTimestamp(instant: Ticks): string {
  return formatDateTimeUtc(instant);
}

/** The form of DPS's `createdDateTimeUtc`: seven digits, `Z`. */
export function formatDateTimeUtc(instant: Ticks): string {
  return `${secondsOf(instant)}.${fractionOf(instant)}Z`;
}

/** Ticks between the epochs of .NET (year 1) and of Unix. */
const DOTNET_OFFSET = 621_355_968_000_000_000n;

/** The ticks of a `DateTime` of .NET, since year 1. @example '637570574076206429' */
export function formatTicks(instant: Ticks): string {
  return (instant + DOTNET_OFFSET).toString();
}

function secondsOf(instant: Ticks): string {
  return new Date(Number(instant / PER_MS)).toISOString().slice(0, 19);
}

function fractionOf(instant: Ticks): string {
  return (instant % PER_SECOND).toString().padStart(7, '0');
}
