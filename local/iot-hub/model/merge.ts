import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';

/** What `$metadata` says of a change, at every level of it. Desired sections also carry the version. */
export interface Stamp {
  readonly $lastUpdated: string;
  readonly $lastUpdatedVersion?: number;
}

/** What `$metadata` also says of a value that an automatic configuration wrote. */
export interface ConfigurationMark {
  readonly $lastUpdatedBy: string;
  readonly $lastUpdatedByDigest: string;
}

const CONFIGURATION_MARK: readonly (keyof ConfigurationMark)[] = ['$lastUpdatedBy', '$lastUpdatedByDigest'];

/** Applies a patch: objects merge, `null` deletes, everything else, arrays included, replaces. */
export function mergeValues(current: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, isObject(value) ? mergeValues(objectAt(current, key), value) : value);
  }
  return Object.fromEntries(merged);
}

/**
 * What of a service's patch has an effect: `null` for a key that is not there and `{}` for an object that is
 * have none. A patch of nothing else brings no notification (azure-iot-sdk-node#64). Writing the same value
 * again does have one.
 */
export function effectivePatch(current: JsonObject, patch: JsonObject): JsonObject {
  const effective: [string, JsonValue][] = [];
  for (const [key, value] of Object.entries(patch)) {
    const there = ownMember(current, key);
    if (value === null) {
      if (there !== undefined) effective.push([key, value]);
    } else if (isObject(value) && isObject(there)) {
      const inner = effectivePatch(there, value);
      if (Object.keys(inner).length > 0) effective.push([key, inner]);
    } else {
      effective.push([key, isObject(value) ? withoutNulls(value) : value]);
    }
  }
  return Object.fromEntries(effective);
}

/**
 * Stamps what a patch touches: each key it names and everything above. A mark is put on values only, not on
 * the objects that hold them (azure-iot-sdk-java#1219); without one, values that are written lose theirs.
 */
export function mergeMetadata(
  metadata: JsonObject,
  patch: JsonObject,
  stamp: Stamp,
  mark?: ConfigurationMark,
): JsonObject {
  const merged = new Map<string, JsonValue>(Object.entries({ ...metadata, ...stamp }));
  for (const name of CONFIGURATION_MARK) merged.delete(name); // of a value in the place of which there is an object now
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else
      merged.set(
        key,
        isObject(value) ? mergeMetadata(objectAt(metadata, key), value, stamp, mark) : { ...stamp, ...mark },
      );
  }
  return Object.fromEntries(merged);
}

/** The part of `metadata` that tells of the keys in `patch`: the metadata of an event. */
export function metadataOf(patch: JsonObject, metadata: JsonObject): JsonObject {
  const part = Object.entries(metadata).filter(([key]) => key.startsWith('$'));
  for (const [key, value] of Object.entries(patch)) {
    const inner = ownMember(metadata, key);
    if (isObject(inner)) part.push([key, isObject(value) ? metadataOf(value, inner) : inner]);
  }
  return Object.fromEntries(part);
}

/**
 * A replacement as a device is told of it: the whole new section, with `null` for every key that is gone
 * (csharp#954).
 */
export function replacementPatch(current: JsonObject, next: JsonObject): JsonObject {
  const patch = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(current)) {
    const replaced = ownMember(next, key);
    if (replaced === undefined) patch.set(key, null);
    else patch.set(key, isObject(value) && isObject(replaced) ? replacementPatch(value, replaced) : replaced);
  }
  for (const [key, value] of Object.entries(next)) if (!patch.has(key)) patch.set(key, value);
  return Object.fromEntries(patch);
}

/** The object without its `null` members, at every depth of objects. */
export function withoutNulls(object: JsonObject): JsonObject {
  return mergeValues({}, object);
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownMember(object, key);
  return isObject(value) ? value : {};
}
