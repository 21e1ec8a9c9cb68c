import type { JsonValue } from '../json/json.ts';

/**
 * How a reported or a desired value is compared with the wanted one.
 *
 * - `exact`: the same JSON value. The default.
 * - `number`: numbers, and texts that hold one (`"5000"` and 5000), and the same 32-bit float.
 * - `text`: texts, numbers, true and false as they are written (`"true"` and true).
 * - `ignoreCase`: as `text`, whatever the case.
 * - `instant`: dates with a time and a zone that name the same moment.
 * - `set`: lists with the same items in any order.
 *
 * What is the same by `exact` is the same by each of them.
 */
export const COMPARISONS = ['exact', 'number', 'text', 'ignoreCase', 'instant', 'set'] as const;
export type Comparison = (typeof COMPARISONS)[number];

/**
 * How a device says what it did about a desired value.
 *
 * - `pnp`: `{value, ac, av, ad}`, as concepts-convention has it, or the value itself. The default.
 * - `central`: also as devices of older Azure IoT Central applications do: `{value, status, statusCode,
 *   desiredVersion, message}`, with codes as numbers or texts.
 * - `echo`: the value itself. An object is never an acknowledgement.
 */
export const ACKNOWLEDGEMENTS = ['pnp', 'central', 'echo'] as const;
export type Acknowledgement = (typeof ACKNOWLEDGEMENTS)[number];

const ANSWER_NAMES: readonly string[] = [
  'ac',
  'av',
  'ad',
  'status',
  'statusCode',
  'desiredVersion',
  'message',
];

/** Whether a field of this name, beside a value, is a part of an acknowledgement in one of the conventions. */
export function isAnswerName(name: string): boolean {
  return ANSWER_NAMES.includes(name);
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The number that a value is or holds as text; undefined: none. A whole number of more than 53 bits in a text is
 * none, because two of them can round to the same number.
 */
export function numberIn(value: JsonValue): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (!NUMBER.test(text)) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? undefined : number;
}

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,30}))?)? ?(?:[Zz]|([+-])(\d{2}):?(\d{2})?)$/;

/**
 * The moment that a text names, in one form for each moment and to the last digit; undefined: none. A date without a
 * zone names no moment.
 *
 * @example momentIn('2026-06-01T22:00:00+02:00') === momentIn('2026-06-01T20:00:00.000Z')
 */
export function momentIn(value: JsonValue): string | undefined {
  const match = typeof value === 'string' ? INSTANT.exec(value.trim()) : null;
  if (match === null) return undefined;
  const [, date = '', time = '', seconds = '00', fraction = '', sign, hours = '0', minutes = '0'] = match;
  const local = new Date(`${date}T${time}:${seconds}Z`);
  // A day that the month does not have would be taken for one of the next month.
  if (Number.isNaN(local.getTime()) || local.toISOString().slice(0, 10) !== date) return undefined;
  const offset = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) > 59 || offset > 24 * 60) return undefined;
  const moment = local.getTime() - (sign === '-' ? -offset : offset) * 60_000;
  return `${moment / 1_000}.${fraction.replace(/0+$/, '')}`;
}
