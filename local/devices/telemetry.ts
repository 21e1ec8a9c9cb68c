/**
 * A device sends at most four messages a second, whatever interval it is told. Otherwise an interval of 1 ms would use up the
 * daily messages of its hub.
 */
const SHORTEST_MS = 250;

/** Calls `send` at an interval that can change. Before the first interval, it does not call. */
export class TelemetryTimer {
  readonly #send: () => void;
  #timer: NodeJS.Timeout | undefined;
  #intervalMs: number | undefined;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** Sends at this interval from now on, in milliseconds. The same interval again changes nothing. */
  every(intervalMs: number): void {
    if (intervalMs === this.#intervalMs && this.#timer !== undefined) return;
    this.stop();
    this.#intervalMs = intervalMs;
    this.#timer = setInterval(this.#send, Math.max(intervalMs, SHORTEST_MS));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
