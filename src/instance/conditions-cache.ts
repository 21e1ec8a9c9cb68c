import { type Conditions, NO_CONDITIONS } from '../allocation/conditions.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

export interface ConditionsCacheOptions {
  readonly read: (now: EpochMs) => Promise<Conditions>;
  readonly now: () => EpochMs;
}

export const REFRESH_EVERY_MS = 20_000;
/** A request waits for the present query if the conditions are older than this. */
const STALE_MS = 60_000;
/** The longest wait of requests for newer conditions. */
const LONGEST_WAIT_MS = 250;
/**
 * The longest wait of requests for the first conditions of an instance. Without them, a cordoned hub would receive devices. DPS waits
 * five seconds for an answer (concepts-custom-allocation), and a cold start takes about two of them.
 */
const LONGEST_FIRST_WAIT_MS = 1_500;

/**
 * The conditions for the webhook. Requests wait for the state tables together: at most 1.5 seconds while nothing was ever loaded, and at
 * most 250 ms afterwards.
 */
export class ConditionsCache {
  readonly #options: ConditionsCacheOptions;
  #conditions = NO_CONDITIONS;
  #reading: Promise<void> | undefined;
  /** The wait that all requests share. */
  #waiting: Promise<void> | undefined;
  /** After a failed or late refresh, no request waits until a refresh succeeds. */
  #mayWait = true;

  constructor(options: ConditionsCacheOptions) {
    this.#options = options;
  }

  async current(): Promise<Conditions> {
    const { loadedAt } = this.#conditions;
    const isStale = loadedAt === undefined || this.#options.now() - loadedAt > STALE_MS;
    if (isStale && this.#mayWait) {
      this.#waiting ??= this.#wait(loadedAt === undefined ? LONGEST_FIRST_WAIT_MS : LONGEST_WAIT_MS);
      await this.#waiting;
    }
    return this.#conditions;
  }

  async #wait(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), ms);
    });
    if ((await Promise.race([this.refresh(), late])) === 'late') this.#mayWait = false;
    clearTimeout(timer);
    this.#waiting = undefined;
  }

  /** Reads the conditions again, or waits for the query that is already running. Never throws. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      this.#conditions = await this.#options.read(this.#options.now());
      this.#mayWait = true;
    } catch {
      this.#mayWait = false;
    }
  }
}
