import type { ErrorCode } from '../../errors.ts';
import type { Fleet, Hub } from '../../fleet/fleet.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { type Instant, latest, latestBelievable } from '../../time/instant.ts';
import { adoptOwnWrite, adoptTwin } from '../../twin/events/apply-event.ts';
import { recordRejection } from '../../twin/events/history.ts';
import { type Plan, plan } from '../../twin/plan/plan.ts';
import { valueAt } from '../../twin/snapshot/merge.ts';
import {
  historyAt,
  type LastReconcile,
  type Snapshot,
  type TwinStatus,
  WORK_PRIORITIES,
  type WorkItem,
  type WorkPriority,
} from '../../twin/snapshot/snapshot.ts';
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
export type ReconcileStep =
  /** One GET. */
  | { readonly kind: 'read' }
  /** One PATCH with this etag, between two transactions: what is about to be written (`intentOf`), and what came of it. */
  | { readonly kind: 'write'; readonly plan: Plan; readonly etag: string }
  /** The identity registry is asked, because a hub answers 404 for a disabled device too. */
  | { readonly kind: 'askStatus' }
  /** The end: how the twin stands is stored. */
  | { readonly kind: 'settle'; readonly snapshot: Snapshot; readonly isCorrected: boolean }
  /** The end: what is known is stored, with a time at which the work queue brings the twin back. */
  | { readonly kind: 'requeue'; readonly snapshot: Snapshot }
  /** The end: the twin is gone since then. */
  | { readonly kind: 'forget'; readonly at: Instant };

/** What came of the last step. */
export type StepAnswer =
  /** A read was answered. */
  | { readonly kind: 'twin'; readonly twin: Twin }
  /** A write was answered with the twin after it. */
  | { readonly kind: 'written'; readonly twin: Twin; readonly plan: Plan }
  /** There is no permit for the call before then. `plan`: of a write. */
  | {
      readonly kind: 'noPermit';
      readonly at: EpochMs;
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
export interface ReconcileState {
  readonly hub: Hub;
  readonly snapshot: Snapshot;
  readonly priority: WorkPriority;
  readonly gate: Gate;
  /** Another instance is between a write's intent and its answer; its work item brings the twin back if it dies. */
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
  readonly now: EpochMs;
}

/** The work with what the last answer changed, and what is to be done next. */
export interface Next {
  readonly work: ReconcileState;
  readonly step: ReconcileStep;
}

/** How often a write is planned again because somebody else wrote to the twin meanwhile. */
const MAX_WRITES = 3;
/** The work item of a write lies this far ahead: long enough for the write, soon enough if this instance dies. */
const WRITE_REQUEUE_MS = 30_000;
/** A disabled device is looked at again after an hour, then after twice as long each time, up to a day. */
const DISABLED_MS = 60 * 60_000;
const LONGEST_DISABLED_MS = DAY_MS;

/** The work on a twin as it begins. */
export function workOn(
  snapshot: Snapshot,
  { hub, priority, gate, now }: { hub: Hub; priority: WorkPriority; gate: Gate; now: EpochMs },
): ReconcileState {
  return {
    hub,
    snapshot,
    priority: moreUrgent(priority, snapshot.workItem?.priority),
    gate,
    isInFlight: snapshot.writing !== undefined && (snapshot.workItem?.at ?? 0) > now,
    writes: 0,
    isOneByOne: false,
    notFound: undefined,
  };
}

/** The first step. */
export function firstStep(work: ReconcileState, at: Surroundings): Next {
  const { snapshot, gate, hub, isInFlight } = work;
  if (snapshot.unread !== undefined) return { work, step: { kind: 'read' } };
  if (snapshot.writing !== undefined && !isInFlight) {
    return reading(work, 'the result of the last write was not stored');
  }
  if (gate.readsFirst(hub.host)) return reading(work, 'the events of its hub are not trusted');
  return afterPlan(work, at);
}

/**
 * The first step where policies have changed and not the twin: nothing is asked of a hub, and what it would be asked for is due.
 */
export function stepWithoutHub(work: ReconcileState, at: Surroundings): Next {
  const { snapshot } = work;
  // Their work item brings them back, with the policies as they are then.
  if (snapshot.unread !== undefined || snapshot.writing !== undefined) return settled(work, snapshot);
  const planned = planOf(work, at);
  if (planned.writes.length === 0) return settle(work, planned, at, false);
  // After trouble it waits as long as that asks for; a time that an older policy asked for is none of the new one's.
  const isTrouble = snapshot.workItem !== undefined && snapshot.workItem.tries > 0;
  const workItem = isTrouble ? snapshot.workItem : workItemAt(work, at.now, 'the policies have changed');
  return requeued(work, { ...snapshot, ...withStatus(snapshot, planned, at), workItem });
}

/** An instance of an older package keeps what the events say, and leaves the rest to a newer one. */
export function stepOfOlderPackage(work: ReconcileState, { now }: Surroundings): Next {
  return requeued(work, {
    ...work.snapshot,
    workItem: workItemAt(work, now, 'a newer package reconciles it'),
  });
}

/** The next step after an answer. */
export function nextStep(work: ReconcileState, answer: StepAnswer, at: Surroundings): Next {
  switch (answer.kind) {
    case 'twin':
      return afterRead(work, answer.twin, at);
    case 'written':
      return afterWrite(work, answer.twin, answer.plan, at);
    case 'gateChanged':
      return afterPlan({ ...work, gate: answer.gate, snapshot: withoutIntent(work.snapshot) }, at);
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

function afterRead(work: ReconcileState, twin: Twin, at: Surroundings): Next {
  const { snapshot, isInFlight } = work;
  const led = snapshot.unread?.since ?? snapshot.asOf;
  const adopted = adoptTwin(snapshot, twin, led, at.fleet.twins.trackedPaths);
  return afterPlan({ ...work, snapshot: isInFlight ? adopted : withoutIntent(adopted) }, at);
}

/** What the policies want of the twin as it is known now decides. */
function afterPlan(work: ReconcileState, at: Surroundings): Next {
  const { snapshot, gate, hub, isInFlight, writes } = work;
  const planned = planOf(work, at);
  if (planned.writes.length === 0) {
    return settle(work, planned, at, isInFlight && planned.status === 'drifted');
  }
  if (isInFlight) return settle(work, planned, at, true);
  const closed = gate.closedFor(hub.host);
  // Due at once, but nothing is done before the hub is resumed.
  if (closed !== undefined) return held(work, planned, closed, at.now, at);
  if (writes >= MAX_WRITES) {
    return held(work, planned, 'other writers keep changing the twin', plus(at.now, WRITE_REQUEUE_MS), at);
  }
  if (snapshot.etag === undefined)
    return reading(work, 'another writer changed it, so its etag is not known');
  return {
    work: { ...work, writes: writes + 1 },
    step: { kind: 'write', plan: planned, etag: snapshot.etag },
  };
}

/** What is stored before a PATCH is sent, so that its event is recognised and the twin comes back if this instance dies. */
export function intentOf(work: ReconcileState, planned: Plan, at: Surroundings): ReconcileState {
  const { snapshot } = work;
  const workItem = workItemAt(work, plus(at.now, WRITE_REQUEUE_MS), 'a correction is being written');
  return {
    ...work,
    snapshot: { ...snapshot, ...withStatus(snapshot, planned, at), writing: planned.writes, workItem },
  };
}

function afterWrite(work: ReconcileState, twin: Twin, written: Plan, at: Surroundings): Next {
  const adopted = adoptOwnWrite(work.snapshot, twin, written.writes, at.fleet.twins.trackedPaths);
  const snapshot = withoutEndless(adopted, written, planOf({ ...work, snapshot: adopted }, at));
  const after = { ...work, snapshot };
  const { step } = settle(after, planOf(after, at), at, false);
  return { work: after, step: step.kind === 'settle' ? { ...step, isCorrected: true } : step };
}

function afterFailedWrite(work: ReconcileState, failure: Failure, written: Plan, at: Surroundings): Next {
  const snapshot = withoutIntent(work.snapshot);
  switch (failure.code) {
    case 'BERTH_HUB_PRECONDITION_FAILED':
      return afterPlan({ ...work, snapshot: { ...snapshot, etag: undefined } }, at);
    case 'BERTH_HUB_REFUSED': {
      // Which of the values it was, it does not say.
      if (written.writes.length > 1) return afterPlan({ ...work, snapshot, isOneByOne: true }, at);
      const refused = { ...work, snapshot: rejectedByHub(snapshot, written, failure) };
      return settle(refused, planOf(refused, at), at, false);
    }
    default: {
      // The twin itself will say: the hub's bookkeeping shows also a value that was written once more.
      const next = failure.mayHaveApplied
        ? unread(work.snapshot, 'a write failed, and the hub may have applied it')
        : snapshot;
      return afterTrouble({ ...work, snapshot: next }, failure, at);
    }
  }
}

/** A call failed. What the hub says of the device itself is looked into; everything else requeues the twin. */
function afterTrouble(work: ReconcileState, failure: Failure, at: Surroundings): Next {
  if (failure.code === 'BERTH_HUB_NOT_FOUND' && work.notFound === undefined) {
    const notFound = { answeredAt: failure.answeredAt };
    return { work: { ...work, notFound }, step: { kind: 'askStatus' } };
  }
  const tries = work.snapshot.workItem?.tries ?? 0;
  return postponed(work, plus(at.now, failure.backOffMs), failure.message, at, {
    isQuota: failure.code === 'BERTH_HUB_QUOTA_EXCEEDED',
    tries: tries + 1,
  });
}

function afterStatus(
  work: ReconcileState,
  status: 'enabled' | 'disabled' | 'missing',
  at: Surroundings,
): Next {
  const { snapshot, notFound } = work;
  if (status === 'missing') {
    const known = latest(snapshot.asOf, snapshot.unread?.since ?? snapshot.asOf);
    const answeredAt = notFound?.answeredAt;
    // No deletion lies in the hub's future, whatever is stored.
    const isBelieved = answeredAt === undefined || known <= latestBelievable(answeredAt);
    return { work, step: { kind: 'forget', at: isBelieved ? known : answeredAt } };
  }
  const tries = snapshot.workItem?.tries ?? 0;
  const why = status === 'disabled' ? 'the device is disabled' : 'the hub has the device but not its twin';
  const wait = Math.min(DISABLED_MS * 2 ** Math.min(tries, 10), LONGEST_DISABLED_MS);
  return requeued(work, {
    ...snapshot,
    suspended: { why },
    writing: undefined,
    lastReconcile: lastReconcileOf(snapshot, 'suspended', why, at),
    workItem: { ...workItemAt(work, plus(at.now, wait), why), tries: tries + 1 },
  });
}

/** How the twin stands is stored, and when it is worked on again. */
function settle(work: ReconcileState, planned: Plan, at: Surroundings, keepsWriting: boolean): Next {
  const snapshot = { ...work.snapshot, ...withStatus(work.snapshot, planned, at) };
  if (keepsWriting) return settled(work, snapshot);
  const workItem: WorkItem | undefined =
    planned.writes.length > 0
      ? { priority: 'drift', at: plus(at.now, 1_000), why: planned.why, tries: 0 }
      : nextWork(planned);
  return settled(work, { ...snapshot, writing: undefined, suspended: undefined, workItem });
}

/** When the twin is worked on again even if nothing happens, and as what. */
function nextWork({ nextAt, askAt, why }: Plan): WorkItem | undefined {
  if (nextAt !== undefined && (askAt === undefined || nextAt <= askAt)) {
    return { priority: 'drift', at: nextAt, why, tries: 0 };
  }
  return askAt === undefined
    ? undefined
    : { priority: 'activity', at: epochMs(Math.ceil(askAt)), why, tries: 0 };
}

/** What would be written waits until then. */
function held(work: ReconcileState, planned: Plan, why: string, until: EpochMs, at: Surroundings): Next {
  const { paths, lastReconcile } = withStatus(work.snapshot, planned, at);
  return requeued(work, {
    ...work.snapshot,
    paths,
    lastReconcile: { ...lastReconcile, why: `${lastReconcile.why}; ${why}` },
    writing: undefined,
    workItem: workItemAt(work, until, why),
  });
}

/** Nothing can be asked of the hub until then. */
function postponed(
  work: ReconcileState,
  until: EpochMs,
  why: string,
  at: Surroundings,
  { isQuota, tries }: { readonly isQuota: boolean; readonly tries?: number },
): Next {
  const { snapshot } = work;
  const workItem = workItemAt(work, until, why);
  const state: TwinStatus = isQuota ? 'suspended' : snapshot.unread === undefined ? 'drifted' : 'unknown';
  return requeued(work, {
    ...snapshot,
    workItem: tries === undefined ? workItem : { ...workItem, tries },
    suspended: isQuota ? { why } : undefined,
    lastReconcile: lastReconcileOf(snapshot, state, why, at),
  });
}

function settled(work: ReconcileState, snapshot: Snapshot): Next {
  return { work, step: { kind: 'settle', snapshot, isCorrected: false } };
}

function requeued(work: ReconcileState, snapshot: Snapshot): Next {
  return { work, step: { kind: 'requeue', snapshot } };
}

function reading(work: ReconcileState, why: string): Next {
  return { work: { ...work, snapshot: unread(work.snapshot, why) }, step: { kind: 'read' } };
}

function unread(snapshot: Snapshot, why: string): Snapshot {
  return { ...snapshot, unread: { since: snapshot.asOf, why } };
}

function withoutIntent(snapshot: Snapshot): Snapshot {
  return snapshot.writing === undefined ? snapshot : { ...snapshot, writing: undefined };
}

function planOf({ snapshot, hub, gate, isOneByOne }: ReconcileState, { fleet, now }: Surroundings): Plan {
  const { host, deviceId } = snapshot.id;
  return plan({
    snapshot,
    hub,
    twins: fleet.twins,
    holdOf: (policy) => gate.holdOf(policy, { host, deviceId }, fleet.twins.rollout, now),
    now,
    ...(isOneByOne ? { mostWrites: 1 } : {}),
  });
}

function withStatus(
  snapshot: Snapshot,
  planned: Plan,
  at: Surroundings,
): Pick<Snapshot, 'paths' | 'lastReconcile'> {
  const { policies, isHeld, paths } = planned;
  const before = snapshot.lastReconcile;
  const lastReconcile = { ...lastReconcileOf(snapshot, planned.status, planned.why, at), policies, isHeld };
  // What comes to the same is no news, whichever fleet file said so.
  const isSame =
    before.revision !== '' &&
    sameJson(asJson({ ...lastReconcile, revision: before.revision }), asJson(before));
  return { paths, lastReconcile: isSame ? before : lastReconcile };
}

function lastReconcileOf(
  { lastReconcile: before }: Snapshot,
  state: TwinStatus,
  why: string,
  { fleet, now }: Surroundings,
): LastReconcile {
  const isSame = before.status === state && before.since > 0 && before.since <= now;
  return {
    ...before,
    status: state,
    why,
    since: isSame ? before.since : now,
    revision: fleet.revision,
    isHeld: false,
  };
}

function workItemAt({ priority, snapshot }: ReconcileState, at: EpochMs, why: string): WorkItem {
  return { priority, at: epochMs(Math.ceil(at)), why, tries: snapshot.workItem?.tries ?? 0 };
}

/** What the hub keeps in another form than it was sent would differ for ever, unless the policy takes the two for the same. */
function withoutEndless(snapshot: Snapshot, { writes }: Plan, after: Plan): Snapshot {
  const drifted = new Set(after.leaves.flatMap(({ path, status }) => (status === 'drifted' ? [path] : [])));
  const endless = writes.filter(
    ({ path, value }) =>
      drifted.has(path.join('.')) && !sameJson(valueAt(snapshot.desired, path) ?? null, value),
  );
  if (endless.length === 0) return snapshot;
  const why = 'the hub keeps the value in another form';
  const paths = endless.map(({ path, policy, value }) => {
    const key = path.join('.');
    return [
      key,
      recordRejection(historyAt(snapshot.paths, key), { policy, value, why, isByHub: true }),
    ] as const;
  });
  return { ...snapshot, paths: { ...snapshot.paths, ...Object.fromEntries(paths) } };
}

/** The hub found fault with the patch itself: sending it again would only be refused again. */
function rejectedByHub(snapshot: Snapshot, { writes, paths }: Plan, { hubCode }: Failure): Snapshot {
  const why = `the hub refused the value (${hubCode})`;
  const rejected = writes.map(({ path, policy, value }) => {
    const key = path.join('.');
    return [key, recordRejection(historyAt(paths, key), { policy, value, why, isByHub: true })] as const;
  });
  return { ...snapshot, paths: { ...paths, ...Object.fromEntries(rejected) } };
}

function moreUrgent(one: WorkPriority, other: WorkPriority | undefined): WorkPriority {
  return other !== undefined && WORK_PRIORITIES.indexOf(other) < WORK_PRIORITIES.indexOf(one) ? other : one;
}

/** As it is stored: `undefined` leaves no trace. */
function asJson(lastReconcile: LastReconcile): JsonValue {
  return JSON.parse(JSON.stringify(lastReconcile)) as JsonValue;
}
