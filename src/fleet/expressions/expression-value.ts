import { isObject, type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
import { type ExpressionWork, isTooLongText, TooLarge, WORK_LIMITS } from './expression-work.ts';

/** A result with more parts than this is not a value that anybody meant. */
const MAX_PARTS = 10_000;
/** Nor is one that is deeper; twins are at most ten deep. */
const MAX_DEPTH = 32;
/** Steps for a part of a result, besides its own: it is copied, and merged with what lies there. */
const STEPS_OF_A_PART = 2;

/** A result as JSON, and the places of it that are left out because they hold something too long. */
export interface PlainResult {
  readonly value: JsonValue | undefined;
  readonly tooLarge: readonly (readonly string[])[];
}

/**
 * CEL's result as plain JSON, numbers of all its kinds as numbers; undefined where it is none, has too many parts, or
 * nothing of it is left.
 *
 * @throws TooMuchWork where no work is left to copy it.
 */
export function plainJson(value: unknown, work: ExpressionWork): PlainResult {
  const tooLarge: (readonly string[])[] = [];
  let parts = 0;
  let depth = 0;
  let isJson = true;
  const path: string[] = [];

  const convert = (item: unknown): JsonValue | undefined => {
    parts += 1;
    if (!isJson || parts > MAX_PARTS) {
      isJson = false;
      return undefined;
    }
    // Before its parts are listed.
    work.take(1 + STEPS_OF_A_PART * partsOf(item));
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return item;
    if (typeof item === 'number' && Number.isFinite(item)) return item;
    if (typeof item === 'bigint' && Number.isSafeInteger(Number(item))) return Number(item);
    if (item instanceof TooLarge) {
      tooLarge.push([...path]);
      return undefined;
    }
    depth += 1;
    if (depth > MAX_DEPTH) isJson = false;
    const converted = isJson ? whole(item) : undefined;
    depth -= 1;
    return converted;
  };
  const whole = (item: unknown): JsonValue | undefined => {
    if (Array.isArray(item)) return items(item);
    if (item instanceof Map) return members([...item]);
    if (isObject(item) && isPlain(item)) return members(Object.entries(item));
    isJson = false;
    return undefined;
  };
  /** Its other items would move, so a list is left out whole. */
  const items = (list: readonly unknown[]): JsonValue | undefined => {
    const before = tooLarge.length;
    if (list.length > WORK_LIMITS.items) {
      tooLarge.push([...path]);
      return undefined;
    }
    const converted: JsonValue[] = [];
    for (const each of list) {
      const one = convert(each);
      if (one === undefined) {
        if (tooLarge.length > before) tooLarge.splice(before, tooLarge.length, [...path]);
        return undefined;
      }
      converted.push(one);
    }
    return converted;
  };
  const members = (entries: readonly (readonly [unknown, unknown])[]): JsonObject | undefined => {
    const converted: (readonly [string, JsonValue])[] = [];
    for (const [name, member] of entries) {
      const key = String(name);
      path.push(key);
      const one = convert(member);
      path.pop();
      if (one !== undefined) converted.push([key, one]);
      if (!isJson) return undefined;
    }
    // An object of which nothing is left says nothing.
    return converted.length === 0 && entries.length > 0 ? undefined : objectOf(converted);
  };

  const plain = convert(value);
  return isJson ? { value: plain, tooLarge } : { value: undefined, tooLarge: [] };
}

function partsOf(value: unknown): number {
  if (typeof value === 'string') return value.length >> 5;
  if (Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 0;
}

/** An object of more members is given as a `Map`, of which cel-js does not list the keys to see its type. */
const MANY_MEMBERS = 100;

/**
 * JSON as expressions can read it, in one pass over it.
 *
 * What is too long is given as `TooLarge`. cel-js takes an object's own member `constructor` for its class and then
 * refuses the whole object, by which a device could make every condition about it unknown; such an object is given as
 * a `Map`.
 */
export function readable(value: JsonValue): unknown {
  if (typeof value === 'string') return isTooLongText(value) ? new TooLarge() : value;
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? readableList(value) : readableObject(value as JsonObject);
}

function readableList(list: readonly JsonValue[]): unknown {
  if (list.length > WORK_LIMITS.items) return new TooLarge();
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const before = list[index] as JsonValue;
    const item = readable(before);
    if (item === before) continue;
    copy ??= [...list];
    copy[index] = item;
  }
  return copy ?? list;
}

function readableObject(object: JsonObject): unknown {
  let changed: Map<string, unknown> | undefined;
  let size = 0;
  let asMap = false;
  for (const key in object) {
    size += 1;
    if (key === 'constructor') asMap = true;
    const before = object[key] as JsonValue;
    const member = readable(before);
    if (member === before) continue;
    changed ??= new Map();
    changed.set(key, member);
  }
  if (asMap || size > MANY_MEMBERS) {
    const map = new Map<string, unknown>(Object.entries(object));
    if (changed !== undefined) for (const [key, member] of changed) map.set(key, member);
    return map;
  }
  return changed === undefined ? object : { ...object, ...Object.fromEntries(changed) };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
