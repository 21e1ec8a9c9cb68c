import type { JsonValue } from '../json/json.ts';

/**
 * How a reported or a desired value is compared with the wanted one.
 *
 * - `exact`: the same JSON value. The default.
 * - `number`: the same number, also as text (`"5000"` and 5000) or as the same 32-bit float.
 * - `text`: the same text, also of numbers, true and false (`"true"` and true).
 * - `ignoreCase`: like `text`, but the case is ignored.
 * - `instant`: dates with time and zone that are the same moment.
 * - `set`: lists with the same items in any order.
 *
 * Values that are equal by `exact` are equal by all of them.
 */
export const COMPARISONS = ['exact', 'number', 'text', 'ignoreCase', 'instant', 'set'] as const;
export type Comparison = (typeof COMPARISONS)[number];

/**
 * How a device acknowledges a desired value.
 *
 * - `pnp`: `{value, ac, av, ad}` (concepts-convention), or the value itself. The default.
 * - `central`: also the form of older Azure IoT Central applications: `{value, status, statusCode,
 *   desiredVersion, message}`, with codes as numbers or texts.
 * - `echo`: only the value itself. An object is never an acknowledgement.
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

/** Whether a field of this name is part of an acknowledgement in one of the conventions. */
export function isAnswerName(name: string): boolean {
  return ANSWER_NAMES.includes(name);
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The number that a value is, or that its text contains; undefined if it is not a number. A text with a whole
 * number of more than 53 bits is not a number, because two of them can round to the same number.
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
 * The moment of a text, in one exact form for each moment; undefined if the text is not a moment. A date
 * without a zone is not a moment.
 *
 * @example momentIn('2026-06-01T22:00:00+02:00') === momentIn('2026-06-01T20:00:00.000Z')
 */
export function momentIn(value: JsonValue): string | undefined {
  const match = typeof value === 'string' ? INSTANT.exec(value.trim()) : null;
  if (match === null) return undefined;
  const [, date = '', time = '', seconds = '00', fraction = '', sign, hours = '0', minutes = '0'] = match;
  const local = new Date(`${date}T${time}:${seconds}Z`);
  // `Date` would move a day that the month does not have to the next month.
  if (Number.isNaN(local.getTime()) || local.toISOString().slice(0, 10) !== date) return undefined;
  const offset = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) > 59 || offset > 24 * 60) return undefined;
  const moment = local.getTime() - (sign === '-' ? -offset : offset) * 60_000;
  return `${moment / 1_000}.${fraction.replace(/0+$/, '')}`;
}
