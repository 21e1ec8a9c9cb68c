import { BerthError } from '../../errors.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';
import { unlessNewer } from './sparing.ts';

interface FailedTask {
  readonly task: string;
  readonly error: unknown;
}

/**
 * The failures of the tasks of a run. A task that fails does not end the tasks after it: a row that cannot be stored would
 * otherwise stop all of them in every run. The run fails at its end, with the first error. Each other one is logged.
 */
export class TaskFailures {
  readonly #mayGoOn: () => boolean;
  readonly #warn: SyncContext['warn'];
  readonly #failures: FailedTask[] = [];

  /** @param mayGoOn whether another task may begin after one has failed */
  constructor(mayGoOn: () => boolean, warn: SyncContext['warn']) {
    this.#mayGoOn = mayGoOn;
    this.#warn = warn;
  }

  /**
   * The result of a task. `skipped`: it failed, it may not begin, or a newer package has stored the data that it needs.
   *
   * @param task what it does, for the log
   * @example
   * const counted = await failures.unlessFailed('the counts of twins', 0, () => countTwins(context, mayGoOn));
   */
  async unlessFailed<Result>(task: string, skipped: Result, work: () => Promise<Result>): Promise<Result> {
    if (this.#failures.length > 0 && !this.#mayGoOn()) return skipped;
    try {
      return await unlessNewer(skipped, work);
    } catch (error) {
      this.#failures.push({ task, error });
      return skipped;
    }
  }

  /** @throws the error of the first task that failed, after the others are logged */
  throwFirst(): void {
    const [first, ...others] = this.#failures;
    this.#log(others);
    if (first !== undefined) throw first.error;
  }

  /** Logs all of them: the run fails with another error. */
  logAll(): void {
    this.#log(this.#failures);
  }

  #log(failures: readonly FailedTask[]): void {
    for (const { task, error } of failures) {
      // The message of a defect may hold values of devices.
      const isKnown = error instanceof BerthError;
      const why = isKnown ? error.message : error instanceof Error ? error.name : 'unknown reason';
      this.#warn(`A task of resyncFleet failed: ${task}. ${why}`, {
        code: isKnown ? error.code : 'BERTH_DEFECT',
      });
    }
  }
}
