import type { HostName } from '../iot-hub/host-name.ts';
import { dayOf } from '../time/day.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** Where the messages of a day are counted, for all instances. */
export interface DailyCounts {
  /**
   * Counts so many messages if they stay below the limit, or as many as do. Answers how many were granted, and
   * remembers the count for good: what an instance that dies has not used is lost, never used twice.
   */
  reserve(key: DailyKey, messages: number, limit: number): Promise<number>;
}

export interface DailyKey {
  /** UTC day, such as `2026-11-23`. */
  readonly day: string;
  readonly host: HostName;
  /** Whose part of the budget: a partition, or resync. */
  readonly share: string;
}

/** So many times a day a part is asked for at most, more or less. */
const BLOCKS = 200;

/** A part of a hub's messages for the day, taken in blocks so that not every operation asks the tables. */
export class DailyBudget {
  readonly #counts: DailyCounts;
  readonly #host: HostName;
  readonly #share: string;
  readonly #limit: number;
  #day = '';
  #granted = 0;
  #isSpent = false;
  #asking: Promise<unknown> = Promise.resolve();

  /** @param limit messages a day. */
  constructor(counts: DailyCounts, host: HostName, share: string, limit: number) {
    this.#counts = counts;
    this.#host = host;
    this.#share = share;
    this.#limit = Math.floor(limit);
  }

  /** Takes so many messages of the day; false, and nothing is taken, where they are spent. */
  take(messages: number, now: EpochMs): Promise<boolean> {
    // One after the other: a block that is on its way serves those who wait.
    const taken = this.#asking.then(() => this.#take(messages, now));
    this.#asking = taken.catch(() => {});
    return taken;
  }

  /** Whether it is known already, and needs no asking, that so many are no more to be had on this day. */
  isSpent(messages: number, now: EpochMs): boolean {
    return this.#isSpent && this.#granted < messages && this.#day === dayOf(now);
  }

  async #take(messages: number, now: EpochMs): Promise<boolean> {
    const day = dayOf(now);
    if (day !== this.#day) {
      this.#day = day;
      this.#granted = 0;
      this.#isSpent = false;
    }
    if (this.#granted < messages && !this.#isSpent) {
      const wanted = Math.max(messages - this.#granted, Math.ceil(this.#limit / BLOCKS));
      const granted = await this.#counts.reserve(
        { day, host: this.#host, share: this.#share },
        wanted,
        this.#limit,
      );
      this.#granted += granted;
      this.#isSpent = granted < wanted;
    }
    if (this.#granted < messages) return false;
    this.#granted -= messages;
    return true;
  }
}
