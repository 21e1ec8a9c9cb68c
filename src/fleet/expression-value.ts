import { isObject, type JsonObject, type JsonValue } from '../json.ts';

/** A result with more parts than this is not a value that anybody meant. */
const MAX_PARTS = 10_000;

/** CEL's result as plain JSON, numbers of all its kinds as numbers; undefined where it is none, or too large. */
export function plainJson(value: unknown): JsonValue | undefined {
  let parts = 0;
  const convert = (item: unknown): JsonValue | undefined => {
    parts += 1;
    if (parts > MAX_PARTS) return undefined;
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return item;
    if (typeof item === 'number') return Number.isFinite(item) ? item : undefined;
    if (typeof item === 'bigint') {
      const number = Number(item);
      return Number.isSafeInteger(number) ? number : undefined;
    }
    if (Array.isArray(item)) {
      const items = item.map(convert);
      return items.includes(undefined) ? undefined : (items as JsonValue[]);
    }
    if (item instanceof Map) return members([...item]);
    return isObject(item) && isPlain(item) ? members(Object.entries(item)) : undefined;
  };
  const members = (entries: readonly (readonly [unknown, unknown])[]): JsonObject | undefined => {
    const converted = entries.map(([key, member]) => [String(key), convert(member)] as const);
    return converted.some(([, member]) => member === undefined)
      ? undefined
      : (Object.fromEntries(converted) as JsonObject);
  };
  return convert(value);
}

/**
 * JSON as expressions can read it. cel-js takes an object's own member `constructor` for its class and then
 * refuses the whole object, by which a device could make every condition about it unknown; such an object is
 * given as a `Map`.
 */
export function readable(value: JsonValue): unknown {
  if (!holdsConstructor(value)) return value;
  if (Array.isArray(value)) return value.map(readable);
  if (!isObject(value)) return value;
  return new Map(Object.entries(value).map(([key, member]) => [key, readable(member)]));
}

function holdsConstructor(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsConstructor);
  for (const key in value) {
    if (key === 'constructor' || holdsConstructor((value as JsonObject)[key] ?? null)) return true;
  }
  return false;
}

/**
 * Whether there is more than so much in a value: each part counts one, and so does every fourth character.
 * Stops counting there.
 */
export function weighsMoreThan(limit: number, value: unknown): boolean {
  let weight = 0;
  const weigh = (item: unknown): boolean => {
    weight += typeof item === 'string' ? 1 + item.length / 4 : 1;
    if (weight > limit) return true;
    if (Array.isArray(item)) return item.some(weigh);
    if (item instanceof Map) return [...item.values()].some(weigh);
    return isObject(item) ? Object.values(item).some(weigh) : false;
  };
  return weigh(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
