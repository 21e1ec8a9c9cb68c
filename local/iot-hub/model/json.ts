import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { shallowJson } from '../../shallow-json.ts';

/** Parses UTF-8 JSON; undefined if the text is not JSON, or nested too deep (`shallowJson`). */
export function parseRequestJson(bytes: Buffer): JsonValue | undefined {
  return shallowJson(bytes.toString('utf8'));
}

/** The object without the keys in `drop`. */
export function withoutKeys(object: JsonObject, ...drop: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !drop.includes(key)));
}
