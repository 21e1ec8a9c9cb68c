import { EPOCH, type EpochMs, plus } from '../time/epoch-ms.ts';
import type { Log } from './log.ts';

export interface PartitionCountOptions {
  /** Asks the Event Hub. May throw. */
  readonly ask: () => Promise<number | undefined>;
  /** The number in the setting. */
  readonly fallback: number | undefined;
  readonly now: () => EpochMs;
  readonly log: Log;
}

/** How long the number is valid. An Event Hub of the dedicated or premium tier may get more partitions. */
const FRESH_MS = 60 * 60_000;
const RETRY_MS = 60_000;

/**
 * The number of partitions of the Event Hub. The budgets of hubs are divided by it. A number that is too small would let
 * the parts exceed the budget.
 */
export class PartitionCount {
  readonly #options: PartitionCountOptions;
  #count: number | undefined;
  #askAfter = EPOCH;
  #asking: Promise<void> | undefined;

  constructor(options: PartitionCountOptions) {
    this.#options = options;
  }

  /** The number. Berth asks again if a partition is beyond it. Undefined: it is not known. */
  async atLeast(partition: number): Promise<number | undefined> {
    const { now, fallback } = this.#options;
    const isKnown = this.#count !== undefined && partition < this.#count;
    if (now() >= this.#askAfter || (!isKnown && now() >= plus(this.#askAfter, RETRY_MS - FRESH_MS))) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    return this.#count ?? fallback;
  }

  async #ask(): Promise<void> {
    const { ask, now, log } = this.#options;
    try {
      const count = await ask();
      if (count !== undefined) this.#count = count;
      this.#askAfter = plus(now(), count === undefined ? RETRY_MS : FRESH_MS);
    } catch (error) {
      // Only the name, because the message of a credential error may quote the identity endpoint.
      log('warn', 'partitionsUnknown', { reason: error instanceof Error ? error.name : 'error' });
      this.#askAfter = plus(now(), RETRY_MS);
    }
  }
}
