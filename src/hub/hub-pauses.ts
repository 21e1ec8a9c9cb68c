import type { HostName } from '../iot-hub/host-name.ts';
import { EPOCH, type EpochMs, plus } from '../time/epoch-ms.ts';
import type { HubError, HubErrorCode } from './port.ts';

const FIRST_MS = 2_000;
const LONGEST_MS = 5 * 60_000;
/**
 * A hub without messages takes calls again at 00:00 UTC, and as soon as an operator adds units. Nothing tells Berth about new units, so it
 * tries one call.
 */
export const QUOTA_MS = 15 * 60_000;
/** A hub that refuses less than one call in about ten serves most of Berth's work. Longer pauses would stop that work. */
const ENOUGH_ANSWERS = 10;
/** After this many failures in a row, the hub counts as down. */
const DOWN_AFTER = 3;

export interface HubPause {
  readonly until: EpochMs;
  readonly why: string;
  /** The daily quota of the whole hub is used up. */
  readonly isQuota: boolean;
}

interface Trouble {
  readonly pause: HubPause | undefined;
  /** Pauses in a row. Each is twice as long as the one before. */
  readonly times: number;
  /** Calls that the hub has answered since the pause. */
  readonly answered: number;
  /** As long after the pause as it took. Then, pauses begin small again. */
  readonly quietAt: EpochMs;
  /** Failures in a row. */
  readonly failures: number;
}

/**
 * Stops the calls of this instance to a hub that throttles, is down, or has used up its quota. Other instances decide for
 * themselves. A missed deadline counts as throttling, because a hub queues calls before it answers 429
 * (iot-hub-devguide-quotas-throttling).
 */
export class HubPauses {
  readonly #hubs = new Map<HostName, Trouble>();
  readonly #random: () => number;

  /** @param random gives numbers from 0 to 1, which spread the ends of pauses. */
  constructor(random: () => number) {
    this.#random = random;
  }

  of(host: HostName, now: EpochMs): HubPause | undefined {
    const pause = this.#hubs.get(host)?.pause;
    return pause !== undefined && now < pause.until ? pause : undefined;
  }

  /**
   * A call that began before a pause does not end it. Nor does one success end the trouble: a hub at its limit answers some calls and refuses
   * others.
   */
  succeeded(host: HostName, now: EpochMs): void {
    if (this.#hubs.size === 0) return;
    const trouble = this.#hubs.get(host);
    if (trouble === undefined || this.of(host, now) !== undefined) return;
    if (now >= trouble.quietAt) this.#hubs.delete(host);
    else this.#hubs.set(host, { ...trouble, answered: trouble.answered + 1, failures: 0 });
  }

  failed(host: HostName, error: HubError, now: EpochMs): void {
    // With these codes, the hub works and refuses only this call.
    if (ANSWERS.has(error.code)) {
      this.succeeded(host, now);
      return;
    }
    const before = this.#hubs.get(host) ?? NO_TROUBLE;
    const failures = before.failures + 1;
    const reason = reasonFor(error, failures);
    if (reason === undefined) {
      this.#hubs.set(host, { ...before, failures });
      return;
    }
    // Calls that began before the pause fail too. They do not extend it.
    if (before.pause !== undefined && now < before.pause.until && !reason.isQuota) return;
    const spread = this.#random();
    const isInRow = now < before.quietAt && before.answered < ENOUGH_ANSWERS;
    const times = isInRow ? before.times : 0;
    const asked = error.retryAfterMs ?? FIRST_MS * 2 ** Math.min(times, 10);
    const ms = (reason.isQuota ? QUOTA_MS : Math.min(asked, LONGEST_MS)) * (1 + spread / 4);
    const until = plus(now, Math.ceil(ms));
    const quietAt = plus(until, Math.ceil(ms));
    this.#hubs.set(host, { pause: { ...reason, until }, times: times + 1, answered: 0, quietAt, failures });
  }
}

const NO_TROUBLE: Trouble = { pause: undefined, times: 0, answered: 0, quietAt: EPOCH, failures: 0 };

const ANSWERS: ReadonlySet<HubErrorCode> = new Set([
  'BERTH_HUB_NOT_FOUND',
  'BERTH_HUB_PRECONDITION_FAILED',
  'BERTH_HUB_REFUSED',
]);

function reasonFor(error: HubError, failures: number): Pick<HubPause, 'why' | 'isQuota'> | undefined {
  switch (error.code) {
    case 'BERTH_HUB_THROTTLED':
      return { why: 'the hub throttles', isQuota: false };
    case 'BERTH_HUB_TIMEOUT':
      return { why: 'the hub does not answer in time', isQuota: false };
    case 'BERTH_HUB_QUOTA_EXCEEDED':
      return { why: 'the daily message quota of the hub is used up', isQuota: true };
    case 'BERTH_HUB_UNAVAILABLE':
      return failures >= DOWN_AFTER ? { why: 'the hub is down', isQuota: false } : undefined;
    case 'BERTH_HUB_UNAUTHORIZED':
      return failures >= DOWN_AFTER
        ? { why: 'the hub refuses the credentials of Berth', isQuota: false }
        : undefined;
    default:
      return undefined;
  }
}
