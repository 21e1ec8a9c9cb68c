import type { BerthError } from '../../errors.ts';
import { QUOTA_MS } from '../../hub/hub-pauses.ts';
import { HubError } from '../../hub/port.ts';
import { hash } from '../../json/hash.ts';

const FIRST_MS = 5_000;
const LONGEST_MS = 10 * 60_000;
/** The longest `Retry-After` of a hub that is used. */
const LONGEST_RETRY_AFTER_MS = 60 * 60_000;
/** For an error that a person must correct first: a role, a setting, a disabled device. */
const USER_ERROR_MS = 5 * 60_000;

/**
 * How long to leave a twin alone after a failed call, ms. The hub's `Retry-After` decides first. If the quota is used up, the
 * wait is as long as the pause of the hub. Otherwise it doubles each time. The key spreads the waits of a hub's twins.
 */
export function backOff(error: BerthError, key: string, tries: number): number {
  const spread = 0.5 + hash(key, String(tries)) / 2 ** 33;
  if (error instanceof HubError && error.retryAfterMs !== undefined)
    return Math.min(error.retryAfterMs, LONGEST_RETRY_AFTER_MS) * (1 + spread);
  if (error.code === 'BERTH_HUB_QUOTA_EXCEEDED') return QUOTA_MS * (0.5 + spread);
  if (error.kind === 'user') return USER_ERROR_MS;
  return Math.min(FIRST_MS * 2 ** Math.min(tries, 20), LONGEST_MS) * spread;
}
