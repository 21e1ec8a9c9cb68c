import { join } from 'node:path';
import type { JsonObject } from '../../src/json/json.ts';
import type { HttpService } from '../https/exchange.ts';
import { type LocalLog, silent } from '../log.ts';
import type { MqttService } from '../mqtt/index.ts';
import { createDeviceService } from './device-api/device-service.ts';
import type { FaultSettings } from './faults/faults.ts';
import { createHubFaults, type FaultStatus, type HubFaults } from './faults/hub-faults.ts';
import type { HubCounters } from './hub/counters.ts';
import { type EventSink, lostEvent } from './hub/event-sink.ts';
import { createHub, entryOf, type HubSettings, type LocalHub } from './hub/hub.ts';
import { DEFAULT_SHAPING, type Shaping } from './hub/throttle.ts';
import { type Address, addressOf } from './model/address.ts';
import { isSameHub, namesOf, readHubName } from './model/host-name.ts';
import { HubRefusal } from './model/hub-error.ts';
import { readModuleChoice } from './model/identity.ts';
import { createIdentity, deleteIdentity } from './operations/identity-operations.ts';
import { type ProvisioningAccess, provisioningAccess } from './operations/provisioning-access.ts';
import { editAsConfiguration, editAsPortal, patchTwinOf, serviceTwin } from './operations/twin-operations.ts';
import { refusalResponse, serveServiceCall } from './service-api/service-api.ts';
import { DEVELOPMENT_SERVICE_KEY } from './service-api/service-authorization.ts';

export interface LocalIotHubsOptions {
  readonly hubs: readonly HubSettings[];
  /** Where each hub keeps its devices, one journal a hub; absent: in memory only. */
  readonly directory?: string;
  /** Where the events of a hub go. */
  readonly sink: (host: string) => EventSink;
  /** Base64 key of the policy `iothubowner` on every hub; default the well-known development key. */
  readonly serviceKey?: string;
  readonly log?: LocalLog;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
  /** How bursts are let through; default as in Azure. */
  readonly shaping?: Shaping;
}

/**
 * As whom the control API writes a twin. `service`: just the patch; `portal`: whole sections, as the portal
 * does; else the name of an automatic configuration, which marks the desired values that it writes.
 */
export type Writer = 'service' | 'portal' | { readonly configuration: string };

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
   * Writes tags and desired properties as another writer does. Answers the twin.
   *
   * @throws HubError `DeviceNotFound`, `ModuleNotFound`, `ArgumentInvalid`
   */
  edit(deviceId: string, patch: JsonObject, as: Writer, moduleId?: string): JsonObject;
  /**
   * Deletes the identity and its twin, and the modules of a device with it.
   *
   * @throws HubError `DeviceNotFound`, `ModuleNotFound`
   */
  remove(deviceId: string, moduleId?: string): void;
  /** The faults in force; undefined if there are none. */
  readonly faults: FaultStatus | undefined;
  /** Sets faults in the place of those in force. They do not strike what this view does but for its events. */
  setFaults(settings: FaultSettings): void;
  liftFaults(): void;
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
  /** What DPS may do on a hub, by the host name of its link; undefined for a host that is none of them. */
  provisioning(host: string): ProvisioningAccess | undefined;
  /** Stops waiting operations and closes the journals. Close the servers first. */
  close(): void;
}

export function createIotHubs(options: LocalIotHubsOptions): IotHubs {
  const {
    directory,
    sink,
    serviceKey = DEVELOPMENT_SERVICE_KEY,
    log = silent,
    now = Date.now,
    shaping = DEFAULT_SHAPING,
  } = options;
  const hubs = new Map<string, FaultyHub>();
  for (const settings of options.hubs) {
    const key = readHubName(settings.host).hub;
    const file = directory && join(directory, `${encodeURIComponent(key)}.jsonl`);
    const faults = createHubFaults(sink(settings.host), (error) =>
      log.error(lostEvent(settings.host, error)),
    );
    const { sink: events, notifies } = faults;
    const hub = createHub(settings, { file, sink: events, log, now, shaping, notifies });
    hubs.set(key, { hub, faults });
  }
  const hubOf = (host: string): LocalHub | undefined => hubs.get(readHubName(host).hub)?.hub;
  const views = [...hubs.values()].map(viewOf);

  return {
    https: {
      names: options.hubs.flatMap(({ host }) => namesOf(host)),
      claims: () => true,
      async answer(request) {
        const { hub: name, kind } = readHubName(request.host);
        const known = hubs.get(name);
        if (known !== undefined && kind !== 'device') {
          const { hub, faults } = known;
          return faults.serve(hub, request, () => serveServiceCall(hub, serviceKey, request));
        }
        // What Azure answers at a device name is not documented.
        const why =
          known === undefined
            ? `There is no local hub ${request.host}`
            : `${request.host} serves devices only; services call ${name} or its service name`;
        const refusal = new HubRefusal('IotHubNotFound', why);
        return refusalResponse(refusal, false, now());
      },
    },
    mqtt: createDeviceService(hubOf),
    views,
    view: (host) => views.find((view) => isSameHub(view.host, host)),
    provisioning(host) {
      const hub = hubOf(host);
      return hub && provisioningAccess(hub);
    },
    close() {
      for (const { hub, faults } of hubs.values()) {
        faults.close();
        hub.close();
      }
    },
  };
}

interface FaultyHub {
  readonly hub: LocalHub;
  readonly faults: HubFaults;
}

function viewOf({ hub, faults }: FaultyHub): HubView {
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
      return hub.store.get(address) === undefined ? undefined : serviceTwin(hub, address);
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
      const twin = editAs(as, hub, addressOf(deviceId, moduleId), patch);
      hub.counters.controlWrites += 1;
      return twin;
    },
    remove: (deviceId, moduleId) => deleteIdentity(hub, addressOf(deviceId, moduleId), undefined),
    get faults() {
      return faults.status(hub);
    },
    setFaults: (settings) => faults.set(hub, settings),
    liftFaults: () => faults.lift(),
  };
}

function editAs(writer: Writer, hub: LocalHub, address: Address, patch: JsonObject): JsonObject {
  switch (writer) {
    case 'service':
      return patchTwinOf(hub, address, patch);
    case 'portal':
      return editAsPortal(hub, address, patch);
    default:
      return editAsConfiguration(hub, address, patch, writer.configuration);
  }
}
