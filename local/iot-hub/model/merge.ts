import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';

/** The entry of `$metadata` for a change, at each level. In desired sections it also contains the version. */
export interface Stamp {
  readonly $lastUpdated: string;
  readonly $lastUpdatedVersion?: number;
}

/** Additional fields of `$metadata` for a value that an automatic configuration wrote. */
export interface ConfigurationMark {
  readonly $lastUpdatedBy: string;
  readonly $lastUpdatedByDigest: string;
}

const CONFIGURATION_MARK: readonly (keyof ConfigurationMark)[] = ['$lastUpdatedBy', '$lastUpdatedByDigest'];

/** Applies a patch: objects are merged, `null` deletes, all other values, arrays included, replace. */
export function mergeValues(current: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, isObject(value) ? mergeValues(objectAt(current, key), value) : value);
  }
  return Object.fromEntries(merged);
}

/**
 * The part of a service's patch that has an effect. `null` for a missing key and `{}` for an existing object have none.
 * A patch without effect sends no notification (azure-iot-sdk-node#64). A write of the same value has an effect.
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
 * Stamps each key in a patch and all its parents. Only values get a mark, not the objects that contain them
 * (azure-iot-sdk-java#1219). Values that are written without a mark lose their old mark.
 */
export function mergeMetadata(
  metadata: JsonObject,
  patch: JsonObject,
  stamp: Stamp,
  mark?: ConfigurationMark,
): JsonObject {
  const merged = new Map<string, JsonValue>(Object.entries({ ...metadata, ...stamp }));
  for (const name of CONFIGURATION_MARK) merged.delete(name); // an object replaces a marked value
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

/** The part of `metadata` for the keys in `patch`: the metadata of an event. */
export function metadataOf(patch: JsonObject, metadata: JsonObject): JsonObject {
  const part = Object.entries(metadata).filter(([key]) => key.startsWith('$'));
  for (const [key, value] of Object.entries(patch)) {
    const inner = ownMember(metadata, key);
    if (isObject(inner)) part.push([key, isObject(value) ? metadataOf(value, inner) : inner]);
  }
  return Object.fromEntries(part);
}

/**
 * The notification of a device for a replacement: the whole new section, with `null` for every removed key
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
