/** A JSON value as `JSON.parse` gives it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** An object of these members. As `Object.fromEntries`, in half the time. */
export function objectOf(members: readonly (readonly [string, JsonValue])[]): JsonObject {
  const object: Record<string, JsonValue> = {};
  for (const [key, value] of members) {
    // An assignment would take it for something else.
    if (key === '__proto__') return Object.fromEntries(members);
    object[key] = value;
  }
  return object;
}

/** True for a JSON object: not null, not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What a record itself has under a key: a key such as `constructor` does not find what every object inherits.
 *
 * @example ownEntry({}, 'constructor') // undefined
 */
export function ownEntry<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The member that a JSON object itself has under a key; undefined for a value that is no object. */
export function ownMember(value: unknown, key: string): JsonValue | undefined {
  return isObject(value) ? ownEntry(value, key) : undefined;
}

/** What `JSON.parse` makes of a text; undefined where the text is not JSON. */
export function jsonOrUndefined(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/**
 * What makes a parsed document unfit to be walked and merged: nesting that would exhaust the stack, or a key
 * `__proto__`, which assignments take for something else. Itself goes no deeper than `maxDepth`.
 */
export function jsonHazard(json: unknown, maxDepth: number): 'too deep' | '__proto__' | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if (maxDepth < 0) return 'too deep';
  for (const key in json) {
    if (key === '__proto__') return '__proto__';
    const member: unknown = (json as Readonly<Record<string, unknown>>)[key];
    const hazard = jsonHazard(member, maxDepth - 1);
    if (hazard !== undefined) return hazard;
  }
  return undefined;
}

/**
 * The same text for the same content whatever the order of keys, so that it can be hashed and compared.
 *
 * @example canonicalJson({ b: 1, a: [2] }) // '{"a":[2],"b":1}'
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (isObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** Whether two JSON values are the same: numbers numerically, objects whatever the order of their keys. */
export function sameJson(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => sameJson(item, right[index]));
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && sameJson(left[key], right[key]))
    );
  }
  return false;
}
