import { type EpochMs, laterOf } from '../time/epoch-ms.ts';

/**
 * Lets so many operations pass a second. It begins empty and holds one second's worth (at least one operation), so
 * that two owners of one budget, an old and a new one, cannot burst together.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level = 0;
  #at: EpochMs;

  constructor(perSecond: number, now: EpochMs) {
    this.#perMs = perSecond / 1_000;
    this.#capacity = Math.max(1, perSecond);
    this.#at = now;
  }

  /**
   * Takes a place in the line and answers how long to wait for the turn, ms; undefined, and nothing is taken, where
   * that would be longer than `longestMs`.
   */
  take(now: EpochMs, longestMs: number): number | undefined {
    const level = Math.min(this.#capacity, this.#level + Math.max(0, now - this.#at) * this.#perMs);
    const waitMs = Math.max(0, 1 - level) / this.#perMs;
    this.#at = laterOf(this.#at, now);
    this.#level = level;
    if (waitMs > longestMs) return undefined;
    this.#level = level - 1;
    return waitMs;
  }
}
