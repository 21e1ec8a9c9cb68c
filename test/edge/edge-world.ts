import type { HubEvent } from '../../local/iot-hub/hub/event-sink.ts';
import { createHub, type LocalHub } from '../../local/iot-hub/hub/hub.ts';
import { DEFAULT_SHAPING } from '../../local/iot-hub/hub/throttle.ts';
import { errorBody, HubRefusal } from '../../local/iot-hub/model/hub-error.ts';
import { readIdentityChoice } from '../../local/iot-hub/model/identity.ts';
import { applyConfigurationContent } from '../../local/iot-hub/operations/apply-configuration.ts';
import {
  createIdentity,
  deleteIdentity,
  readIdentity,
} from '../../local/iot-hub/operations/identity-operations.ts';
import {
  patchTwinOf,
  reportProperties,
  serviceTwin,
} from '../../local/iot-hub/operations/twin-operations.ts';
import { silent } from '../../local/log.ts';
import type { SettingValues } from '../../src/edge/fingerprint.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { HubBudget } from '../../src/hub/budget.ts';
import { hubErrorOf } from '../../src/hub/failure.ts';
import { HubError, type HubErrorCode, type HubPort } from '../../src/hub/port.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { refusal } from '../../src/rest/failure.ts';
import { takeBatch } from '../../src/sync/events/batch.ts';
import { markForRead } from '../../src/sync/reconcile/mark-for-read.ts';
import { Reconciler } from '../../src/sync/reconcile/reconciler.ts';
import type { Gate } from '../../src/sync/reconcile/write-gate.ts';
import { dueItems } from '../../src/sync/resync/work-queue.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf, NEVER, parseInstant } from '../../src/time/instant.ts';
import { restoreSnapshot, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { readTwin, type TwinId } from '../../src/twin/snapshot/twin.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { MemoryTwinStore } from '../sync/memory-store.ts';
import { syncContextOf } from '../sync/sync-context.ts';
import { T0 } from '../twin/twins.ts';
import { HOST } from './edge-devices.ts';

/** What a call to the hub does instead of its work. `isApplied`: it works, and its answer is lost. */
export interface CallFault {
  readonly code: HubErrorCode;
  readonly hubCode?: string;
  readonly isApplied?: boolean;
}

/**
 * One hub with the arithmetic of the local IoT hubs, its events, stored twins in memory and an app, on virtual time.
 * Nothing is mocked between the fleet file and the service API of the hub.
 */
export class EdgeWorld {
  readonly local: LocalHub;
  readonly store = new MemoryTwinStore();
  /** The bodies of all applies that the hub took. */
  readonly applied: { readonly deviceId: string; readonly content: JsonObject }[] = [];
  readonly warnings: string[] = [];
  /** Calls in their order: `read $edgeAgent`, `apply`. */
  readonly calls: string[] = [];
  fault: CallFault | undefined;
  /** What happens while the hub works on an apply: other instances go on. */
  duringApply: (() => Promise<void>) | undefined;
  fleet: Fleet;
  gate: Gate = OPEN_GATE;
  budget: HubBudget | undefined;
  settings: SettingValues = () => undefined;
  now: EpochMs = T0;
  /** Of the hashes of hidden values. */
  key: Uint8Array = Buffer.alloc(32, 1);
  /** The events of this module arrive only after it is undefined again. */
  late: string | undefined;
  /** Reads of these modules fail. */
  failsReadOf: readonly string[] = [];
  readonly #events: HubEvent[] = [];

  constructor(fleet: Fleet) {
    this.fleet = fleet;
    this.local = createHub(
      { host: HOST, tier: 'S1', units: 1 },
      {
        file: undefined,
        sink: (event) => void this.#events.push(event),
        log: silent,
        now: () => this.now,
        shaping: DEFAULT_SHAPING,
      },
    );
  }

  createDevice(deviceId: string, tags: JsonObject = {}, iotEdge = true): void {
    const choice = readIdentityChoice({ capabilities: { iotEdge } });
    createIdentity(this.local, { deviceId }, choice, tags === undefined ? {} : { tags });
  }

  deleteDevice(deviceId: string): void {
    deleteIdentity(this.local, { deviceId }, undefined);
  }

  setTags(deviceId: string, tags: JsonObject): void {
    patchTwinOf(this.local, { deviceId }, { tags });
  }

  /** Another writer applies a manifest. */
  applyByOther(deviceId: string, agent: JsonObject, hub: JsonObject = {}): void {
    const modulesContent = {
      $edgeAgent: { 'properties.desired': agent },
      $edgeHub: { 'properties.desired': hub },
    };
    applyConfigurationContent(this.local, deviceId, { modulesContent });
  }

  report(deviceId: string, moduleId: string, reported: JsonObject): void {
    reportProperties(this.local, { deviceId, moduleId }, reported);
  }

  /** The device takes the present manifest and runs it. */
  runManifest(deviceId: string): void {
    const { desired } = this.twin(deviceId, '$edgeAgent');
    const running = (modules: JsonObject) =>
      Object.fromEntries(
        Object.entries(modules).map(([name, module]) => [
          name,
          { ...(module as JsonObject), runtimeStatus: 'running' },
        ]),
      );
    this.report(deviceId, '$edgeAgent', {
      lastDesiredVersion: desired.version,
      lastDesiredStatus: { code: 200, description: '' },
      runtime: desired.values.runtime ?? {},
      systemModules: running(desired.values.systemModules as JsonObject),
      modules: running(desired.values.modules as JsonObject),
    });
    const hub = this.twin(deviceId, '$edgeHub');
    this.report(deviceId, '$edgeHub', {
      lastDesiredVersion: hub.desired.version,
      lastDesiredStatus: { code: 200, description: '' },
    });
  }

  twin(deviceId: string, moduleId?: string) {
    const address = moduleId === undefined ? { deviceId } : { deviceId, moduleId };
    const twin = readTwin(serviceTwin(this.local, address), instantOf(this.now));
    if (twin === undefined) throw new Error('no twin');
    return twin;
  }

  /** The app takes all events of the hub, also those that its own calls cause. Another instance takes them each time. */
  async takeEvents(): Promise<void> {
    const isLate = ({ properties }: HubEvent) => this.late !== undefined && properties.moduleId === this.late;
    for (let round = 0; this.#events.some((event) => !isLate(event)); round += 1) {
      if (round > 20) throw new Error('The app causes events without end.');
      this.now = plus(this.now, 100);
      const all = this.#events.splice(0);
      this.#events.push(...all.filter(isLate));
      const arrived = all.filter((event) => !isLate(event));
      const events = arrived.map(({ body, properties, annotations }, index) => ({
        body,
        properties,
        systemProperties: annotations,
        partition: '0',
        sequenceNumber: index,
        enqueuedAt: parseInstant(properties.operationTimestamp) ?? new Date(this.now).toISOString(),
      }));
      const context = this.context();
      const none = { countUnknownHubs: async () => {}, countUnknownSources: async () => {} };
      await takeBatch(events, context, new Reconciler(context), {
        ...none,
        keepDeadLetters: async (letters) => {
          throw new Error(`dead letters: ${letters.map(({ reason }) => reason).join(', ')}`);
        },
      });
    }
  }

  /** Takes the events that have not arrived yet, to let them arrive later. */
  hold(): readonly HubEvent[] {
    return this.#events.splice(0);
  }

  release(events: readonly HubEvent[]): void {
    this.#events.push(...events);
  }

  /** No event of the hub arrives. */
  loseEvents(): void {
    this.#events.length = 0;
  }

  /** Advances the clock by a number of seconds. Then handles the work items that are due, and the events that they cause. */
  async after(seconds: number): Promise<void> {
    this.now = plus(this.now, seconds * 1_000);
    const context = this.context();
    for (const priority of ['edit', 'drift', 'resync'] as const) {
      for (const row of await dueItems(HOST, priority, context))
        await new Reconciler(context).reconcile(row.id, []);
    }
    await this.takeEvents();
  }

  /** Marks a twin to be read, as a resync of its hub or a gap in its events does. */
  async markUnread(deviceId: string, moduleId: string | undefined, isResync: boolean): Promise<void> {
    const mark = { since: NEVER, why: 'test', priority: 'resync', isResync, now: this.now } as const;
    await markForRead(this.store, { host: HOST, deviceId, moduleId }, mark);
  }

  /** Every twin is planned again, as after a new fleet revision, and then the work queue runs. */
  async deploy(fleet: Fleet): Promise<void> {
    this.fleet = fleet;
    const context = this.context();
    for (const { known } of this.store.records.values()) {
      if (known.kind === 'snapshot') await new Reconciler(context).resync(known.snapshot.id);
    }
    await this.after(1);
  }

  /** @param module `null`: the device twin */
  snapshot(deviceId: string, module: string | null = '$edgeAgent'): Snapshot {
    const moduleId = module ?? undefined;
    const id: TwinId = { host: HOST, deviceId, moduleId };
    const key = [HOST, deviceId, ...(moduleId === undefined ? [] : [moduleId])].join('|');
    const known = this.store.records.get(key)?.known;
    if (known?.kind !== 'snapshot') throw new Error(`no snapshot but ${known?.kind}`);
    return restoreSnapshot(id, known.snapshot);
  }

  statusOf(deviceId: string): string {
    const { status, why } = this.snapshot(deviceId).lastReconcile;
    return why === '' ? status : `${status}: ${why}`;
  }

  /** Everything that is stored, as text. */
  stored(): string {
    return JSON.stringify([...this.store.records.values()]);
  }

  /** By which an instance works. @param until no permit is given after it. Default: for ever. */
  context(until?: EpochMs) {
    const { budget } = this;
    return syncContextOf({
      fleet: this.fleet,
      hubs: this.#port(),
      twins: this.store,
      now: () => this.now,
      gate: { current: async () => this.gate },
      settings: (name) => this.settings(name),
      redaction: { paths: [], key: this.key, hidesRuntime: true },
      warn: (message, facts) => void this.warnings.push(`${message} ${JSON.stringify(facts)}`),
      ...(budget === undefined ? {} : { budget }),
      ...(until === undefined ? {} : { until }),
    });
  }

  #port(): HubPort {
    const addressOf = ({ deviceId, moduleId }: TwinId) =>
      moduleId === undefined ? { deviceId } : { deviceId, moduleId };
    const absent = () => Promise.reject(new Error('not in this world'));
    return {
      readTwin: async (id) => {
        this.calls.push(`read ${id.moduleId ?? 'device'}`);
        if (this.failsReadOf.includes(id.moduleId ?? ''))
          throw new HubError('BERTH_HUB_UNAVAILABLE', `${HOST} failed`, {
            host: HOST,
            mayHaveApplied: false,
          });
        return this.#call('GET', () => this.twin(id.deviceId, id.moduleId));
      },
      patchDesired: (id, desired, etag) =>
        this.#call('PATCH', () => {
          this.calls.push(`patch ${id.moduleId ?? 'device'}`);
          patchTwinOf(this.local, addressOf(id), { properties: { desired } }, `"${etag}"`);
          return this.twin(id.deviceId, id.moduleId);
        }),
      applyManifest: async ({ deviceId }, content) => {
        this.calls.push('apply');
        const meanwhile = this.duringApply;
        this.duringApply = undefined;
        await meanwhile?.();
        await this.#call(
          'POST',
          () => {
            applyConfigurationContent(this.local, deviceId, content);
            this.applied.push({ deviceId, content });
          },
          true,
        );
      },
      identityStatus: (id) =>
        this.#call('GET', () => {
          readIdentity(this.local, addressOf(id));
          return 'enabled' as const;
        }).catch(() => 'missing' as const),
      readScopes: absent,
      enterParent: absent,
      invokeMethod: absent,
      countDevices: absent,
      listTwins: absent,
      readActivity: absent,
      beat: absent,
    };
  }

  async #call<Result>(method: string, act: () => Result, isApply = false): Promise<Result> {
    const fault = isApply ? this.fault : undefined;
    const failure = (): HubError =>
      new HubError(fault?.code ?? 'BERTH_HUB_TIMEOUT', `${HOST} failed`, {
        host: HOST,
        hubCode: fault?.hubCode,
        mayHaveApplied: fault?.isApplied === true || fault?.code === 'BERTH_HUB_TIMEOUT',
      });
    if (fault !== undefined && fault.isApplied !== true) throw failure();
    try {
      const result = act();
      if (fault !== undefined) throw failure();
      return result;
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      const body = JSON.stringify(errorBody(error, 'document', this.now));
      throw hubErrorOf(refusal(HOST, method, { status: error.status, headers: {}, body }, this.now));
    }
  }
}
