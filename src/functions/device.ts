import { app } from '@azure/functions';
import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { type Gate, gateOf } from '../sync/reconcile/write-gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { redactKept } from '../twin/events/redact.ts';
import { type PlannedLeaf, plan } from '../twin/plan/plan.ts';
import { valueAt } from '../twin/snapshot/merge.ts';
import { historyAt, type Snapshot } from '../twin/snapshot/snapshot.ts';
import { answeringErrors, type HttpHandler, isoTime, jsonAnswer } from './http-answer.ts';

/** One device: its hub, the status of its twins with reasons, and its last allocation decisions. */
export function registerDevice(instance: Instance): void {
  app.http('device', {
    methods: ['GET'],
    authLevel: 'function',
    route: 'devices/{deviceId}',
    handler: device(instance),
  });
}

export function device(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const deviceId = request.params.deviceId ?? '';
    const fleet = await instance.withPreviousContents(instance.fleet.current());
    const { stores } = instance;
    const look = async (hub: Hub) => {
      const id = { host: hub.host, deviceId, moduleId: undefined };
      const records = await Promise.all(
        [id, ...(await stores.twins.modulesOf(id))].map((twin) => stores.twins.load(twin)),
      );
      return records.flatMap(({ known }) =>
        known.kind === 'snapshot' ? [{ hub, snapshot: known.snapshot }] : [],
      );
    };
    const [control, redaction, snapshots, receipts] = await Promise.all([
      stores.control.read(),
      instance.redaction(fleet),
      Promise.all(fleet.hubs.map(look)),
      // An individual enrollment may give a device an id that differs from its registration id.
      stores.receipts.list(request.query.get('registrationId') ?? deviceId),
    ]);
    const found = snapshots.flat();
    if (found.length === 0 && receipts.length === 0) {
      throw new BerthError(
        'BERTH_DEVICE_UNKNOWN',
        `No twin and no registration of ${JSON.stringify(deviceId)} is known.`,
      );
    }
    const gate = gateOf(control, control.newestBuild);
    // The stored data may be older than the setting that redacts a path.
    const twins = found.map(({ hub, snapshot }) =>
      describeTwin(hub, redactKept(snapshot, redaction), gate, { fleet, now: instance.now() }),
    );
    return jsonAnswer(200, { deviceId, twins, receipts });
  });
}

function describeTwin(
  hub: Hub,
  snapshot: Snapshot,
  gate: Gate,
  { fleet: { twins }, now }: { readonly fleet: Fleet; readonly now: EpochMs },
) {
  const planned = plan({
    snapshot,
    hub,
    twins,
    holdOf: (policy) => gate.holdOf(policy, now),
    contentOf: (policy, facts) => gate.contentOf(policy, facts, twins.previous, now),
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
    rollouts: planned.rollouts.map(({ until, ...rollout }) => ({ ...rollout, until: isoTime(until) })),
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
