import type { WrittenReceipt } from '../store/receipts/receipt-store.ts';
import type { Log } from './log.ts';

export interface ReceiptBufferOptions {
  /** Stores receipts, and returns how many could not be stored. May throw. */
  readonly keep: (receipts: readonly WrittenReceipt[]) => Promise<number>;
  readonly log: Log;
}

export const FLUSH_EVERY_MS = 1_000;
/** The registrations of one DPS in a minute. More receipts are lost, and counted. */
const CAPACITY = 1_000;

/**
 * Receipts that are not stored yet. The webhook does not wait for them. They are stored together, once a second. If the process
 * ends in between, the receipts of that second are lost. Their log lines are not. The log has the number of all others that are
 * lost.
 */
export class ReceiptBuffer {
  readonly #options: ReceiptBufferOptions;
  #waiting: WrittenReceipt[] = [];
  #lost = 0;
  #flushing: Promise<void> | undefined;

  constructor(options: ReceiptBufferOptions) {
    this.#options = options;
  }

  add(receipt: WrittenReceipt): void {
    if (this.#waiting.length < CAPACITY) this.#waiting.push(receipt);
    else this.#lost += 1;
  }

  /** Stores all waiting receipts, and resolves after that. Never throws. */
  flush(): Promise<void> {
    this.#flushing ??= this.#drain().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        this.#lost += await this.#options.keep(batch);
      } catch {
        this.#lost += batch.length;
      }
    }
    if (this.#lost === 0) return;
    this.#options.log('warn', 'receiptsLost', { count: this.#lost });
    this.#lost = 0;
  }
}
