import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';

/**
 * Applies a twin patch as IoT Hub does (iot-hub-devguide-device-twins): objects merge, `null` deletes, and all other values,
 * arrays included, replace. The arguments are not changed. The result shares unchanged objects with `base`.
 */
export function mergePatch(base: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, JsonValue> = { ...base };
  for (const key of Object.keys(patch)) {
    const value = patch[key] as JsonValue;
    if (value === null) {
      delete merged[key];
    } else {
      const below = ownMember(merged, key);
      const next = isObject(value) ? mergePatch(isObject(below) ? below : {}, value) : value;
      if (key === '__proto__') defineMember(merged, key, next);
      else merged[key] = next;
    }
  }
  return merged;
}

/** An assignment to `__proto__` would set the prototype. */
function defineMember(object: JsonObject, key: string, value: JsonValue): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The value at a path. Undefined: there is none. */
export function valueAt(json: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = json;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** `{ a: { b: value } }` for the path a, b. */
export function nest(path: readonly string[], value: JsonValue): JsonObject {
  const [first, ...rest] = path;
  if (first === undefined) throw new RangeError('a path has at least one key');
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
}

/** Every path whose value is not an object, or is an empty object, with its value. */
export function leavesOf(
  json: JsonObject,
  above: readonly string[] = [],
): readonly { readonly path: readonly string[]; readonly value: JsonValue }[] {
  return Object.entries(json).flatMap(([key, value]) =>
    isObject(value) && Object.keys(value).length > 0
      ? leavesOf(value, [...above, key])
      : [{ path: [...above, key], value }],
  );
}
