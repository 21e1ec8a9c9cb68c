import { jest } from '@jest/globals';
import { type EpochMs, laterOf, plus, systemTime } from '../../src/time/epoch-ms.ts';

declare global {
  /** The number of HTTP requests of this suite that have neither their whole answer nor an error. Jest's environment counts them. */
  var httpRequestsWaiting: () => number;
}

interface Sleeper {
  readonly at: EpochMs;
  readonly wake: () => void;
}

/** Real time for other work before the clock advances to the next waiter. */
const REAL_MS = 2;

/**
 * A clock that stands still until a test moves it, so that no result depends on the speed of the machine. Waits by this
 * clock take almost no real time: it advances to the time of the next waiter. So hours of throttling take milliseconds, in
 * the same order.
 *
 * It does not advance by itself while an HTTP request of the suite waits for its answer. Else the speed of the machine would decide
 * how many calls a run makes before its time is over.
 *
 * It shows whole milliseconds, as the clock of a machine does. Stored times are rounded up to them: if this clock stood still between
 * two of them, work of "now" would never be due.
 */
export class TestClock {
  #now = systemTime();
  #sleepers: readonly Sleeper[] = [];
  #isGoingOn = false;

  readonly now = (): EpochMs => this.#now;

  /** Resolves when the clock has advanced by `ms`. */
  readonly wait = (ms: number): Promise<void> =>
    new Promise((wake) => {
      this.#sleep({ at: plus(this.#now, Math.ceil(ms)), wake });
      void this.#goOn();
    });

  /** Advances the clock. */
  pass(ms: number): void {
    this.#advanceTo(plus(this.#now, ms));
  }

  #sleep(sleeper: Sleeper): void {
    this.#sleepers = [...this.#sleepers, sleeper].sort((one, other) => one.at - other.at);
  }

  async #goOn(): Promise<void> {
    if (this.#isGoingOn) return;
    this.#isGoingOn = true;
    for (;;) {
      await realTime(REAL_MS);
      if (httpRequestsWaiting() > 0) continue;
      const [first] = this.#sleepers;
      if (first === undefined) break;
      this.#advanceTo(laterOf(this.#now, first.at));
    }
    this.#isGoingOn = false;
  }

  #advanceTo(now: EpochMs): void {
    this.#now = now;
    const awake = this.#sleepers.filter(({ at }) => at <= now);
    this.#sleepers = this.#sleepers.filter(({ at }) => at > now);
    for (const { wake } of awake) wake();
  }
}

/** Deadlines of one length that end only when the test ends them, also on a slow machine. */
export interface HeldDeadlines {
  /** Ends all deadlines that have begun. */
  pass(): void;
  /** Makes new deadlines real again. */
  release(): void;
}

/** Holds the signals of `AbortSignal.timeout(ms)` in the code under test. Other lengths do not change. */
export function holdDeadlines(ms: number): HeldDeadlines {
  const begun: AbortController[] = [];
  const real = AbortSignal.timeout.bind(AbortSignal);
  const spy = jest.spyOn(AbortSignal, 'timeout').mockImplementation((asked) => {
    if (asked !== ms) return real(asked);
    const controller = new AbortController();
    begun.push(controller);
    return controller.signal;
  });
  return {
    pass() {
      for (const controller of begun.splice(0)) controller.abort(new DOMException('', 'TimeoutError'));
    },
    release: () => spy.mockRestore(),
  };
}

/** Waits in real time, for conditions that a test cannot check, such as a message that must not arrive. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
