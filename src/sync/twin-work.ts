import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import { HubError, type HubPort } from '../hub/port.ts';
import { type JsonValue, sameJson } from '../json.ts';
import type { TwinRecord, TwinStore } from '../store/twin-store.ts';
import { adoptOwnWrite, adoptTwin, type Known } from '../twin/fold.ts';
import { latest } from '../twin/instant.ts';
import { type Plan, plan } from '../twin/plan.ts';
import { redactTwin } from '../twin/redact.ts';
import type { Due, DuePriority, PathHistory, Shadow, TwinState } from '../twin/shadow.ts';
import { twinKey } from '../twin/twin.ts';
import { backOff } from './back-off.ts';
import type { Gate } from './write-gate.ts';

export interface TwinWorkOptions {
  readonly fleet: Fleet;
  readonly hubs: HubPort;
  readonly store: Pick<TwinStore, 'save'>;
  readonly gate: Gate;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From then on hubs are left alone and what they would be asked for is due, ms since the epoch. */
  readonly until: number;
  /** Told of hub trouble that a person should know of. */
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}

/** What came of looking at one twin. */
export type Outcome = 'nothing' | 'unchanged' | 'stored' | 'corrected' | 'due' | 'deleted';

/** How often a write is planned again because somebody else wrote to the twin meanwhile. */
const MAX_WRITES = 3;
/**
 * The due row of a write lies this far ahead: long enough for the write, soon enough if this instance dies.
 */
const WRITE_DUE_MS = 30_000;
const PAUSED_MS = 60_000;
const DISABLED_MS = 60 * 60_000;

/** One look at one twin, from its shadow to what is stored in the end. */
export class TwinWork {
  readonly #options: TwinWorkOptions;
  readonly #hub: Hub;
  readonly #priority: DuePriority;
  /**
   * Another instance is between a write's intent and its answer; its due row brings the twin back if it dies.
   */
  readonly #inFlight: boolean;
  #record: TwinRecord;
  #shadow: Shadow;

  constructor(record: TwinRecord, shadow: Shadow, hub: Hub, priority: DuePriority, options: TwinWorkOptions) {
    this.#record = record;
    this.#shadow = shadow;
    this.#hub = hub;
    this.#priority = shadow.due?.priority ?? priority;
    this.#options = options;
    this.#inFlight = shadow.writing !== undefined && (shadow.due?.at ?? 0) > options.now();
  }

  /** An instance of an older package keeps what the events say, and somebody else judges. */
  async leaveToNewer(): Promise<Outcome | 'conflict'> {
    if (sameJson(asJson(this.#record.known), asJson({ kind: 'shadow', shadow: this.#shadow })))
      return 'unchanged';
    return this.#store({ due: this.#dueIn(0, 'a newer package decides') }, 'due');
  }

  async run(): Promise<Outcome | 'conflict'> {
    if (this.#shadow.writing !== undefined && !this.#inFlight) {
      this.#markUnread('the answer to a write was never stored');
    }
    for (let writes = 0; ; ) {
      if (this.#shadow.unread !== undefined) {
        const trouble = await this.#read();
        if (trouble !== undefined) return trouble;
      }
      const planned = this.#plan();
      if (planned.writes.length === 0)
        return this.#settle(planned, this.#inFlight && planned.state === 'drifted');
      if (this.#inFlight) return this.#settle(planned, true);
      const closed = this.#options.gate.closedFor(this.#hub.host);
      if (closed !== undefined) return this.#hold(planned, closed, PAUSED_MS);
      if (writes >= MAX_WRITES)
        return this.#hold(planned, 'others write to the twin all the time', WRITE_DUE_MS);
      if (this.#shadow.etag === undefined) {
        this.#markUnread('somebody else wrote to it, so its etag is not known');
        continue;
      }
      writes += 1;
      const result = await this.#write(planned, this.#shadow.etag);
      if (result !== 'again') return result;
    }
  }

  #plan(): Plan {
    const { fleet, gate, now } = this.#options;
    return plan({
      shadow: this.#shadow,
      hub: this.#hub,
      twins: fleet.twins,
      pausedPolicies: gate.pausedPolicies,
      now: now(),
    });
  }

  #markUnread(why: string): void {
    this.#shadow = { ...this.#shadow, unread: { since: this.#shadow.asOf, why } };
  }

  /** One GET. Answers only where the look ends with it. */
  async #read(): Promise<Outcome | 'conflict' | undefined> {
    const { hubs, fleet, now, until } = this.#options;
    if (now() > until) return this.#store({ due: this.#dueIn(0, 'the batch ran out of time') }, 'due');
    try {
      const twin = redactTwin(await hubs.readTwin(this.#shadow.id), fleet.twins.redact);
      const led = latest(this.#shadow.asOf, this.#shadow.unread?.since ?? this.#shadow.asOf);
      const adopted = adoptTwin(this.#shadow, twin, led, fleet.twins.trackedPaths);
      this.#shadow = this.#inFlight ? adopted : { ...adopted, writing: undefined };
      return undefined;
    } catch (error) {
      return this.#afterTrouble(error);
    }
  }

  /**
   * One PATCH, between two transactions: what it is about to do, and what came of it. `'again'`: plan anew.
   */
  async #write(planned: Plan, etag: string): Promise<Outcome | 'conflict' | 'again'> {
    const { hubs, fleet, now, until } = this.#options;
    if (now() > until) return this.#hold(planned, 'the batch ran out of time', 0);
    const intent = await this.#save({
      ...this.#judged(planned),
      writing: planned.writes,
      due: this.#dueIn(WRITE_DUE_MS, 'a correction is being written'),
    });
    if (intent === 'conflict') return intent;
    try {
      const twin = redactTwin(
        await hubs.patchDesired(this.#shadow.id, planned.patch, etag),
        fleet.twins.redact,
      );
      this.#shadow = adoptOwnWrite(this.#shadow, twin, planned.writes, fleet.twins.trackedPaths);
      const after = this.#plan();
      // The write happened: if the record has changed meanwhile, the twin's own event or its due row tells
      // the rest.
      const stored = await this.#settle(after, false);
      return stored === 'conflict' ? stored : 'corrected';
    } catch (error) {
      if (!(error instanceof HubError)) return this.#afterTrouble(error);
      switch (error.code) {
        case 'BERTH_HUB_PRECONDITION_FAILED':
          this.#shadow = { ...this.#shadow, writing: undefined, etag: undefined };
          return 'again';
        case 'BERTH_HUB_REFUSED':
          this.#shadow = rejectedByHub(this.#shadow, planned, error);
          this.#warn(error);
          return this.#settle(this.#plan(), false);
        default:
          if (error.mayHaveApplied) this.#markUnread('a write failed after it may have been applied');
          else this.#shadow = { ...this.#shadow, writing: undefined };
          return this.#afterTrouble(error);
      }
    }
  }

  /** Stores the verdicts, and when to look again. */
  async #settle(planned: Plan, keepsWriting: boolean): Promise<Outcome | 'conflict'> {
    const judged = this.#judged(planned);
    if (keepsWriting) return this.#store(judged, 'stored');
    const next = planned.writes.length > 0 ? this.#options.now() + 1_000 : planned.nextAt;
    const due: Due | undefined =
      next === undefined ? undefined : { priority: 'drift', at: next, why: planned.why, tries: 0 };
    return this.#store({ ...judged, writing: undefined, parked: undefined, due }, 'stored');
  }

  /** What would be written waits. */
  #hold(planned: Plan, why: string, ms: number): Promise<Outcome | 'conflict'> {
    const judged = this.#judged(planned);
    const { judgement } = judged;
    return this.#store(
      {
        ...judged,
        judgement: { ...judgement, why: `${judgement.why}; ${why}` },
        writing: undefined,
        due: this.#dueIn(ms, why),
      },
      'due',
    );
  }

  /**
   * A call failed. What the hub says of the device itself is looked into; everything else makes the twin due.
   */
  async #afterTrouble(error: unknown): Promise<Outcome | 'conflict'> {
    if (!(error instanceof BerthError) || error.code === 'BERTH_STORE_UNAVAILABLE') throw error;
    if (error.code === 'BERTH_HUB_NOT_FOUND') return this.#afterNotFound();
    if (error.code !== 'BERTH_HUB_THROTTLED') this.#warn(error);
    return this.#postpone(error);
  }

  #postpone(error: BerthError): Promise<Outcome | 'conflict'> {
    const tries = this.#shadow.due?.tries ?? 0;
    const ms = backOff(error, twinKey(this.#shadow.id), tries, this.#options.now());
    const due = { ...this.#dueIn(ms, error.message), tries: tries + 1 };
    const isParked = error.code === 'BERTH_HUB_QUOTA_EXCEEDED';
    const state: TwinState = isParked ? 'parked' : this.#shadow.unread === undefined ? 'drifted' : 'unknown';
    return this.#store(
      {
        due,
        parked: isParked ? { why: error.message } : undefined,
        judgement: this.#judgement(state, error.message),
      },
      'due',
    );
  }

  /**
   * A hub answers 404 for a deleted device, a disabled one, and one that has moved; the identity registry
   * knows which.
   */
  async #afterNotFound(): Promise<Outcome | 'conflict'> {
    const { hubs, store } = this.#options;
    let status: 'enabled' | 'disabled' | 'missing';
    try {
      status = await hubs.identityStatus(this.#shadow.id);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      this.#warn(error);
      return this.#postpone(error);
    }
    if (status === 'missing') {
      const at = latest(this.#shadow.asOf, this.#shadow.unread?.since ?? this.#shadow.asOf);
      const saved = await store.save(this.#record, { kind: 'deleted', at });
      return saved === 'conflict' ? saved : 'deleted';
    }
    const why =
      status === 'disabled' ? 'the device is disabled' : 'the hub knows the device but not its twin';
    return this.#store(
      {
        parked: { why },
        writing: undefined,
        judgement: this.#judgement('parked', why),
        due: this.#dueIn(DISABLED_MS, why),
      },
      'due',
    );
  }

  #judged(planned: Plan): Pick<Shadow, 'paths' | 'judgement'> {
    return { paths: planned.paths, judgement: this.#judgement(planned.state, planned.why) };
  }

  #judgement(state: TwinState, why: string): Shadow['judgement'] {
    const before = this.#shadow.judgement;
    const { fleet, now } = this.#options;
    const since = before.state === state && before.since > 0 ? before.since : now();
    return { state, why, since, revision: fleet.revision };
  }

  #dueIn(ms: number, why: string): Due {
    return {
      priority: this.#priority,
      at: Math.ceil(this.#options.now() + ms),
      why,
      tries: this.#shadow.due?.tries ?? 0,
    };
  }

  #warn(error: BerthError): void {
    this.#options.warn(error.message, {
      code: error.code,
      hub: this.#hub.host,
      deviceId: this.#shadow.id.deviceId,
      hubCode: error instanceof HubError ? (error.hubCode ?? null) : null,
    });
  }

  async #store(changes: Partial<Shadow>, outcome: Outcome): Promise<Outcome | 'conflict'> {
    const before = asJson(this.#record.known);
    const shadow = { ...this.#shadow, ...changes };
    if (sameJson(before, asJson({ kind: 'shadow', shadow }))) return 'unchanged';
    return (await this.#save(changes)) === 'conflict' ? 'conflict' : outcome;
  }

  async #save(changes: Partial<Shadow>): Promise<'saved' | 'conflict'> {
    const shadow = { ...this.#shadow, ...changes };
    const saved = await this.#options.store.save(this.#record, { kind: 'shadow', shadow });
    if (saved === 'conflict') return saved;
    this.#record = saved;
    this.#shadow = shadow;
    return 'saved';
  }
}

/** The hub found fault with the patch itself: sending it again would only be refused again. */
function rejectedByHub(shadow: Shadow, planned: Plan, error: HubError): Shadow {
  const why = `the hub refused the value (${error.hubCode ?? error.status})`;
  const rejected = planned.writes.map(({ path, policy, value }) => {
    const key = path.join('.');
    const history = planned.paths[key];
    return [key, { ...history, rejected: { policy, value, why } } as PathHistory] as const;
  });
  return { ...shadow, writing: undefined, paths: { ...planned.paths, ...Object.fromEntries(rejected) } };
}

/** As it is stored: `undefined` leaves no trace. */
function asJson(known: Known): JsonValue {
  return JSON.parse(JSON.stringify(known)) as JsonValue;
}
