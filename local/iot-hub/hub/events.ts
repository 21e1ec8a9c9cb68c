import type { JsonObject } from '../../../src/json/json.ts';
import type { Address } from '../model/address.ts';
import { formatOperationTimestamp, type Ticks, toMilliseconds } from '../model/instant.ts';
import type { JsonPatchOperation } from '../model/json-patch.ts';
import { type Applied, describeSection, type HubTwin, twinEtag, twinVersion } from '../model/twin.ts';
import type { Entry } from './device-store.ts';
import type { HubEvent } from './event-sink.ts';

/*
 * The events of a hub: iot-hub-non-telemetry-event-schema.md (2024-04), and real captures for the rest.
 */

/** Facts that every event contains. */
export interface Origin {
  /** The short name of the hub, not its host name. */
  readonly hubName: string;
  /** The device or module that changed. */
  readonly address: Address;
  /** The `$lastUpdated` of the change. */
  readonly at: Ticks;
}

/** A patch by the device, the module or a service. The body contains only the patch and its metadata. */
export function twinUpdated(origin: Origin, twin: HubTwin, applied: Applied): HubEvent {
  const { tags, desired, reported } = applied;
  const properties = {
    ...(desired && { desired: describeSection(desired) }),
    ...(reported && { reported: describeSection(reported) }),
  };
  const body = {
    version: twinVersion(twin),
    ...(tags && { tags }),
    ...((desired ?? reported) !== undefined && { properties }),
  };
  return twinChange(origin, 'updateTwin', body);
}

/** A replacement by a service. The body contains the whole twin. */
export function twinReplaced(origin: Origin, twin: HubTwin): HubEvent {
  return twinChange(origin, 'replaceTwin', wholeTwin(origin.address, twin));
}

function twinChange(origin: Origin, opType: string, body: JsonObject): HubEvent {
  return notification(origin, opType, 'twinChangeEvents', 'twinChangeNotification', body);
}

/**
 * A device or module was created or deleted. The body contains its twin in both cases, only `opType` differs. Events of
 * a module differ from those of its device only by `moduleId`.
 */
export function identityChanged(
  origin: Origin,
  opType: 'createDeviceIdentity' | 'deleteDeviceIdentity',
  twin: HubTwin,
): HubEvent {
  const body = wholeTwin(origin.address, twin);
  return notification(origin, opType, 'deviceLifecycleEvents', 'deviceLifecycleNotification', body);
}

function wholeTwin({ deviceId, moduleId }: Address, twin: HubTwin): JsonObject {
  return {
    deviceId,
    ...(moduleId !== undefined && { moduleId }),
    etag: twinEtag(twin),
    version: twinVersion(twin),
    ...(Object.keys(twin.tags).length > 0 && { tags: twin.tags }),
    properties: { desired: describeSection(twin.desired), reported: describeSection(twin.reported) },
  };
}

/**
 * The digital twin of a device or module with a model changed. Its body is a JSON Patch of the digital twin. Real hubs send it
 * besides the event of the twin, with the same time and correlation id (captures in iot-pnp-service, "Read digital twin change
 * notifications", 2020).
 */
export function digitalTwinUpdated(origin: Origin, patch: readonly JsonPatchOperation[]): HubEvent {
  const schema = 'digitalTwinChangeNotification';
  return {
    ...notification(origin, 'updateTwin', 'digitalTwinChangeEvents', schema, patch),
    contentType: 'application/json-patch+json',
  };
}

/**
 * A job has ended on a device or module. Microsoft names the source of the event (`DeviceJobLifecycleEvents`), and publishes
 * neither its form nor its times. The body is the document that a query of `devices.jobs` finds: a guess.
 */
export function deviceJobEnded(
  origin: Origin,
  status: 'completed' | 'failed' | 'canceled',
  document: JsonObject,
): HubEvent {
  const opType = {
    completed: 'deviceJobCompleted',
    failed: 'deviceJobFailed',
    canceled: 'deviceJobCanceled',
  }[status];
  return notification(origin, opType, 'deviceJobLifecycleEvents', 'deviceJobLifecycleNotification', document);
}

/** A device or module connected or disconnected. The event of a module differs only by `moduleId`. */
export function connectionChanged(origin: Origin, change: 'Connected' | 'Disconnected'): HubEvent {
  const body = { sequenceNumber: sequenceNumber(origin.at) };
  return notification(
    origin,
    `device${change}`,
    'deviceConnectionStateEvents',
    'deviceConnectionStateNotification',
    body,
  );
}

/** Ticks between the epochs of Windows file times (1601) and of Unix. */
const FILE_TIME_OFFSET = 116_444_736_000_000_000n;

/**
 * 64 hexadecimal digits that increase with each change of a device's connection. The time serves as the number, because
 * the clock never returns the same time twice.
 */
function sequenceNumber(at: Ticks): string {
  const time = (at + FILE_TIME_OFFSET).toString(16).toUpperCase().padStart(16, '0');
  return `${'0'.repeat(16)}${time}${'0'.repeat(32)}`;
}

function notification(
  { hubName, address: { deviceId, moduleId }, at }: Origin,
  opType: string,
  source: string,
  schema: string,
  body: JsonObject | readonly JsonPatchOperation[],
): HubEvent {
  return {
    body: Buffer.from(JSON.stringify(body)),
    partitionKey: deviceId,
    properties: {
      hubName,
      deviceId,
      ...(moduleId !== undefined && { moduleId }),
      operationTimestamp: formatOperationTimestamp(at),
      'iothub-message-schema': schema,
      opType,
    },
    annotations: {
      'iothub-connection-device-id': deviceId,
      ...(moduleId !== undefined && { 'iothub-connection-module-id': moduleId }),
      'iothub-enqueuedtime': toMilliseconds(at),
      'iothub-message-source': source,
    },
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    correlationId: at.toString(16).slice(-12),
    userId: hubName,
  };
}

/** A message of a device or module, with the properties from its topic. */
export interface Telemetry {
  readonly body: Buffer;
  readonly system: ReadonlyMap<string, string>;
  readonly application: ReadonlyMap<string, string>;
}

export function telemetrySent({ at }: Origin, sender: Entry, message: Telemetry): HubEvent {
  const { system, application, body } = message;
  const { identity, modelId } = sender;
  const { deviceId, moduleId } = identity;
  const method = ['selfSigned', 'certificateAuthority'].includes(identity.authentication.type)
    ? 'x509Certificate'
    : 'sas';
  const scope = moduleId === undefined ? 'device' : 'module';
  const issuer = method === 'sas' ? 'iothub' : 'external';
  const authMethod = { scope, type: method, issuer, acceptingIpFilterRule: null };
  const created = system.get('$.ctime');
  /* Security messages (`$.ifid`) and diagnostic properties: the names that the SDKs use over AMQP. */
  const annotated = {
    'dt-subject': system.get('$.sub'),
    'dt-dataschema': modelId,
    'iothub-interface-id': system.get('$.ifid'),
    'Diagnostic-Id': system.get('$.diagid'),
    'Correlation-Context': system.get('$.diagctx'),
  };
  const named = {
    contentType: system.get('$.ct'),
    contentEncoding: system.get('$.ce'),
    correlationId: system.get('$.cid'),
    userId: system.get('$.uid'),
    messageId: system.get('$.mid'),
  };
  return {
    body,
    partitionKey: deviceId,
    properties: {
      ...Object.fromEntries(application),
      ...(created !== undefined && { 'iothub-creation-time-utc': created }),
    },
    annotations: {
      'iothub-connection-device-id': deviceId,
      ...(moduleId !== undefined && { 'iothub-connection-module-id': moduleId }),
      'iothub-connection-auth-method': JSON.stringify(authMethod),
      'iothub-connection-auth-generation-id': identity.generationId,
      'iothub-enqueuedtime': toMilliseconds(at),
      'iothub-message-source': 'Telemetry',
      ...withoutUndefined(annotated),
    },
    ...withoutUndefined(named),
  };
}

function withoutUndefined(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
