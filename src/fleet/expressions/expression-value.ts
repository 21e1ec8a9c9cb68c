import { isObject, type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
import { type ExpressionWork, isTooLongText, NotKnown, TooLarge, WORK_LIMITS } from './expression-work.ts';

/** The most parts of a result. */
const MAX_PARTS = 10_000;
/** The maximum depth of a result. Twins have at most ten levels. */
const MAX_DEPTH = 32;
/** Additional steps for each part of a result, because it is copied and merged. */
const STEPS_OF_A_PART = 2;

/** A result as JSON, and the paths that are left out because their values are too large. */
export interface PlainResult {
  readonly value: JsonValue | undefined;
  readonly tooLarge: readonly (readonly string[])[];
}

const NOTHING: PlainResult['tooLarge'] = [];

/**
 * Converts a result of CEL to plain JSON, with all kinds of numbers as numbers. Undefined if it is not JSON,
 * has too many parts, or if all its parts are left out.
 *
 * @throws TooMuchWork if no steps are left to copy it
 */
export function plainJson(value: unknown, work: ExpressionWork): PlainResult {
  // Most results are one text or number.
  if (typeof value === 'string' || typeof value === 'boolean') {
    work.take(1 + STEPS_OF_A_PART * partsOf(value));
    return { value, tooLarge: NOTHING };
  }
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
    // Take the steps before the parts are listed.
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
  /** Leaves out a whole list if one item is too large, because the other items would change their index. */
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
    // An object whose members are all left out is left out too.
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

/**
 * Objects with more members become a `Map`, because cel-js does not list the keys of a `Map` to find its
 * type.
 */
const MANY_MEMBERS = 100;

/**
 * Converts JSON to the form that expressions read, in one pass.
 *
 * Values that are too large become `TooLarge`. An object with a member `constructor` becomes a `Map`: cel-js
 * would use the member as the class and refuse the whole object, so a device could make every condition about
 * it unknown.
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

/**
 * Puts a mark at a path of a variable, so that expressions that read the path are unknown. Other members stay. A value above the path
 * that is no object is only a substitute, and is replaced.
 *
 * @param value as `readable` makes it; undefined: not there
 */
export function withNotKnown(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return new NotKnown();
  if (value instanceof NotKnown) return value;
  const isMap = value instanceof Map;
  const members = isObject(value) && isPlain(value) ? Object.entries(value) : [];
  const copy = new Map<unknown, unknown>(isMap ? value : members);
  return copy.set(key, withNotKnown(copy.get(key), rest));
}
