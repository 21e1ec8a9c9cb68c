import type { BerthError } from '../../errors.ts';
import { HubError } from '../../hub/port.ts';
import { hash } from '../../json/hash.ts';
import { untilTomorrow } from '../../time/day.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';

const FIRST_MS = 5_000;
const LONGEST_MS = 10 * 60_000;
/** No hub gets to ask for longer. */
const LONGEST_WISH_MS = 60 * 60_000;
/** For what a person must mend first: a role, a setting, a disabled device. */
const MENDED_BY_HAND_MS = 5 * 60_000;

/**
 * How long to leave a twin alone after a failed call, ms: what the hub asks for, until the next day where the
 * quota is spent, else twice as long each time. Spread by the key, so that a hub's twins do not all come back
 * at once.
 */
export function backOff(error: BerthError, key: string, tries: number, now: EpochMs): number {
  const spread = 0.5 + hash(key, String(tries)) / 2 ** 33;
  if (error instanceof HubError && error.retryAfterMs !== undefined)
    return Math.min(error.retryAfterMs, LONGEST_WISH_MS) * (1 + spread);
  if (error.code === 'BERTH_HUB_QUOTA_EXCEEDED') return untilTomorrow(now) + spread * LONGEST_MS;
  if (error.kind === 'user') return MENDED_BY_HAND_MS;
  return Math.min(FIRST_MS * 2 ** Math.min(tries, 20), LONGEST_MS) * spread;
}
