import type { ErrorCode } from '../../errors.ts';
import { modulesWithDesired } from '../../fleet/edge/module-desired-names.ts';
import { HEARTBEAT_DEVICE, HEARTBEAT_TAG } from '../../iot-hub/heartbeat-device.ts';
import { eventHubName, type HostName, NOT_A_HOST_NAME } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Instant, latestBelievable, millisecondsOf, parseInstant } from '../../time/instant.ts';
import { AGENT_MODULE, HUB_MODULE, isRuntimeModule } from '../snapshot/runtime-twin.ts';
import {
  isVersion,
  readSection,
  readTwin,
  type Twin,
  type TwinId,
  type TwinSection,
} from '../snapshot/twin.ts';

/** One event of the Event Hub, as the trigger passes it. */
export interface RawEvent {
  readonly body: Uint8Array;
  /** Application properties. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Message annotations: identity and source, set by the hub. */
  readonly systemProperties: Readonly<Record<string, unknown>>;
  /** When the Event Hub received it, by its own clock: ISO 8601, UTC. Any other time in an event may be wrong. */
  readonly enqueuedAt: string;
}

/** A change of one twin. */
export type TwinEvent =
  | { readonly kind: 'update'; readonly id: TwinId; readonly time: Instant; readonly change: TwinChange }
  /** The whole document: after a replace (PUT), or when the identity was created. */
  | { readonly kind: 'replace' | 'create'; readonly id: TwinId; readonly time: Instant; readonly twin: Twin }
  /** The identity was created, and the event does not hold the whole twin. */
  | { readonly kind: 'created'; readonly id: TwinId; readonly time: Instant }
  | { readonly kind: 'delete'; readonly id: TwinId; readonly time: Instant }
  /** Something happened to the twin, but the event's contents or time cannot be trusted: the twin must be read. */
  | {
      readonly kind: 'unclear';
      readonly id: TwinId;
      readonly time: Instant;
      /** The version of the twin in the event. Undefined: the event does not have it, or it cannot be trusted. */
      readonly version?: number;
      readonly why: string;
    }
  /** The hub's answer to the question whether the device is alive. Not an event of the Event Hub. */
  | {
      readonly kind: 'activity';
      readonly id: TwinId;
      /** The hub's clock when it answered. */
      readonly time: Instant;
      /** When Berth asked. */
      readonly askedAt: EpochMs;
      readonly isConnected: boolean;
      readonly lastActivityAt: Instant;
    };

/** A patch: only the changed values, and `null` for deleted ones. */
export interface TwinChange {
  readonly version: number;
  readonly tags: JsonObject | undefined;
  readonly desired: TwinSection | undefined;
  readonly reported: TwinSection | undefined;
}

export type Decoded =
  | { readonly kind: 'twin'; readonly event: TwinEvent }
  /** Berth's own heartbeat came back. `at`: the time in it. */
  | { readonly kind: 'heartbeat'; readonly host: HostName; readonly at: EpochMs }
  /** Known and not needed: telemetry, connection state, digital twin changes, the twins of IoT Edge itself. */
  | { readonly kind: 'ignored'; readonly why: string }
  /** From a hub that this deployment does not reconcile. `hubName` is the result of `eventHubName`. */
  | { readonly kind: 'unknownHub'; readonly hubName: string }
  /** From a source that this package does not know. `hubName` is as the event has it. */
  | { readonly kind: 'unknownSource'; readonly source: string; readonly hubName: string | undefined }
  | {
      readonly kind: 'undecodable';
      readonly code: Extract<ErrorCode, `BERTH_EVENT_${string}`>;
      readonly reason: string;
    };

export interface EventContext {
  /** The hub of a name in events: its short name, or any of its host names. Undefined for an unknown hub. */
  hubNamed(name: string): HostName | undefined;
  /** Whether Berth follows this module; others are not stored. */
  isTargeted(moduleId: string): boolean;
}

/** The largest message of IoT Hub (iot-hub-devguide-quotas-throttling). */
const MAX_EVENT_BYTES = 256 * 1024;
/**
 * Ids have up to 128 ASCII characters, without spaces and `|` (iot-hub-devguide-identity-registry). A longer id does not fit
 * into a row key, and `|` separates the parts of keys.
 */
const ID = /^[!-{}~]{1,128}$/;

const IGNORED_SOURCES: Readonly<Record<string, string>> = {
  telemetry: 'telemetry',
  deviceconnectionstateevents: 'connection state',
  digitaltwinchangeevents: 'digital twin change: the twin change event says the same',
  devicejoblifecycleevents: 'job',
};
const TWIN_SOURCES: ReadonlySet<string> = new Set([
  'twinchangeevents',
  'devicelifecycleevents',
  // The name in older pages (iot-hub-devguide-identity-registry). In newer ones, modules come as deviceLifecycleEvents.
  'modulelifecycleevents',
]);

/**
 * The modules whose twins Berth stores: those that policies target, and if the fleet file has deployments, the modules of IoT Edge
 * itself and those whose desired properties a deployment sets.
 */
export function modulesFollowed({
  twins,
  edge,
}: {
  readonly twins: { readonly policies: readonly { readonly module: string | undefined }[] };
  readonly edge: Parameters<typeof modulesWithDesired>[0];
}): ReadonlySet<string> {
  const targeted = twins.policies.flatMap(({ module }) => module ?? []);
  if (edge === undefined) return new Set(targeted);
  return new Set([...targeted, AGENT_MODULE, HUB_MODULE, ...modulesWithDesired(edge)]);
}

/**
 * Reads one event. The identity comes from the annotations of the hub, never from the body. Never throws: an event that
 * cannot be read becomes `undecodable`, with the reason.
 *
 * Source: iot-hub-non-telemetry-event-schema (2024-04).
 */
export function decodeEvent(
  { body, properties, systemProperties, enqueuedAt }: RawEvent,
  context: EventContext,
): Decoded {
  const source = sourceOf({ systemProperties });
  if (source === undefined)
    return undecodable('BERTH_EVENT_NO_IDENTITY', 'has no iothub-message-source: it is not from an IoT hub');
  const ignored = Object.hasOwn(IGNORED_SOURCES, source) ? IGNORED_SOURCES[source] : undefined;
  if (ignored !== undefined) return { kind: 'ignored', why: ignored };
  const { hubName, deviceId, moduleId } = identityIn({ properties, systemProperties });
  if (!TWIN_SOURCES.has(source)) {
    return { kind: 'unknownSource', source: isWord(source) ? source : NOT_A_WORD, hubName };
  }
  if (hubName === undefined) return undecodable('BERTH_EVENT_NO_IDENTITY', 'has no hubName');
  if (deviceId === undefined) return undecodable('BERTH_EVENT_NO_IDENTITY', 'has no device id');
  const host = context.hubNamed(hubName);
  if (host === undefined) return { kind: 'unknownHub', hubName: eventHubName(hubName) };
  if (![deviceId, moduleId].every((id) => id === undefined || ID.test(id)))
    return undecodable('BERTH_EVENT_INVALID', 'has a device or module id that IoT Hub does not allow');
  if (deviceId === HEARTBEAT_DEVICE) return decodeHeartbeat(host, body, enqueuedAt);
  if (moduleId !== undefined && !context.isTargeted(moduleId)) {
    const why = isRuntimeModule(moduleId) ? 'IoT Edge’s own module' : 'a module that no policy targets';
    return { kind: 'ignored', why };
  }

  const time = parseInstant(properties.operationTimestamp);
  if (time === undefined) return undecodable('BERTH_EVENT_INVALID', 'has no readable operationTimestamp');
  const id: TwinId = { host, deviceId, moduleId };
  const arrived = parseInstant(enqueuedAt);
  // The first comparison of texts is enough for nearly all events.
  if (arrived !== undefined && time > arrived && time > latestBelievable(arrived)) {
    const why = 'one of its events has a time in the future';
    return { kind: 'twin', event: { kind: 'unclear', id, time: arrived, why } };
  }
  const operation = text(properties.opType)?.toLowerCase();
  if (operation === 'deletedeviceidentity' || operation === 'deletemoduleidentity') {
    return { kind: 'twin', event: { kind: 'delete', id, time } };
  }
  const parsed = parseBody(body);
  if (!parsed.ok) return parsed.undecodable;
  switch (operation) {
    case 'updatetwin': {
      const change = readChange(parsed.json);
      if (change !== undefined) return { kind: 'twin', event: { kind: 'update', id, time, change } };
      return unclearOrNoTwin(parsed.json, id, time);
    }
    case 'replacetwin':
    case 'createdeviceidentity':
    case 'createmoduleidentity': {
      const twin = readTwin(parsed.json, arrived);
      const kind = operation === 'replacetwin' ? 'replace' : 'create';
      if (twin !== undefined) return { kind: 'twin', event: { kind, id, time, twin } };
      // An older body of create events has no `version` (iot-hub-devguide-identity-registry). The twin must be read.
      if (kind === 'replace') return unclearOrNoTwin(parsed.json, id, time);
      return isObject(parsed.json) ? { kind: 'twin', event: { kind: 'created', id, time } } : NO_TWIN;
    }
    default:
      return undecodable('BERTH_EVENT_INVALID', `has the unknown opType ${shownWord(operation)}`);
  }
}

/** An event of the identity that Berth reserves. Only the tag of a heartbeat is read, and nothing is stored. */
function decodeHeartbeat(host: HostName, body: Uint8Array, enqueuedAt: string): Decoded {
  const parsed = parseBody(body);
  const tags = parsed.ok && isObject(parsed.json) ? parsed.json.tags : undefined;
  const at = parseInstant(isObject(tags) ? tags[HEARTBEAT_TAG] : undefined);
  const arrived = parseInstant(enqueuedAt);
  // A time in the future would stand for all later heartbeats.
  const isBelieved = at !== undefined && (arrived === undefined || at <= latestBelievable(arrived));
  return isBelieved
    ? { kind: 'heartbeat', host, at: millisecondsOf(at) }
    : { kind: 'ignored', why: 'the identity of the heartbeat' };
}

/** The hub of a twin change event. Undefined: the event has another source, or is of an unknown hub. */
export function twinChangeHub(
  event: Pick<RawEvent, 'properties' | 'systemProperties'>,
  context: Pick<EventContext, 'hubNamed'>,
): HostName | undefined {
  if (sourceOf(event) !== 'twinchangeevents') return undefined;
  const hubName = text(event.properties.hubName);
  return hubName === undefined ? undefined : context.hubNamed(hubName);
}

/** The message source that an event names, in lower case. */
export function sourceOf({ systemProperties }: Pick<RawEvent, 'systemProperties'>): string | undefined {
  return text(systemProperties['iothub-message-source'])?.toLowerCase();
}

/**
 * The twin that an event names, unchecked. A `hubName` that is not the name of a hub may be a secret in the wrong place.
 * `NOT_A_HOST_NAME` replaces it, so that its text is neither stored nor shown.
 */
export function identityIn({
  properties,
  systemProperties,
}: Pick<RawEvent, 'properties' | 'systemProperties'>): {
  readonly [name in 'hubName' | 'deviceId' | 'moduleId']: string | undefined;
} {
  const hubName = text(properties.hubName);
  return {
    hubName: hubName === undefined || isHubName(hubName) ? hubName : NOT_A_HOST_NAME,
    deviceId: text(systemProperties['iothub-connection-device-id']) ?? text(properties.deviceId),
    moduleId: text(systemProperties['iothub-connection-module-id']) ?? text(properties.moduleId),
  };
}

function isHubName(name: string): boolean {
  return eventHubName(name) !== NOT_A_HOST_NAME;
}

const NO_TWIN = undecodable('BERTH_EVENT_INVALID', 'has a body that is not a twin or has no version');

function undecodable(
  code: Extract<ErrorCode, `BERTH_EVENT_${string}`>,
  reason: string,
): Decoded & { kind: 'undecodable' } {
  return { kind: 'undecodable', code, reason };
}

/** A name of an event, for a reason. A text that is not a word may be a secret and is not repeated. */
function shownWord(word: string | undefined): string {
  if (word === undefined) return 'null';
  return isWord(word) ? JSON.stringify(word) : `${NOT_A_WORD.slice(0, -1)}, not repeated)`;
}

/** Replaces a text that is not a word. It may be a secret in the wrong place. */
const NOT_A_WORD = '(not a word)';

function isWord(text: string): boolean {
  return /^[a-z][a-z0-9_-]{0,39}$/i.test(text);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

type ParsedBody =
  | { readonly ok: true; readonly json: JsonValue }
  | { readonly ok: false; readonly undecodable: Decoded };

function parseBody(body: Uint8Array): ParsedBody {
  if (body.byteLength > MAX_EVENT_BYTES) {
    return {
      ok: false,
      undecodable: undecodable(
        'BERTH_EVENT_TOO_LARGE',
        `has ${body.byteLength} bytes, more than IoT Hub sends`,
      ),
    };
  }
  try {
    return {
      ok: true,
      json: JSON.parse(UTF8.decode(body)) as JsonValue,
    };
  } catch {
    return { ok: false, undecodable: undecodable('BERTH_EVENT_NOT_JSON', 'has a body that is not JSON') };
  }
}

/**
 * Reads a patch. Undefined: it has no version, or a section that cannot be used. `null` in the place of a section cannot be
 * used, because a service clears a section so.
 */
function readChange(json: JsonValue): TwinChange | undefined {
  if (!isObject(json) || !isVersion(json.version)) return undefined;
  const { version, tags, properties = {} } = json;
  if (!isObject(properties) || (tags !== undefined && !isObject(tags))) return undefined;
  const desired = readSection(properties.desired);
  const reported = readSection(properties.reported);
  if (properties.desired !== undefined && desired === undefined) return undefined;
  if (properties.reported !== undefined && reported === undefined) return undefined;
  return { version, tags, desired, reported };
}

/** An event of a twin that has a version but a section that cannot be used: the twin must be read. */
function unclearOrNoTwin(json: JsonValue, id: TwinId, time: Instant): Decoded {
  if (!isObject(json) || !isVersion(json.version)) return NO_TWIN;
  const why = 'one of its events has a section that cannot be used';
  return { kind: 'twin', event: { kind: 'unclear', id, time, version: json.version, why } };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
