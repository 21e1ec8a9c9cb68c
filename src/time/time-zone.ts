import type { EpochMs } from './epoch-ms.ts';

/*
 * Time zones by their IANA names. The data are those of the JavaScript engine (`Intl`), so Berth has none of its own.
 */

/** Gives the minutes from local midnight at a point in time. */
export type ZoneClock = (at: EpochMs) => number;

/** Whether this engine knows a time zone, such as `Europe/Amsterdam` or `UTC`. An offset such as `+01:00` is not a name. */
export function isTimeZone(name: string): boolean {
  return zoneClock(name) !== undefined;
}

/** The clock of a time zone. Undefined: an unknown time zone. */
export function zoneClock(name: string): ZoneClock | undefined {
  const format = formatFor(name);
  if (format === undefined) return undefined;
  return (at) => {
    const parts = format.formatToParts(at);
    const part = (type: 'hour' | 'minute') => Number(parts.find((each) => each.type === type)?.value);
    return part('hour') * 60 + part('minute');
  };
}

function formatFor(timeZone: string): Intl.DateTimeFormat | undefined {
  // Engines also accept offsets, but not all of them do.
  if (!/^[A-Za-z]/.test(timeZone)) return undefined;
  try {
    return new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  } catch {
    return undefined;
  }
}
