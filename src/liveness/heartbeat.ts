import type { Tier } from '../iot-hub/throttles.ts';
import { DAY_MS } from '../time/day.ts';
import { type EpochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { EVIDENCE_KEPT_MS, MINUTE_MS } from './evidence.ts';
import { beatEveryMs, type Heartbeats, type HubLiveness } from './liveness.ts';

/** Runs of `resyncFleet` do not begin at exact times. */
const EARLY_MS = MINUTE_MS / 2;

/**
 * Whether `resyncFleet` must write a heartbeat now: no twin change event came lately, or the hub is silent. Once a day it
 * writes one anyway, so that Berth knows whether the identity exists.
 */
export function isBeatDue(
  {
    changedAt,
    loss,
    beats,
    watchedSince,
  }: Pick<HubLiveness, 'changedAt' | 'loss' | 'beats' | 'watchedSince'>,
  tier: Tier,
  now: EpochMs,
): boolean {
  const everyMs = beatEveryMs(tier) - EARLY_MS;
  const triedAt = beats?.at ?? watchedSince;
  if (now - triedAt < everyMs) return false;
  const isQuiet = now - laterOf(changedAt ?? watchedSince, watchedSince) >= everyMs;
  return isQuiet || loss !== undefined || now - triedAt >= DAY_MS;
}

/** The result of one try. */
export type BeatResult =
  | { readonly kind: 'sent' }
  | { readonly kind: 'missing'; readonly why: string }
  | { readonly kind: 'failed'; readonly why: string };

/** The heartbeats with one more try. */
export function withBeat(before: Heartbeats | undefined, result: BeatResult, now: EpochMs): Heartbeats {
  const sent = (before?.sent ?? []).filter((at) => at > plus(now, -2 * EVIDENCE_KEPT_MS));
  return {
    result: result.kind,
    exists: result.kind === 'failed' ? (before?.exists ?? false) : result.kind !== 'missing',
    at: now,
    ...(result.kind === 'sent' ? {} : { why: result.why }),
    sent: result.kind === 'sent' ? [...sent, now] : sent,
  };
}
