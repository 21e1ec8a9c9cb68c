import { BerthError } from '../errors.ts';

/** For an option that has a value nobody can use. */
export function invalid(message: string): BerthError {
  return new BerthError('BERTH_ARGUMENT_INVALID', message);
}

/**
 * A whole number, `least` or more; undefined where the option is not given.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function wholeNumber(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw invalid(`${name} is "${text}": write a whole number of at least ${least}.`);
}
