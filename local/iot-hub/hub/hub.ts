import type { X509Certificate } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import type { LocalLog } from '../../log.ts';
import type { Address } from '../model/address.ts';
import { isEdgeAgent } from '../model/edge.ts';
import type { FeedbackRecord } from '../model/feedback.ts';
import { HubRefusal, type RefusalName } from '../model/hub-error.ts';
import { createClock, type Ticks } from '../model/instant.ts';
import type { TransferJob } from '../model/transfer-job.ts';
import { type CloudToDeviceOptions, NEW_CLOUD_TO_DEVICE } from './cloud-to-device.ts';
import { type ConfigurationStore, openConfigurations } from './configuration-store.ts';
import { type Connections, createConnections, type DeviceLink } from './connections.ts';
import { createCounters, type HubCounters } from './counters.ts';
import { type DeviceStore, type Entry, openDeviceStore } from './device-store.ts';
import { type EventSink, type HubEvent, lostEvent } from './event-sink.ts';
import { connectionChanged, type Origin } from './events.ts';
import { type JobStore, openJobs } from './job-store.ts';
import { createMessageLocks, type MessageLocks } from './message-locks.ts';
import { createMethodCalls, type MethodCalls } from './method-calls.ts';
import { type PastTwins, rememberTwins } from './past-twins.ts';
import { createQuota, type DailyQuota } from './quota.ts';
import { openServiceQueue, type ServiceQueue } from './service-queue.ts';
import {
  createShaper,
  type LocalTier,
  type Shaper,
  type Shaping,
  type ThrottledOperation,
  throttleRate,
} from './throttle.ts';
import type { Traffic } from './traffic.ts';
import { createUploads, type UploadStorage, type Uploads } from './uploads.ts';

export interface HubSettings {
  /** The real host name, such as `contoso-weu.azure-devices.net`. It is not case-sensitive. */
  readonly host: string;
  readonly tier: LocalTier;
  readonly units: number;
  /** Default: those of a new hub. */
  readonly cloudToDevice?: CloudToDeviceOptions;
}

export interface HubContext {
  /** File of its devices; undefined: in memory only. */
  readonly file: string | undefined;
  readonly sink: EventSink;
  readonly log: LocalLog;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly shaping: Shaping;
  /** The storage account for the files of devices; default: none. */
  readonly uploadStorage?: UploadStorage | undefined;
  /** The CA certificates that sign certificates of devices; default: none. */
  readonly authorities?: (() => readonly X509Certificate[]) | undefined;
  /** Whether a connected device gets the notification of a change; default: always. */
  readonly notifies?: (address: Address) => boolean;
  /** Told of each message and each direct method of a service. */
  readonly observe?: (traffic: Traffic) => void;
}

/** One hub: the state and functions that all its operations share. */
export interface LocalHub {
  readonly host: string;
  /** The first label of the host name. Events contain it. */
  readonly name: string;
  readonly tier: LocalTier;
  readonly store: DeviceStore;
  readonly configurations: ConfigurationStore;
  readonly jobs: JobStore;
  /** The jobs that import or export devices, the oldest first. They are not stored. */
  readonly transfers: Map<string, TransferJob>;
  /** The ends of messages that are not yet in `feedback`. They are not stored. */
  readonly pendingFeedback: FeedbackRecord[];
  /** Batches of feedback for services. */
  readonly feedback: ServiceQueue;
  readonly fileNotifications: ServiceQueue;
  /** Recent states of its twins. */
  readonly past: PastTwins;
  readonly connections: Connections;
  /** The direct methods that wait for their devices. */
  readonly methods: MethodCalls;
  readonly messageLocks: MessageLocks;
  /** The options for cloud-to-device messages and their feedback. */
  readonly cloudToDevice: CloudToDeviceOptions;
  readonly counters: HubCounters;
  readonly quota: DailyQuota;
  readonly log: LocalLog;
  readonly uploads: Uploads;
  /** The refusals for which devices have asked, by the keys of their addresses. `until`: milliseconds since the epoch. */
  readonly refused: Map<string, { readonly refusal: RefusalName; readonly until: number }>;
  /** The CA certificates that sign certificates of devices. */
  authorities(): readonly X509Certificate[];
  now(): number;
  /** The time of a change. It is later than the time of every earlier change. */
  tick(): Ticks;
  origin(address: Address, at: Ticks): Origin;
  /** Whether a connected device now gets the notification of a change of its desired properties. */
  notifies(address: Address): boolean;
  emit(event: HubEvent): void;
  /** Shows a message or a direct method to people who watch the hub. */
  observe(traffic: Traffic): void;
  /**
   * Waits until the throttle permits the operation.
   *
   * @throws HubRefusal `ThrottlingException` if the wait would be too long, `IotHubQuotaExceeded` if the daily quota is
   *   used up.
   */
  admit(operation: ThrottledOperation, cost?: number): Promise<void>;
  /** Counts an operation against the daily quota. */
  spend(bytes: number): void;
  /** Aborted when the hub closes. It ends all waits. */
  readonly closing: AbortSignal;
  close(): void;
}

/** Operations on identities, connections, configurations, deployments and jobs cost no messages ("Azure IoT Hub billing information"). */
const FREE: ReadonlySet<ThrottledOperation> = new Set([
  'identityOperations',
  'connections',
  'configurations',
  'applies',
  'jobs',
]);

export function createHub(settings: HubSettings, context: HubContext): LocalHub {
  const { host, tier, units, cloudToDevice = NEW_CLOUD_TO_DEVICE } = settings;
  const { file, sink, log, now, shaping } = context;
  const name = host.split('.')[0] ?? host;
  const quota = createQuota(tier, units);
  const shapers = new Map<ThrottledOperation, Shaper>();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // each waiting operation adds a listener
  const tick = createClock(now);
  const { store, past } = rememberTwins(openDeviceStore(file), now);

  const shaperOf = (operation: ThrottledOperation): Shaper => {
    const shaper = shapers.get(operation) ?? createShaper(throttleRate(operation, tier, units), shaping);
    shapers.set(operation, shaper);
    return shaper;
  };

  return {
    host,
    name,
    tier,
    store,
    past,
    configurations: openConfigurations(besideDevices(file, 'configurations')),
    jobs: openJobs(besideDevices(file, 'jobs')),
    transfers: new Map(),
    pendingFeedback: [],
    feedback: openServiceQueue(besideDevices(file, 'feedback'), now, cloudToDevice.feedback),
    fileNotifications: openServiceQueue(besideDevices(file, 'file-notifications'), now),
    connections: createConnections(log),
    methods: createMethodCalls(),
    messageLocks: createMessageLocks(now),
    cloudToDevice,
    counters: createCounters(),
    quota,
    log,
    uploads: createUploads(context.uploadStorage, now),
    refused: new Map(),
    authorities: context.authorities ?? (() => []),
    now,
    tick,
    origin: (address, at) => ({ hubName: name, address, at }),
    notifies: context.notifies ?? (() => true),
    observe: context.observe ?? (() => {}),
    emit(event) {
      try {
        sink(event);
      } catch (error) {
        // The change stays. A real hub does not undo a change either if its endpoint is down.
        log.error(lostEvent(host, error));
      }
    },
    async admit(operation, cost = 1) {
      if (!FREE.has(operation) && quota.isSpent(now())) {
        throw new HubRefusal(
          'IotHubQuotaExceeded',
          'Total number of messages on IotHub exceeded the allocated quota.',
        );
      }
      const permit = shaperOf(operation).admit(now(), cost);
      if (permit === 'refused') throw new HubRefusal('ThrottlingException', 'Request is being throttled');
      if (permit.delayMs > 0) await wait(permit.delayMs, undefined, { signal: closing.signal });
    },
    spend: (bytes) => quota.count(now(), bytes),
    closing: closing.signal,
    close() {
      closing.abort();
      this.store.close();
      this.configurations.close();
      this.jobs.close();
      this.feedback.close();
      this.fileNotifications.close();
    },
  };
}

/** @example besideDevices('hubs/a.azure-devices.net.jsonl', 'jobs') → 'hubs/a.azure-devices.net.jobs.jsonl' */
function besideDevices(file: string | undefined, kind: string): string | undefined {
  return file?.replace(/\.jsonl$/, `.${kind}.jsonl`);
}

/**
 * The device or module of an address.
 *
 * @throws HubRefusal `DeviceNotFound`, `ModuleNotFound`
 */
export function entryOf(hub: LocalHub, address: Address): Entry {
  const entry = hub.store.get(address);
  if (entry !== undefined) return entry;
  const { deviceId, moduleId } = address;
  if (moduleId === undefined || hub.store.get({ deviceId }) === undefined) {
    throw new HubRefusal('DeviceNotFound', `Device ${deviceId} not registered`);
  }
  throw new HubRefusal('ModuleNotFound', `Module ${moduleId} not registered on device ${deviceId}`);
}

/** Whether a device, and so its modules, are disabled. Modules have no status. */
export function isDeviceDisabled(hub: LocalHub, { deviceId }: Address): boolean {
  return hub.store.get({ deviceId })?.identity.status === 'disabled';
}

/**
 * Registers the connection of a device or module and closes its earlier connection. A hub allows one connection for each
 * (400027).
 */
export function connectDevice(hub: LocalHub, address: Address, link: DeviceLink): void {
  const at = hub.tick();
  const replaced = hub.connections.open(address, link, at);
  if (replaced !== undefined) {
    emitConnection(hub, hub.origin(address, at), 'Disconnected');
    replaced.close();
  }
  emitConnection(hub, hub.origin(address, hub.tick()), 'Connected');
}

/** The agent of IoT Edge counts as disconnected at all times, so its connection sends no event. */
function emitConnection(hub: LocalHub, origin: Origin, change: 'Connected' | 'Disconnected'): void {
  if (!isEdgeAgent(origin.address)) hub.emit(connectionChanged(origin, change));
}

/** Closes a connection and sends the event, unless a newer connection has replaced it. */
export function disconnectDevice(hub: LocalHub, address: Address, link: DeviceLink): void {
  const at = hub.tick();
  if (!hub.connections.end(address, link, at)) return;
  emitConnection(hub, hub.origin(address, at), 'Disconnected');
  link.close();
}
