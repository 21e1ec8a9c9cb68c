/** A value of a condition. Undefined: the message does not have it. */
export type RouteValue = string | number | boolean | null | undefined;

/** One function of conditions (Routing.Core/query/Builtins). */
export interface RouteFunction {
  readonly least: number;
  readonly most: number;
  /** With other types of values, the result is undefined. */
  readonly of: (...values: RouteValue[]) => RouteValue;
}

const numeric = (of: (value: number) => number): RouteFunction => ({
  least: 1,
  most: 1,
  of: (value) => (typeof value === 'number' ? of(value) : undefined),
});
const ofText = (of: (text: string) => RouteValue): RouteFunction => ({
  least: 1,
  most: 1,
  of: (value) => (typeof value === 'string' ? of(value) : undefined),
});
const ofTexts = (of: (text: string, part: string) => RouteValue): RouteFunction => ({
  least: 2,
  most: 2,
  of: (text, part) => (typeof text === 'string' && typeof part === 'string' ? of(text, part) : undefined),
});
const asks = (of: (value: RouteValue) => boolean): RouteFunction => ({ least: 1, most: 1, of });

/** The functions of conditions, by their name in lower case. */
export const ROUTE_FUNCTIONS: ReadonlyMap<string, RouteFunction> = new Map(
  Object.entries({
    abs: numeric(Math.abs),
    exp: numeric(Math.exp),
    square: numeric((value) => value * value),
    ceiling: numeric(Math.ceil),
    floor: numeric(Math.floor),
    sign: numeric(Math.sign),
    sqrt: numeric(Math.sqrt),
    power: {
      least: 2,
      most: 2,
      of: (base, exponent) =>
        typeof base === 'number' && typeof exponent === 'number' ? base ** exponent : undefined,
    },
    as_number: { least: 1, most: 1, of: numberOf },
    length: ofText((text) => text.length),
    lower: ofText((text) => text.toLowerCase()),
    upper: ofText((text) => text.toUpperCase()),
    index_of: ofTexts((text, part) => text.indexOf(part)),
    starts_with: ofTexts((text, part) => text.startsWith(part)),
    ends_with: ofTexts((text, part) => text.endsWith(part)),
    contains: ofTexts((text, part) => text.includes(part)),
    substring: { least: 2, most: 3, of: substring },
    concat: {
      least: 2,
      most: Number.POSITIVE_INFINITY,
      of: (...values) => (values.every((value) => typeof value === 'string') ? values.join('') : undefined),
    },
    is_bool: asks((value) => typeof value === 'boolean'),
    is_defined: asks((value) => value !== undefined),
    is_null: asks((value) => value === null),
    is_number: asks((value) => typeof value === 'number'),
    is_string: asks((value) => typeof value === 'string'),
  } satisfies Record<string, RouteFunction>),
);

function numberOf(value: RouteValue): RouteValue {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function substring(text: RouteValue, start: RouteValue, length?: RouteValue): RouteValue {
  if (typeof text !== 'string' || typeof start !== 'number') return undefined;
  if (length !== undefined && typeof length !== 'number') return undefined;
  return text.slice(start, length === undefined ? undefined : start + length);
}
