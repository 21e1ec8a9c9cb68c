import { join } from 'node:path';
import type { JsonObject } from '../../src/json.ts';
import type { HttpService } from '../https/exchange.ts';
import { type Log, silent } from '../log.ts';
import type { MqttService } from '../mqtt/index.ts';
import { addressOf } from './address.ts';
import type { HubCounters } from './counters.ts';
import { createDeviceService } from './device-service.ts';
import type { EventSink } from './event-sink.ts';
import { createHub, entryOf, type Hub, type HubSettings } from './hub.ts';
import { HubError } from './hub-error.ts';
import { readModuleChoice } from './identity.ts';
import { createIdentity, deleteIdentity } from './identity-operations.ts';
import { type ProvisioningAccess, provisioningAccess } from './provisioning-access.ts';
import { refusalResponse, serveServiceCall } from './service-api.ts';
import { DEVELOPMENT_SERVICE_KEY } from './service-authorization.ts';
import { DEFAULT_SHAPING, type Shaping } from './throttle.ts';
import { editAsPortal, patchTwinOf, readTwin } from './twin-operations.ts';

export interface IotHubsOptions {
  readonly hubs: readonly HubSettings[];
  /** Where each hub keeps its devices, one journal a hub; absent: in memory only. */
  readonly directory?: string;
  /** Where the events of a hub go. */
  readonly sink: (host: string) => EventSink;
  /** Base64 key of the policy `iothubowner` on every hub; default the well-known development key. */
  readonly serviceKey?: string;
  readonly log?: Log;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
  /** How bursts are let through; default as in Azure. */
  readonly shaping?: Shaping;
}

/**
 * A hub as the control API sees it. Where a module id is given that module is meant, else the device. What it
 * does is not counted as a call of the service API, nor throttled.
 */
export interface HubView {
  readonly host: string;
  readonly deviceCount: number;
  /** Devices and modules. */
  readonly connectedCount: number;
  readonly counters: Readonly<HubCounters>;
  /** Messages of the daily quota used so far today. */
  readonly messagesToday: number;
  /** The twin as the service sees it; undefined if there is no such device or module. */
  twin(deviceId: string, moduleId?: string): JsonObject | undefined;
  deviceIds(): Iterable<string>;
  /** @throws HubError `DeviceNotFound` */
  moduleIds(deviceId: string): readonly string[];
  /**
   * Creates a module as the service API does. Answers its identity, keys included.
   *
   * @throws HubError `DeviceNotFound`, `ArgumentInvalid`, `ModuleAlreadyExistsOnDevice`,
   *   `TooManyModulesOnDevice`
   */
  createModule(deviceId: string, moduleId: string, body: JsonObject): JsonObject;
  /**
   * Writes tags and desired properties, `service`: just the patch, `portal`: whole sections as the portal
   * does. Answers the twin.
   *
   * @throws HubError `DeviceNotFound`, `ModuleNotFound`, `ArgumentInvalid`
   */
  edit(deviceId: string, patch: JsonObject, as: 'service' | 'portal', moduleId?: string): JsonObject;
  /**
   * Deletes the identity and its twin, and the modules of a device with it.
   *
   * @throws HubError `DeviceNotFound`, `ModuleNotFound`
   */
  remove(deviceId: string, moduleId?: string): void;
}

/** The local IoT hubs. */
export interface IotHubs {
  /**
   * The service REST API of all hubs; the `Host` header says which is meant. It claims what other services
   * leave.
   */
  readonly https: HttpService;
  /** The device API of all hubs. */
  readonly mqtt: MqttService;
  readonly views: readonly HubView[];
  view(host: string): HubView | undefined;
  /** What DPS may do on a hub; undefined for a host that is none of them. */
  provisioning(host: string): ProvisioningAccess | undefined;
  /** Stops waiting operations and closes the journals. Close the servers first. */
  close(): void;
}

export function createIotHubs(options: IotHubsOptions): IotHubs {
  const {
    directory,
    sink,
    serviceKey = DEVELOPMENT_SERVICE_KEY,
    log = silent,
    now = Date.now,
    shaping = DEFAULT_SHAPING,
  } = options;
  const hubs = new Map<string, Hub>();
  for (const settings of options.hubs) {
    const key = settings.host.toLowerCase();
    const file = directory && join(directory, `${encodeURIComponent(key)}.jsonl`);
    hubs.set(key, createHub(settings, { file, sink: sink(settings.host), log, now, shaping }));
  }
  const hubOf = (host: string): Hub | undefined => hubs.get(host.toLowerCase());
  const views = [...hubs.values()].map(viewOf);

  return {
    https: {
      claims: () => true,
      async answer(request) {
        const hub = hubOf(request.host);
        if (hub !== undefined) return serveServiceCall(hub, serviceKey, request);
        const refusal = new HubError('IotHubNotFound', `There is no local hub ${request.host}`);
        return refusalResponse(refusal, false, now());
      },
    },
    mqtt: createDeviceService(hubOf),
    views,
    view: (host) => views.find((view) => view.host.toLowerCase() === host.toLowerCase()),
    provisioning(host) {
      const hub = hubOf(host);
      return hub && provisioningAccess(hub);
    },
    close() {
      for (const hub of hubs.values()) hub.close();
    },
  };
}

function viewOf(hub: Hub): HubView {
  return {
    host: hub.host,
    get deviceCount() {
      return hub.store.size;
    },
    get connectedCount() {
      return hub.connections.count;
    },
    counters: hub.counters,
    get messagesToday() {
      return hub.quota.used(hub.now());
    },
    twin(deviceId, moduleId) {
      const address = addressOf(deviceId, moduleId);
      return hub.store.get(address) === undefined ? undefined : readTwin(hub, address);
    },
    *deviceIds() {
      for (const { identity } of hub.store.sorted()) yield identity.deviceId;
    },
    moduleIds(deviceId) {
      entryOf(hub, { deviceId });
      return hub.store.modulesOf(deviceId).flatMap(({ identity }) => identity.moduleId ?? []);
    },
    createModule: (deviceId, moduleId, body) =>
      createIdentity(hub, { deviceId, moduleId }, readModuleChoice(body)),
    edit(deviceId, patch, as, moduleId) {
      const address = addressOf(deviceId, moduleId);
      const twin = as === 'portal' ? editAsPortal(hub, address, patch) : patchTwinOf(hub, address, patch);
      hub.counters.controlWrites += 1;
      return twin;
    },
    remove: (deviceId, moduleId) => deleteIdentity(hub, addressOf(deviceId, moduleId), undefined),
  };
}
