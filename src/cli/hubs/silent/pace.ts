import { TokenBucket } from '../../../hub/token-bucket.ts';
import {
  DPS_REGISTRATIONS_PER_MINUTE,
  type HubSize,
  identityOperationsPerMinute,
  queriesPerMinute,
} from '../../../iot-hub/throttles.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';

/**
 * The part of the throttles that the command uses. The app uses `budget.rate` of them, and DPS needs the rest: it deletes each
 * device that moves.
 */
const PART = 0.3;

/** Waits before each call, so that a hub and DPS are never throttled by the command. */
export interface Pace {
  /** Before calls of the identity registry. @param operations how many the calls cost */
  identity(operations: number): Promise<void>;
  query(): Promise<void>;
  dps(): Promise<void>;
}

/** The pace for one hub and its DPS. A quiet minute may be used up at once. */
export function paceOf(hub: HubSize, now: () => EpochMs, wait: (ms: number) => Promise<void>): Pace {
  const limit = (perMinute: number) => {
    const part = perMinute * PART;
    const bucket = new TokenBucket(part / 60, now(), part);
    return async (operations: number) => {
      for (let left = operations; left > 0; left -= 1) {
        const ms = bucket.take(now(), Number.POSITIVE_INFINITY);
        if (ms !== undefined && ms > 0) await wait(ms);
      }
    };
  };
  const identity = limit(identityOperationsPerMinute(hub));
  const query = limit(queriesPerMinute(hub));
  // "Operations" have the same limit as registrations (Microsoft, DPS quotas and limits).
  const dps = limit(DPS_REGISTRATIONS_PER_MINUTE);
  return { identity, query: () => query(1), dps: () => dps(1) };
}
