import { sectionProblem, twinProblems, twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { mergePatch, nest } from '../snapshot/merge.ts';
import { type IsComponent, withMarkers } from './components.ts';
import { nested } from './patch.ts';

/** A property that must be written. */
interface Leaf {
  readonly path: readonly string[];
  readonly wanted: JsonValue;
}

/**
 * Which properties the hub would refuse for a limit of twins. Berth never sends them. The result is not stored, because
 * there may be room later. If not all properties fit, removals come first, and then those that fit, in their order.
 *
 * @returns why each of these properties cannot be written. The time is proportional to the size of desired and the writes.
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
    // A removal is always allowed, because it makes a section smaller that is too large.
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

/** By how many bytes a patch makes a section larger, by the hub's size rule. */
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

/** Like `mergePatch`, but changes `base`. */
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
