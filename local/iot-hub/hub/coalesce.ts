import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { parseRequestJson, withoutKeys } from '../model/json.ts';
import type { HubEvent } from './event-sink.ts';

/*
 * "At high change rates the hub may send one notification holding all changes" (iot-hub-devguide-device-twins.md).
 */

/**
 * Merges two updates of one twin into one event, with both patches and with the version, time and stamps of the later
 * one. Undefined if one patch cannot have the effect of both: a patch cannot replace a value by an object.
 */
export function coalesce(earlier: HubEvent, later: HubEvent): HubEvent | undefined {
  const [before, after] = [parseRequestJson(earlier.body), parseRequestJson(later.body)];
  if (!isObject(before) || !isObject(after)) return undefined;
  try {
    const tags = either(before, after, 'tags', composePatches);
    const properties = either(before, after, 'properties', (first, second) => ({
      ...optional('desired', either(first, second, 'desired', composeSections)),
      ...optional('reported', either(first, second, 'reported', composeSections)),
    }));
    const body = { ...after, ...optional('tags', tags), ...optional('properties', properties) };
    return { ...later, body: Buffer.from(JSON.stringify(body)) };
  } catch (error) {
    if (error instanceof NotOnePatch) return undefined;
    throw error;
  }
}

/** The later patch has an object where the earlier one has another value. One patch would merge instead of replace. */
class NotOnePatch extends Error {}

/** The member `name` of both objects, composed; or of the one that has it. */
function either(
  earlier: JsonObject,
  later: JsonObject,
  name: string,
  compose: (earlier: JsonObject, later: JsonObject) => JsonObject,
): JsonObject | undefined {
  const [before, after] = [ownMember(earlier, name), ownMember(later, name)];
  if (!isObject(before)) return isObject(after) ? after : undefined;
  return isObject(after) ? compose(before, after) : before;
}

function optional(name: string, value: JsonObject | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

/** The patch with the effect of `earlier` and then `later`. A `null` still deletes. */
function composePatches(earlier: JsonObject, later: JsonObject): JsonObject {
  const composed = new Map(Object.entries(earlier));
  for (const [key, value] of Object.entries(later)) {
    const before = ownMember(earlier, key);
    if (before === undefined || !isObject(value)) composed.set(key, value);
    else if (isObject(before)) composed.set(key, composePatches(before, value));
    else throw new NotOnePatch();
  }
  return Object.fromEntries(composed);
}

function composeSections(earlier: JsonObject, later: JsonObject): JsonObject {
  const values = composePatches(valuesOf(earlier), valuesOf(later));
  const metadata = either(earlier, later, '$metadata', (first, second) =>
    composeMetadata(first, second, values),
  );
  return { ...values, ...optional('$metadata', metadata), $version: ownMember(later, '$version') ?? 0 };
}

function valuesOf(section: JsonObject): JsonObject {
  return withoutKeys(section, '$metadata', '$version');
}

/** The later stamp of each remaining value. Values that no patch changes have no stamp. */
function composeMetadata(earlier: JsonObject, later: JsonObject, values: JsonObject): JsonObject {
  const stamps = Object.entries(later).filter(([key]) => key.startsWith('$'));
  const composed = new Map<string, JsonValue>(stamps);
  for (const [key, value] of Object.entries(values)) {
    if (value === null) continue;
    const [before, after] = [ownMember(earlier, key), ownMember(later, key)];
    const stamp =
      isObject(value) && isObject(before) && isObject(after)
        ? composeMetadata(before, after, value)
        : (after ?? before);
    if (stamp !== undefined) composed.set(key, stamp);
  }
  return Object.fromEntries(composed);
}
