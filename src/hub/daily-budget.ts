import type { HostName } from '../iot-hub/host-name.ts';
import { dayOf } from '../time/day.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** Counts the messages of a day, for all instances. */
export interface DailyCounts {
  /**
   * Counts these messages, or as many of them as the limit allows, and returns their number. The count is permanent: if an
   * instance ends, its unused messages are lost, but none is used twice.
   */
  reserve(key: DailyKey, messages: number, limit: number): Promise<number>;
}

export interface DailyKey {
  /** UTC day, such as `2026-11-23`. */
  readonly day: string;
  readonly host: HostName;
  /** The name of the part of the budget: a partition, or `resync`. */
  readonly share: string;
}

/** A part of the budget is taken in about this many blocks a day. */
const BLOCKS = 200;

/** A part of a hub's messages for the day. It is taken in blocks, so that not every operation needs a call to the tables. */
export class DailyBudget {
  readonly #counts: DailyCounts;
  readonly #host: HostName;
  readonly #share: string;
  readonly #limit: number;
  #day = '';
  #granted = 0;
  #isSpent = false;
  #asking: Promise<unknown> = Promise.resolve();

  /** @param limit messages in a day. */
  constructor(counts: DailyCounts, host: HostName, share: string, limit: number) {
    this.#counts = counts;
    this.#host = host;
    this.#share = share;
    this.#limit = Math.floor(limit);
  }

  /** Takes messages of the day. False: there are not enough, and none was taken. */
  take(messages: number, now: EpochMs): Promise<boolean> {
    // In sequence, so that one new block serves all calls that wait for it.
    const taken = this.#asking.then(() => this.#take(messages, now));
    this.#asking = taken.catch(() => {});
    return taken;
  }

  /** Whether this instance already knows that the day has not enough messages left. */
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
