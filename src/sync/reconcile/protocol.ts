import { drainOfDevice } from '../../allocation/moves/drain-of-device.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Hub } from '../../fleet/fleet.ts';
import { sameJson } from '../../json/json.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { type Instant, latest, latestBelievable } from '../../time/instant.ts';
import { adoptOwnWrite, adoptTwin } from '../../twin/events/apply-event.ts';
import { recordRejection } from '../../twin/events/history.ts';
import { type Plan, plan } from '../../twin/plan/plan.ts';
import { isSizeKnown } from '../../twin/plan/room.ts';
import { valueAt } from '../../twin/snapshot/merge.ts';
import { AGENT_MODULE } from '../../twin/snapshot/runtime-twin.ts';
import {
  historyAt,
  type Snapshot,
  type TwinStatus,
  WORK_PRIORITIES,
  type WorkItem,
  type WorkPriority,
} from '../../twin/snapshot/snapshot.ts';
import type { Twin } from '../../twin/snapshot/twin.ts';
import { lastReconcileOf, type StatusSurroundings, type Surroundings, withStatus } from './last-reconcile.ts';
import { nextWork } from './next-work.ts';
import type { Gate } from './write-gate.ts';

/*
 * The protocol of reconciling one twin. Pure: it computes the next step from the state of the twin and the answer to the last
 * step. `twin-work.ts` performs the steps. test/sync/protocol-table.test.ts is the specification.
 *
 *   read ─▶ (plan) ─▶ write ─▶ settle          the usual paths: a twin in sync settles at once, a drifted twin
 *     │                 │                      is written once, an unread twin is read first
 *     │                 ├─▶ read               another writer wrote in between
 *     └──▶ askStatus ──▶ forget | requeue      the hub does not find the twin: it is deleted, or disabled
 *   any step ──▶ requeue                       no permit, a pause, a failed call: the work queue tries the twin again
 */

/** The next step for a twin. */
export type ReconcileStep =
  /** One GET. */
  | { readonly kind: 'read' }
  /** One PATCH with this etag. The intent (`intentOf`) is stored before it, and the result after it. */
  | { readonly kind: 'write'; readonly plan: Plan; readonly etag: string }
  /** A call to the identity registry, because a hub also answers 404 for a disabled device. */
  | { readonly kind: 'askStatus' }
  /** The end: the status of the twin is stored. */
  | { readonly kind: 'settle'; readonly snapshot: Snapshot; readonly isCorrected: boolean }
  /** The end: the snapshot is stored, with a work item. */
  | { readonly kind: 'requeue'; readonly snapshot: Snapshot }
  /** The end: the twin is stored as deleted at this time. */
  | { readonly kind: 'forget'; readonly at: Instant };

/** The answer to the last step. */
export type StepAnswer =
  /** The answer to a read. */
  | { readonly kind: 'twin'; readonly twin: Twin }
  /** The answer to a write: the twin after it. */
  | { readonly kind: 'written'; readonly twin: Twin; readonly plan: Plan }
  /** No permit for the call before `at`. `plan` is present if the call was a write. */
  | {
      readonly kind: 'noPermit';
      readonly at: EpochMs;
      readonly why: string;
      readonly isQuota: boolean;
      readonly plan?: Plan;
    }
  /** The control row changed while the write waited. Nothing was sent. */
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
  /** How long to leave the twin alone. */
  readonly backOffMs: number;
}

/** Everything that decides the next step. */
export interface ReconcileState {
  readonly hub: Hub;
  readonly snapshot: Snapshot;
  readonly priority: WorkPriority;
  readonly gate: Gate;
  /** The twin was in sync, and its events cannot have changed that. So no plan is needed. */
  readonly staysInSync: boolean;
  /** Another instance is writing the twin. If that instance ends, its work item starts the twin again. */
  readonly isInFlight: boolean;
  /** How many writes were tried. */
  readonly writes: number;
  /** The hub refused several values in one patch, so they are written one by one. */
  readonly isOneByOne: boolean;
  /** The hub does not find the twin. `answeredAt`: the hub's clock, if the answer had it. */
  readonly notFound: { readonly answeredAt: Instant | undefined } | undefined;
}

/** The state after the last answer, and the next step. */
export interface Next {
  readonly work: ReconcileState;
  readonly step: ReconcileStep;
}

/** How many writes are tried if other writers keep changing the twin. */
const MAX_WRITES = 3;
/** The time of the work item of a write. It is later than the end of the write, and soon if this instance ends. */
const WRITE_REQUEUE_MS = 30_000;
/** A disabled device is tried again after one hour. Then the wait doubles each time, up to one day. */
const DISABLED_MS = 60 * 60_000;
const LONGEST_DISABLED_MS = DAY_MS;

interface Start {
  readonly hub: Hub;
  readonly priority: WorkPriority;
  readonly gate: Gate;
  readonly now: EpochMs;
  /** Default: false, which costs a plan. */
  readonly staysInSync?: boolean;
}

/** The state at the start of reconciling a twin. */
export function workOn(
  snapshot: Snapshot,
  { hub, priority, gate, now, staysInSync = false }: Start,
): ReconcileState {
  return {
    hub,
    snapshot,
    priority: moreUrgent(priority, snapshot.workItem?.priority),
    gate,
    staysInSync,
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
  return work.staysInSync ? settled(work, snapshot) : afterPlan(work, at);
}

/**
 * The first step of a resync: the policies have changed, and the twin has not. It calls no hub. A twin that must be written
 * gets a work item.
 */
export function stepWithoutHub(work: ReconcileState, at: Surroundings): Next {
  const { snapshot } = work;
  // They have a work item already, and are reconciled by the policies of that time.
  if (snapshot.unread !== undefined || snapshot.writing !== undefined || hasEdgeStatus(work, at)) {
    return settled(work, snapshot);
  }
  const planned = planOf(work, at);
  if (planned.writes.length === 0) return settle(work, planned, { ...at, keepsRevision: true }, false);
  // After a failed call, its wait stays. A time of an older policy does not.
  const hasFailed = snapshot.workItem !== undefined && snapshot.workItem.tries > 0;
  const workItem = hasFailed ? snapshot.workItem : workItemAt(work, at.now, 'the policies have changed');
  return requeued(work, { ...snapshot, ...withStatus(snapshot, planned, at), workItem });
}

/** `EdgeWork` decides the status and the work item of `$edgeAgent`. */
function hasEdgeStatus({ snapshot }: ReconcileState, { fleet }: Surroundings): boolean {
  return fleet.edge !== undefined && snapshot.id.moduleId === AGENT_MODULE;
}

/** An instance of an older package only stores the applied events. A newer package reconciles the twin. */
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
        ? afterFailure(work, answer.failure, at)
        : afterFailedWrite(work, answer.failure, answer.plan, at);
  }
}

function afterRead(work: ReconcileState, twin: Twin, at: Surroundings): Next {
  const { snapshot, isInFlight } = work;
  const led = snapshot.unread?.since ?? snapshot.asOf;
  const adopted = adoptTwin(snapshot, twin, led, at.fleet.twins.trackedPaths);
  return afterPlan({ ...work, snapshot: isInFlight ? adopted : withoutIntent(adopted) }, at);
}

/** The next step by the plan for the present snapshot. */
function afterPlan(work: ReconcileState, at: Surroundings): Next {
  const { snapshot, gate, hub, isInFlight, writes } = work;
  if (hasEdgeStatus(work, at)) return settled(work, { ...snapshot, suspended: undefined });
  const planned = planOf(work, at);
  if (planned.writes.length === 0) {
    return settle(work, planned, at, isInFlight && planned.status === 'drifted');
  }
  if (isInFlight) return settle(work, planned, at, true);
  const closed = gate.closedFor(hub.host);
  // The work item has the present time, but the queue does not handle it before the hub is resumed.
  if (closed !== undefined) return held(work, planned, closed, at.now, at);
  if (writes >= MAX_WRITES) {
    return held(work, planned, 'other writers keep changing the twin', plus(at.now, WRITE_REQUEUE_MS), at);
  }
  if (snapshot.etag === undefined)
    return reading(work, 'another writer changed it, so its etag is not known');
  if (!isSizeKnown(snapshot)) return reading(work, 'its size is not known, because it has redacted values');
  return {
    work: { ...work, writes: writes + 1 },
    step: { kind: 'write', plan: planned, etag: snapshot.etag },
  };
}

/** The state that is stored before a PATCH. With it, the event is recognised, and the twin is tried again if this instance ends. */
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
  const snapshot = withoutEndlessDrift(adopted, written, planOf({ ...work, snapshot: adopted }, at));
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
      // The hub does not say which value it refused.
      if (written.writes.length > 1) return afterPlan({ ...work, snapshot, isOneByOne: true }, at);
      const refused = { ...work, snapshot: rejectedByHub(snapshot, written, failure) };
      return settle(refused, planOf(refused, at), at, false);
    }
    default: {
      // A read shows it: the metadata of the twin also shows a write that repeats the value.
      const next = failure.mayHaveApplied
        ? unread(work.snapshot, 'a write failed, and the hub may have applied it')
        : snapshot;
      return afterFailure({ ...work, snapshot: next }, failure, at);
    }
  }
}

/** After a failed call. If the hub does not find the twin, its status is asked for. Other errors requeue the twin. */
function afterFailure(work: ReconcileState, failure: Failure, at: Surroundings): Next {
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
    // A deletion cannot be later than the hub's clock, even if a stored time is.
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

/** Stores the status of the twin and its next work item. */
function settle(work: ReconcileState, planned: Plan, at: StatusSurroundings, keepsWriting: boolean): Next {
  const snapshot = { ...work.snapshot, ...withStatus(work.snapshot, planned, at) };
  if (keepsWriting) return settled(work, snapshot);
  const workItem: WorkItem | undefined =
    planned.writes.length > 0
      ? { priority: 'drift', at: plus(at.now, 1_000), why: planned.why, tries: 0 }
      : nextWork(planned, work.snapshot, at.fleet);
  return settled(work, { ...snapshot, writing: undefined, suspended: undefined, workItem });
}

/** Holds the correction until a time. */
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

/** Requeues a twin whose hub cannot be called before a time. */
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
    holdOf: (policy) => gate.holdOf(policy, now),
    contentOf: (policy, device) => gate.contentOf(policy, device, fleet.twins.previous, now),
    drain: drainOfDevice(gate.drainOf(host, now), host, deviceId, fleet.allocation),
    now,
    ...(isOneByOne ? { mostWrites: 1 } : {}),
  });
}

function workItemAt({ priority, snapshot }: ReconcileState, at: EpochMs, why: string): WorkItem {
  return { priority, at: epochMs(Math.ceil(at)), why, tries: snapshot.workItem?.tries ?? 0 };
}

/** Rejects values that the hub stores in another form, if the policy treats the two as different. They would drift forever. */
function withoutEndlessDrift(snapshot: Snapshot, { writes }: Plan, after: Plan): Snapshot {
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

/** Rejects the values of a patch that the hub refused. It would refuse them again. */
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
