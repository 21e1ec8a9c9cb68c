import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { valueAt } from '../snapshot/merge.ts';
import type { OwnWrite, Shadow } from '../snapshot/shadow.ts';
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
  shadow: Pick<Shadow, 'desired'>,
  writes: readonly Write[],
  isComponent: IsComponent,
): JsonObject {
  let patch: JsonObject = {};
  for (const { path, value, wholeAt } of writes) {
    if (wholeAt !== undefined && wholeAt < path.length) {
      const whole = path.slice(0, wholeAt);
      const before = valueAt(shadow.desired, whole);
      // What Berth does not know it cannot send; what is left out stays as the hub has it.
      const isKnown = isObject(before) && !holdsRedacted(before);
      if (isKnown && valueAt(patch, whole) === undefined) patch = withValue(patch, whole, before);
    }
    patch = withValue(patch, path, value);
  }
  return withMarkers(patch, isComponent);
}

/** Unlike applying a patch, building one keeps `null`. */
function withValue(patch: JsonObject, [key, ...rest]: readonly string[], value: JsonValue): JsonObject {
  if (key === undefined) return patch;
  if (rest.length === 0) return { ...patch, [key]: value };
  const below = ownMember(patch, key);
  return { ...patch, [key]: withValue(isObject(below) ? below : {}, rest, value) };
}
