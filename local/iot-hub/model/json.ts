import { type JsonObject, type JsonValue, jsonOrUndefined } from '../../../src/json/json.ts';

/** Reads UTF-8 JSON; undefined if it is none. */
export function parseJsonText(bytes: Buffer): JsonValue | undefined {
  return jsonOrUndefined(bytes.toString('utf8'));
}

/** The object without the keys that `drop` names. */
export function withoutKeys(object: JsonObject, ...drop: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !drop.includes(key)));
}
