import { hash } from '../hash.ts';

/**
 * Whether a change has reached this key yet: after a fraction of `overMs` that fraction of all keys has been
 * reached, the same ones on every instance and without any state but the time when the change was first seen.
 * A change without a time reaches nobody; without a length it reaches all at once.
 */
export function isReached(
  key: readonly string[],
  sinceMs: number | undefined,
  overMs: number,
  nowMs: number,
): boolean {
  if (sinceMs === undefined || nowMs < sinceMs) return false;
  if (overMs <= 0) return true;
  return hash(...key) / 2 ** 32 < (nowMs - sinceMs) / overMs;
}
