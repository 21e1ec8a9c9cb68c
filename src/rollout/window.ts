import type { Window } from '../fleet/rollout.ts';
import { type EpochMs, epochMs, plus } from '../time/epoch-ms.ts';
import { type ZoneClock, zoneClock } from '../time/time-zone.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** On days with a change of the clock, the search goes in these steps. Changes are at least half an hour. */
const STEP_MINUTES = 30;
/** A window that lies in a skipped hour does not open on that day. No two days in a row have a skipped hour. */
const MOST_DAYS = 3;

type Hours = Pick<Window, 'from' | 'to'>;

/**
 * When a maintenance window opens. Undefined: it is open now.
 *
 * @param timeZone the time zone of the device; another value than a known name counts as `otherwise`.
 * @example
 * // 01:00 to 05:00 in Amsterdam, in winter
 * nextOpening(window, 'Europe/Amsterdam', noonUtc); // 00:00 UTC of the next day
 */
export function nextOpening(window: Window, timeZone: unknown, now: EpochMs): EpochMs | undefined {
  const own = typeof timeZone === 'string' ? zoneClock(timeZone) : undefined;
  const clock = own ?? zoneClock(window.otherwise);
  // The schema has checked `otherwise`. Another engine may not know it.
  if (clock === undefined || isOpen(window, clock(now))) return undefined;
  let at = epochMs(Math.floor(now / MINUTE_MS) * MINUTE_MS);
  const end = plus(at, MOST_DAYS * DAY_MINUTES * MINUTE_MS);
  while (at < end) {
    const next = afterStep(window, clock, at, minutesUntil(window, clock(at)), DAY_MINUTES);
    if (isOpen(window, clock(next))) return next;
    at = next;
  }
  return end;
}

/** When an open maintenance window closes: the rest of the day is a window too. */
export function nextClosing(
  { from, to, ...rest }: Window,
  timeZone: unknown,
  now: EpochMs,
): EpochMs | undefined {
  return nextOpening({ ...rest, from: to, to: from }, timeZone, now);
}

/** A window is open from its first minute up to its last one. It may pass midnight. */
function isOpen({ from, to }: Hours, minute: number): boolean {
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

function minutesUntil({ from }: Hours, minute: number): number {
  return (from - minute + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
}

/** The end of a step, or the first open minute in it if the clock changes in between. */
function afterStep(window: Hours, clock: ZoneClock, at: EpochMs, minutes: number, size: number): EpochMs {
  const end = plus(at, minutes * MINUTE_MS);
  const isPlain = clock(end) === (clock(at) + minutes) % DAY_MINUTES;
  if (isPlain || minutes <= 1) return end;
  const part = size > STEP_MINUTES ? STEP_MINUTES : 1;
  for (let done = 0; done < minutes; done += part) {
    const next = afterStep(window, clock, plus(at, done * MINUTE_MS), Math.min(part, minutes - done), part);
    if (isOpen(window, clock(next))) return next;
  }
  return end;
}
