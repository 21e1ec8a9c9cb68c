import { BerthError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { parseDuration } from '../../time/duration.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';

/** The error for an invalid option or argument. */
export function invalid(message: string): BerthError {
  return new BerthError('BERTH_ARGUMENT_INVALID', message);
}

/** Of flags with their values, those that are given. */
export function givenFlags(values: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(values).filter((flag) => values[flag] !== undefined && values[flag] !== false);
}

/**
 * Reads a whole number, `least` or more; undefined if the option is not given.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readWholeNumber(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw invalid(`${name} is "${text}": write a whole number of at least ${least}.`);
}

/**
 * A date, or a time with its zone. Without a zone, the same text would be a different time for each reader.
 */
export const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** A time that an option gives. */
export interface TimeBack {
  /** As it was written, such as `7d`. */
  readonly text: string;
  readonly at: EpochMs;
}

/**
 * Reads a time, or a duration before now.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readTimeBack(name: string, text: string, now: EpochMs): TimeBack {
  const duration = parseDuration(text);
  const at = duration === undefined && TIME.test(text) ? Date.parse(text) : now - (duration ?? Number.NaN);
  if (Number.isFinite(at)) return { text, at: epochMs(at) };
  throw invalid(
    `${name} is "${text}": write a duration such as 12h or 7d, or a time such as 2026-11-25 or 2026-11-25T18:00Z.`,
  );
}

const LONGEST_REASON = 256;

/**
 * Reads the reason of a change, which other operators see.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readReason(text: string, { name }: { readonly name: string }): string {
  const reason = text.trim();
  if (reason === '' || reason.length > LONGEST_REASON) {
    throw invalid(`${name} has ${reason.length} characters: write 1 to ${LONGEST_REASON}.`);
  }
  // Other operators see the reason on their terminals.
  if (/\p{Cc}/u.test(reason))
    throw invalid(`${name} contains a line break or another control character: remove it.`);
  return reason;
}

/**
 * Reads one of several words; undefined if the option is not given.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readChoice<Choice extends string>(
  name: string,
  text: string | undefined,
  choices: readonly Choice[],
): Choice | undefined {
  const known = choices.find((choice) => choice === text);
  if (text === undefined || known !== undefined) return known;
  const near = nearest(text, choices);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw invalid(`${name} is "${text}": write one of ${choices.join(', ')}.${hint}`);
}
