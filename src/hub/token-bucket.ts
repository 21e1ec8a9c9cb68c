import { type EpochMs, laterOf } from '../time/epoch-ms.ts';

/**
 * Limits the operations in a second. It starts empty and holds the operations of one second, but at least one. So an old
 * and a new owner of the same budget cannot use a full bucket each.
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

  /** Takes operations that will be made soon, by others. Later ones wait until the bucket is above zero again. */
  owe(operations: number): void {
    this.#level -= operations;
  }

  /**
   * Takes one operation and returns how long to wait before it, ms. Undefined: the wait would be longer than `longestMs`,
   * and nothing was taken.
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
