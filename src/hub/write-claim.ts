import { type EpochMs, plus } from '../time/epoch-ms.ts';

/**
 * `resyncFleet` makes all twin updates of a hub for a while. It then has the whole budget of twin updates, and the partitions of the
 * Event Hub leave their corrections to its work queue. Pure: the times of the rule. All times are those of the instances' own clocks.
 */
export interface WriteClaim {
  /** From this time, `resyncFleet` may use the whole budget. */
  readonly from: EpochMs;
  /** From this time, the partitions may write again, if the claim is not renewed. */
  readonly until: EpochMs;
}

/**
 * After this time, each instance has read a claim or stopped writing. Storing the claim takes up to 10 s, an instance uses what it has
 * read for up to 20 s (`MAX_CLAIMS_AGE_MS`), and a call that has begun ends within 10 s (`HUB_DEADLINE_MS`).
 */
const TAKES_EFFECT_MS = 40_000;
/** If `resyncFleet` ends without giving the claim back, the partitions write again after this time. */
const CLAIM_MS = 120_000;
/** A claim is renewed when less than this is left of it. */
const RENEWED_MS = 80_000;
/** The last calls of `resyncFleet` end before the partitions write again, also if the clocks of two instances differ by 5 s. */
const ENDS_EARLY_MS = 15_000;
/** An instance that cannot read the claims for this long does not write. */
export const MAX_CLAIMS_AGE_MS = 20_000;

/** A new claim, or the present one, renewed if it soon ends. */
export function claimFrom(present: WriteClaim | undefined, now: EpochMs): WriteClaim {
  if (present === undefined || present.until <= now)
    return { from: plus(now, TAKES_EFFECT_MS), until: plus(now, CLAIM_MS) };
  return present.until - now < RENEWED_MS ? { ...present, until: plus(now, CLAIM_MS) } : present;
}

/** Whether partitions must leave the writes to `resyncFleet`: from when they know of the claim. */
export function isLeftToResync(claim: WriteClaim | undefined, now: EpochMs): boolean {
  return claim !== undefined && now < claim.until;
}

/** Whether `resyncFleet` may use the whole budget of twin updates. */
export function hasWholeBudget(claim: WriteClaim | undefined, now: EpochMs): boolean {
  return claim !== undefined && now >= claim.from && now < claim.until - ENDS_EARLY_MS;
}
