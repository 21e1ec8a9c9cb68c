import { jest } from '@jest/globals';
import { type EpochMs, plus, systemTime } from '../../src/time/epoch-ms.ts';

interface Sleeper {
  readonly at: EpochMs;
  readonly wake: () => void;
}

/** How long real work gets before the clock goes on to the next waiter. */
const REAL_MS = 2;

/**
 * A clock that goes with the real one and that tests may move. Who waits by it does not wait in earnest: the clock goes on to
 * the moment that the first waiter waits for, so hours of throttling take milliseconds, in the same order.
 */
export class TestClock {
  #passed = 0;
  #stoppedAt: EpochMs | undefined;
  #sleepers: readonly Sleeper[] = [];
  #isGoingOn = false;

  readonly now = (): EpochMs => this.#stoppedAt ?? plus(systemTime(), this.#passed);

  /** Resolves when the clock has come to `ms` from now; while it is stopped, soon. */
  readonly wait = (ms: number): Promise<void> =>
    new Promise((wake) => {
      this.#sleep({ at: plus(this.now(), ms), wake });
      void this.#goOn();
    });

  /** Lets time pass. */
  pass(ms: number): void {
    this.#passed += ms;
    if (this.#stoppedAt !== undefined) this.#stoppedAt = plus(this.#stoppedAt, ms);
    this.#wakeUntil(this.now());
  }

  /** Stops the clock; answers what it says. */
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

/** Deadlines of one length that end when a test says so, and not before, however slow the machine is. */
export interface HeldDeadlines {
  /** All that have begun are over. */
  pass(): void;
  /** They are real ones again. */
  release(): void;
}

/** Holds what the code under test gets from `AbortSignal.timeout(ms)`; other lengths stay as they are. */
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

/** Lets real time pass: for what a test cannot look at, such as a message that must not come. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
