import { modulesWithDesired } from '../../fleet/edge/module-desired-names.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { untilStored } from '../../store/tables/optimistic.ts';
import type { TwinRecord } from '../../store/twins/twin-store.ts';
import { millisecondsOf, NEVER } from '../../time/instant.ts';
import { applyEvent, type Known } from '../../twin/events/apply-event.ts';
import { echoesIn, type OwnChange } from '../../twin/events/echo.ts';
import type { TwinEvent } from '../../twin/events/event.ts';
import { redactEvent, redactKept } from '../../twin/events/redact.ts';
import { staysInSync } from '../../twin/plan/stays-in-sync.ts';
import { AGENT_MODULE, isRuntimeModule } from '../../twin/snapshot/runtime-twin.ts';
import type { WorkPriority } from '../../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import { callMoveMethod } from './call-move-method.ts';
import { EdgeWork } from './edge/edge-work.ts';
import { markForRead } from './mark-for-read.ts';
import { ParentWork } from './parent/parent-work.ts';
import { firstStep, stepOfOlderPackage, stepWithoutHub, workOn } from './protocol.ts';
import type { SyncContext } from './sync-context.ts';
import { atOnce, type BeforeHub, type Reconciled, TwinWork } from './twin-work.ts';

export type { Reconciled, ReconcileResult } from './twin-work.ts';

/**
 * Brings one twin to what the policies want. It applies the events to the snapshot, reads the twin only if the snapshot
 * cannot be trusted, and writes the smallest correction. In one instance, one worker handles a twin. Another instance may
 * handle the same twin; the etag of the record then decides.
 *
 * A failed call to a hub requeues the twin and is not an error.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` if the state tables cannot be used, and `BERTH_FORMAT_NEWER` for a twin that a
 *   newer package has stored. In both cases the events must be delivered again.
 */
export class Reconciler {
  readonly #context: SyncContext;
  readonly #edge: EdgeWork;
  readonly #parents: ParentWork | undefined;
  /** Loaded, and not used yet. By `twinKey`. */
  readonly #prepared = new Map<string, TwinRecord | NewerFormatError>();
  /** The modules whose desired properties manifests set. */
  readonly #modules: ReadonlySet<string>;

  constructor(context: SyncContext) {
    this.#context = context;
    this.#modules = modulesWithDesired(context.fleet.edge);
    this.#edge = new EdgeWork(context, context.settings ?? (() => undefined), async (id) => {
      await this.#reconcileTwin(id, [], atOnce);
    });
    const { receipts } = context;
    this.#parents = receipts === undefined ? undefined : new ParentWork(context, receipts);
  }

  /**
   * Loads the records of twins that have events, so that their results are ready at the same time and are stored in few
   * transactions.
   */
  async prepare(ids: readonly TwinId[]): Promise<void> {
    for (const [key, record] of await this.#context.twins.loadAll(ids)) this.#prepared.set(key, record);
  }

  /**
   * @param events of this twin, in their order; none for a work item.
   * @param beforeHub awaited before the twin calls its hub. Default: it does not wait.
   */
  async reconcile(
    id: TwinId,
    events: readonly TwinEvent[],
    beforeHub: BeforeHub = atOnce,
  ): Promise<Reconciled> {
    return this.#follow(id, await this.#reconcileTwin(id, events, beforeHub), beforeHub);
  }

  async #reconcileTwin(id: TwinId, events: readonly TwinEvent[], beforeHub: BeforeHub): Promise<Reconciled> {
    const key = twinKey(id);
    const prepared = events.length === 0 ? undefined : this.#prepared.get(key);
    this.#prepared.delete(key);
    if (prepared instanceof NewerFormatError) throw prepared;
    const first = prepared ?? (events.length === 0 ? 'stored' : 'remembered');
    return this.#untilStored(id, first, (record) => this.#attempt(record, events, beforeHub));
  }

  /**
   * Reconciles a twin with the present policies, without events and without calls to its hub.
   *
   * @param loaded its record, if it was just read.
   */
  async resync(id: TwinId, loaded?: TwinRecord): Promise<Reconciled> {
    return this.#follow(id, await this.#resyncTwin(id, loaded), undefined);
  }

  /** @param beforeHub undefined: no call to the hub is allowed. */
  async #follow(id: TwinId, reconciled: Reconciled, beforeHub: BeforeHub | undefined): Promise<Reconciled> {
    const { fleet } = this.#context;
    const method = fleet.twins.moveRequest?.method;
    if (reconciled.isAskedToMove === true && method !== undefined) {
      await beforeHub?.();
      await callMoveMethod(id, method, this.#context);
    }
    return this.#followEdge(id, await this.#followParent(id, reconciled, beforeHub), beforeHub);
  }

  /** After a device twin, where a rule names the parents of devices. */
  async #followParent(
    id: TwinId,
    reconciled: Reconciled,
    beforeHub: BeforeHub | undefined,
  ): Promise<Reconciled> {
    const { known } = reconciled;
    if (id.moduleId !== undefined || known.kind !== 'snapshot' || this.#parents === undefined) {
      return reconciled;
    }
    await beforeHub?.();
    if (!(await this.#parents.reconcile(id, known.snapshot, beforeHub !== undefined))) return reconciled;
    return { ...reconciled, known: (await this.#resyncTwin(id)).known };
  }

  /** After a twin that the manifest or the status of an IoT Edge device depends on. */
  async #followEdge(
    id: TwinId,
    reconciled: Reconciled,
    beforeHub: BeforeHub | undefined,
  ): Promise<Reconciled> {
    const { known } = reconciled;
    if (this.#context.fleet.edge === undefined || known.kind !== 'snapshot') return reconciled;
    const isOfDevice = id.moduleId === undefined && known.snapshot.isEdge === true;
    const isOfManifest = id.moduleId !== undefined && this.#modules.has(id.moduleId);
    if (!isOfDevice && !isRuntimeModule(id.moduleId) && !isOfManifest) return reconciled;
    const { host, deviceId } = id;
    await beforeHub?.();
    const edge = await this.#edge.reconcile({ host, deviceId }, beforeHub !== undefined);
    const { lacksApplyPermit = false } = edge;
    const result = edge.isApplied ? 'corrected' : reconciled.result;
    return id.moduleId === AGENT_MODULE
      ? { ...reconciled, result, lacksApplyPermit, known: edge.known }
      : { ...reconciled, result, lacksApplyPermit };
  }

  async #resyncTwin(id: TwinId, loaded?: TwinRecord): Promise<Reconciled> {
    return this.#untilStored(id, loaded ?? 'stored', async (record) => {
      const { known } = record;
      const hub = this.#context.fleet.hubByHost.get(id.host);
      const gate = await this.#context.gate.current();
      if (known.kind !== 'snapshot' || hub === undefined || gate.isOutdated)
        return { result: 'nothing', known };
      const snapshot = redactKept(known.snapshot, this.#context.redaction);
      return new TwinWork(record, hub, this.#context).perform((at) =>
        stepWithoutHub(workOn(snapshot, { hub, priority: 'resync', gate, now: at.now }), at),
      );
    });
  }

  /**
   * Repeats the attempt until the record is stored. A record from memory may be old: then storing it conflicts, or an event
   * does not follow it, and the next attempt reads the table.
   */
  async #untilStored(
    id: TwinId,
    first: TwinRecord | 'stored' | 'remembered',
    attempt: (record: TwinRecord) => Promise<Reconciled | 'conflict'>,
  ): Promise<Reconciled> {
    const { twins, wait } = this.#context;
    const tryOnce = async (tries: number) => {
      const from = tries > 0 ? 'stored' : first;
      return attempt(typeof from === 'string' ? await twins.load(id, from) : from);
    };
    return untilStored(`The record of ${twinKey(id)}`, tryOnce, wait);
  }

  async #attempt(
    record: TwinRecord,
    events: readonly TwinEvent[],
    beforeHub: BeforeHub,
  ): Promise<Reconciled | 'conflict'> {
    const { known, seen } = this.#apply(record.known, events);
    if (record.isRemembered && seen.gaps > 0) return 'conflict';
    const reconciled = await this.#act(record, known, events, beforeHub);
    if (reconciled === 'conflict') return reconciled;
    for (const what of ['merged', 'replayed', 'gaps'] as const) {
      for (let times = seen[what]; times > 0; times -= 1) this.#context.count(record.id.host, what);
    }
    this.#countEchoes(record.id, seen.echoes);
    return reconciled;
  }

  #countEchoes(id: TwinId, echoes: readonly OwnChange[]): void {
    const { evidence } = this.#context;
    for (const { desiredVersion, at } of echoes)
      evidence.echoed(id.host, `${twinKey(id)}|${desiredVersion}|${at}`, millisecondsOf(at));
  }

  #apply(before: Known, events: readonly TwinEvent[]) {
    const { fleet, redaction } = this.#context;
    const seen = { merged: 0, replayed: 0, gaps: 0, echoes: [] as OwnChange[] };
    let known = before;
    for (const event of events) {
      if (known.kind === 'snapshot') seen.echoes.push(...echoesIn(known.snapshot, event));
      const next = applyEvent(known, redactEvent(event, redaction), fleet.twins.trackedPaths);
      if (event.kind !== 'activity') seen[effectOf(known, next)] += 1;
      known = next;
    }
    if (known !== before && known.kind === 'snapshot') {
      // Redacted again, because an acknowledgement may arrive in parts and only the whole is recognised.
      known = { kind: 'snapshot', snapshot: redactKept(known.snapshot, redaction) };
    }
    return { known, seen };
  }

  async #act(
    record: TwinRecord,
    known: Known,
    events: readonly TwinEvent[],
    beforeHub: BeforeHub,
  ): Promise<Reconciled | 'conflict'> {
    const { fleet } = this.#context;
    if (known.kind === 'nothing') return { result: 'nothing', known };
    if (known.kind === 'deleted') return this.#delete(record, known);
    const hub = fleet.hubByHost.get(record.id.host);
    if (hub === undefined) return { result: 'nothing', known };

    const gate = await this.#context.gate.current();
    const begin = gate.isOutdated ? stepOfOlderPackage : firstStep;
    const isStillInSync =
      events.length > 0 &&
      record.known.kind === 'snapshot' &&
      staysInSync({
        before: record.known.snapshot,
        after: known.snapshot,
        events,
        hub,
        twins: fleet.twins,
        revision: fleet.revision,
      });
    const priority = priorityOf(events);
    const reconciled = await new TwinWork(record, hub, this.#context).perform(
      (at) =>
        begin(workOn(known.snapshot, { hub, priority, gate, now: at.now, staysInSync: isStillInSync }), at),
      beforeHub,
    );
    const isGone = reconciled !== 'conflict' && reconciled.result === 'deleted';
    if (isGone && record.id.moduleId === undefined) await this.#readModules(record.id);
    return reconciled;
  }

  /** The hub reports a missing device without the time of its deletion. So each of its modules is read. */
  async #readModules(device: TwinId): Promise<void> {
    const { twins, hubNow, wait } = this.#context;
    const why = 'its device was deleted';
    for (const module of await twins.modulesOf(device)) {
      await markForRead(twins, module, { since: NEVER, why, priority: 'drift', now: hubNow(), wait });
    }
  }

  async #delete(
    record: TwinRecord,
    deleted: Extract<Known, { kind: 'deleted' }>,
  ): Promise<Reconciled | 'conflict'> {
    const { twins } = this.#context;
    const isNews = record.known.kind !== 'deleted' || record.known.at !== deleted.at;
    if (isNews && (await twins.save(record, deleted)) === 'conflict') return 'conflict';
    // For a repeated event too, because the first instance may have ended before it deleted the modules.
    if (record.id.moduleId === undefined) {
      for (const module of await twins.modulesOf(record.id)) {
        await this.reconcile(module, [{ kind: 'delete', id: module, time: deleted.at }]);
      }
    }
    return { result: isNews ? 'deleted' : 'unchanged', known: deleted };
  }
}

/** How an event changed the snapshot, for the counters. */
function effectOf(before: Known, after: Known): 'merged' | 'replayed' | 'gaps' {
  if (after === before) return 'replayed';
  return isUnread(after) && !isUnread(before) ? 'gaps' : 'merged';
}

function isUnread(known: Known): boolean {
  return known.kind === 'snapshot' && known.snapshot.unread !== undefined;
}

/** A change by a service may be an edit by a person, who waits for its effect. */
function priorityOf(events: readonly TwinEvent[]): WorkPriority {
  const edited = events.some(
    ({ kind, ...event }) =>
      kind === 'replace' ||
      ('change' in event && (event.change.desired !== undefined || event.change.tags !== undefined)),
  );
  return edited ? 'edit' : 'drift';
}
