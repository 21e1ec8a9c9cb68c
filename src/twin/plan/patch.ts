import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { valueAt } from '../snapshot/merge.ts';
import type { OwnWrite, Snapshot } from '../snapshot/snapshot.ts';
import { type IsComponent, withMarkers } from './components.ts';

/** What is written, with the report that says how the device takes it. */
export interface Write extends OwnWrite {
  /** How many keys of the path lead to what the device acknowledges as a whole; undefined: the property itself. */
  readonly wholeAt: number | undefined;
}

/**
 * The patch of `properties.desired` that makes these writes: the smallest one, but for what Plug and Play asks.
 * A component carries its marker `"__t": "c"` in every patch, also where the twin has it, and an object that the device
 * acknowledges as a whole is sent complete (concepts-convention, 2025-01).
 */
export function patchOf(
  snapshot: Pick<Snapshot, 'desired'>,
  writes: readonly Write[],
  isComponent: IsComponent,
): JsonObject {
  const patch: MutableJson = {};
  for (const { path, value, wholeAt } of writes) {
    if (wholeAt !== undefined && wholeAt < path.length) {
      const whole = path.slice(0, wholeAt);
      const before = valueAt(snapshot.desired, whole);
      // What Berth does not know it cannot send; what is left out stays as the hub has it.
      const isKnown = isObject(before) && !holdsRedacted(before);
      if (isKnown && valueAt(patch, whole) === undefined) put(patch, whole, before);
    }
    put(patch, path, value);
  }
  return withMarkers(patch, isComponent);
}

/** One object with all of these values. Unlike applying a patch, building one keeps `null`. */
export function nested(
  values: readonly { readonly path: readonly string[]; readonly value: JsonValue }[],
): JsonObject {
  const patch: MutableJson = {};
  for (const { path, value } of values) put(patch, path, value);
  return patch;
}

/** A patch while it is built, in place: a policy may set thousands of properties. */
type MutableJson = Record<string, JsonValue>;

function put(patch: MutableJson, path: readonly string[], value: JsonValue): void {
  let within = patch;
  for (const [depth, key] of path.entries()) {
    if (depth === path.length - 1) {
      // What lies below may still be written to, and is somebody else's.
      setMember(within, key, isObject(value) ? structuredClone(value) : value);
      return;
    }
    const below = Object.hasOwn(within, key) ? within[key] : undefined;
    if (!isObject(below)) setMember(within, key, {});
    within = within[key] as MutableJson;
  }
}

/** An assignment would take `__proto__` for something else. */
function setMember(object: MutableJson, key: string, value: JsonValue): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
