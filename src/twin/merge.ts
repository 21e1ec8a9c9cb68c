import { isObject, type JsonObject, type JsonValue } from '../json.ts';

/**
 * Applies a twin patch as IoT Hub does (iot-hub-devguide-device-twins): objects merge, `null` deletes,
 * everything else, arrays included, replaces. Neither argument is changed.
 */
export function mergePatch(base: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, JsonValue>(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      merged.delete(key);
    } else if (isObject(value)) {
      const below = merged.get(key);
      merged.set(key, mergePatch(isObject(below) ? below : {}, value));
    } else {
      merged.set(key, value);
    }
  }
  return Object.fromEntries(merged);
}

/** The value at a path, or undefined where there is none. */
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

/** Every path that ends in something other than a filled object, with its value. */
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
