import { type JsonObject, type JsonValue, jsonOrUndefined } from '../../../src/json/json.ts';

/** Parses UTF-8 JSON; undefined if the text is not JSON. */
export function parseRequestJson(bytes: Buffer): JsonValue | undefined {
  return jsonOrUndefined(bytes.toString('utf8'));
}

/** The object without the keys in `drop`. */
export function withoutKeys(object: JsonObject, ...drop: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !drop.includes(key)));
}
