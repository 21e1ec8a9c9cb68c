import type { Receipt } from '../allocation/receipt/receipt.ts';
import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Stores } from '../store/stores.ts';
import { type Gate, gateOf } from '../sync/reconcile/write-gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { isoTime } from '../time/iso-time.ts';
import { type Redaction, redactKept } from '../twin/events/redact.ts';
import { type PlannedLeaf, plan } from '../twin/plan/plan.ts';
import { valueAt } from '../twin/snapshot/merge.ts';
import { historyAt, type Snapshot } from '../twin/snapshot/snapshot.ts';
import { type DeviceMoment, momentsOf } from './device-history.ts';

/** What a description of a device reads. */
export interface DeviceSources {
  readonly stores: Pick<Stores, 'twins' | 'control' | 'receipts'>;
  /** The fleet file in force. */
  readonly fleet: Fleet;
  /** Of the fleet file in force: what is stored may be older than the path that redacts it. */
  readonly redaction: Redaction;
  readonly now: EpochMs;
}

/** One twin of a device, its own or that of a module: how it stands, why, and what Berth does next. */
export type TwinOverview = ReturnType<typeof describeTwin>;
/** One property that a policy owns. */
export type PropertyOverview = TwinOverview['paths'][number];

/** One device: where it is and why, how its twins stand and why, and the last decisions about it. */
export interface DeviceOverview {
  readonly deviceId: string;
  readonly twins: readonly TwinOverview[];
  /** The newest first. */
  readonly receipts: readonly Receipt[];
}

/** The same with what is known of the past of the device, the newest first. */
export interface DeviceWithHistory extends DeviceOverview {
  readonly history: readonly DeviceMoment[];
}

/**
 * Describes a device from what is stored; asks no hub.
 *
 * @param registrationId differs from the device id only where an individual enrollment gives the device another id.
 * @throws BerthError `BERTH_DEVICE_UNKNOWN`, `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
 */
export async function describeDevice(
  { stores, fleet, redaction, now }: DeviceSources,
  deviceId: string,
  registrationId = deviceId,
): Promise<DeviceWithHistory> {
  const [control, snapshots, receipts] = await Promise.all([
    stores.control.read(),
    Promise.all(fleet.hubs.map((hub) => snapshotsOn(hub, deviceId, stores))),
    stores.receipts.list(registrationId),
  ]);
  const found = snapshots.flat();
  if (found.length === 0 && receipts.length === 0) {
    throw new BerthError(
      'BERTH_DEVICE_UNKNOWN',
      `No twin and no registration of ${JSON.stringify(deviceId)} is known.`,
    );
  }
  const gate = gateOf(control, control.newestBuild);
  const kept = found.map(({ hub, snapshot }) => ({ hub, snapshot: redactKept(snapshot, redaction) }));
  return {
    deviceId,
    twins: kept.map(({ hub, snapshot }) => describeTwin(hub, snapshot, gate, fleet, now)),
    receipts,
    history: momentsOf(
      kept.map(({ snapshot }) => snapshot),
      receipts,
    ),
  };
}

async function snapshotsOn(hub: Hub, deviceId: string, { twins }: Pick<Stores, 'twins'>) {
  const id = { host: hub.host, deviceId, moduleId: undefined };
  const records = await Promise.all([id, ...(await twins.modulesOf(id))].map((twin) => twins.load(twin)));
  return records.flatMap(({ known }) =>
    known.kind === 'snapshot' ? [{ hub, snapshot: known.snapshot }] : [],
  );
}

function describeTwin(hub: Hub, snapshot: Snapshot, gate: Gate, { twins }: Fleet, now: EpochMs) {
  const planned = plan({
    snapshot,
    hub,
    twins,
    holdOf: (policy) => gate.holdOf(policy, snapshot.id, twins.rollout, now),
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
    paths: planned.leaves.map((leaf) => describeLeaf(snapshot, leaf)),
  };
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

function describeLeaf(snapshot: Snapshot, { held, nextAt, ...leaf }: PlannedLeaf) {
  const path = leaf.path.split('.');
  const { ours, reportedAt, writes, foreign, configuration, contestedUntil, rejected } = historyAt(
    snapshot.paths,
    leaf.path,
  );
  return {
    ...leaf,
    held: held ?? null,
    nextAt: isoTime(nextAt),
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
