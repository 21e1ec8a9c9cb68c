import { isObject, sameJson } from '../../json/json.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../../time/instant.ts';
import type { PathHistory } from '../snapshot/snapshot.ts';
import type { PropertyReport } from './acknowledgement.ts';

/**
 * How long after a write a device may still report its earlier value. Many devices report all properties regularly, and may
 * do so before they apply the new value.
 */
const GRACE_MS = 60_000;

/** Whether a report without a version is the device's answer to the last write. If not yet: from when on it is. */
export type Counted = { readonly counts: true } | { readonly counts: false; readonly at?: EpochMs };

/**
 * Whether a report without a desired version answers the value that is desired now. By the hub's times, the report must be
 * newer than the write. If it repeats the earlier value, it counts only one minute after the write. If nothing was reported
 * before, a value may also be an old one. A new refusal is always an answer.
 *
 * @example
 * // Berth writes 5 at 12:00:00. The device reports its earlier value 30 again at 12:00:02.
 * answersWrite(report, history, twelve + 2_000); // { counts: false, at: twelve + 60_000 }
 */
export function answersWrite(
  { value, code = 0 }: Pick<PropertyReport, 'value' | 'code'>,
  {
    oursAt,
    reportedAt,
    changedAt,
    before,
  }: Pick<PathHistory, 'oursAt' | 'reportedAt' | 'changedAt' | 'before'>,
  now: EpochMs,
): Counted {
  if (oursAt === undefined || reportedAt === undefined || reportedAt <= oursAt) return { counts: false };
  // The history does not know the policy's convention. It may hold an older acknowledgement as a whole object.
  const held = isObject(before) && Object.hasOwn(before, 'value') ? before.value : before;
  const isNewRefusal = code >= 400 && code < 500 && changedAt !== undefined && changedAt > oursAt;
  const isRepeat =
    before === undefined
      ? !isNewRefusal
      : sameJson(value ?? null, before) || sameJson(value ?? null, held ?? null);
  const at = plus(millisecondsOf(oursAt), GRACE_MS);
  return isRepeat && now < at && millisecondsOf(reportedAt) < at ? { counts: false, at } : { counts: true };
}

/** The wait after the first write to a device that is alive and does not answer. It doubles after each further write. */
const FIRST_WAIT_MS = 2 * 60_000;
/** The wait before the hub is asked whether a device is alive. It doubles with each question. */
const FIRST_ASK_MS = 10 * 60_000;
const LONGEST_MS = DAY_MS;

/** What Berth knows of a device that has not answered. */
export interface SilentDevice {
  /** When the value was written, by the hub's time. */
  readonly writtenAt: Instant;
  /** How often Berth wrote it since desired had another value. */
  readonly writes: number;
  readonly cooldownMs: number;
  /** The newest sign of life. */
  readonly lifeAt: Instant | undefined;
  /** When the hub was last asked for a sign of life, and how often in a row. Undefined: never. */
  readonly activity: { readonly askedAt: EpochMs; readonly asks: number } | undefined;
}

/** What Berth does next about a missing answer. */
export type NextStep =
  /** The device is alive: Berth writes the value again at this time. */
  | { readonly kind: 'write'; readonly at: EpochMs }
  /** The device has shown no life: Berth asks the hub at this time. A device reads its whole twin when it connects. */
  | { readonly kind: 'ask'; readonly at: EpochMs };

/** When Berth writes an unanswered value again, or asks the hub whether the device is alive. */
export function nextAnswerStep({ writtenAt, writes, cooldownMs, lifeAt, activity }: SilentDevice): NextStep {
  const written = millisecondsOf(writtenAt);
  if (lifeAt !== undefined && lifeAt > writtenAt) {
    const wait = doubled(Math.max(FIRST_WAIT_MS, cooldownMs), writes - 1);
    return { kind: 'write', at: plus(written, wait) };
  }
  if (activity === undefined || activity.askedAt <= written)
    return { kind: 'ask', at: plus(written, FIRST_ASK_MS) };
  return { kind: 'ask', at: plus(activity.askedAt, doubled(FIRST_ASK_MS, activity.asks)) };
}

/** The wait before the same value is written again to a device that failed or chose another value, ms. */
export function waitAfterWrite(writes: number, cooldownMs: number): number {
  return writes <= 1 ? cooldownMs : doubled(Math.max(cooldownMs, GRACE_MS), writes - 1);
}

function doubled(ms: number, times: number): number {
  return Math.min(ms * 2 ** Math.max(0, times), Math.max(ms, LONGEST_MS));
}
