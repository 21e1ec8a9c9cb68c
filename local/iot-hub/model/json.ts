import type { JsonObject, JsonValue } from '../../../src/json/json.ts';

/** True for a JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads UTF-8 JSON; undefined if it is none. */
export function parseJson(bytes: Buffer): JsonValue | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch {
    return undefined;
  }
}

/**
 * The member of that name which the object itself has: a key such as `constructor` must not find what all
 * objects inherit.
 */
export function member(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The object without the keys that `drop` names. */
export function without(object: JsonObject, ...drop: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !drop.includes(key)));
}
