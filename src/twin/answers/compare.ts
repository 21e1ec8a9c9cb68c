import { type Comparison, momentIn, numberIn } from '../../fleet/comparison.ts';
import { canonicalJson, isObject, type JsonValue } from '../../json/json.ts';

/**
 * Whether two values are the same by this comparison. Lists and objects are compared item by item. `set` applies to the
 * list itself, and compares its items by `exact`.
 *
 * @param tolerance the largest difference at which two numbers are the same, for every comparison.
 *
 * @example sameValue('5000', 5000, 'number') // true
 */
export function sameValue(left: JsonValue, right: JsonValue, how: Comparison, tolerance = 0): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    if (left.length !== right.length) return false;
    return how === 'set'
      ? sameItems(left, right, tolerance)
      : left.every((item, index) => sameValue(item, right[index] ?? null, how, tolerance));
  }
  const inside = how === 'set' ? 'exact' : how;
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every(
        (key) =>
          Object.hasOwn(right, key) && sameValue(left[key] ?? null, right[key] ?? null, inside, tolerance),
      )
    );
  }
  if (typeof left === 'number' && typeof right === 'number' && Math.abs(left - right) <= tolerance)
    return true;
  switch (how) {
    case 'exact':
    case 'set':
      return false;
    case 'number':
      return sameNumber(numberIn(left), numberIn(right), tolerance);
    case 'text':
      return isSame(textOf(left), textOf(right));
    case 'ignoreCase':
      return isSame(foldedOf(left), foldedOf(right));
    case 'instant':
      return isSame(momentIn(left), momentIn(right));
  }
}

function isSame<T>(left: T | undefined, right: T | undefined): boolean {
  return left !== undefined && left === right;
}

function textOf(value: JsonValue): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Through upper case, because some capital letters have two lower-case forms, such as `σ` and `ς`. */
function foldedOf(value: JsonValue): string | undefined {
  return textOf(value)?.toUpperCase().toLowerCase();
}

function sameNumber(left: number | undefined, right: number | undefined, tolerance: number): boolean {
  if (left === undefined || right === undefined) return false;
  return left === right || Math.abs(left - right) <= tolerance || sameFloat(left, right);
}

/**
 * A device that stores 21.1 in 32 bits reports 21.100000381469727. Whole numbers are never rounded: 16777217 and
 * 16777216 are the same 32-bit float, but two different counters.
 */
function sameFloat(left: number, right: number): boolean {
  if (Number.isInteger(left) && Number.isInteger(right)) return false;
  const float = Math.fround(left);
  return float !== 0 && Number.isFinite(float) && float === Math.fround(right);
}

/** Sorts the numbers, so that the nearest ones are compared. Other items must be equal. */
function sameItems(left: readonly JsonValue[], right: readonly JsonValue[], tolerance: number): boolean {
  const numbers = sortedNumbers(right);
  const others = sortedOthers(right);
  const ownNumbers = sortedNumbers(left);
  const ownOthers = sortedOthers(left);
  return (
    ownNumbers.length === numbers.length &&
    ownNumbers.every((item, index) => sameValue(item, numbers[index] ?? null, 'exact', tolerance)) &&
    ownOthers.every((item, index) => item === others[index])
  );
}

function sortedNumbers(items: readonly JsonValue[]): readonly number[] {
  return items.filter((item) => typeof item === 'number').sort((one, other) => one - other);
}

function sortedOthers(items: readonly JsonValue[]): readonly string[] {
  return items
    .filter((item) => typeof item !== 'number')
    .map(canonicalJson)
    .sort();
}
