import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../time/instant.ts';

/** Smaller differences are the way of the answer, and the resolution of `Date`, which is a second. */
const LEAST_MS = 5_000;

/**
 * The hubs' clock, by what they last answered. Berth's waits count from times that hubs have written, so an instance whose own
 * clock is an hour fast must not take a minute for over.
 */
export class HubClock {
  readonly #now: () => EpochMs;
  #differenceMs = 0;

  /** @param now this instance's own clock. */
  constructor(now: () => EpochMs) {
    this.#now = now;
  }

  /** A hub has just answered, with this time on it; undefined: it did not say. */
  observe(hubTime: Instant | undefined): void {
    if (hubTime === undefined) return;
    const differenceMs = millisecondsOf(hubTime) - this.#now();
    this.#differenceMs = Math.abs(differenceMs) < LEAST_MS ? 0 : differenceMs;
  }

  /** Until a hub has answered, the instance's own clock. */
  readonly now = (): EpochMs => plus(this.#now(), this.#differenceMs);
}
