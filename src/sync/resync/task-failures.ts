import { unlessNewer } from './sparing.ts';

/**
 * The failures of the tasks of a run. A task that fails does not end the tasks after it: a row that cannot be stored would
 * otherwise stop all of them in every run. The run fails at its end, with the first error.
 */
export class TaskFailures {
  readonly #mayGoOn: () => boolean;
  readonly #errors: unknown[] = [];

  /** @param mayGoOn whether another task may begin after one has failed */
  constructor(mayGoOn: () => boolean) {
    this.#mayGoOn = mayGoOn;
  }

  /**
   * The result of a task. `skipped`: it failed, it may not begin, or a newer package has stored the data that it needs.
   *
   * @example
   * const counted = await failures.unlessFailed(0, () => countTwins(context, mayGoOn));
   */
  async unlessFailed<Result>(skipped: Result, task: () => Promise<Result>): Promise<Result> {
    if (this.#errors.length > 0 && !this.#mayGoOn()) return skipped;
    try {
      return await unlessNewer(skipped, task);
    } catch (error) {
      this.#errors.push(error);
      return skipped;
    }
  }

  /** @throws the error of the first task that failed */
  throwFirst(): void {
    if (this.#errors.length > 0) throw this.#errors[0];
  }
}
