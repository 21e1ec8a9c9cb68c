import { isObject, type JsonValue } from '../../../src/json/json.ts';

/** The value of a part of a condition; undefined as IoT Hub means it: no such property, or an operation without a result. */
export type ConditionValue = JsonValue | undefined;

export interface ConditionFunction {
  /** The least and the most values that it takes. */
  readonly operands: readonly [number, number];
  readonly call: (...values: readonly ConditionValue[]) => ConditionValue;
}

/**
 * The functions of route conditions (iot-hub-devguide-query-language.md, "Functions"), by their names in lower case. With a
 * value of a wrong type, the result is undefined.
 */
export const CONDITION_FUNCTIONS: Readonly<Record<string, ConditionFunction>> = {
  abs: ofNumber(Math.abs),
  exp: ofNumber(Math.exp),
  square: ofNumber((x) => x * x),
  ceiling: ofNumber(Math.ceil),
  floor: ofNumber(Math.floor),
  sign: ofNumber(Math.sign),
  sqrt: ofNumber(Math.sqrt),
  power: {
    operands: [2, 2],
    call: (x, y) => (typeof x === 'number' && typeof y === 'number' ? finite(x ** y) : undefined),
  },
  as_number: { operands: [1, 1], call: asNumber },
  is_array: predicate((value) => Array.isArray(value)),
  is_bool: predicate((value) => typeof value === 'boolean'),
  // "when the value is a primitive type" (iot-hub-devguide-routing-query-syntax.md)
  is_defined: predicate(isPrimitive),
  is_null: predicate((value) => value === null),
  is_number: predicate((value) => typeof value === 'number'),
  is_object: predicate((value) => isObject(value)),
  is_primitive: predicate(isPrimitive),
  is_string: predicate((value) => typeof value === 'string'),
  concat: {
    operands: [1, Number.POSITIVE_INFINITY],
    call: (...values) => (values.every((value) => typeof value === 'string') ? values.join('') : undefined),
  },
  length: ofText((text) => text.length),
  lower: ofText((text) => text.toLowerCase()),
  upper: ofText((text) => text.toUpperCase()),
  substring: { operands: [2, 3], call: substring },
  index_of: ofTexts((text, part) => text.indexOf(part)),
  starts_with: ofTexts((text, part) => text.startsWith(part)),
  ends_with: ofTexts((text, part) => text.endsWith(part)),
  contains: ofTexts((text, part) => text.includes(part)),
};

function isPrimitive(value: ConditionValue): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function finite(number: number): number | undefined {
  return Number.isFinite(number) ? number : undefined;
}

function asNumber(value: ConditionValue): ConditionValue {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return finite(Number(value));
}

/** From a character, for a length or to the end. */
function substring(text: ConditionValue, start: ConditionValue, length: ConditionValue): ConditionValue {
  if (typeof text !== 'string' || typeof start !== 'number') return undefined;
  if (length !== undefined && typeof length !== 'number') return undefined;
  const end = length === undefined ? text.length : start + length;
  return start < 0 || start > text.length || end < start || end > text.length
    ? undefined
    : text.slice(start, end);
}

function ofNumber(call: (x: number) => number): ConditionFunction {
  return { operands: [1, 1], call: (x) => (typeof x === 'number' ? finite(call(x)) : undefined) };
}

function ofText(call: (text: string) => ConditionValue): ConditionFunction {
  return { operands: [1, 1], call: (text) => (typeof text === 'string' ? call(text) : undefined) };
}

function ofTexts(call: (text: string, part: string) => ConditionValue): ConditionFunction {
  return {
    operands: [2, 2],
    call: (text, part) =>
      typeof text === 'string' && typeof part === 'string' ? call(text, part) : undefined,
  };
}

function predicate(call: (value: ConditionValue) => boolean): ConditionFunction {
  return { operands: [1, 1], call };
}
