/** Whether a route value is valid. */
export type RouteConstraint = (value: string) => boolean;

const integer = (value: string): number => (/^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN);
const isWithin = (value: number, from: number, to: number): boolean => value >= from && value <= to;
const isNumber = (value: string): boolean => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value);

/** The inline constraints of ASP.NET Core by name; source: its documentation on routing. */
const CONSTRAINTS: Readonly<Record<string, (argument: string) => RouteConstraint>> = {
  int: () => (value) => isWithin(integer(value), -(2 ** 31), 2 ** 31 - 1),
  long: () => (value) => /^[+-]?\d{1,19}$/.test(value),
  bool: () => (value) => /^(true|false)$/i.test(value),
  datetime: () => (value) => !Number.isNaN(Date.parse(value)),
  decimal: () => (value) => /^[+-]?\d+(\.\d+)?$/.test(value),
  double: () => isNumber,
  float: () => isNumber,
  guid: () => (value) => /^\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?$/i.test(value),
  alpha: () => (value) => /^[a-z]*$/i.test(value),
  required: () => (value) => value !== '',
  minlength: (least) => (value) => value.length >= Number(least),
  maxlength: (most) => (value) => value.length <= Number(most),
  length: (lengths) => {
    const [from = 0, to = from] = lengths.split(',').map(Number);
    return (value) => isWithin(value.length, from, to);
  },
  min: (least) => (value) => integer(value) >= Number(least),
  max: (most) => (value) => integer(value) <= Number(most),
  range: (bounds) => {
    const [from = 0, to = from] = bounds.split(',').map(Number);
    return (value) => isWithin(integer(value), from, to);
  },
  regex: (pattern) => {
    const expression = new RegExp(pattern, 'i');
    return (value) => expression.test(value);
  },
};

/**
 * The constraint called `name`, such as `range` with the argument `1,10`; undefined if ASP.NET has no constraint of
 * this name.
 */
export function routeConstraint(name: string, argument: string): RouteConstraint | undefined {
  return Object.hasOwn(CONSTRAINTS, name) ? CONSTRAINTS[name]?.(argument) : undefined;
}
