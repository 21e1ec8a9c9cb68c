import { type EpochMs, laterOf } from '../time/epoch-ms.ts';

/**
 * Limits the operations in a second. It starts empty and holds the operations of one second, but at least one. So an old and
 * a new owner of the same budget cannot use a full bucket each. With a burst, it starts full and holds these operations.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #at: EpochMs;

  /** @param burst operations that may be made at once, if none were made for a while. It may have a fraction. */
  constructor(perSecond: number, now: EpochMs, burst = 0) {
    this.#perMs = perSecond / 1_000;
    this.#capacity = Math.max(1, perSecond, burst);
    this.#level = burst;
    this.#at = now;
  }

  /**
   * Takes several operations at once, which others will make soon, and returns how long to wait before them, ms. They may
   * leave a debt. Only an earlier debt makes them wait. Undefined: as `take`.
   */
  borrow(operations: number, now: EpochMs, longestMs: number): number | undefined {
    return this.#takeAbove(0, operations, now, longestMs);
  }

  /** The part of the saved operations that is left, from 0 to 1. It is 0 while others wait. */
  left(now: EpochMs): number {
    return Math.max(0, this.#levelAt(now)) / this.#capacity;
  }

  /** Puts operations back that were not made. */
  putBack(operations: number): void {
    this.#level += operations;
  }

  /**
   * Takes one operation and returns how long to wait before it, ms. Undefined: the wait would be longer than `longestMs`,
   * and nothing was taken.
   */
  take(now: EpochMs, longestMs: number): number | undefined {
    return this.#takeAbove(1, 1, now, longestMs);
  }

  /** Takes operations as soon as the level is at least `least`. */
  #takeAbove(least: number, operations: number, now: EpochMs, longestMs: number): number | undefined {
    const level = this.#levelAt(now);
    const waitMs = Math.max(0, least - level) / this.#perMs;
    this.#at = laterOf(this.#at, now);
    this.#level = level;
    if (waitMs > longestMs) return undefined;
    this.#level = level - operations;
    return waitMs;
  }

  #levelAt(now: EpochMs): number {
    return Math.min(this.#capacity, this.#level + Math.max(0, now - this.#at) * this.#perMs);
  }
}
