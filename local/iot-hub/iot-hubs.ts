import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { JsonObject } from '../../src/json/json.ts';
import type { AmqpService } from '../amqp/index.ts';
import type { HttpResponse, HttpService } from '../https/exchange.ts';
import { type LocalLog, silent } from '../log.ts';
import type { MqttService } from '../mqtt/index.ts';
import { openDeviceLinks } from './amqp/device/device-links.ts';
import { type EventsPlace, openEventLinks } from './amqp/event-links.ts';
import { createHubAmqpService } from './amqp/hub-service.ts';
import { openServiceLinks } from './amqp/service-links.ts';
import { keepEvaluating } from './configurations/evaluator.ts';
import { readDeviceCall, serveDeviceCall } from './device-api/device-https.ts';
import { readDeviceModulesCall, serveDeviceModulesCall } from './device-api/device-modules.ts';
import { createDeviceService } from './device-api/device-service.ts';
import type { FaultSettings } from './faults/faults.ts';
import { createHubFaults, type FaultStatus, type HubFaults } from './faults/hub-faults.ts';
import type { HubCounters } from './hub/counters.ts';
import { type EventSink, lostEvent } from './hub/event-sink.ts';
import { createHub, entryOf, type HubSettings, type LocalHub } from './hub/hub.ts';
import { DEFAULT_SHAPING, type Shaping } from './hub/throttle.ts';
import type { Traffic } from './hub/traffic.ts';
import type { UploadStorage } from './hub/uploads.ts';
import { keepRunningJobs } from './jobs/job-runner.ts';
import { builtInPolicies } from './model/access-policy.ts';
import { type Address, addressOf } from './model/address.ts';
import { type AppNeeds, appPolicy } from './model/app-roles.ts';
import { isSameHub, namesOf, readHubName } from './model/host-name.ts';
import { HubRefusal } from './model/hub-error.ts';
import { readModuleChoice } from './model/identity.ts';
import { applyConfigurationContent } from './operations/apply-configuration.ts';
import { deliverUnlocked, expireMessages } from './operations/cloud-messages.ts';
import { keepSendingFeedback } from './operations/feedback.ts';
import { createIdentity, deleteIdentity } from './operations/identity-operations.ts';
import { type ProvisioningAccess, provisioningAccess } from './operations/provisioning-access.ts';
import {
  checkNotReserved,
  editAsConfiguration,
  editAsPortal,
  patchTwinOf,
  serviceTwin,
} from './operations/twin-operations.ts';
import { absentRoute } from './service-api/absent-routes.ts';
import { withMethodOverride } from './service-api/method-override.ts';
import { refusalResponse, serveServiceCall } from './service-api/service-api.ts';
import { DEVELOPMENT_SERVICE_KEY } from './service-api/service-authorization.ts';

export interface LocalIotHubsOptions {
  readonly hubs: readonly HubSettings[];
  /** Folder with one journal of devices for each hub; absent: in memory only. */
  readonly directory?: string;
  /** The sink for the events of a hub. */
  readonly sink: (host: string) => EventSink;
  /** Told of each message and each direct method of a service. */
  readonly onTraffic?: (host: string, traffic: Traffic) => void;
  /** The storage account for the files of devices; absent: file upload is refused. */
  readonly uploadStorage?: UploadStorage;
  /** PEM of the CA certificates that the hubs trust for devices with `certificateAuthority`; default: none. */
  readonly authorities?: readonly string[];
  /** Where the events of the built-in endpoint of a hub are read over AMQP; default: nowhere. */
  readonly eventsAt?: (host: string) => EventsPlace | undefined;
  /** Base64 key of the policy `iothubowner` on every hub; default: the public development key. */
  readonly serviceKey?: string;
  /** What the fleet file needs of the app now. Default: nothing besides its twins. */
  readonly appNeeds?: () => AppNeeds;
  readonly log?: LocalLog;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
  /**
   * How often configurations are evaluated, in milliseconds of the clock. Default: ten seconds. Azure evaluates them every
   * five minutes.
   */
  readonly configurationPeriodMs?: number;
  /** How bursts are handled; default: as in Azure. */
  readonly shaping?: Shaping;
}

/**
 * The writer that the control API simulates. `service` writes only the patch. `portal` writes whole sections, as the
 * portal does. An automatic configuration marks the desired values that it writes.
 */
export type Writer = 'service' | 'portal' | { readonly configuration: string };

/**
 * A hub for the control API. With a module id, a method applies to the module, otherwise to the device. Its operations
 * are not throttled and not counted as calls of the service API.
 */
export interface HubView {
  readonly host: string;
  readonly deviceCount: number;
  /** Devices and modules. */
  readonly connectedCount: number;
  /** Without modules, as `deviceCount`. */
  readonly connectedDevices: number;
  readonly counters: Readonly<HubCounters>;
  /** Messages of the daily quota used so far today. */
  readonly messagesToday: number;
  /** The twin in the form of the service API; undefined if the device or module does not exist. */
  twin(deviceId: string, moduleId?: string): JsonObject | undefined;
  deviceIds(): Iterable<string>;
  /** @throws HubRefusal `DeviceNotFound` */
  moduleIds(deviceId: string): readonly string[];
  /**
   * Creates a module as the service API does. Returns its identity with its keys.
   *
   * @throws HubRefusal `DeviceNotFound`, `ArgumentInvalid`, `ModuleAlreadyExistsOnDevice`,
   *   `TooManyModulesOnDevice`
   */
  createModule(deviceId: string, moduleId: string, body: JsonObject): JsonObject;
  /**
   * Writes tags and desired properties as another writer does. Returns the twin.
   *
   * @throws HubRefusal `DeviceNotFound`, `ModuleNotFound`, `ArgumentInvalid`
   */
  edit(deviceId: string, patch: JsonObject, as: Writer, moduleId?: string): JsonObject;
  /**
   * Writes a manifest to an Edge device, as `applyConfigurationContent` of the service API does.
   *
   * @throws HubRefusal `DeviceNotFound`, `ArgumentInvalid`, `InvalidConfigurationContent`,
   *   `DeviceModelMaxPropertiesExceeded`, `TooManyModulesOnDevice`
   */
  applyManifest(deviceId: string, content: JsonObject): void;
  /**
   * Deletes an identity and its twin. For a device, also deletes its modules.
   *
   * @throws HubRefusal `DeviceNotFound`, `ModuleNotFound`
   */
  remove(deviceId: string, moduleId?: string): void;
  /** The active faults; undefined if there are none. */
  readonly faults: FaultStatus | undefined;
  /** Replaces the active faults. They do not apply to operations of this view, except to their events. */
  setFaults(settings: FaultSettings): void;
  clearFaults(): void;
}

/** The local IoT hubs. */
export interface IotHubs {
  /**
   * The service REST API of all hubs. The `Host` header selects the hub. It claims all requests that no other service
   * claims.
   */
  readonly https: HttpService;
  /** The device API of all hubs. */
  readonly mqtt: MqttService;
  /** The APIs of all hubs over AMQP. */
  readonly amqp: AmqpService;
  readonly views: readonly HubView[];
  view(host: string): HubView | undefined;
  /** The access of DPS to a hub, by the host name of its link; undefined for an unknown host. */
  provisioning(host: string): ProvisioningAccess | undefined;
  /** Stops waiting operations and closes the journals. Close the servers first. */
  close(): void;
}

const NO_NEEDS: AppNeeds = { appliesManifests: false, setsScopes: false, callsMethods: false };

export function createIotHubs(options: LocalIotHubsOptions): IotHubs {
  const {
    directory,
    sink,
    serviceKey = DEVELOPMENT_SERVICE_KEY,
    log = silent,
    now = Date.now,
    shaping = DEFAULT_SHAPING,
    configurationPeriodMs = 10_000,
  } = options;
  const policies = [...builtInPolicies(serviceKey), appPolicy(options.appNeeds ?? (() => NO_NEEDS))];
  const trusted = (options.authorities ?? []).map((pem) => new X509Certificate(pem));
  const authorities = () => trusted;
  const hubs = new Map<string, FaultyHub>();
  for (const settings of options.hubs) {
    const key = readHubName(settings.host).hub;
    const file = directory && join(directory, `${encodeURIComponent(key)}.jsonl`);
    const faults = createHubFaults(sink(settings.host), (error) =>
      log.error(lostEvent(settings.host, error)),
    );
    const { sink: events, notifies } = faults;
    const observe = (traffic: Traffic) => options.onTraffic?.(settings.host, traffic);
    const hub = createHub(settings, {
      file,
      sink: events,
      log,
      now,
      shaping,
      notifies,
      observe,
      authorities,
      uploadStorage: options.uploadStorage,
    });
    keepEvaluating(hub, configurationPeriodMs);
    keepRunningJobs(hub);
    keepSendingFeedback(hub, { expire: expireMessages, unlock: deliverUnlocked });
    hubs.set(key, { hub, faults });
  }
  const hubOf = (host: string): LocalHub | undefined => hubs.get(readHubName(host).hub)?.hub;
  const all = [...hubs.values()].map(({ hub }) => hub);
  const faultsOf = (hub: LocalHub): HubFaults => {
    const known = hubs.get(readHubName(hub.host).hub);
    if (known === undefined) throw new Error(`${hub.host} is not a hub of this stack.`);
    return known.faults;
  };
  const views = [...hubs.values()].map(viewOf);

  return {
    https: {
      names: options.hubs.flatMap(({ host }) => namesOf(host)),
      claims: () => true,
      async answer(request) {
        const { hub: name, kind } = readHubName(request.host);
        const known = hubs.get(name);
        const call = readDeviceCall(request);
        const ofModules = readDeviceModulesCall(request);
        const absent = call === undefined ? absentRoute(request) : undefined;
        if (absent !== undefined) return refusalResponse(absent, false, now());
        if (call !== undefined && known !== undefined && kind !== 'service') {
          return refusing(known.hub, () => serveDeviceCall(known.hub, policies, call, request));
        }
        if (ofModules !== undefined && known !== undefined && kind !== 'service') {
          return refusing(known.hub, async () => {
            if (known.faults.throttlesModules(ofModules.deviceId)) {
              throw new HubRefusal('ThrottlingException', 'Request is being throttled');
            }
            return serveDeviceModulesCall(known.hub, ofModules, request);
          });
        }
        if (known !== undefined && kind !== 'device') {
          const { hub, faults } = known;
          const asMeant = withMethodOverride(request);
          return faults.serve(hub, asMeant, () => serveServiceCall(hub, policies, asMeant));
        }
        // The answer of Azure to a service call at a device name is not documented.
        const why =
          known === undefined
            ? `Unknown hub ${request.host}`
            : kind === 'service'
              ? `${request.host} serves only services. Devices must call ${name} or its device name`
              : `${request.host} serves only devices. Services must call ${name} or its service name`;
        const refusal = new HubRefusal('IotHubNotFound', why);
        return refusalResponse(refusal, false, now());
      },
    },
    mqtt: createDeviceService(hubOf, policies, all),
    amqp: createHubAmqpService({ hubOf, all, policies }, [
      openDeviceLinks,
      openServiceLinks(faultsOf),
      openEventLinks((hub) => options.eventsAt?.(hub.host)),
    ]),
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

/** The answer of an operation, or its refusal. */
async function refusing(hub: LocalHub, serve: () => Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await serve();
  } catch (error) {
    if (!(error instanceof HubRefusal)) throw error;
    if (error.refusal === 'ThrottlingException') hub.counters.deviceThrottled += 1;
    else if (error.refusal === 'IotHubQuotaExceeded') hub.counters.deviceQuotaRefused += 1;
    return refusalResponse(error, false, hub.now());
  }
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
    get connectedDevices() {
      return hub.connections.deviceCount;
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
    applyManifest(deviceId, content) {
      applyConfigurationContent(hub, deviceId, content);
      hub.counters.controlWrites += 1;
    },
    remove(deviceId, moduleId) {
      const address = addressOf(deviceId, moduleId);
      if (moduleId !== undefined) checkNotReserved(hub, address);
      deleteIdentity(hub, address, undefined);
    },
    get faults() {
      return faults.status(hub);
    },
    setFaults: (settings) => faults.set(hub, settings),
    clearFaults: () => faults.clear(),
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
