import { sectionProblem, twinProblems, twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { mergePatch, nest } from '../snapshot/merge.ts';
import { type IsComponent, withMarkers } from './components.ts';
import { nested } from './patch.ts';

/** A property to be written. */
interface Leaf {
  readonly path: readonly string[];
  readonly wanted: JsonValue;
}

/**
 * What the hub would refuse is never sent: it would be refused again and again. Nothing remembers it, because there may
 * be room tomorrow. Where not all of it fits, what is taken away goes first, and then the first that fit.
 *
 * @returns why each leaf that does not fit cannot be written. Takes time in proportion to what is there and is written.
 */
export function whatDoesNotFit<Each extends Leaf>(
  desired: JsonObject,
  leaves: readonly Each[],
  isComponent: IsComponent,
): ReadonlyMap<Each, string> {
  const unfit = new Map<Each, string>();
  if (leaves.length === 0) return unfit;
  const whole = nested(leaves.map(({ path, wanted }) => ({ path, value: wanted })));
  const all = mergePatch(desired, withMarkers(whole, isComponent));
  if (twinProblems('desired', all).length === 0) return unfit;

  const inOrder = [...leaves].sort(
    (one, other) => Number(other.wanted === null) - Number(one.wanted === null),
  );
  const merged = structuredClone(desired) as MutableJson;
  let bytes = twinSizeOf(desired);
  for (const leaf of inOrder) {
    const part = withMarkers(nest(leaf.path, leaf.wanted), isComponent);
    const grown = bytes + growthOf(merged, part);
    // What was too much before may become less.
    const [problem] =
      leaf.wanted === null
        ? []
        : [
            ...twinProblems('desired', part).filter(({ path }) => path.length > 0),
            ...sectionProblem('desired', grown),
          ];
    if (problem === undefined) {
      mergeInto(merged, part);
      bytes = grown;
    } else unfit.set(leaf, `cannot be written: ${problem.path.join('.') || 'desired'} ${problem.message}`);
  }
  return unfit;
}

type MutableJson = Record<string, JsonValue>;

/** How many bytes a section has more after a patch, by the hub's rule of sizes. */
function growthOf(base: JsonObject, patch: JsonObject): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(patch)) {
    const before = Object.hasOwn(base, key) ? base[key] : undefined;
    const keyBytes = Buffer.byteLength(key, 'utf8');
    if (value === null) {
      if (before !== undefined) bytes -= keyBytes + twinSizeOf(before);
      continue;
    }
    if (before === undefined) bytes += keyBytes;
    if (isObject(value) && isObject(before)) bytes += growthOf(before, value);
    else
      bytes +=
        (isObject(value) ? growthOf({}, value) : twinSizeOf(value)) -
        (before === undefined ? 0 : twinSizeOf(before));
  }
  return bytes;
}

/** As `mergePatch`, in place. */
function mergeInto(base: MutableJson, patch: JsonObject): void {
  for (const [key, value] of Object.entries(patch)) {
    const before = Object.hasOwn(base, key) ? base[key] : undefined;
    if (value === null) delete base[key];
    else if (isObject(value) && isObject(before)) mergeInto(before as MutableJson, value);
    else {
      const member = isObject(value) ? mergePatch({}, value) : value;
      Object.defineProperty(base, key, {
        value: member,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
}
