import { decideEdge, type EdgeDecision } from '../../../edge/edge-decision.ts';
import { appliedManifest, withApplied, withIntent } from '../../../edge/edge-record.ts';
import { type SettingValues, withSecrets } from '../../../edge/fingerprint.ts';
import { touchedModules } from '../../../edge/manifest-diff.ts';
import { settingContents } from '../../../edge/setting-contents.ts';
import { BerthError } from '../../../errors.ts';
import type { FilledManifest } from '../../../fleet/edge/manifest.ts';
import { modulesWithDesired } from '../../../fleet/edge/module-desired-names.ts';
import type { SettingContent } from '../../../fleet/edge/setting-values.ts';
import type { Hub } from '../../../fleet/fleet.ts';
import type { WritePermit } from '../../../hub/budgeted-hubs.ts';
import type { DeviceId } from '../../../hub/port.ts';
import type { Hold } from '../../../rollout/content-choice.ts';
import { mustComeAgain } from '../../../store/tables/newer-format.ts';
import { untilStored } from '../../../store/tables/optimistic.ts';
import type { TwinRecord } from '../../../store/twins/twin-store.ts';
import { type EpochMs, plus } from '../../../time/epoch-ms.ts';
import { NEVER } from '../../../time/instant.ts';
import type { Known } from '../../../twin/events/apply-event.ts';
import { AGENT_MODULE, type AppliedManifest, HUB_MODULE } from '../../../twin/snapshot/runtime-twin.ts';
import { type Snapshot, unreadSnapshot, type WorkItem } from '../../../twin/snapshot/snapshot.ts';
import { lastReconcileOf } from '../last-reconcile.ts';
import type { SyncContext } from '../sync-context.ts';
import type { Gate } from '../write-gate.ts';
import { contentIds, deploymentStatuses, type EdgeContents, edgeContents, lifeOf } from './edge-contents.ts';
import {
  EDGE_STATUS_OF,
  type EdgeTwinStatus,
  edgeReconcile,
  notMatched,
  policyStatusOf,
  sooner,
  statusOfDecision,
} from './edge-statuses.ts';
import {
  APPLY_MS,
  appliesUntil,
  applyingUntil,
  drifted,
  isWaiting,
  knownSnapshot,
  mayAppear,
  pausedBy,
  withTime,
} from './edge-work-state.ts';
import { afterFailedApply } from './failed-apply.ts';
import { manifestWithTwins } from './module-twins.ts';
import { type ReadTwin, readAgent, readNow, readRuntime, storeUnread } from './runtime-reads.ts';

/** What was done for one IoT Edge device, and its `$edgeAgent` after it. */
export interface EdgeResult {
  readonly isApplied: boolean;
  /** There was no permit for the apply. */
  readonly lacksApplyPermit?: boolean;
  readonly known: Known;
}

/** The events of a new device and of its modules are handled at the same time. */
const DEVICE_MS = 10_000;
const DEVICE_WHY = 'its device twin is not stored';

interface Records {
  /** What the device gets of each deployment. Undefined: its device twin is not stored. */
  readonly contents: EdgeContents | undefined;
  readonly device: Snapshot | undefined;
  readonly deviceRecord: TwinRecord;
  readonly agent: TwinRecord;
  readonly hub: TwinRecord;
  readonly modules: ReadonlyMap<string, Snapshot>;
}

type Applying = Extract<EdgeDecision, { kind: 'apply' }>;

/**
 * Gives one IoT Edge device the manifest that the fleet file wants. The manifest depends on the device twin; all that is
 * stored is in the record of `$edgeAgent`. The intent is stored before the call, so that one instance at a time applies.
 */
export class EdgeWork {
  readonly #context: SyncContext;
  readonly #settings: SettingValues;
  readonly #read: ReadTwin;
  readonly #values: readonly SettingContent[];

  constructor(context: SyncContext, settings: SettingValues, read: ReadTwin) {
    this.#context = context;
    this.#settings = settings;
    this.#read = read;
    this.#values = settingContents(context.fleet.edge, settings, context.redaction.key);
  }

  /**
   * @param mayCall false: calls no hub, as in a resync. An apply then becomes a work item.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
   */
  async reconcile(device: DeviceId, mayCall: boolean): Promise<EdgeResult> {
    let isRead = false;
    let isAgentRead = false;
    let isHubRead = false;
    let isApplied = false;
    // The call of this instance has ended. Another instance has changed the record in between.
    let isOvertaken = false;
    const tryOnce = async (): Promise<EdgeResult | 'conflict'> => {
      for (;;) {
        const gate = await this.#context.gate.current();
        const records = await this.#load(device, gate);
        if ((await this.#markAsEdge(records)) === 'conflict') return 'conflict';
        const agent = knownSnapshot(records.agent.known);
        const hub = this.#context.fleet.hubByHost.get(device.host);
        if (hub === undefined || gate.isOutdated) return { isApplied, known: records.agent.known };
        const until = isOvertaken ? undefined : appliesUntil(agent, this.#context.hubNow());
        if (until !== undefined) return this.#leaveToOther(records, until);
        if (mayAppear(records.deviceRecord.known, agent)) return this.#awaitDevice(records);
        const { suspended } = records.device ?? {};
        if (suspended !== undefined) return this.#suspend(records, suspended.why, isApplied);
        const decision = this.#decide(records, isRead);
        if (decision.kind === 'read' && decision.hubSince !== undefined) {
          await storeUnread(this.#context, records.hub, decision.why, decision.hubSince);
          // The work item of `$edgeHub` reads it, and comes here again.
          if (isHubRead || !mayCall) return { isApplied, known: records.agent.known };
          isHubRead = true;
          await this.#read(records.hub.id);
          continue;
        }
        if (decision.kind === 'read') {
          // An unread twin has a work item of its own. An apply without a result has none if another event has ended it.
          if (!mayCall && agent?.edge?.intent !== undefined && agent.unread === undefined)
            return this.#postpone(records, decision.why, this.#context.hubNow(), false);
          if (isRead || !mayCall) return { isApplied, known: records.agent.known };
          isRead = true;
          await readRuntime(this.#context, records, this.#read, decision.why);
          continue;
        }
        if (decision.kind !== 'apply') return this.#settle(records, decision, isApplied);
        const closed = gate.closedFor(device.host);
        // While the hub is paused, its work items stay in the queue.
        if (closed !== undefined) return this.#postpone(records, closed, this.#context.hubNow(), true);
        const hold = pausedBy(decision.manifest, this.#context.fleet, gate, this.#context.hubNow());
        if (hold !== undefined) return this.#hold(records, hold);
        if (!mayCall) {
          return this.#postpone(records, decision.why, this.#context.hubNow(), false);
        }
        if (isWaiting(agent, this.#context.hubNow())) return { isApplied, known: records.agent.known };
        if (decision.cause === 'first' && !isAgentRead) {
          // An apply has no condition. The event of a manifest that another writer has applied may not be here yet.
          const read = await readAgent(this.#context, records.agent, this.#read, 'before its first manifest');
          if (read === 'conflict') return read;
          isAgentRead = true;
          isRead = true;
          continue;
        }
        const applied = await this.#apply(records, decision, { hub, gate });
        if (applied === 'overtaken') {
          isOvertaken = true;
          return 'conflict';
        }
        if (applied !== 'applied') return applied;
        isApplied = true;
        isRead = true;
      }
    };
    return untilStored(`The IoT Edge record of ${device.deviceId}`, tryOnce, this.#context.wait);
  }

  async #load({ host, deviceId }: DeviceId, gate: Gate): Promise<Records> {
    const { twins, fleet, hubNow } = this.#context;
    const load = (moduleId: string | undefined) => twins.load({ host, deviceId, moduleId });
    const [deviceRecord, agent, hub] = await Promise.all([
      load(undefined),
      load(AGENT_MODULE),
      load(HUB_MODULE),
    ]);
    const device = knownSnapshot(deviceRecord.known);
    const of = fleet.hubByHost.get(host);
    const contents =
      device === undefined || of === undefined
        ? undefined
        : edgeContents(
            { device, agent: knownSnapshot(agent.known) },
            { fleet, hub: of, settings: this.#values, gate, now: hubNow() },
          );
    const modules = await this.#modules({ host, deviceId });
    return { device, deviceRecord, agent, hub, contents, modules };
  }

  async #modules(device: DeviceId): Promise<ReadonlyMap<string, Snapshot>> {
    const { twins, fleet } = this.#context;
    const names = [...modulesWithDesired(fleet.edge)];
    const records = await Promise.all(names.map((moduleId) => twins.load({ ...device, moduleId })));
    return new Map(
      records.flatMap(({ known }, index) => {
        const snapshot = knownSnapshot(known);
        return snapshot === undefined ? [] : [[names[index] ?? '', snapshot] as const];
      }),
    );
  }

  /**
   * Only IoT Edge devices have an `$edgeAgent`. Not every document says that a device is one, and from now on the events of
   * the device twin lead here.
   */
  async #markAsEdge({ device, deviceRecord, agent }: Records): Promise<'conflict' | undefined> {
    if (device === undefined || device.isEdge !== undefined || agent.known.kind !== 'snapshot')
      return undefined;
    const saved = await this.#save(deviceRecord, { ...device, isEdge: true });
    return saved === 'conflict' ? saved : undefined;
  }

  #decide({ device, agent, hub, contents, modules }: Records, isRead: boolean): EdgeDecision {
    const { fleet, redaction, hubNow } = this.#context;
    if (device === undefined) return { kind: 'none', why: DEVICE_WHY, manifest: undefined };
    if (device.unread !== undefined) return { kind: 'read', why: 'its device twin must be read first' };
    const runtime = knownSnapshot(agent.known);
    // An apply that has no result: the hub may have it.
    if (!isRead && runtime?.edge?.intent !== undefined && runtime.unread === undefined) {
      return { kind: 'read', why: 'the result of the last apply was not stored' };
    }
    return decideEdge({
      device,
      agent: runtime,
      hub: knownSnapshot(hub.known),
      modules,
      fleet,
      settings: this.#settings,
      redaction,
      ...(contents === undefined
        ? {}
        : {
            contentOf: contents.contentOf,
            rolledBack: contents.rolledBack,
            holdOfValues: contents.holdOfValues,
          }),
      now: hubNow(),
    });
  }

  /**
   * Looks again soon: the event of the device twin may be handled at the same time, and not every event of a device says that it is
   * an IoT Edge device. If the device twin is still not stored then, its event was lost, and the twin is read.
   */
  async #awaitDevice(records: Records): Promise<EdgeResult | 'conflict'> {
    const { agent, deviceRecord } = records;
    const snapshot = knownSnapshot(agent.known);
    if (snapshot === undefined || snapshot.unread !== undefined)
      return { isApplied: false, known: agent.known };
    const now = this.#context.hubNow();
    const { workItem: before } = snapshot;
    const isOver = before !== undefined && before.at <= now;
    if (isOver) await storeUnread(this.#context, deviceRecord, DEVICE_WHY, snapshot.asOf);
    const soon: WorkItem = { priority: 'drift', at: plus(now, DEVICE_MS), why: DEVICE_WHY, tries: 0 };
    const workItem = isOver ? undefined : (before ?? soon);
    return this.#end(records, { ...snapshot, workItem }, notMatched());
  }

  /** Another instance may be applying. If it ends, a work item starts the device again. */
  async #leaveToOther({ agent }: Records, until: EpochMs): Promise<EdgeResult | 'conflict'> {
    const snapshot = knownSnapshot(agent.known);
    // An unread twin has a work item for its read, and comes here again after it.
    if (snapshot === undefined || snapshot.unread !== undefined || snapshot.workItem !== undefined)
      return { isApplied: false, known: agent.known };
    const saved = await this.#save(agent, { ...snapshot, workItem: applyingUntil(until, 0) });
    return saved === 'conflict' ? saved : { isApplied: false, known: saved.known };
  }

  /** One apply, after its intent is stored. `'overtaken'`: the call has ended, and its result could not be stored. */
  async #apply(
    records: Records,
    decision: Applying,
    { hub, gate }: { readonly hub: Hub; readonly gate: Gate },
  ): Promise<EdgeResult | 'conflict' | 'applied' | 'overtaken'> {
    const { hubs, hubNow, now, fleet } = this.#context;
    const { agent } = records;
    const { host } = hub;
    const { deviceId } = agent.id;
    // The decision is by this gate. The fleet may have been paused since then.
    const isOld = async () => (await this.#context.gate.current()) !== gate;
    const permit = await hubs.permitApply({ host, deviceId }, 2 * touchedModules(decision.diff).length);
    if (permit.kind === 'noPermit') {
      const postponed = await this.#postpone(records, permit.why, plus(hubNow(), permit.at - now()), false);
      return postponed === 'conflict' ? postponed : { ...postponed, lacksApplyPermit: true };
    }
    if (await isOld()) {
      return this.#postpone(records, 'the control row has changed', hubNow(), false);
    }
    const snapshot = knownSnapshot(agent.known);
    if (snapshot === undefined) return { isApplied: false, known: agent.known };
    const sent = await manifestWithTwins(this.#context, snapshot, decision, records.contents, hubNow());
    if (sent.kind !== 'ready')
      return this.#postpone(records, sent.why, plus(hubNow(), sent.at - now()), false);
    const { givenBack, left } = sent;
    const at = hubNow();
    const intent = appliedManifest(decision.fingerprint, {
      at,
      revision: fleet.revision,
      why: decision.why,
      deployments: decision.manifest.provenance.deployments,
      contents: contentIds(decision, records.contents),
      lifeAt: lifeOf([records.device, snapshot, knownSnapshot(records.hub.known)]),
      ...(givenBack.length === 0 ? {} : { givenBack }),
      ...(left.length === 0 ? {} : { left }),
    });
    const workItem = applyingUntil(plus(at, APPLY_MS), snapshot.workItem?.tries ?? 0);
    const saved = await this.#save(agent, {
      ...snapshot,
      edge: withIntent(snapshot.edge, intent, sent.modules),
      workItem,
    });
    if (saved === 'conflict') return 'conflict';
    if (await isOld()) {
      const why = 'the control row has changed';
      const again: WorkItem = { priority: 'drift', at: hubNow(), why, tries: snapshot.workItem?.tries ?? 0 };
      return this.#end({ ...records, agent: saved }, { ...snapshot, workItem: again }, drifted(why));
    }
    const failed = await this.#call(permit, sent.filled);
    const after = { ...records, agent: saved };
    const ended =
      failed === undefined
        ? await this.#afterApply(saved, records.hub, decision, { ...intent, at: hubNow() })
        : await this.#afterFailure(after, { decision, before: snapshot.edge?.intent }, failed, hub);
    return ended === 'conflict' ? 'overtaken' : ended;
  }

  /** Returns the error of the hub; undefined: it has applied the manifest. */
  async #call(permit: WritePermit, filled: FilledManifest): Promise<BerthError | undefined> {
    try {
      await this.#context.hubs.applyManifest(permit, withSecrets(filled, this.#settings));
      return undefined;
    } catch (error) {
      if (!(error instanceof BerthError) || mustComeAgain(error)) throw error;
      return error;
    }
  }

  /** Stores what was applied, and reads both twins of the runtime: the answer to an apply has no body. */
  async #afterApply(
    agent: TwinRecord,
    hub: TwinRecord,
    { cause }: Applying,
    applied: Parameters<typeof withApplied>[1],
  ): Promise<'applied' | 'conflict'> {
    const { twins, hubNow } = this.#context;
    const why = 'a manifest was applied';
    // Also if it is not stored: the event of its creation comes later, and has no manifest.
    const hubSnapshot = knownSnapshot(hub.known) ?? unreadSnapshot(hub.id, NEVER, why);
    const snapshot = knownSnapshot(agent.known) as Snapshot;
    const read = await readNow(this.#context, snapshot, why);
    const appliedAt = read.unread === undefined ? read.runtime?.desiredAt : undefined;
    const hubRead = await readNow(this.#context, hubSnapshot, why, appliedAt);
    if ((await twins.save(hub, { kind: 'snapshot', snapshot: hubRead })) === 'conflict')
      await storeUnread(this.#context, hub, why, appliedAt);
    const version = read.unread === undefined ? { version: read.desiredVersion } : {};
    const edge = withApplied(snapshot.edge, { ...applied, ...version }, cause, hubNow());
    const workItem = read.unread === undefined ? undefined : read.workItem;
    return (await this.#save(agent, { ...read, edge, workItem })) === 'conflict' ? 'conflict' : 'applied';
  }

  async #afterFailure(
    records: Records,
    {
      decision: { fingerprint },
      before,
    }: { readonly decision: Applying; readonly before: AppliedManifest | undefined },
    error: BerthError,
    hub: Hub,
  ): Promise<EdgeResult | 'conflict'> {
    const { warn, hubNow } = this.#context;
    const { id, known } = records.agent;
    const snapshot = knownSnapshot(known) as Snapshot;
    const after = afterFailedApply(snapshot, { fingerprint, before }, error, hubNow());
    const { hubCode, logged } = after;
    if (logged !== undefined)
      warn(logged.message, { code: logged.code, hub: hub.host, deviceId: id.deviceId, hubCode });
    return this.#end(records, after.snapshot, after.status);
  }

  /** The apply waits for a permit, the end of a pause, or the work queue. */
  #postpone(records: Records, why: string, at: EpochMs, isHeld: boolean): Promise<EdgeResult | 'conflict'> {
    const snapshot = knownSnapshot(records.agent.known) as Snapshot;
    const { workItem: before } = snapshot;
    // A work item of the future, after a failed call, keeps its time.
    const keeps = before !== undefined && before.tries > 0 && before.at > at;
    const workItem: WorkItem = keeps ? before : { priority: 'drift', at, why, tries: before?.tries ?? 0 };
    return this.#end(records, { ...snapshot, workItem }, { ...drifted(why), isHeld });
  }

  /**
   * The apply waits for the end of the pause of a deployment. Every twin is planned again then, so it needs no work item: that would be due
   * in each run of the queue.
   */
  #hold(records: Records, { why, until }: Hold): Promise<EdgeResult | 'conflict'> {
    const snapshot = knownSnapshot(records.agent.known) as Snapshot;
    const at = sooner(until, records.contents?.nextAt);
    const next: WorkItem | undefined =
      at === undefined ? undefined : { priority: 'drift', at, why, tries: 0 };
    const workItem = snapshot.unread === undefined ? next : snapshot.workItem;
    return this.#end(records, { ...snapshot, workItem }, { ...drifted(why), isHeld: true });
  }

  /**
   * Its device is disabled, or its hub has no messages left. It keeps what it was in rollouts, and takes no part in them. The work item
   * of the device twin leads here again.
   */
  async #suspend({ agent }: Records, why: string, isApplied: boolean): Promise<EdgeResult | 'conflict'> {
    const { fleet, hubNow } = this.#context;
    const snapshot = knownSnapshot(agent.known);
    // An unread twin has a status and a work item for its read.
    if (snapshot === undefined || snapshot.unread !== undefined) return { isApplied, known: agent.known };
    const { lastReconcile: before, workItem } = snapshot;
    const isSame = before.status === 'suspended' && before.why === why;
    if (isSame && workItem === undefined) return { isApplied, known: agent.known };
    const found = lastReconcileOf(snapshot, 'suspended', why, { fleet, now: hubNow() });
    const lastReconcile = { ...found, edge: EDGE_STATUS_OF.suspended };
    const saved = await this.#save(agent, { ...snapshot, lastReconcile, workItem: undefined });
    return saved === 'conflict' ? saved : { isApplied, known: saved.known };
  }

  async #settle(
    records: Records,
    decision: Exclude<EdgeDecision, { kind: 'read' | 'apply' }>,
    isApplied: boolean,
  ): Promise<EdgeResult | 'conflict'> {
    const { hubNow, fleet } = this.#context;
    const { agent, hub, contents } = records;
    const snapshot = knownSnapshot(agent.known);
    if (snapshot === undefined) return { isApplied, known: agent.known };
    // The read of an unread twin stays due.
    if (snapshot.unread !== undefined && decision.kind === 'none') return { isApplied, known: agent.known };
    const status = statusOfDecision(decision, snapshot, knownSnapshot(hub.known), hubNow());
    const nextAt = sooner(status.nextAt, contents?.nextAt);
    let workItem: WorkItem | undefined =
      nextAt === undefined ? undefined : { priority: 'drift', at: nextAt, why: status.why, tries: 0 };
    let { edge, unread } = snapshot;
    if (decision.kind === 'inPlace') {
      // The hub was read, so the result of an apply that was interrupted is known.
      if (!decision.isUnrecorded && edge?.intent !== undefined) edge = { ...edge, intent: undefined };
      const [last] = edge?.applied ?? [];
      const { secrets, key } = decision.fingerprint;
      if (decision.isUnrecorded) {
        const about = {
          at: hubNow(),
          revision: fleet.revision,
          why: edge?.intent?.why ?? 'it was there already',
          deployments: decision.manifest.provenance.deployments,
          contents: contentIds(decision, contents),
          givenBack: edge?.intent?.givenBack,
          left: edge?.intent?.left,
        };
        edge = withApplied(edge, appliedManifest(decision.fingerprint, about), undefined, hubNow());
      } else if (last !== undefined && last.key !== key && edge !== undefined) {
        // Only the key has changed: from now on, the values are compared with it. The stored twin has hashes of the other one.
        edge = { ...edge, applied: [{ ...last, secrets, key }, ...edge.applied.slice(1)] };
        if (last.key !== undefined) {
          unread = { since: snapshot.asOf, why: 'the key of its hidden values has changed' };
          workItem = { priority: 'drift', at: hubNow(), why: unread.why, tries: 0 };
        }
      }
    }
    const ended = await this.#end(records, { ...snapshot, edge, unread, workItem }, status);
    return ended === 'conflict' ? ended : { ...ended, isApplied };
  }

  async #end(
    { agent, hub, device, contents }: Records,
    snapshot: Snapshot,
    status: EdgeTwinStatus,
  ): Promise<EdgeResult | 'conflict'> {
    const { fleet, hubNow } = this.#context;
    const own = policyStatusOf(status);
    const twins = [device, snapshot, knownSnapshot(hub.known)];
    const statuses =
      contents === undefined
        ? { policies: {}, stages: {}, reached: [], nextAt: undefined }
        : deploymentStatuses(
            contents,
            own,
            status.valuesWait === true,
            twins,
            snapshot.edge?.applied ?? [],
            hubNow(),
          );
    const lastReconcile = edgeReconcile(snapshot.lastReconcile, status, statuses, fleet.revision, hubNow());
    const after = { ...snapshot, lastReconcile, workItem: withTime(snapshot.workItem, statuses.nextAt) };
    const before = knownSnapshot(agent.known);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(after)) {
      return { isApplied: false, known: agent.known };
    }
    const saved = await this.#save(agent, after);
    return saved === 'conflict' ? saved : { isApplied: false, known: saved.known };
  }

  #save(record: TwinRecord, snapshot: Snapshot): Promise<TwinRecord | 'conflict'> {
    return this.#context.twins.save(record, { kind: 'snapshot', snapshot });
  }
}
