import { BerthError } from '../../errors.ts';
import type { Fleet, Hub } from '../../fleet/fleet.ts';
import type { HubBudget, HubOperation } from '../../hub/budget.ts';
import { HubError, type HubPort } from '../../hub/port.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import type { TwinRecord, TwinStore } from '../../store/twins/twin-store.ts';
import { type Instant, latest, latestBelievable } from '../../time/instant.ts';
import { adoptOwnWrite, adoptTwin, type Known } from '../../twin/events/fold.ts';
import { recordRejection } from '../../twin/events/history.ts';
import { type Redaction, redactKept, redactTwin } from '../../twin/events/redact.ts';
import { type Plan, plan } from '../../twin/plan/plan.ts';
import { valueAt } from '../../twin/snapshot/merge.ts';
import {
  DUE_PRIORITIES,
  type Due,
  type DuePriority,
  historyAt,
  type Judgement,
  type Shadow,
  type TwinState,
} from '../../twin/snapshot/shadow.ts';
import { twinKey } from '../../twin/snapshot/twin.ts';
import { backOff } from './back-off.ts';
import type { Gate } from './write-gate.ts';

export interface TwinWorkOptions {
  readonly fleet: Fleet;
  readonly hubs: HubPort;
  readonly store: Pick<TwinStore, 'save'>;
  /** What the control row allows, as it is known now. */
  readonly gate: { current(): Promise<Gate> };
  readonly budget: HubBudget;
  readonly redaction: Redaction;
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
/** A disabled device is looked at again after an hour, then after twice as long each time, up to a day. */
const DISABLED_MS = 60 * 60_000;
const LONGEST_DISABLED_MS = 24 * 60 * 60_000;

/** One look at one twin, from its shadow to what is stored in the end. */
export class TwinWork {
  readonly #options: TwinWorkOptions;
  readonly #hub: Hub;
  readonly #priority: DuePriority;
  /**
   * Another instance is between a write's intent and its answer; its due row brings the twin back if it dies.
   */
  readonly #inFlight: boolean;
  #gate: Gate;
  /** The hub has refused several values together. */
  #isOneByOne = false;
  #record: TwinRecord;
  #shadow: Shadow;

  constructor(
    record: TwinRecord,
    shadow: Shadow,
    hub: Hub,
    priority: DuePriority,
    gate: Gate,
    options: TwinWorkOptions,
  ) {
    this.#record = record;
    this.#gate = gate;
    this.#shadow = shadow;
    this.#hub = hub;
    this.#priority = moreUrgent(priority, shadow.due?.priority);
    this.#options = options;
    this.#inFlight = shadow.writing !== undefined && (shadow.due?.at ?? 0) > options.now();
  }

  /** An instance of an older package keeps what the events say, and somebody else judges. */
  async leaveToNewer(): Promise<Outcome | 'conflict'> {
    if (sameJson(asJson(this.#record.known), asJson({ kind: 'shadow', shadow: this.#shadow })))
      return 'unchanged';
    return this.#store({ due: this.#dueIn(0, 'a newer package decides') }, 'due');
  }

  /**
   * Judges by what is known, without asking the hub: what it would be asked for is due. For when the policies have
   * changed and not the twin.
   */
  async judge(): Promise<Outcome | 'conflict'> {
    this.#shadow = redactKept(this.#shadow, this.#options.redaction);
    const { unread, writing, due } = this.#shadow;
    // Their due row brings them back, with the policies as they are then.
    if (unread !== undefined || writing !== undefined) return this.#store({}, 'stored');
    const planned = this.#plan();
    if (planned.writes.length === 0) return this.#settle(planned, false);
    // After trouble it waits as long as that asks for; a time that an older policy asked for is none of the new one's.
    const isTrouble = due !== undefined && due.tries > 0;
    const soon = isTrouble ? due : this.#dueIn(0, 'the policies have changed');
    return this.#store({ ...this.#judged(planned), due: soon }, 'due');
  }

  async run(): Promise<Outcome | 'conflict'> {
    if (this.#shadow.writing !== undefined && !this.#inFlight) {
      this.#markUnread('the answer to a write was never stored');
    } else if (this.#shadow.unread === undefined && this.#gate.readsFirst(this.#hub.host)) {
      this.#markUnread('the events of its hub are not trusted');
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
      const closed = this.#gate.closedFor(this.#hub.host);
      // Due at once, but nobody does it before the hub is resumed.
      if (closed !== undefined) return this.#hold(planned, closed, this.#options.now());
      if (writes >= MAX_WRITES)
        return this.#hold(
          planned,
          'others write to the twin all the time',
          this.#options.now() + WRITE_DUE_MS,
        );
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
    const { fleet, now } = this.#options;
    const gate = this.#gate;
    const { host, deviceId } = this.#shadow.id;
    const at = now();
    return plan({
      shadow: this.#shadow,
      hub: this.#hub,
      twins: fleet.twins,
      holdOf: (policy) => gate.holdOf(policy, { host, deviceId }, fleet.twins.rollout, at),
      now: at,
      ...(this.#isOneByOne ? { mostWrites: 1 } : {}),
    });
  }

  #markUnread(why: string): void {
    this.#shadow = { ...this.#shadow, unread: { since: this.#shadow.asOf, why } };
  }

  /** One GET. Answers only where the look ends with it. */
  async #read(): Promise<Outcome | 'conflict' | undefined> {
    const { hubs, fleet, redaction } = this.#options;
    const wait = await this.#turn('read');
    if (wait !== undefined) return this.#postponeTo(wait.at, wait.why, wait.isQuota);
    try {
      const twin = redactTwin(await hubs.readTwin(this.#shadow.id), redaction);
      const led = this.#shadow.unread?.since ?? this.#shadow.asOf;
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
    const { hubs, fleet, redaction } = this.#options;
    const wait = await this.#turn('write');
    if (wait !== undefined) {
      return wait.isQuota
        ? this.#postponeTo(wait.at, wait.why, true)
        : this.#hold(planned, wait.why, wait.at);
    }
    // The turn may have been long in coming, and somebody may have paused the fleet meanwhile.
    const gate = await this.#options.gate.current();
    if (gate !== this.#gate) {
      this.#gate = gate;
      return 'again';
    }
    const intent = await this.#save({
      ...this.#judged(planned),
      writing: planned.writes,
      due: this.#dueIn(WRITE_DUE_MS, 'a correction is being written'),
    });
    if (intent === 'conflict') return intent;
    if ((await this.#options.gate.current()) !== gate) {
      this.#shadow = { ...this.#shadow, writing: undefined };
      return 'again';
    }
    try {
      const twin = redactTwin(await hubs.patchDesired(this.#shadow.id, planned.patch, etag), redaction);
      this.#shadow = adoptOwnWrite(this.#shadow, twin, planned.writes, fleet.twins.trackedPaths);
      this.#shadow = withoutEndless(this.#shadow, planned, this.#plan());
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
          // Which of the values it was, it does not say.
          if (planned.writes.length > 1) {
            this.#isOneByOne = true;
            this.#shadow = { ...this.#shadow, writing: undefined };
            return 'again';
          }
          this.#shadow = rejectedByHub(this.#shadow, planned, error);
          this.#warn(error);
          return this.#settle(this.#plan(), false);
        default:
          // The twin itself will say: the hub's bookkeeping shows also a value that was written once more.
          if (error.mayHaveApplied) this.#markUnread('a write failed after it may have been applied');
          else this.#shadow = { ...this.#shadow, writing: undefined };
          return this.#afterTrouble(error);
      }
    }
  }

  /** Undefined: now. */
  async #turn(
    operation: HubOperation,
  ): Promise<{ readonly at: number; readonly why: string; readonly isQuota: boolean } | undefined> {
    const { budget, now, until } = this.#options;
    if (now() > until) return { at: now(), why: 'the batch ran out of time', isQuota: false };
    const turn = await budget.turn(this.#hub, operation, until);
    return turn.isNow ? undefined : turn;
  }

  /** Stores the verdicts, and when to look again. */
  async #settle(planned: Plan, keepsWriting: boolean): Promise<Outcome | 'conflict'> {
    const judged = this.#judged(planned);
    if (keepsWriting) return this.#store(judged, 'stored');
    const due = planned.writes.length > 0 ? this.#dueAgain(planned) : nextWork(planned);
    return this.#store({ ...judged, writing: undefined, parked: undefined, due }, 'stored');
  }

  #dueAgain({ why }: Plan): Due {
    return { priority: 'drift', at: this.#options.now() + 1_000, why, tries: 0 };
  }

  /** What would be written waits until then, ms since the epoch. */
  #hold(planned: Plan, why: string, at: number): Promise<Outcome | 'conflict'> {
    const judged = this.#judged(planned);
    const { judgement } = judged;
    return this.#store(
      {
        ...judged,
        judgement: { ...judgement, why: `${judgement.why}; ${why}` },
        writing: undefined,
        due: this.#dueAt(at, why),
      },
      'due',
    );
  }

  /**
   * A call failed. What the hub says of the device itself is looked into; everything else makes the twin due.
   */
  async #afterTrouble(error: unknown): Promise<Outcome | 'conflict'> {
    if (!(error instanceof BerthError) || error.code === 'BERTH_STORE_UNAVAILABLE') throw error;
    if (error.code === 'BERTH_HUB_NOT_FOUND') {
      return this.#afterNotFound(error instanceof HubError ? error.answeredAt : undefined);
    }
    if (error.code !== 'BERTH_HUB_THROTTLED') this.#warn(error);
    return this.#postpone(error);
  }

  #postpone(error: BerthError): Promise<Outcome | 'conflict'> {
    const tries = this.#shadow.due?.tries ?? 0;
    const { now } = this.#options;
    const ms = backOff(error, twinKey(this.#shadow.id), tries, now());
    const isQuota = error.code === 'BERTH_HUB_QUOTA_EXCEEDED';
    return this.#postponeTo(now() + ms, error.message, isQuota, tries + 1);
  }

  /** Nothing can be asked of the hub until then, ms since the epoch. */
  #postponeTo(at: number, why: string, isQuota: boolean, tries?: number): Promise<Outcome | 'conflict'> {
    const due = this.#dueAt(at, why);
    const state: TwinState = isQuota ? 'parked' : this.#shadow.unread === undefined ? 'drifted' : 'unknown';
    return this.#store(
      {
        due: tries === undefined ? due : { ...due, tries },
        parked: isQuota ? { why } : undefined,
        judgement: this.#judgement(state, why),
      },
      'due',
    );
  }

  /**
   * A hub answers 404 for a deleted device, a disabled one, and one that has moved; the identity registry
   * knows which.
   *
   * @param answeredAt the hub's clock: no deletion lies in its future, whatever is stored.
   */
  async #afterNotFound(answeredAt: Instant | undefined): Promise<Outcome | 'conflict'> {
    const { hubs, store } = this.#options;
    const wait = await this.#turn('identity');
    if (wait !== undefined) return this.#postponeTo(wait.at, wait.why, wait.isQuota);
    let status: 'enabled' | 'disabled' | 'missing';
    try {
      status = await hubs.identityStatus(this.#shadow.id);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      this.#warn(error);
      return this.#postpone(error);
    }
    if (status === 'missing') {
      const known = latest(this.#shadow.asOf, this.#shadow.unread?.since ?? this.#shadow.asOf);
      const isBelieved = answeredAt === undefined || known <= latestBelievable(answeredAt);
      const saved = await store.save(this.#record, { kind: 'deleted', at: isBelieved ? known : answeredAt });
      return saved === 'conflict' ? saved : 'deleted';
    }
    const tries = this.#shadow.due?.tries ?? 0;
    const why =
      status === 'disabled' ? 'the device is disabled' : 'the hub knows the device but not its twin';
    return this.#store(
      {
        parked: { why },
        writing: undefined,
        judgement: this.#judgement('parked', why),
        due: {
          ...this.#dueIn(Math.min(DISABLED_MS * 2 ** Math.min(tries, 10), LONGEST_DISABLED_MS), why),
          tries: tries + 1,
        },
      },
      'due',
    );
  }

  #judged(planned: Plan): Pick<Shadow, 'paths' | 'judgement'> {
    const { policies, isHeld } = planned;
    const before = this.#shadow.judgement;
    const judgement = { ...this.#judgement(planned.state, planned.why), policies, isHeld };
    // What comes to the same is no news, whichever fleet file said so.
    const isSame = sameJson(asJson({ ...judgement, revision: before.revision }), asJson(before));
    return { paths: planned.paths, judgement: isSame ? before : judgement };
  }

  #judgement(state: TwinState, why: string): Shadow['judgement'] {
    const before = this.#shadow.judgement;
    const { fleet, now } = this.#options;
    const isSame = before.state === state && before.since > 0 && before.since <= now();
    const since = isSame ? before.since : now();
    return { ...before, state, why, since, revision: fleet.revision, isHeld: false };
  }

  #dueIn(ms: number, why: string): Due {
    return this.#dueAt(this.#options.now() + ms, why);
  }

  #dueAt(at: number, why: string): Due {
    return { priority: this.#priority, at: Math.ceil(at), why, tries: this.#shadow.due?.tries ?? 0 };
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
    const { known } = this.#record;
    const shadow = { ...this.#shadow, ...changes };
    // Nearly always an event was merged, which is told without looking at everything.
    const isNewer = known.kind !== 'shadow' || known.shadow.version !== shadow.version;
    if (!isNewer && sameJson(asJson(known), asJson({ kind: 'shadow', shadow }))) return 'unchanged';
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

/** When the twin is worked on again even if nothing happens, and as what. */
function nextWork({ nextAt, askAt, why }: Plan): Due | undefined {
  if (nextAt !== undefined && (askAt === undefined || nextAt <= askAt)) {
    return { priority: 'drift', at: nextAt, why, tries: 0 };
  }
  return askAt === undefined ? undefined : { priority: 'activity', at: Math.ceil(askAt), why, tries: 0 };
}

/** What the hub keeps in another form than it was sent would differ for ever, unless the policy takes the two for the same. */
function withoutEndless(shadow: Shadow, { writes }: Plan, after: Plan): Shadow {
  const drifted = new Set(after.leaves.flatMap(({ path, verdict }) => (verdict === 'drifted' ? [path] : [])));
  const endless = writes.filter(
    ({ path, value }) =>
      drifted.has(path.join('.')) && !sameJson(valueAt(shadow.desired, path) ?? null, value),
  );
  if (endless.length === 0) return shadow;
  const why = 'the hub keeps the value in another form';
  const paths = endless.map(({ path, policy, value }) => {
    const key = path.join('.');
    return [key, recordRejection(historyAt(shadow.paths, key), { policy, value, why })] as const;
  });
  return { ...shadow, paths: { ...shadow.paths, ...Object.fromEntries(paths) } };
}

/** The hub found fault with the patch itself: sending it again would only be refused again. */
function rejectedByHub(shadow: Shadow, planned: Plan, error: HubError): Shadow {
  const why = `the hub refused the value (${error.hubCode ?? error.status})`;
  const rejected = planned.writes.map(({ path, policy, value }) => {
    const key = path.join('.');
    return [key, recordRejection(historyAt(planned.paths, key), { policy, value, why })] as const;
  });
  return { ...shadow, writing: undefined, paths: { ...planned.paths, ...Object.fromEntries(rejected) } };
}

function moreUrgent(one: DuePriority, other: DuePriority | undefined): DuePriority {
  return other !== undefined && DUE_PRIORITIES.indexOf(other) < DUE_PRIORITIES.indexOf(one) ? other : one;
}

/** As it is stored: `undefined` leaves no trace. */
function asJson(known: Known | Judgement): JsonValue {
  return JSON.parse(JSON.stringify(known)) as JsonValue;
}
