import { isObject } from '../../../src/json/json.ts';
import type { QueryValue } from './syntax.ts';

/** A function of the query language. It gets and returns undefined where a value is not defined. */
export interface QueryFunction {
  /** The least and most parameters. */
  readonly parameters: readonly [least: number, most: number];
  readonly apply: (...values: readonly QueryValue[]) => QueryValue;
}

/**
 * The functions by their names in lower case (iot-hub-devguide-query-language.md, "Functions"). Microsoft documents
 * IS_DEFINED for twins and jobs, and the others for routes. In practice, twin queries also take STARTSWITH, ENDSWITH,
 * CONTAINS and the functions that check types.
 */
export const FUNCTIONS: ReadonlyMap<string, QueryFunction> = new Map<string, QueryFunction>([
  ['is_defined', of1((value) => value !== undefined)],
  ['is_null', of1((value) => value === null)],
  ['is_bool', of1((value) => typeof value === 'boolean')],
  ['is_number', of1((value) => typeof value === 'number')],
  ['is_string', of1((value) => typeof value === 'string')],
  ['is_object', of1((value) => isObject(value))],
  ['is_array', of1((value) => Array.isArray(value))],
  ['is_primitive', of1((value) => value !== undefined && (value === null || typeof value !== 'object'))],
  ['as_number', of1(asNumber)],
  ['abs', ofNumber(Math.abs)],
  ['exp', ofNumber(Math.exp)],
  ['square', ofNumber((value) => value * value)],
  ['sqrt', ofNumber(Math.sqrt)],
  ['ceiling', ofNumber(Math.ceil)],
  ['floor', ofNumber(Math.floor)],
  ['sign', ofNumber(Math.sign)],
  ['power', { parameters: [2, 2], apply: (base, exponent) => powerOf(base, exponent) }],
  ['lower', ofText((text) => text.toLowerCase())],
  ['upper', ofText((text) => text.toUpperCase())],
  ['length', ofText((text) => text.length)],
  ['concat', { parameters: [2, 100], apply: concat }],
  ['substring', { parameters: [2, 3], apply: substring }],
  ['index_of', ofTexts((text, part) => text.indexOf(part))],
  ['startswith', ofTexts((text, part) => text.startsWith(part))],
  ['starts_with', ofTexts((text, part) => text.startsWith(part))],
  ['endswith', ofTexts((text, part) => text.endsWith(part))],
  ['ends_with', ofTexts((text, part) => text.endsWith(part))],
  ['contains', ofTexts((text, part) => text.includes(part))],
  ['array_contains', { parameters: [2, 2], apply: arrayContains }],
]);

function of1(apply: (value: QueryValue) => QueryValue): QueryFunction {
  return { parameters: [1, 1], apply };
}

function ofNumber(apply: (value: number) => number): QueryFunction {
  return of1((value) => (typeof value === 'number' ? finite(apply(value)) : undefined));
}

function ofText(apply: (text: string) => QueryValue): QueryFunction {
  return of1((value) => (typeof value === 'string' ? apply(value) : undefined));
}

function ofTexts(apply: (text: string, part: string) => QueryValue): QueryFunction {
  return {
    parameters: [2, 2],
    apply: (text, part) =>
      typeof text === 'string' && typeof part === 'string' ? apply(text, part) : undefined,
  };
}

/** JSON has no infinite numbers. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function asNumber(value: QueryValue): QueryValue {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? finite(Number(value)) : undefined;
}

function powerOf(base: QueryValue, exponent: QueryValue): QueryValue {
  return typeof base === 'number' && typeof exponent === 'number' ? finite(base ** exponent) : undefined;
}

function concat(...values: readonly QueryValue[]): QueryValue {
  return values.every((value) => typeof value === 'string') ? values.join('') : undefined;
}

function substring(text: QueryValue, start: QueryValue, length?: QueryValue): QueryValue {
  if (typeof text !== 'string' || typeof start !== 'number' || start < 0) return undefined;
  if (length === undefined) return text.slice(start);
  return typeof length === 'number' && length >= 0 ? text.slice(start, start + length) : undefined;
}

function arrayContains(array: QueryValue, item: QueryValue): QueryValue {
  if (!Array.isArray(array) || item === undefined) return undefined;
  return typeof item === 'object' && item !== null ? undefined : array.includes(item);
}
