import { drainOfDevice } from '../allocation/moves/drain-of-device.ts';
import type { DeviceStatus } from '../api/contract.ts';
import type { Fleet, Hub, Twins } from '../fleet/fleet.ts';
import { type Gate, gateOf } from '../sync/reconcile/write-gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { isoTime } from '../time/iso-time.ts';
import { type DrainOfDevice, requestedAt } from '../twin/plan/move-request.ts';
import { moveStateOf } from '../twin/plan/move-state.ts';
import { type Plan, type PlannedLeaf, plan } from '../twin/plan/plan.ts';
import type { PlannedRollout } from '../twin/plan/rollout-statuses.ts';
import { valueAt } from '../twin/snapshot/merge.ts';
import { parentTrouble } from '../twin/snapshot/parent-record.ts';
import { historyAt, type Snapshot } from '../twin/snapshot/snapshot.ts';
import { describeEdge } from './edge-status.ts';
import type { StoredDevice } from './stored-device.ts';

/** The status of a device: its hub, its twins with reasons and next steps, and its last allocation decisions. */
export function describeStatus(
  deviceId: string,
  { fleet, control, twins, receipts }: StoredDevice,
  now: EpochMs,
): DeviceStatus {
  const gate = gateOf(control, control.newestBuild);
  return {
    deviceId,
    twins: twins.map(({ hub, snapshot }) => {
      const own = twins.flatMap((each) => (each.hub === hub ? [each.snapshot] : []));
      const described = describeEdge(snapshot, own, fleet, { hub, gate, now });
      const twin = describeTwin(hub, snapshot, gate, { fleet, now });
      if (described === undefined) return twin;
      const { edge, rollouts } = described;
      return { ...twin, rollouts: [...twin.rollouts, ...rollouts.map(rolloutFacts)], edge };
    }),
    receipts,
  };
}

function describeTwin(
  hub: Hub,
  snapshot: Snapshot,
  gate: Gate,
  { fleet: { twins, allocation }, now }: { readonly fleet: Fleet; readonly now: EpochMs },
): DeviceStatus['twins'][number] {
  const drain = drainOfDevice(gate.drainOf(hub.host, now), hub.host, snapshot.id.deviceId, allocation);
  const planned = plan({
    snapshot,
    hub,
    twins,
    holdOf: (policy) => gate.holdOf(policy, now),
    contentOf: (policy, device) => gate.contentOf(policy, device, twins.previous, now),
    drain,
    now,
  });
  const {
    lastReconcile,
    workItem,
    unread,
    suspended,
    modelId,
    version,
    desiredVersion,
    reportedVersion,
    asOf,
    bornAt,
  } = snapshot;
  return {
    hub: hub.host,
    moduleId: snapshot.id.moduleId ?? null,
    status: lastReconcile.status,
    since: isoTime(lastReconcile.since),
    why: lastReconcile.why,
    modelId: modelId ?? null,
    version,
    desiredVersion,
    reportedVersion,
    asOf,
    bornAt,
    lifeAt: snapshot.lifeAt ?? null,
    etagKnown: snapshot.etag !== undefined,
    unread: unread ?? null,
    suspended: suspended ?? null,
    workItem: workItem === undefined ? null : { ...workItem, at: isoTime(workItem.at) },
    next: nextAction(snapshot, planned.writes.length, gate.closedFor(hub.host), now),
    patch: planned.writes.length === 0 ? null : planned.patch,
    tags: snapshot.tags,
    rollouts: planned.rollouts.map(rolloutFacts),
    parent: describeParent(snapshot),
    moveRequest: describeMoveRequest(snapshot, twins, drain, planned),
    paths: planned.leaves.map((leaf) => describeLeaf(snapshot, leaf)),
  };
}

function describeParent({ parent }: Snapshot): DeviceStatus['twins'][number]['parent'] {
  if (parent === undefined || parent.kind === 'none' || parent.kind === 'noReceipt') return null;
  const { deviceId, kind: status } = parent;
  const by = parent.kind === 'entered' && parent.by === 'berth' ? 'Berth has entered it' : '';
  return { deviceId, status, why: parentTrouble(parent)?.why ?? by };
}

/** What Berth has asked the device, while its hub drains. */
function describeMoveRequest(
  { id, desired, paths }: Snapshot,
  { moveRequest }: Twins,
  drain: DrainOfDevice,
  { policies }: Plan,
): DeviceStatus['twins'][number]['moveRequest'] {
  if (moveRequest === undefined || drain.kind !== 'draining' || id.moduleId !== undefined) return null;
  const { leaf, policy } = moveRequest;
  const state = moveStateOf(policies[policy.id]);
  const isSet = valueAt(desired, leaf.path) === id.host;
  return {
    leaves: id.host,
    state,
    askedAt: isSet ? (requestedAt(historyAt(paths, leaf.key)) ?? null) : null,
    asksAt: state === 'waiting' ? isoTime(drain.askAt) : null,
  };
}

function rolloutFacts({ until, ...rollout }: PlannedRollout) {
  return { ...rollout, until: isoTime(until) };
}

/** What Berth does next for the twin, and when, as a sentence. */
function nextAction(
  { workItem, unread, writing }: Snapshot,
  writes: number,
  closed: string | undefined,
  now: EpochMs,
): string {
  const when =
    workItem === undefined ? '' : workItem.at <= now ? ' within a minute' : ` at ${isoTime(workItem.at)}`;
  if (writing !== undefined) return `a correction is being written; Berth reconciles the twin again${when}`;
  if (closed !== undefined && (writes > 0 || unread !== undefined)) return `nothing: ${closed}`;
  if (unread !== undefined) return `reads the twin${when}: ${unread.why}`;
  if (writes > 0 && workItem === undefined)
    return 'writes the patch within minutes: the policies have changed';
  if (writes > 0) return `writes the patch${when}`;
  if (workItem?.priority === 'activity')
    return `asks the hub${when} whether the device is alive: ${workItem.why}`;
  if (workItem !== undefined) return `reconciles the twin again${when}: ${workItem.why}`;
  return 'nothing until the next event of the twin';
}

function describeLeaf(snapshot: Snapshot, { held, nextAt, askAt, ...leaf }: PlannedLeaf) {
  const path = leaf.path.split('.');
  const { ours, reportedAt, writes, foreign, configuration, contestedUntil, rejected } = historyAt(
    snapshot.paths,
    leaf.path,
  );
  return {
    ...leaf,
    held: held ?? null,
    nextAt: isoTime(nextAt),
    askAt: isoTime(askAt),
    desired: valueAt(snapshot.desired, path) ?? null,
    reported: valueAt(snapshot.reported, path) ?? null,
    ourVersion: ours,
    reportedAt: reportedAt ?? null,
    writes: writes.map(({ by, value, at, count }) => ({ by, value, at, count })),
    foreignChanges: foreign.slice(0, 10),
    configuration: configuration ?? null,
    contestedUntil: isoTime(contestedUntil),
    rejected: rejected.map(({ value, why }) => ({ value, why })),
  };
}
