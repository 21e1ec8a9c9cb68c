import type { Environment } from '@marcbachmann/cel-js';

/** A value is of another kind than the expression needs. Its message holds no values. */
export class WrongKind extends Error {}

/** The functions that comparisons become; no expression of a person can name them. */
export const STRICT = {
  /** Equality of two values of one kind. */
  equal: 'strict_equal',
  /** Membership in a list that a person wrote, which may mix kinds: one of them must fit. */
  isAmong: 'strict_among',
  /** Membership in a list that a device may have sent, of which every item must fit, or among an object's keys. */
  isIn: 'strict_in',
  /** A list and nothing else. */
  list: 'strict_list',
} as const;

export function registerStrictFunctions(environment: Environment): void {
  environment.registerFunction(`${STRICT.equal}(dyn, dyn): bool`, equal);
  environment.registerFunction(`${STRICT.isAmong}(dyn, dyn): bool`, isAmong);
  environment.registerFunction(`${STRICT.isIn}(dyn, dyn): bool`, isIn);
  environment.registerFunction(`${STRICT.list}(dyn): dyn`, (value: unknown) => {
    if (Array.isArray(value)) return value;
    throw new WrongKind(`${kindOf(value)} instead of a list`);
  });
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

/**
 * @throws WrongKind where the two are of different kinds, also inside: unless what is of one kind differs
 *   already.
 */
function equal(left: unknown, right: unknown): boolean {
  const kind = kindOf(left);
  if (kind !== kindOf(right)) throw new WrongKind(`${kind} compared with ${kindOf(right)}`);
  switch (kind) {
    case 'number':
      // biome-ignore lint/suspicious/noDoubleEquals: an int and a double of the same value are equal
      return (left as number).valueOf() == (right as number).valueOf();
    case 'list':
      return allEqual(left as readonly unknown[], right as readonly unknown[]);
    case 'map':
      return mapsEqual(left as object, right as object);
    case 'bytes':
      return Buffer.compare(left as Uint8Array, right as Uint8Array) === 0;
    case 'timestamp':
      return (left as Date).getTime() === (right as Date).getTime();
    default:
      return left === right || String(left) === String(right);
  }
}

function allEqual(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  return every(left.map((item, index) => () => equal(item, right[index])));
}

/** A key that one of the two lacks is missing, as elsewhere: they cannot be compared. */
function mapsEqual(left: object, right: object): boolean {
  const [one, other] = [entriesOf(left), entriesOf(right)];
  const shared = [...one].filter(([key]) => other.has(key));
  const isSame = every(
    shared.map(
      ([key, value]) =>
        () =>
          equal(value, other.get(key)),
    ),
  );
  if (isSame && (shared.length < one.size || shared.length < other.size))
    throw new WrongKind('a key is missing');
  return isSame;
}

/** Three-valued: false where one is, else unknown where one is, else true. */
function every(comparisons: readonly (() => boolean)[]): boolean {
  let unknown: WrongKind | undefined;
  for (const compare of comparisons) {
    try {
      if (!compare()) return false;
    } catch (error) {
      if (!(error instanceof WrongKind)) throw error;
      unknown ??= error;
    }
  }
  if (unknown !== undefined) throw unknown;
  return true;
}

function entriesOf(value: object): ReadonlyMap<unknown, unknown> {
  return value instanceof Map ? value : new Map(Object.entries(value));
}

function isAmong(item: unknown, list: unknown): boolean {
  const items = list as readonly unknown[];
  const fitting = items.filter((each) => kindOf(each) === kindOf(item));
  if (fitting.length === 0 && items.length > 0) {
    throw new WrongKind(`${kindOf(item)} looked for in a list of ${kindOf(items[0])}`);
  }
  return some(fitting.map((each) => () => equal(item, each)));
}

function isIn(item: unknown, collection: unknown): boolean {
  switch (kindOf(collection)) {
    case 'list':
      return some((collection as readonly unknown[]).map((each) => () => equal(item, each)));
    case 'map':
      if (typeof item === 'string') return entriesOf(collection as object).has(item);
      throw new WrongKind(`${kindOf(item)} looked for among the keys of an object`);
    default:
      throw new WrongKind(`${kindOf(collection)} instead of a list or an object`);
  }
}

/** Three-valued: true where one is, else unknown where one is, else false. */
function some(comparisons: readonly (() => boolean)[]): boolean {
  return !every(comparisons.map((compare) => () => !compare()));
}
