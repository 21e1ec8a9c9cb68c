import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { Log } from './log.ts';

export interface ReceiptBufferOptions {
  readonly keep: (receipt: Receipt) => Promise<void>;
  readonly log: Log;
}

export const FLUSH_EVERY_MS = 1_000;
/** The registrations of one DPS in a minute. More receipts are lost, and counted. */
const CAPACITY = 1_000;
const AT_ONCE = 8;

/**
 * Receipts that are not stored yet. The webhook does not wait for them. Receipts may be lost; the log has their number.
 */
export class ReceiptBuffer {
  readonly #options: ReceiptBufferOptions;
  #waiting: Receipt[] = [];
  #lost = 0;
  #flushing: Promise<void> | undefined;

  constructor(options: ReceiptBufferOptions) {
    this.#options = options;
  }

  add(receipt: Receipt): void {
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
      const batch = this.#take();
      const results = await Promise.allSettled(batch.map((receipt) => this.#options.keep(receipt)));
      this.#lost += results.filter(({ status }) => status === 'rejected').length;
    }
    if (this.#lost === 0) return;
    this.#options.log('warn', 'receiptsLost', { count: this.#lost });
    this.#lost = 0;
  }

  /** The next receipts, at most one of each device, because two would replace the same row. */
  #take(): readonly Receipt[] {
    const batch = new Map<string, Receipt>();
    for (const receipt of this.#waiting) {
      const id = receipt.inputs.registrationId.toLowerCase();
      if (!batch.has(id)) batch.set(id, receipt);
      if (batch.size === AT_ONCE) break;
    }
    const taken = new Set(batch.values());
    this.#waiting = this.#waiting.filter((receipt) => !taken.has(receipt));
    return [...taken];
  }
}
