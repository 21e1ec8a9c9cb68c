import type { HostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { type Instant, latest, NEVER, parseInstant } from '../../time/instant.ts';

/** Names the twin of a device or of one of its modules. Device ids are case-sensitive. */
export interface TwinId {
  readonly host: HostName;
  readonly deviceId: string;
  readonly moduleId: string | undefined;
}

/** The id as one text, for logs and maps. Ids do not contain `|`. */
export function twinKey({ host, deviceId, moduleId }: TwinId): string {
  return moduleId === undefined ? `${host}|${deviceId}` : `${host}|${deviceId}|${moduleId}`;
}

/** A whole twin, from a GET, the answer to a PATCH, or a create or replace event. */
export interface Twin {
  readonly version: number;
  readonly etag: string | undefined;
  /** The Plug and Play model that the device has announced. Empty: none. Undefined: the document does not say. */
  readonly modelId?: string | undefined;
  /** An IoT Edge device (`capabilities.iotEdge`). Undefined: the document does not say. */
  readonly isEdge?: boolean | undefined;
  /** The hub configurations that target the twin. Undefined: none. */
  readonly configurations?: readonly string[] | undefined;
  readonly tags: JsonObject;
  readonly desired: TwinSection;
  readonly reported: TwinSection;
  /** The greatest `$lastUpdated` of both sections. */
  readonly lastUpdated: Instant;
  /**
   * The hub's clock when it answered with this document, or the Event Hub's clock when it received the event. No time in
   * the document can be much later.
   */
  readonly readAt?: Instant | undefined;
}

export interface TwinSection {
  /** Without `$metadata` and `$version`. */
  readonly values: JsonObject;
  /** The size of the values before their redaction, in bytes by the hub's rule. Undefined: no value was redacted. */
  readonly bytes?: number;
  readonly version: number;
  readonly metadata: JsonObject;
}

/** The longest id of a model, in characters (DTDL 3, "Digital Twin Model Identifier"). */
const LONGEST_MODEL_ID = 2_048;

/**
 * Reads a twin document. Undefined: it is not one. Unknown members are dropped.
 *
 * @param readAt see `Twin`.
 */
export function readTwin(json: unknown, readAt?: Instant): Twin | undefined {
  if (!isObject(json) || !isObject(json.properties) || !isVersion(json.version)) return undefined;
  const desired = readSection(json.properties.desired);
  const reported = readSection(json.properties.reported);
  const tags = json.tags ?? {};
  const isEdge = ownMember(json.capabilities, 'iotEdge');
  const configurations = configurationsIn(json);
  if (desired === undefined || reported === undefined || !isObject(tags)) return undefined;
  return {
    version: json.version,
    etag: typeof json.etag === 'string' ? json.etag : undefined,
    modelId: typeof json.modelId === 'string' ? json.modelId.slice(0, LONGEST_MODEL_ID) : undefined,
    ...(typeof isEdge === 'boolean' ? { isEdge } : {}),
    ...(configurations.length === 0 ? {} : { configurations }),
    tags: withoutMetadata(tags),
    desired,
    reported,
    lastUpdated: latest(lastUpdatedOf(desired.metadata), lastUpdatedOf(reported.metadata)),
    ...(readAt === undefined ? {} : { readAt }),
  };
}

/** The ids of the hub configurations in a twin document. At most ten are kept. */
function configurationsIn(document: JsonObject): readonly string[] {
  const configurations = ownMember(document, 'configurations');
  return isObject(configurations)
    ? Object.keys(configurations)
        .slice(0, 10)
        .map((id) => id.slice(0, 128))
    : [];
}

/** Reads a section of a document or of an event. Undefined: it is not an object or has no `$version`. */
export function readSection(json: JsonValue | undefined): TwinSection | undefined {
  if (!isObject(json) || !isVersion(json.$version)) return undefined;
  return {
    values: withoutMetadata(json),
    version: json.$version,
    metadata: isObject(json.$metadata) ? json.$metadata : {},
  };
}

/**
 * The desired version at which a property was last written, by the hub's metadata: `$lastUpdatedVersion`; for an object, the
 * greatest below it. An edit in the portal raises it even if the value stays the same.
 */
export function lastUpdatedVersion(metadata: JsonObject, path: readonly string[]): number | undefined {
  const node = metadataAt(metadata, path);
  return node === undefined ? undefined : greatestVersion(node);
}

/**
 * When a property was last written, by the hub's metadata: `$lastUpdated`; for an object, the latest at or below it. A
 * write that repeats the value counts. Undefined: the metadata does not contain the path.
 */
export function lastUpdatedAt(metadata: JsonObject, path: readonly string[]): Instant | undefined {
  const node = metadataAt(metadata, path);
  return node === undefined ? undefined : latestIn(node);
}

function latestIn(metadata: JsonObject): Instant | undefined {
  let found = parseInstant(metadata.$lastUpdated);
  for (const value of Object.values(metadata)) {
    const below = isObject(value) ? latestIn(value) : undefined;
    if (below !== undefined && (found === undefined || below > found)) found = below;
  }
  return found;
}

/**
 * The automatic device configuration that wrote a property: `$lastUpdatedBy` at the property or below it (shown in
 * azure-iot-sdk-java PR#1219).
 */
export function lastUpdatedBy(metadata: JsonObject, path: readonly string[]): string | undefined {
  const node = metadataAt(metadata, path);
  return node === undefined ? undefined : writerIn(node);
}

function metadataAt(metadata: JsonObject, path: readonly string[]): JsonObject | undefined {
  let node: JsonValue | undefined = metadata;
  for (const key of path) node = ownMember(node, key);
  return isObject(node) ? node : undefined;
}

function writerIn(metadata: JsonObject): string | undefined {
  if (typeof metadata.$lastUpdatedBy === 'string') return metadata.$lastUpdatedBy.slice(0, 128);
  for (const value of Object.values(metadata)) {
    const writer = isObject(value) ? writerIn(value) : undefined;
    if (writer !== undefined) return writer;
  }
  return undefined;
}

function greatestVersion(metadata: JsonObject): number | undefined {
  const versions = Object.entries(metadata).flatMap(([key, value]) => {
    if (key === '$lastUpdatedVersion') return typeof value === 'number' ? [value] : [];
    return isObject(value) ? (greatestVersion(value) ?? []) : [];
  });
  return versions.length === 0 ? undefined : Math.max(...versions);
}

/** When a section last changed. `NEVER`: it has not changed yet. */
export function lastUpdatedOf(metadata: JsonObject): Instant {
  return parseInstant(metadata.$lastUpdated) ?? NEVER;
}

function withoutMetadata(json: JsonObject): JsonObject {
  const { $metadata: _, $version: __, ...values } = json;
  return values;
}

/** Whether a value can be the version of a twin or of a section. */
export function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
