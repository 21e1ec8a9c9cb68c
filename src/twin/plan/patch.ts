import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { valueAt } from '../snapshot/merge.ts';
import type { OwnWrite, Snapshot } from '../snapshot/snapshot.ts';
import { type IsComponent, withMarkers } from './components.ts';

/** A write, with the depth at which the device acknowledges it. */
export interface Write extends OwnWrite {
  /** The number of keys to the object that the device acknowledges as a whole. Undefined: the property itself. */
  readonly wholeAt: number | undefined;
}

/**
 * The patch of `properties.desired` that makes these writes. It is the smallest one, with two additions for Plug and Play:
 * a component has its marker `"__t": "c"` in every patch, and an object that the device acknowledges as a whole is sent
 * complete (concepts-convention, 2025-01).
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
      // Berth cannot send redacted values. A property that the patch leaves out stays on the hub.
      const isKnown = isObject(before) && !holdsRedacted(before);
      if (isKnown && valueAt(patch, whole) === undefined) put(patch, whole, before);
    }
    put(patch, path, value);
  }
  return withMarkers(patch, isComponent);
}

/** One object with all of these values. `null` stays, unlike when a patch is applied. */
export function nested(
  values: readonly { readonly path: readonly string[]; readonly value: JsonValue }[],
): JsonObject {
  const patch: MutableJson = {};
  for (const { path, value } of values) put(patch, path, value);
  return patch;
}

/** A patch that is changed in place while it is built, because a policy may set thousands of properties. */
type MutableJson = Record<string, JsonValue>;

function put(patch: MutableJson, path: readonly string[], value: JsonValue): void {
  let within = patch;
  for (const [depth, key] of path.entries()) {
    if (depth === path.length - 1) {
      // A copy, because a later write may change it, and the value belongs to the snapshot or the policy.
      setMember(within, key, isObject(value) ? structuredClone(value) : value);
      return;
    }
    const below = Object.hasOwn(within, key) ? within[key] : undefined;
    if (!isObject(below)) setMember(within, key, {});
    within = within[key] as MutableJson;
  }
}

/** An assignment to `__proto__` would set the prototype. */
function setMember(object: MutableJson, key: string, value: JsonValue): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
