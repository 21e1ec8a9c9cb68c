import type { Hub } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import {
  appliesPerMinute,
  identityOperationsPerMinute,
  messageBytes,
  messagesPerDay,
  methodsPerSecond,
  queriesPerMinute,
  twinReadsPerSecond,
  twinUpdatesPerSecond,
} from '../iot-hub/throttles.ts';
import { untilTomorrow } from '../time/day.ts';
import { type EpochMs, earlierOf, laterOf, plus } from '../time/epoch-ms.ts';
import { DailyBudget, type DailyCounts } from './daily-budget.ts';
import type { HubPauses } from './hub-pauses.ts';
import { TokenBucket } from './token-bucket.ts';

/** The kinds of calls that a hub limits. */
export type HubOperation = 'read' | 'write' | 'identity' | 'query' | 'apply' | 'method';

/**
 * The operation of a permit. `statistics` asks for the number of devices and is an identity operation. `heartbeat` writes a tag
 * on the twin that Berth reserves, and is a twin update.
 */
export type PermittedOperation = HubOperation | 'statistics' | 'heartbeat';

/** The operation may be made now. */
export interface Permit {
  readonly kind: 'granted';
}

/** The operation may not be made now. */
export interface NoPermit {
  readonly kind: 'noPermit';
  /** When a new request for a permit makes sense. */
  readonly at: EpochMs;
  readonly why: string;
  /** The messages of the day are used up. */
  readonly isQuota: boolean;
}

/** Keeps the calls to hubs within their budget. `budgetHubs` asks it before every call. */
export interface HubBudget {
  /**
   * Waits for the permit of an operation, at most until `until`.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE` if the messages of the day cannot be counted.
   */
  permit(hub: Hub, operation: PermittedOperation, until: EpochMs): Promise<Permit | NoPermit>;
  /**
   * Waits for the permit to apply one manifest. The device then makes identity operations, which allocation needs too: they
   * count against the same budget.
   */
  permitApply(hub: Hub, identityOperations: number, until: EpochMs): Promise<Permit | NoPermit>;
}

/**
 * Berth uses the parts `budget.rate` and `budget.daily` of a hub's throttle and daily quota. Sync has seven tenths of that,
 * divided by the partitions of the Event Hub. Resync has three tenths. So instances need not communicate. While many twins of a hub
 * wait for a write, resync has all of its twin updates (`WriteClaim`).
 */
export const SYNC_PART = 0.7;
export const RESYNC_PART = 0.3;
/**
 * How long the work queue waits for the permit of an apply, in milliseconds. IoT Edge devices that wait for applies, of which a hub allows few,
 * must not hold up the other work on the hub.
 */
export const RESYNC_APPLY_MS = 2_000;

/**
 * How many messages of the daily quota an operation costs. A correction costs three: the update, the notification of the
 * device, and its answer. A method costs two: the request and the answer. A query page counts by its size (iot-hub-devguide-pricing). The identity registry is free.
 */
export const MESSAGES = { read: 1, write: 3, identity: 0, apply: 0, method: 2 } as const;

/** Soon enough for a budget that has grown meanwhile, by more units for example. */
const LONGEST_APPLY_WAIT_MS = 10 * 60_000;

/** No device is connected with the identity of the heartbeat, so there is no notification and no answer. */
const HEARTBEAT_MESSAGES = 1;

/** The size of a page of a hundred twins without their contents. */
const QUERY_PAGE_BYTES = 16 * 1024;

function messagesOf({ tier }: Hub, operation: HubOperation): number {
  return operation === 'query' ? Math.ceil(QUERY_PAGE_BYTES / messageBytes(tier)) : MESSAGES[operation];
}

export interface ShareOptions {
  /** The name of this part of the budget in the counts. Parts with the same name are the same part. */
  readonly share: string;
  /** How much of the budget it is, from 0 to 1. */
  readonly part: number;
  /**
   * How much of the twin updates it is now. 0: `resyncFleet` makes all of them, and this part leaves its corrections to the work
   * queue. Default: `part`.
   */
  readonly writePart?: (host: HostName) => Promise<number>;
  /**
   * How long an apply waits for its permit, in milliseconds. An apply that would wait longer asks again later. Default: to the end of the work that asks.
   */
  readonly longestApplyMs?: number;
  readonly counts: DailyCounts;
  readonly pauses: HubPauses;
  readonly now: () => EpochMs;
  readonly wait: (ms: number) => Promise<void>;
}

/** One part of the hubs' budgets. */
export class BudgetShare implements HubBudget {
  readonly #options: ShareOptions;
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #days = new Map<HostName, DailyBudget>();
  readonly #nextApplies = new Map<HostName, EpochMs>();

  constructor(options: ShareOptions) {
    this.#options = options;
  }

  async permit(hub: Hub, operation: PermittedOperation, until: EpochMs): Promise<Permit | NoPermit> {
    if (operation === 'statistics') return this.#permitStatistics(hub);
    if (operation === 'heartbeat') return this.#permitHeartbeat(hub);
    const { now, wait } = this.#options;
    const paused = this.#paused(hub);
    if (paused !== undefined) return paused;
    const day = this.#day(hub);
    // Checked before the token bucket: a place in its queue would delay other calls for nothing.
    if (day.isSpent(messagesOf(hub, operation), now())) return spent(now());
    const part = await this.#partOf(hub, operation);
    if (part === 0) return later(now(), CLAIMED_WHY);
    const waitMs = this.#bucket(hub, operation, part).take(now(), Math.max(0, until - now()));
    if (waitMs === undefined)
      return operation === 'apply'
        ? later(this.#nextApplyAt(hub, until), APPLY_WHY)
        : later(until, OPERATIONS_WHY);
    if (waitMs > 0) await wait(waitMs);
    const pausedMeanwhile = this.#paused(hub);
    if (pausedMeanwhile !== undefined) return pausedMeanwhile;
    if (waitMs > 0 && (await this.#partOf(hub, operation)) === 0) return later(now(), CLAIMED_WHY);
    return (await day.take(messagesOf(hub, operation), now())) ? GRANTED : spent(now());
  }

  async permitApply(hub: Hub, identityOperations: number, until: EpochMs): Promise<Permit | NoPermit> {
    const { now, wait, longestApplyMs = Number.POSITIVE_INFINITY } = this.#options;
    const paused = this.#paused(hub);
    if (paused !== undefined) return paused;
    // Before the permit of the apply itself, which would be lost.
    const identity = this.#bucket(hub, 'identity');
    const longestMs = Math.min(longestApplyMs, Math.max(0, until - now()));
    const last = plus(now(), longestMs);
    const waitMs = identityOperations > 0 ? identity.borrow(identityOperations, now(), longestMs) : 0;
    if (waitMs === undefined) return later(this.#nextApplyAt(hub, until), IDENTITY_WHY);
    if (waitMs > 0) await wait(waitMs);
    const permitted = await this.permit(hub, 'apply', last);
    if (permitted.kind === 'noPermit') identity.putBack(identityOperations);
    return permitted;
  }

  /**
   * The part of the saved operations of a kind that may be made at once, from 0 to 1. Other parts of the budget have their own.
   */
  left(hub: Hub, operation: HubOperation): number {
    return this.#bucket(hub, operation).left(this.#options.now());
  }

  /**
   * Always granted, because the number of devices shows the health of a hub, even during a pause of the hub.
   * `resyncFleet` asks once in a run. The call counts as an identity operation, if the bucket allows one.
   */
  #permitStatistics(hub: Hub): Permit {
    this.#bucket(hub, 'identity').take(this.#options.now(), 0);
    return GRANTED;
  }

  /**
   * Granted at once unless the hub refuses calls, also if the budget is used up: without it, Berth would not see that a hub has
   * become silent. It counts as one twin update and one message, and there are at most seven in an hour.
   */
  async #permitHeartbeat(hub: Hub): Promise<Permit | NoPermit> {
    const { now } = this.#options;
    const paused = this.#paused(hub);
    if (paused !== undefined) return paused;
    this.#bucket(hub, 'write', (await this.#partOf(hub, 'write')) || undefined).take(now(), 0);
    await this.#day(hub).take(HEARTBEAT_MESSAGES, now());
    return GRANTED;
  }

  /**
   * When an apply without a permit should ask again. The applies of a hub get times one after the other, so that few of them are due at once;
   * twice as fast as the budget allows, so that no permit is left over.
   */
  #nextApplyAt(hub: Hub, until: EpochMs): EpochMs {
    const { longestApplyMs, part, now } = this.#options;
    if (longestApplyMs === undefined) return until;
    const before = laterOf(this.#nextApplies.get(hub.host) ?? now(), now());
    const next = plus(before, 1_000 / ratePerSecond(hub, 'apply', part) / 2);
    const at = earlierOf(next, plus(now(), LONGEST_APPLY_WAIT_MS));
    this.#nextApplies.set(hub.host, at);
    return at;
  }

  #paused({ host }: Hub): NoPermit | undefined {
    const { pauses, now } = this.#options;
    const pause = pauses.of(host, now());
    return pause === undefined ? undefined : later(pause.until, pause.why, pause.isQuota);
  }

  async #partOf({ host }: Hub, operation: HubOperation): Promise<number> {
    const { part, writePart } = this.#options;
    return operation === 'write' && writePart !== undefined ? writePart(host) : part;
  }

  #bucket(hub: Hub, operation: HubOperation, part = this.#options.part): TokenBucket {
    // With other units, another budget or another part, a new bucket starts.
    const perSecond = ratePerSecond(hub, operation, part);
    const key = `${hub.host} ${operation} ${perSecond}`;
    const burst = burstOf(hub, operation, part);
    const bucket = this.#buckets.get(key) ?? new TokenBucket(perSecond, this.#options.now(), burst);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #day(hub: Hub): DailyBudget {
    const { counts, share, part } = this.#options;
    const limit = dailyLimit(hub, part);
    const day = this.#days.get(hub.host) ?? new DailyBudget(counts, hub.host, share, limit);
    this.#days.set(hub.host, day);
    return day;
  }
}

/** The operations in a second that a part of a hub's budget allows. */
export function ratePerSecond(
  hub: Pick<Hub, 'tier' | 'units' | 'budget'>,
  operation: HubOperation,
  part: number,
): number {
  return rateOf(hub, operation) * hub.budget.rate * part;
}

/**
 * The operations that a part of a hub's budget may make at once, after a quiet minute. The hub counts applies and identity
 * operations by the minute. So a part may save up a minute, as long as the worst minute is within its part of the hub's
 * limit. On a hub with one unit, a partition would otherwise save up one apply in half a minute or more, and each new IoT Edge
 * device would wait for it.
 */
function burstOf(hub: Pick<Hub, 'tier' | 'units' | 'budget'>, operation: HubOperation, part: number): number {
  if (operation !== 'apply' && operation !== 'identity') return 0;
  const { rate } = hub.budget;
  const saved = rateOf(hub, operation) * 60 * part * Math.min(rate, 1 - rate);
  // The first manifest must not wait.
  return operation === 'apply' ? Math.max(1, saved) : saved;
}

/** The messages in a day that a part of a hub's budget allows. */
export function dailyLimit(hub: Pick<Hub, 'tier' | 'units' | 'budget'>, part: number): number {
  return Math.floor(messagesPerDay(hub) * hub.budget.daily * part);
}

const IDENTITY_WHY = 'the budget of identity operations is used up, which the device needs for its modules';

const OPERATIONS_WHY = 'the budget of operations a second is used up';

const CLAIMED_WHY =
  'many twins of the hub wait for a write, so resyncFleet makes the corrections in the order of their urgency';

const APPLY_WHY = 'the budget of applied manifests is used up';

const GRANTED: Permit = { kind: 'granted' };

function later(at: EpochMs, why: string, isQuota = false): NoPermit {
  return { kind: 'noPermit', at, why, isQuota };
}

function spent(now: EpochMs): NoPermit {
  return later(plus(now, untilTomorrow(now)), 'the budget of messages a day is used up', true);
}

/** The hub's own limit of operations in a second. */
function rateOf(hub: Pick<Hub, 'tier' | 'units'>, operation: HubOperation): number {
  switch (operation) {
    case 'read':
      return twinReadsPerSecond(hub);
    case 'write':
      return twinUpdatesPerSecond(hub);
    case 'identity':
      return identityOperationsPerMinute(hub) / 60;
    case 'query':
      return queriesPerMinute(hub) / 60;
    case 'apply':
      return appliesPerMinute(hub) / 60;
    case 'method':
      return methodsPerSecond(hub);
  }
}

/** A budget without permits, for a partition whose part is not known. */
export function noBudget(why: string, retryMs: number, now: () => EpochMs): HubBudget {
  const refuse = async () => later(plus(now(), retryMs), why);
  return { permit: refuse, permitApply: refuse };
}
