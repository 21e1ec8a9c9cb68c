import { isObject, type JsonObject, type JsonValue, ownMember, sameJson } from '../../src/json/json.ts';

/** The patch that turns one document into another: only the differences, `null` for what is gone. Empty if there are none. */
export function reportPatch(from: JsonObject, to: JsonObject): JsonObject {
  const gone = Object.keys(from).filter((key) => !Object.hasOwn(to, key));
  const changed = Object.entries(to).flatMap(([key, value]): [string, JsonValue][] => {
    const before = ownMember(from, key);
    if (before !== undefined && sameJson(before, value)) return [];
    if (!isObject(before) || !isObject(value)) return [[key, value]];
    const inner = reportPatch(before, value);
    return Object.keys(inner).length === 0 ? [] : [[key, inner]];
  });
  return Object.fromEntries([...gone.map((key): [string, JsonValue] => [key, null]), ...changed]);
}
