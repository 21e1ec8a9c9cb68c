import type { ErrorCode } from '../../errors.ts';
import type { Fleet, Hub } from '../../fleet/fleet.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { DAY_MS } from '../../time/day.ts';
import { type Instant, latest, latestBelievable } from '../../time/instant.ts';
import { adoptOwnWrite, adoptTwin } from '../../twin/events/fold.ts';
import { recordRejection } from '../../twin/events/history.ts';
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
import type { Twin } from '../../twin/snapshot/twin.ts';
import type { Gate } from './write-gate.ts';

/*
 * The protocol of reconciling one twin. Pure: from what is known of a twin and the answer to the last step it computes the next
 * step. `twin-work.ts` performs the steps. test/sync/protocol-table.test.ts is the specification.
 *
 *   read ─▶ (plan) ─▶ write ─▶ settle          the usual ways: a twin in sync settles at once, one that has
 *     │                 │                      drifted is written once, one that is not known is read first
 *     │                 ├─▶ read               somebody else wrote in between, or the write may have been applied
 *     └──▶ askStatus ──▶ forget | requeue      the hub does not find the twin: deleted, or disabled
 *   any step ──▶ requeue                       no permit, a pause, trouble: the work queue brings the twin back
 */

/** What is to be done next about a twin. */
export type Step =
  /** One GET. */
  | { readonly kind: 'read' }
  /** One PATCH with this etag, between two transactions: what is about to be written (`intentOf`), and what came of it. */
  | { readonly kind: 'write'; readonly plan: Plan; readonly etag: string }
  /** The identity registry is asked, because a hub answers 404 for a disabled device too. */
  | { readonly kind: 'askStatus' }
  /** The end: how the twin stands is stored. */
  | { readonly kind: 'settle'; readonly shadow: Shadow; readonly isCorrected: boolean }
  /** The end: what is known is stored, with a time at which the work queue brings the twin back. */
  | { readonly kind: 'requeue'; readonly shadow: Shadow }
  /** The end: the twin is gone since then. */
  | { readonly kind: 'forget'; readonly at: Instant };

/** What came of the last step. */
export type Answer =
  /** A read was answered. */
  | { readonly kind: 'twin'; readonly twin: Twin }
  /** A write was answered with the twin after it. */
  | { readonly kind: 'written'; readonly twin: Twin; readonly plan: Plan }
  /** There is no permit for the call before then, ms since the epoch. `plan`: of a write. */
  | {
      readonly kind: 'noPermit';
      readonly at: number;
      readonly why: string;
      readonly isQuota: boolean;
      readonly plan?: Plan;
    }
  /** The control row has changed while the write waited: nothing was sent. */
  | { readonly kind: 'gateChanged'; readonly gate: Gate }
  | { readonly kind: 'status'; readonly status: 'enabled' | 'disabled' | 'missing' }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly plan?: Plan };

/** A call that failed. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The hub's own code or status, for the reason of a rejection. */
  readonly hubCode: string;
  readonly mayHaveApplied: boolean;
  /** The hub's clock when it answered. */
  readonly answeredAt: Instant | undefined;
  /** How long to leave the twin alone, ms. */
  readonly backOffMs: number;
}

/** Everything that decides the next step. */
export interface Work {
  readonly hub: Hub;
  readonly shadow: Shadow;
  readonly priority: DuePriority;
  readonly gate: Gate;
  /** Another instance is between a write's intent and its answer; its due row brings the twin back if it dies. */
  readonly isInFlight: boolean;
  /** Writes that were tried. */
  readonly writes: number;
  /** The hub has refused several values together: they are written one by one. */
  readonly isOneByOne: boolean;
  /** The hub does not find the twin; its clock when it said so, where it has one. */
  readonly notFound: { readonly answeredAt: Instant | undefined } | undefined;
}

export interface Surroundings {
  readonly fleet: Fleet;
  /** Ms since the epoch. */
  readonly now: number;
}

/** The work with what the last answer changed, and what is to be done next. */
export interface Next {
  readonly work: Work;
  readonly step: Step;
}

/** How often a write is planned again because somebody else wrote to the twin meanwhile. */
const MAX_WRITES = 3;
/** The due row of a write lies this far ahead: long enough for the write, soon enough if this instance dies. */
const WRITE_DUE_MS = 30_000;
/** A disabled device is looked at again after an hour, then after twice as long each time, up to a day. */
const DISABLED_MS = 60 * 60_000;
const LONGEST_DISABLED_MS = DAY_MS;

/** The work on a twin as it begins. */
export function workOn(
  shadow: Shadow,
  { hub, priority, gate, now }: { hub: Hub; priority: DuePriority; gate: Gate; now: number },
): Work {
  return {
    hub,
    shadow,
    priority: moreUrgent(priority, shadow.due?.priority),
    gate,
    isInFlight: shadow.writing !== undefined && (shadow.due?.at ?? 0) > now,
    writes: 0,
    isOneByOne: false,
    notFound: undefined,
  };
}

/** The first step. */
export function firstStep(work: Work, at: Surroundings): Next {
  const { shadow, gate, hub, isInFlight } = work;
  if (shadow.unread !== undefined) return { work, step: { kind: 'read' } };
  if (shadow.writing !== undefined && !isInFlight) {
    return reading(work, 'the answer to a write was never stored');
  }
  if (gate.readsFirst(hub.host)) return reading(work, 'the events of its hub are not trusted');
  return afterPlan(work, at);
}

/**
 * The first step where policies have changed and not the twin: nothing is asked of a hub, and what it would be asked for is due.
 */
export function stepWithoutHub(work: Work, at: Surroundings): Next {
  const { shadow } = work;
  // Their due row brings them back, with the policies as they are then.
  if (shadow.unread !== undefined || shadow.writing !== undefined) return settled(work, shadow);
  const planned = planOf(work, at);
  if (planned.writes.length === 0) return settle(work, planned, at, false);
  // After trouble it waits as long as that asks for; a time that an older policy asked for is none of the new one's.
  const isTrouble = shadow.due !== undefined && shadow.due.tries > 0;
  const due = isTrouble ? shadow.due : dueAt(work, at.now, 'the policies have changed');
  return requeued(work, { ...shadow, ...judged(shadow, planned, at), due });
}

/** An instance of an older package keeps what the events say, and leaves the rest to a newer one. */
export function stepOfOlderPackage(work: Work, { now }: Surroundings): Next {
  return requeued(work, { ...work.shadow, due: dueAt(work, now, 'a newer package decides') });
}

/** The next step after an answer. */
export function nextStep(work: Work, answer: Answer, at: Surroundings): Next {
  switch (answer.kind) {
    case 'twin':
      return afterRead(work, answer.twin, at);
    case 'written':
      return afterWrite(work, answer.twin, answer.plan, at);
    case 'gateChanged':
      return afterPlan({ ...work, gate: answer.gate, shadow: withoutIntent(work.shadow) }, at);
    case 'noPermit':
      return answer.plan === undefined || answer.isQuota
        ? postponed(work, answer.at, answer.why, at, { isQuota: answer.isQuota })
        : held(work, answer.plan, answer.why, answer.at, at);
    case 'status':
      return afterStatus(work, answer.status, at);
    case 'failed':
      return answer.plan === undefined
        ? afterTrouble(work, answer.failure, at)
        : afterFailedWrite(work, answer.failure, answer.plan, at);
  }
}

function afterRead(work: Work, twin: Twin, at: Surroundings): Next {
  const { shadow, isInFlight } = work;
  const led = shadow.unread?.since ?? shadow.asOf;
  const adopted = adoptTwin(shadow, twin, led, at.fleet.twins.trackedPaths);
  return afterPlan({ ...work, shadow: isInFlight ? adopted : withoutIntent(adopted) }, at);
}

/** What the policies want of the twin as it is known now decides. */
function afterPlan(work: Work, at: Surroundings): Next {
  const { shadow, gate, hub, isInFlight, writes } = work;
  const planned = planOf(work, at);
  if (planned.writes.length === 0) {
    return settle(work, planned, at, isInFlight && planned.state === 'drifted');
  }
  if (isInFlight) return settle(work, planned, at, true);
  const closed = gate.closedFor(hub.host);
  // Due at once, but nothing is done before the hub is resumed.
  if (closed !== undefined) return held(work, planned, closed, at.now, at);
  if (writes >= MAX_WRITES) {
    return held(work, planned, 'others write to the twin all the time', at.now + WRITE_DUE_MS, at);
  }
  if (shadow.etag === undefined) return reading(work, 'somebody else wrote to it, so its etag is not known');
  return {
    work: { ...work, writes: writes + 1 },
    step: { kind: 'write', plan: planned, etag: shadow.etag },
  };
}

/** What is stored before a PATCH is sent, so that its event is recognised and the twin comes back if this instance dies. */
export function intentOf(work: Work, planned: Plan, at: Surroundings): Work {
  const { shadow } = work;
  const due = dueAt(work, at.now + WRITE_DUE_MS, 'a correction is being written');
  return {
    ...work,
    shadow: { ...shadow, ...judged(shadow, planned, at), writing: planned.writes, due },
  };
}

function afterWrite(work: Work, twin: Twin, written: Plan, at: Surroundings): Next {
  const adopted = adoptOwnWrite(work.shadow, twin, written.writes, at.fleet.twins.trackedPaths);
  const shadow = withoutEndless(adopted, written, planOf({ ...work, shadow: adopted }, at));
  const after = { ...work, shadow };
  const { step } = settle(after, planOf(after, at), at, false);
  return { work: after, step: step.kind === 'settle' ? { ...step, isCorrected: true } : step };
}

function afterFailedWrite(work: Work, failure: Failure, written: Plan, at: Surroundings): Next {
  const shadow = withoutIntent(work.shadow);
  switch (failure.code) {
    case 'BERTH_HUB_PRECONDITION_FAILED':
      return afterPlan({ ...work, shadow: { ...shadow, etag: undefined } }, at);
    case 'BERTH_HUB_REFUSED': {
      // Which of the values it was, it does not say.
      if (written.writes.length > 1) return afterPlan({ ...work, shadow, isOneByOne: true }, at);
      const refused = { ...work, shadow: rejectedByHub(shadow, written, failure) };
      return settle(refused, planOf(refused, at), at, false);
    }
    default: {
      // The twin itself will say: the hub's bookkeeping shows also a value that was written once more.
      const next = failure.mayHaveApplied
        ? unread(work.shadow, 'a write failed after it may have been applied')
        : shadow;
      return afterTrouble({ ...work, shadow: next }, failure, at);
    }
  }
}

/** A call failed. What the hub says of the device itself is looked into; everything else makes the twin due. */
function afterTrouble(work: Work, failure: Failure, at: Surroundings): Next {
  if (failure.code === 'BERTH_HUB_NOT_FOUND' && work.notFound === undefined) {
    const notFound = { answeredAt: failure.answeredAt };
    return { work: { ...work, notFound }, step: { kind: 'askStatus' } };
  }
  const tries = work.shadow.due?.tries ?? 0;
  return postponed(work, at.now + failure.backOffMs, failure.message, at, {
    isQuota: failure.code === 'BERTH_HUB_QUOTA_EXCEEDED',
    tries: tries + 1,
  });
}

function afterStatus(work: Work, status: 'enabled' | 'disabled' | 'missing', at: Surroundings): Next {
  const { shadow, notFound } = work;
  if (status === 'missing') {
    const known = latest(shadow.asOf, shadow.unread?.since ?? shadow.asOf);
    const answeredAt = notFound?.answeredAt;
    // No deletion lies in the hub's future, whatever is stored.
    const isBelieved = answeredAt === undefined || known <= latestBelievable(answeredAt);
    return { work, step: { kind: 'forget', at: isBelieved ? known : answeredAt } };
  }
  const tries = shadow.due?.tries ?? 0;
  const why = status === 'disabled' ? 'the device is disabled' : 'the hub knows the device but not its twin';
  const wait = Math.min(DISABLED_MS * 2 ** Math.min(tries, 10), LONGEST_DISABLED_MS);
  return requeued(work, {
    ...shadow,
    parked: { why },
    writing: undefined,
    judgement: judgementOf(shadow, 'parked', why, at),
    due: { ...dueAt(work, at.now + wait, why), tries: tries + 1 },
  });
}

/** How the twin stands is stored, and when it is worked on again. */
function settle(work: Work, planned: Plan, at: Surroundings, keepsWriting: boolean): Next {
  const shadow = { ...work.shadow, ...judged(work.shadow, planned, at) };
  if (keepsWriting) return settled(work, shadow);
  const due: Due | undefined =
    planned.writes.length > 0
      ? { priority: 'drift', at: at.now + 1_000, why: planned.why, tries: 0 }
      : nextWork(planned);
  return settled(work, { ...shadow, writing: undefined, parked: undefined, due });
}

/** When the twin is worked on again even if nothing happens, and as what. */
function nextWork({ nextAt, askAt, why }: Plan): Due | undefined {
  if (nextAt !== undefined && (askAt === undefined || nextAt <= askAt)) {
    return { priority: 'drift', at: nextAt, why, tries: 0 };
  }
  return askAt === undefined ? undefined : { priority: 'activity', at: Math.ceil(askAt), why, tries: 0 };
}

/** What would be written waits until then, ms since the epoch. */
function held(work: Work, planned: Plan, why: string, until: number, at: Surroundings): Next {
  const { paths, judgement } = judged(work.shadow, planned, at);
  return requeued(work, {
    ...work.shadow,
    paths,
    judgement: { ...judgement, why: `${judgement.why}; ${why}` },
    writing: undefined,
    due: dueAt(work, until, why),
  });
}

/** Nothing can be asked of the hub until then, ms since the epoch. */
function postponed(
  work: Work,
  until: number,
  why: string,
  at: Surroundings,
  { isQuota, tries }: { readonly isQuota: boolean; readonly tries?: number },
): Next {
  const { shadow } = work;
  const due = dueAt(work, until, why);
  const state: TwinState = isQuota ? 'parked' : shadow.unread === undefined ? 'drifted' : 'unknown';
  return requeued(work, {
    ...shadow,
    due: tries === undefined ? due : { ...due, tries },
    parked: isQuota ? { why } : undefined,
    judgement: judgementOf(shadow, state, why, at),
  });
}

function settled(work: Work, shadow: Shadow): Next {
  return { work, step: { kind: 'settle', shadow, isCorrected: false } };
}

function requeued(work: Work, shadow: Shadow): Next {
  return { work, step: { kind: 'requeue', shadow } };
}

function reading(work: Work, why: string): Next {
  return { work: { ...work, shadow: unread(work.shadow, why) }, step: { kind: 'read' } };
}

function unread(shadow: Shadow, why: string): Shadow {
  return { ...shadow, unread: { since: shadow.asOf, why } };
}

function withoutIntent(shadow: Shadow): Shadow {
  return shadow.writing === undefined ? shadow : { ...shadow, writing: undefined };
}

function planOf({ shadow, hub, gate, isOneByOne }: Work, { fleet, now }: Surroundings): Plan {
  const { host, deviceId } = shadow.id;
  return plan({
    shadow,
    hub,
    twins: fleet.twins,
    holdOf: (policy) => gate.holdOf(policy, { host, deviceId }, fleet.twins.rollout, now),
    now,
    ...(isOneByOne ? { mostWrites: 1 } : {}),
  });
}

function judged(shadow: Shadow, planned: Plan, at: Surroundings): Pick<Shadow, 'paths' | 'judgement'> {
  const { policies, isHeld, paths } = planned;
  const before = shadow.judgement;
  const judgement = { ...judgementOf(shadow, planned.state, planned.why, at), policies, isHeld };
  // What comes to the same is no news, whichever fleet file said so.
  const isSame =
    before.revision !== '' && sameJson(asJson({ ...judgement, revision: before.revision }), asJson(before));
  return { paths, judgement: isSame ? before : judgement };
}

function judgementOf(
  { judgement: before }: Shadow,
  state: TwinState,
  why: string,
  { fleet, now }: Surroundings,
): Judgement {
  const isSame = before.state === state && before.since > 0 && before.since <= now;
  return {
    ...before,
    state,
    why,
    since: isSame ? before.since : now,
    revision: fleet.revision,
    isHeld: false,
  };
}

function dueAt({ priority, shadow }: Work, at: number, why: string): Due {
  return { priority, at: Math.ceil(at), why, tries: shadow.due?.tries ?? 0 };
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
    return [
      key,
      recordRejection(historyAt(shadow.paths, key), { policy, value, why, isByHub: true }),
    ] as const;
  });
  return { ...shadow, paths: { ...shadow.paths, ...Object.fromEntries(paths) } };
}

/** The hub found fault with the patch itself: sending it again would only be refused again. */
function rejectedByHub(shadow: Shadow, { writes, paths }: Plan, { hubCode }: Failure): Shadow {
  const why = `the hub refused the value (${hubCode})`;
  const rejected = writes.map(({ path, policy, value }) => {
    const key = path.join('.');
    return [key, recordRejection(historyAt(paths, key), { policy, value, why, isByHub: true })] as const;
  });
  return { ...shadow, paths: { ...paths, ...Object.fromEntries(rejected) } };
}

function moreUrgent(one: DuePriority, other: DuePriority | undefined): DuePriority {
  return other !== undefined && DUE_PRIORITIES.indexOf(other) < DUE_PRIORITIES.indexOf(one) ? other : one;
}

/** As it is stored: `undefined` leaves no trace. */
function asJson(judgement: Judgement): JsonValue {
  return JSON.parse(JSON.stringify(judgement)) as JsonValue;
}
