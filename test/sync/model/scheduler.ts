import { type EpochMs, laterOf, plus } from '../../../src/time/epoch-ms.ts';
import type { Random } from './random.ts';

/** A running piece of work that may die at any moment: what it waits for never comes. */
export interface Task {
  readonly name: string;
  isDead: boolean;
}

interface Waiting {
  readonly at: EpochMs;
  readonly order: number;
  readonly task: Task;
  readonly resume: () => void;
}

/**
 * Virtual time. Everything that takes time waits here, and the seed decides who goes on first among those whose time is
 * the same: so that work of several instances interleaves in every way, and the same way again under the same seed.
 */
export class Scheduler {
  now: EpochMs;
  readonly #random: Random;
  readonly #waiting: Waiting[] = [];

  constructor(start: EpochMs, random: Random) {
    this.now = start;
    this.#random = random;
  }

  /** Goes on after so many milliseconds, unless the task has died. */
  pause(ms: number, task: Task): Promise<void> {
    return new Promise((resume) => {
      const waiting = { at: plus(this.now, Math.max(0, ms)), order: this.#random.next(), task, resume };
      let index = this.#waiting.length;
      while (index > 0 && isAfter(this.#waiting[index - 1] as Waiting, waiting)) index -= 1;
      this.#waiting.splice(index, 0, waiting);
    });
  }

  /** Lets everything happen that happens until then. */
  async runUntil(time: EpochMs): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || next.at > time) break;
      this.#waiting.shift();
      if (next.task.isDead) continue;
      this.now = laterOf(this.now, next.at);
      next.resume();
      // Until everything that follows from it waits again: Node.js runs this callback once no promise is left to continue. It is
      // cheaper than `setImmediate`, which looks for other events too.
      await new Promise((resolve) => process.nextTick(resolve));
    }
    this.now = laterOf(this.now, time);
  }
}

function isAfter(one: Waiting, other: Waiting): boolean {
  return one.at > other.at || (one.at === other.at && one.order > other.order);
}
