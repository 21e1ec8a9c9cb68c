import type { Environment } from '@marcbachmann/cel-js';
import {
  type ExpressionWork,
  NOT_IN_RECEIPT,
  NotKnown,
  TOO_LARGE,
  TooLarge,
  WORK_LIMITS,
} from './expression-work.ts';

/** A value has another kind than the expression needs. The message contains no values. */
export class WrongKind extends Error {}

/**
 * Names of the functions that replace comparisons and `has`. An expression of the fleet file cannot use them.
 */
export const STRICT = {
  /** Equality of two values of the same kind. */
  equal: 'strict_equal',
  /** Membership in a literal list, which may mix kinds: at least one item must have the kind of the value. */
  isAmong: 'strict_among',
  /**
   * Membership in a list of a device, whose items must all have the kind of the value, or in the keys of an
   * object.
   */
  isIn: 'strict_in',
  /** Whether an object has a key, whatever its value. */
  has: 'strict_has',
  /** A list and nothing else. */
  list: 'strict_list',
} as const;

type StrictFunction = (operands: readonly unknown[], work: ExpressionWork) => unknown;

/** Implementations of these functions. cel-js knows only their types. */
export const STRICT_FUNCTIONS: ReadonlyMap<string, StrictFunction> = new Map<string, StrictFunction>([
  [STRICT.equal, ([left, right], work) => decided(compare(left, right, work))],
  [STRICT.isAmong, ([item, list], work) => isAmong(item, list as readonly unknown[], work)],
  [STRICT.isIn, ([item, collection], work) => isIn(item, collection, work)],
  [STRICT.has, ([target, key]) => kindOf(target) === 'map' && hasKnownKey(target as object, key as string)],
  [
    STRICT.list,
    ([value]) => {
      if (Array.isArray(value)) return value;
      throw new WrongKind(`${kindOf(value)} instead of a list`);
    },
  ],
]);

export function registerStrictFunctions(environment: Environment): void {
  const never = () => {
    throw new WrongKind('cannot be computed');
  };
  for (const [name, type] of [
    [STRICT.equal, 'bool'],
    [STRICT.isAmong, 'bool'],
    [STRICT.isIn, 'bool'],
    [STRICT.has, 'bool'],
    [STRICT.list, 'dyn'],
  ] as const) {
    const operands = name === STRICT.list ? 'dyn' : 'dyn, dyn';
    environment.registerFunction(`${name}(${operands}): ${type}`, never, { async: false });
  }
}

type Kind = 'number' | 'string' | 'bool' | 'null' | 'list' | 'map' | 'bytes' | 'timestamp' | 'other';

function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 'number';
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'object':
      return kindOfObject(value);
    default:
      return 'other';
  }
}

function kindOfObject(value: object | null): Kind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Date) return 'timestamp';
  if (isMap(value)) return 'map';
  // CEL's unsigned integers.
  return typeof value.valueOf() === 'bigint' ? 'number' : 'other';
}

function isMap(value: object): boolean {
  if (value instanceof Map) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether two values are equal; a text with the reason if that is unknown. */
type Comparison = boolean | string;

/**
 * Compares two values. The result is unknown if kinds differ, also inside, unless another part already
 * differs.
 */
function compare(left: unknown, right: unknown, work: ExpressionWork): Comparison {
  const kind = kindOf(left);
  if (kind !== kindOf(right)) return `${kind} compared with ${kindOf(right)}`;
  switch (kind) {
    case 'number':
      // biome-ignore lint/suspicious/noDoubleEquals: an int and a double of the same value are equal
      return (left as number).valueOf() == (right as number).valueOf();
    case 'string': {
      if ((left as string).length !== (right as string).length) return false;
      work.take((left as string).length >> 6);
      return left === right;
    }
    case 'list':
      return compareLists(left as readonly unknown[], right as readonly unknown[], work);
    case 'map':
      return compareMaps(left as object, right as object, work);
    case 'bytes':
      work.take((left as Uint8Array).length >> 6);
      return Buffer.compare(left as Uint8Array, right as Uint8Array) === 0;
    case 'timestamp':
      return (left as Date).getTime() === (right as Date).getTime();
    default:
      if (left instanceof TooLarge || right instanceof TooLarge) return TOO_LARGE;
      return left === right || String(left) === String(right);
  }
}

/** Three-valued: false if a pair differs, else unknown if a pair is unknown, else true. */
function compareLists(left: readonly unknown[], right: readonly unknown[], work: ExpressionWork): Comparison {
  if (left.length !== right.length) return false;
  let result: Comparison = true;
  for (const [index, item] of left.entries()) {
    work.take(1);
    const same = compare(item, right[index], work);
    if (same === false) return false;
    if (result === true) result = same;
  }
  return result;
}

/** Three-valued. If one object lacks a key, the result is unknown, unless another member differs. */
function compareMaps(left: object, right: object, work: ExpressionWork): Comparison {
  let result: Comparison = true;
  let shared = 0;
  for (const [key, value] of entriesOf(left)) {
    work.take(2);
    if (!hasKey(right, key)) continue;
    shared += 1;
    const same = compare(value, memberOf(right, key), work);
    if (same === false) return false;
    if (result === true) result = same;
  }
  if (result !== true) return result;
  return shared === sizeOf(left) && shared === sizeOf(right) ? true : 'a key is missing';
}

/** @throws WrongKind if the comparison is unknown */
function decided(comparison: Comparison): boolean {
  if (typeof comparison === 'string') throw new WrongKind(comparison);
  return comparison;
}

function entriesOf(value: object): Iterable<readonly [unknown, unknown]> {
  return value instanceof Map ? value : Object.entries(value);
}

function sizeOf(value: object): number {
  return value instanceof Map ? value.size : Object.keys(value).length;
}

function hasKey(value: object, key: unknown): boolean {
  return value instanceof Map ? value.has(key) : Object.hasOwn(value, key as string);
}

/** @throws WrongKind if it is not known whether the object has the key */
function hasKnownKey(value: object, key: string): boolean {
  if (!hasKey(value, key)) return false;
  if (memberOf(value, key) instanceof NotKnown) throw new WrongKind(NOT_IN_RECEIPT);
  return true;
}

function memberOf(value: object, key: unknown): unknown {
  return value instanceof Map ? value.get(key) : (value as Readonly<Record<string, unknown>>)[key as string];
}

function isAmong(item: unknown, items: readonly unknown[], work: ExpressionWork): boolean {
  const kind = kindOf(item);
  const fitting = items.filter((each) => kindOf(each) === kind);
  if (fitting.length === 0 && items.length > 0) {
    throw new WrongKind(`${kind} looked for in a list of ${kindOf(items[0])}`);
  }
  return isOneOf(item, fitting, work);
}

function isIn(item: unknown, collection: unknown, work: ExpressionWork): boolean {
  switch (kindOf(collection)) {
    case 'list': {
      const items = collection as readonly unknown[];
      if (items.length > WORK_LIMITS.items) throw new WrongKind(`more than ${WORK_LIMITS.items} items`);
      return isOneOf(item, items, work);
    }
    case 'map':
      if (typeof item === 'string') return hasKnownKey(collection as object, item);
      throw new WrongKind(`${kindOf(item)} looked for among the keys of an object`);
    default:
      throw new WrongKind(`${kindOf(collection)} instead of a list or an object`);
  }
}

/** Three-valued: true if an item is equal, else unknown if an item is unknown, else false. */
function isOneOf(item: unknown, items: readonly unknown[], work: ExpressionWork): boolean {
  let result: Comparison = false;
  for (const each of items) {
    work.take(1);
    const same = compare(item, each, work);
    if (same === true) return true;
    if (result === false) result = same;
  }
  return decided(result);
}
