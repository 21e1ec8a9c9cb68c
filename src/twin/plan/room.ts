import { sectionProblem, type TwinProblem, twinProblems, twinSizeOf } from '../../iot-hub/twin-limits.ts';
import { isObject, type JsonObject, type JsonValue, objectOf } from '../../json/json.ts';
import { holdsRedacted, REDACTED } from '../redaction/redact-values.ts';
import { mergePatch, nest } from '../snapshot/merge.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type IsComponent, withMarkers } from './components.ts';
import { nested } from './patch.ts';

/** A property that must be written. */
interface Leaf {
  readonly path: readonly string[];
  readonly wanted: JsonValue;
}

/** The desired properties of a twin, and their size before redaction if it is known. */
export type StoredDesired = Pick<Snapshot, 'desired' | 'desiredBytes'>;

/** Whether the size of the desired properties in the hub is known. A redacted value hides its own. */
export function isSizeKnown({ desired, desiredBytes }: StoredDesired): boolean {
  return desiredBytes !== undefined || !holdsRedacted(desired);
}

/** The size of the desired properties in the hub. If it is not known, the least that it can be. */
function sizeInHub({ desired, desiredBytes }: StoredDesired): number {
  return desiredBytes ?? twinSizeOf(withoutRedacted(desired));
}

/** The same, with an empty text in place of each redacted value. */
function withoutRedacted(json: JsonValue): JsonValue {
  if (typeof json === 'string') return json.startsWith(REDACTED) ? '' : json;
  if (Array.isArray(json)) return json.map(withoutRedacted);
  if (!isObject(json)) return json;
  return objectOf(Object.entries(json).map(([key, member]) => [key, withoutRedacted(member)] as const));
}

/**
 * Which properties the hub would refuse for a limit of twins. Berth never sends them. The result is not stored, because
 * there may be room later. If the size of the twin is not known (`isSizeKnown`), a property may fit here and not in the hub. If not all properties fit, removals come first, and then those that fit, in their order.
 *
 * @returns why each of these properties cannot be written. The time is proportional to the size of desired and the writes.
 */
export function whatDoesNotFit<Each extends Leaf>(
  stored: StoredDesired,
  leaves: readonly Each[],
  isComponent: IsComponent,
): ReadonlyMap<Each, string> {
  const unfit = new Map<Each, string>();
  if (leaves.length === 0) return unfit;
  const whole = nested(leaves.map(({ path, wanted }) => ({ path, value: wanted })));
  const { desired } = stored;
  const before = sizeInHub(stored);
  const patch = withMarkers(whole, isComponent);
  const isTooLarge = sectionProblem('desired', before + growthOf(desired, patch)).length > 0;
  if (!isTooLarge && problemsInside(mergePatch(desired, patch)).length === 0) return unfit;

  const inOrder = [...leaves].sort(
    (one, other) => Number(other.wanted === null) - Number(one.wanted === null),
  );
  const merged = structuredClone(desired) as MutableJson;
  let bytes = before;
  for (const leaf of inOrder) {
    const part = withMarkers(nest(leaf.path, leaf.wanted), isComponent);
    const grown = bytes + growthOf(merged, part);
    // A removal is always allowed, because it makes a section smaller that is too large.
    const [problem] =
      leaf.wanted === null ? [] : [...problemsInside(part), ...sectionProblem('desired', grown)];
    if (problem === undefined) {
      mergeInto(merged, part);
      bytes = grown;
    } else unfit.set(leaf, `cannot be written: ${problem.path.join('.') || 'desired'} ${problem.message}`);
  }
  return unfit;
}

/** What the hub would refuse in a section, besides the size of the section. */
function problemsInside(section: JsonObject): readonly TwinProblem[] {
  return twinProblems('desired', section).filter(({ path }) => path.length > 0);
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
