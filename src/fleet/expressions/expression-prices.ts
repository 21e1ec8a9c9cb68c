/**
 * The price of a call of a CEL function, in steps, in addition to the one step of each call. The prices come
 * from measurements of the worst input that a device can send. A function that is not listed gets the price
 * of several passes over its texts. A test compares the list with the functions of cel-js.
 *
 * @param operands the values, with the receiver first
 */
export function priceOfCall(name: string, operands: readonly unknown[]): number {
  const price = PRICES.get(name) ?? SLOW;
  return price(operands);
}

/** The price of an operator, in steps, in addition to the one step of each operator. */
export function priceOfOperator(operator: string, left: unknown, right: unknown): number {
  if (typeof left === 'string' && typeof right === 'string') {
    return (operator === '+' ? left.length + right.length : Math.min(left.length, right.length)) >> 6;
  }
  if (operator !== '+') return 0;
  return Array.isArray(left) && Array.isArray(right)
    ? (left.length + right.length) >> 3
    : (lengthOf(left) + lengthOf(right)) >> 6;
}

/**
 * The price of an error, in steps: cel-js reads the source to show the position.
 *
 * @param sourceLength the number of characters of the source
 */
export function priceOfError(sourceLength: number): number {
  return 25 + (sourceLength >> 5);
}

/** The names of functions with a listed price. */
export function pricedFunctions(): ReadonlySet<string> {
  return new Set(PRICES.keys());
}

type Price = (operands: readonly unknown[]) => number;

function lengthOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
}

const NOTHING: Price = () => 0;
/** One pass over texts in a native loop. */
const FAST: Price = (operands) => operands.reduce<number>((sum, each) => sum + lengthOf(each), 0) >> 6;
/** One pass in a slower loop, or several passes. */
const SLOW: Price = (operands) => operands.reduce<number>((sum, each) => sum + lengthOf(each), 0) >> 3;
/** Every position of one text is compared with every position of the other. */
const SEARCH: Price = ([text, sought]) =>
  ((lengthOf(text) * lengthOf(sought)) >> 7) + ((lengthOf(text) + lengthOf(sought)) >> 6);
/** A search, plus a new text for each position. */
const SPLIT: Price = (operands) => SEARCH(operands) + (lengthOf(operands[0]) >> 3);
/** Every character can become a list. */
const JSON_TEXT: Price = ([text]) => lengthOf(text) >> 1;
/** Two literal lists. */
const IN_LISTS: Price = ([, held, others]) =>
  ((held as readonly unknown[]).length + (others as readonly unknown[]).length) >> 3;
/** With a time zone, a date is formatted in that zone and parsed again. */
const OF_A_DATE: Price = (operands) => (operands.length > 1 ? 1_000 : 0);

const PRICES: ReadonlyMap<string, Price> = new Map<string, Price>([
  ...['at', 'bool', 'dyn', 'hasValue', 'none', 'of', 'type', 'value'].map((name) => [name, NOTHING] as const),
  ...['endsWith', 'startsWith', 'substring', 'trim'].map((name) => [name, FAST] as const),
  ...[
    'base64',
    'bytes',
    'double',
    'hex',
    'int',
    'lowerAscii',
    'size',
    'string',
    'timestamp',
    'uint',
    'upperAscii',
  ].map((name) => [name, SLOW] as const),
  ...['contains', 'indexOf', 'lastIndexOf'].map((name) => [name, SEARCH] as const),
  ['split', SPLIT],
  ['json', JSON_TEXT],
  ['oneOf', IN_LISTS],
  ...[
    'getDate',
    'getDayOfMonth',
    'getDayOfWeek',
    'getDayOfYear',
    'getFullYear',
    'getHours',
    'getMilliseconds',
    'getMinutes',
    'getMonth',
    'getSeconds',
  ].map((name) => [name, OF_A_DATE] as const),
]);
