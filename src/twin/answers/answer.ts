import { isObject, sameJson } from '../../json/json.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../../time/instant.ts';
import type { PathHistory } from '../snapshot/snapshot.ts';
import type { PropertyReport } from './acknowledgement.ts';

/**
 * For so long after a write a device may still report the value that it held before: it reports everything now and then, and has
 * not come to the new value yet.
 */
const GRACE_MS = 60_000;

/** Whether a report without a version is the device's answer to the last write; if not yet, when it will be. */
export type Counted = { readonly counts: true } | { readonly counts: false; readonly at?: EpochMs };

/**
 * Whether a report that names no desired version answers the value that is desired now. By the hub's own times it must be newer
 * than the write; and one that repeats the value held before counts only when a minute has passed since. Where nothing had been
 * reported before, a value may be what the device has had all along; a refusal is an answer.
 *
 * @example
 * // 5 is written at 12:00:00, and the device reports 30 again at 12:00:02, as it did before
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
  // The history knows no policy's convention: an acknowledgement of another one than Plug and Play is a whole object here.
  const held = isObject(before) && Object.hasOwn(before, 'value') ? before.value : before;
  const isNewRefusal = code >= 400 && code < 500 && changedAt !== undefined && changedAt > oursAt;
  const isRepeat =
    before === undefined
      ? !isNewRefusal
      : sameJson(value ?? null, before) || sameJson(value ?? null, held ?? null);
  const at = plus(millisecondsOf(oursAt), GRACE_MS);
  return isRepeat && now < at && millisecondsOf(reportedAt) < at ? { counts: false, at } : { counts: true };
}

/** A device that shows life and does not answer is given so long after the first write, and twice as long after each further one. */
const FIRST_WAIT_MS = 2 * 60_000;
/** A device that shows no life is asked after so long, and then after twice as long each time. */
const FIRST_ASK_MS = 10 * 60_000;
const LONGEST_MS = DAY_MS;

/** What is known of a device whose answer is missing. */
export interface SilentDevice {
  /** When the value was written, by the hub's time. */
  readonly writtenAt: Instant;
  /** How often Berth has written it since desired was something else. */
  readonly writes: number;
  readonly cooldownMs: number;
  /** The newest sign of life. */
  readonly lifeAt: Instant | undefined;
  /** When the hub was last asked for a sign of life, and how often in a row. */
  readonly activity: { readonly askedAt: EpochMs; readonly asks: number } | undefined;
}

/** What to do about a missing answer. */
export type NextStep =
  /** The device has shown life since: the value is written once more, then. */
  | { readonly kind: 'write'; readonly at: EpochMs }
  /** It has shown none: its hub is asked, then. It reads its whole twin when it comes back. */
  | { readonly kind: 'ask'; readonly at: EpochMs };

/** When a value that is not answered is written once more, or its hub asked whether the device is alive at all. */
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

/** How long after a write the same value may be written once more to a device that failed or chose another value. */
export function waitAfterWrite(writes: number, cooldownMs: number): number {
  return writes <= 1 ? cooldownMs : doubled(Math.max(cooldownMs, GRACE_MS), writes - 1);
}

function doubled(ms: number, times: number): number {
  return Math.min(ms * 2 ** Math.max(0, times), Math.max(ms, LONGEST_MS));
}
