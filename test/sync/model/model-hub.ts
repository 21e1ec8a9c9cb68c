import { failOver } from '../../../local/iot-hub/faults/failover.ts';
import type { HubEvent } from '../../../local/iot-hub/hub/event-sink.ts';
import { createHub, type LocalHub } from '../../../local/iot-hub/hub/hub.ts';
import { DEFAULT_SHAPING } from '../../../local/iot-hub/hub/throttle.ts';
import { errorBody, HubRefusal as LocalError } from '../../../local/iot-hub/model/hub-error.ts';
import { applyConfigurationContent } from '../../../local/iot-hub/operations/apply-configuration.ts';
import { readIdentity } from '../../../local/iot-hub/operations/identity-operations.ts';
import { patchTwinOf, serviceTwin } from '../../../local/iot-hub/operations/twin-operations.ts';
import { silent } from '../../../local/log.ts';
import type { Hub } from '../../../src/fleet/fleet.ts';
import { hubErrorOf } from '../../../src/hub/failure.ts';
import { HubError, type HubPort, type ListedTwin } from '../../../src/hub/port.ts';
import { HEARTBEAT_DEVICE, HEARTBEAT_TAG } from '../../../src/iot-hub/heartbeat-device.ts';
import { type JsonObject, sameJson } from '../../../src/json/json.ts';
import { refusal } from '../../../src/rest/failure.ts';
import type { EpochMs } from '../../../src/time/epoch-ms.ts';
import { instantOf, NEVER, parseInstant } from '../../../src/time/instant.ts';
import { readTwin as parseTwin, type Twin, type TwinId, twinKey } from '../../../src/twin/snapshot/twin.ts';
import type { EventLog } from './event-log.ts';
import type { Random } from './random.ts';
import type { Scheduler, Task } from './scheduler.ts';

/** How often what happens to a call. */
export interface CallFaults {
  readonly error: number;
  readonly throttle: number;
  readonly timeout: number;
  /** Only of applies: another one is in progress (409402). */
  readonly conflict?: number;
}

export const NO_CALL_FAULTS: CallFaults = { error: 0, throttle: 0, timeout: 0 };

/** A manifest as the hub took it. */
export interface AppliedByBerth {
  readonly at: EpochMs;
  readonly deviceId: string;
  readonly content: JsonObject;
  /** The device had it already, from the apply before. */
  readonly isNeedless: boolean;
  /** The manifest before it is one that another writer applied. */
  readonly before: JsonObject;
}

/** A write as the hub took it. */
export interface Written {
  readonly at: EpochMs;
  readonly id: TwinId;
  readonly patch: JsonObject;
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly reported: JsonObject;
}

/** A hub on virtual time, with the arithmetic of the local IoT hubs and without any network. */
export class ModelHub {
  readonly local: LocalHub;
  readonly hub: Hub;
  readonly writes: Written[] = [];
  readonly applies: AppliedByBerth[] = [];
  /** The desired properties that each twin has had, and since when, by `twinKey`. */
  readonly desired = new Map<string, { readonly at: EpochMs; readonly values: JsonObject }[]>();
  /** Calls that were asked for and cost messages, whether they were taken or not. */
  readonly calls: { readonly at: EpochMs; readonly kind: 'read' | 'write' | 'query' }[] = [];
  faults: CallFaults = NO_CALL_FAULTS;
  downUntil = 0;
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(hub: Hub, log: EventLog, scheduler: Scheduler, random: Random) {
    this.hub = hub;
    this.#scheduler = scheduler;
    this.#random = random;
    this.local = createHub(
      { host: hub.host, tier: 'S3', units: 10 },
      {
        file: undefined,
        sink: (event) => {
          log.append(event);
          this.#keepDesired(event);
        },
        log: silent,
        now: () => scheduler.now,
        shaping: DEFAULT_SHAPING,
      },
    );
  }

  failOver(): void {
    failOver(this.local, () => () => this.#random.next());
  }

  /** Undefined where there is no such device. */
  twin(id: TwinId): Twin | undefined {
    return this.local.store.get(addressOf(id)) === undefined
      ? undefined
      : parseTwin(serviceTwin(this.local, addressOf(id)));
  }

  #keepDesired({ partitionKey: deviceId, properties: { moduleId } }: HubEvent): void {
    const id = {
      host: this.hub.host,
      deviceId,
      moduleId: typeof moduleId === 'string' ? moduleId : undefined,
    };
    const values = this.local.store.get(addressOf(id))?.twin.desired.values ?? {};
    const states = this.desired.get(twinKey(id)) ?? [];
    if (states.at(-1)?.values === values) return;
    this.desired.set(twinKey(id), [...states, { at: this.#scheduler.now, values }]);
  }

  /** The service API as one task sees it. */
  portFor(task: Task): HubPort {
    return {
      readTwin: (id) => {
        this.calls.push({ at: this.#scheduler.now, kind: 'read' });
        return this.#call(task, 'GET', () => this.#parsed(serviceTwin(this.local, addressOf(id))));
      },
      applyManifest: (id, content) =>
        this.#call(task, 'POST', () => {
          if (this.#random.chance(this.faults.conflict ?? 0))
            throw new LocalError('ApplyConfigurationAlreadyInProgressOnDevice', 'in progress');
          this.#apply(id.deviceId, content);
        }),
      patchDesired: (id, patch, etag) => {
        this.calls.push({ at: this.#scheduler.now, kind: 'write' });
        return this.#call(task, 'PATCH', () => {
          const before = this.twin(id);
          const answer = patchTwinOf(
            this.local,
            addressOf(id),
            { properties: { desired: patch } },
            `"${etag}"`,
          );
          const after = this.#parsed(answer);
          this.writes.push({
            at: this.#scheduler.now,
            id,
            patch,
            before: before?.desired.values ?? {},
            after: after.desired.values,
            reported: after.reported.values,
          });
          return after;
        });
      },
      identityStatus: async (id) => {
        try {
          return await this.#call(task, 'GET', () => {
            readIdentity(this.local, addressOf(id));
            return 'enabled' as const;
          });
        } catch (error) {
          if (error instanceof HubError && error.code === 'BERTH_HUB_NOT_FOUND') return 'missing';
          throw error;
        }
      },
      readScopes: () => Promise.reject(new Error('the model has no parents')),
      enterParent: () => Promise.reject(new Error('the model has no parents')),
      invokeMethod: () => Promise.reject(new Error('the model has no direct methods')),
      countDevices: async () => this.local.store.size,
      listTwins: (host, of) => {
        this.calls.push({ at: this.#scheduler.now, kind: 'query' });
        return this.#call(task, 'POST', () => {
          const entries = of === 'devices' ? this.local.store.sorted() : this.local.store.sortedModules();
          const twins: ListedTwin[] = [...entries].map(({ identity }) => {
            const { deviceId, moduleId } = identity;
            const twin = this.#parsed(serviceTwin(this.local, identity));
            return { id: { host, deviceId, moduleId }, version: twin.version, etag: twin.etag };
          });
          return { twins, continuation: undefined, readAt: instantOf(this.#scheduler.now) };
        });
      },
      beat: (_, at) =>
        this.#call(task, 'PATCH', () => {
          const patch = { tags: { [HEARTBEAT_TAG]: new Date(at).toISOString() } };
          patchTwinOf(this.local, { deviceId: HEARTBEAT_DEVICE }, patch, '"*"');
        }),
      readActivity: (_, { deviceIds, moduleId }) => {
        this.calls.push({ at: this.#scheduler.now, kind: 'query' });
        return this.#call(task, 'POST', () => {
          const devices = deviceIds.flatMap((deviceId) => {
            const address = moduleId === undefined ? { deviceId } : { deviceId, moduleId };
            if (this.local.store.get(address) === undefined) return [];
            const { connectionState, lastActivityTime } = this.local.connections.presence(address);
            const isConnected = connectionState === 'Connected';
            return [
              [deviceId, { isConnected, lastActivityAt: parseInstant(lastActivityTime) ?? NEVER }] as const,
            ];
          });
          return { readAt: instantOf(this.#scheduler.now), devices: new Map(devices) };
        });
      },
    };
  }

  #apply(deviceId: string, content: JsonObject): void {
    const before = this.#manifestOf(deviceId);
    applyConfigurationContent(this.local, deviceId, content);
    const last = this.applies.findLast((each) => each.deviceId === deviceId);
    // A manifest without `desired` leaves the module twin alone, so another manifest may change nothing.
    const isNeedless =
      sameJson(before, this.#manifestOf(deviceId)) && sameJson(last?.content ?? null, content);
    this.applies.push({ at: this.#scheduler.now, deviceId, content, isNeedless, before });
  }

  /** The desired properties of all modules of a device. */
  #manifestOf(deviceId: string): JsonObject {
    const modules = [...this.local.store.sortedModules()].filter(
      ({ identity }) => identity.deviceId === deviceId,
    );
    return Object.fromEntries(
      modules.map(({ identity }) => {
        const { desired } = this.#parsed(serviceTwin(this.local, identity));
        return [identity.moduleId ?? '', desired.values];
      }),
    );
  }

  /** One call: it takes time, may fail before or after it has taken effect, or is never answered. */
  async #call<Result>(task: Task, method: string, act: () => Result): Promise<Result> {
    await this.#scheduler.pause(this.#random.between(5, 100), task);
    if (this.#scheduler.now < this.downUntil || this.#random.chance(this.faults.error / 2)) {
      throw this.#refused(method, 503, '');
    }
    if (this.#random.chance(this.faults.throttle)) {
      throw this.#refused(method, 429, '');
    }
    const isLost = this.#random.chance(this.faults.timeout);
    if (isLost && this.#random.chance(0.5)) await this.#timeOut(task, method);
    let result: Result;
    try {
      result = act();
    } catch (error) {
      if (!(error instanceof LocalError)) throw error;
      const body = JSON.stringify(errorBody(error, 'document', this.#scheduler.now));
      throw this.#refused(method, error.status, body);
    }
    if (isLost) await this.#timeOut(task, method);
    if (this.#random.chance(this.faults.error / 2)) {
      throw this.#refused(method, 500, '');
    }
    await this.#scheduler.pause(this.#random.between(5, 100), task);
    return result;
  }

  #refused(method: string, status: number, body: string): HubError {
    const answer = { status, headers: {}, body };
    return hubErrorOf(refusal(this.hub.host, method, answer, this.#scheduler.now));
  }

  async #timeOut(task: Task, method: string): Promise<never> {
    await this.#scheduler.pause(10_000, task);
    const { host } = this.hub;
    throw new HubError('BERTH_HUB_TIMEOUT', `${host} did not answer ${method}.`, {
      host,
      mayHaveApplied: true,
    });
  }

  #parsed(document: JsonObject): Twin {
    const twin = parseTwin(JSON.parse(JSON.stringify(document)), instantOf(this.#scheduler.now));
    if (twin === undefined) throw new Error('no twin');
    return twin;
  }
}

export function addressOf({ deviceId, moduleId }: TwinId): { deviceId: string; moduleId?: string } {
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}
