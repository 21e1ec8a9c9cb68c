import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { type Instant, millisecondsOf } from '../time/instant.ts';

/** Smaller differences come from the network and from the header `Date`, which has a resolution of one second. */
const LEAST_MS = 5_000;

/**
 * The hubs' clock, from the times in their answers. Berth's waits start at times of hubs. If the clock of an instance were
 * an hour fast, all waits would otherwise end at once.
 */
export class HubClock {
  readonly #now: () => EpochMs;
  #differenceMs = 0;

  /** @param now this instance's own clock. */
  constructor(now: () => EpochMs) {
    this.#now = now;
  }

  /** A hub has just answered with this time. Undefined: the answer had no time. */
  observe(hubTime: Instant | undefined): void {
    if (hubTime === undefined) return;
    const differenceMs = millisecondsOf(hubTime) - this.#now();
    this.#differenceMs = Math.abs(differenceMs) < LEAST_MS ? 0 : differenceMs;
  }

  /** Until a hub has answered, the instance's own clock. */
  readonly now = (): EpochMs => plus(this.#now(), this.#differenceMs);
}
