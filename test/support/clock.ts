import { jest } from '@jest/globals';
import { type EpochMs, plus, systemTime } from '../../src/time/epoch-ms.ts';

interface Sleeper {
  readonly at: EpochMs;
  readonly wake: () => void;
}

/** Real time for other work before the clock advances to the next waiter. */
const REAL_MS = 2;

/**
 * A clock that runs with the real one and that tests can move. Waits by this clock take almost no real time: it advances
 * to the time of the next waiter. So hours of throttling take milliseconds, in the same order.
 */
export class TestClock {
  #passed = 0;
  #stoppedAt: EpochMs | undefined;
  #sleepers: readonly Sleeper[] = [];
  #isGoingOn = false;

  readonly now = (): EpochMs => this.#stoppedAt ?? plus(systemTime(), this.#passed);

  /** Resolves when the clock has advanced by `ms`. While the clock is stopped, it resolves soon. */
  readonly wait = (ms: number): Promise<void> =>
    new Promise((wake) => {
      this.#sleep({ at: plus(this.now(), ms), wake });
      void this.#goOn();
    });

  /** Advances the clock. */
  pass(ms: number): void {
    this.#passed += ms;
    if (this.#stoppedAt !== undefined) this.#stoppedAt = plus(this.#stoppedAt, ms);
    this.#wakeUntil(this.now());
  }

  /** Stops the clock and returns its time. */
  stop(): EpochMs {
    this.#stoppedAt = this.now();
    return this.#stoppedAt;
  }

  start(): void {
    this.#stoppedAt = undefined;
  }

  #sleep(sleeper: Sleeper): void {
    this.#sleepers = [...this.#sleepers, sleeper].sort((one, other) => one.at - other.at);
  }

  async #goOn(): Promise<void> {
    if (this.#isGoingOn) return;
    this.#isGoingOn = true;
    for (;;) {
      await realTime(REAL_MS);
      const [first] = this.#sleepers;
      if (first === undefined) break;
      if (this.#stoppedAt === undefined) this.#passed += Math.max(0, first.at - this.now());
      this.#wakeUntil(first.at);
    }
    this.#isGoingOn = false;
  }

  #wakeUntil(now: EpochMs): void {
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
