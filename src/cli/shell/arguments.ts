import { BerthError } from '../../errors.ts';
import { parseDuration } from '../../time/duration.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';

/** For an option that has a value nobody can use. */
export function invalid(message: string): BerthError {
  return new BerthError('BERTH_ARGUMENT_INVALID', message);
}

/** The flags that are given, of flags with their values. */
export function givenFlags(values: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(values).filter((flag) => values[flag] !== undefined && values[flag] !== false);
}

/**
 * A whole number, `least` or more; undefined where the option is not given.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readWholeNumber(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw invalid(`${name} is "${text}": write a whole number of at least ${least}.`);
}

/** With a zone, or a date alone: a time without one would be another for each reader. */
export const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** A time that an option names. */
export interface TimeBack {
  /** As it was written, such as `7d`. */
  readonly text: string;
  readonly at: EpochMs;
}

/**
 * A time, or a duration that goes back from now.
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
 * Why something is done: it is shown to other operators.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function readReason(text: string, { name }: { readonly name: string }): string {
  const reason = text.trim();
  if (reason === '' || reason.length > LONGEST_REASON) {
    throw invalid(`${name} has ${reason.length} characters: write 1 to ${LONGEST_REASON}.`);
  }
  // Others read it on their terminals.
  if (/\p{Cc}/u.test(reason)) throw invalid(`${name} holds a line break or another control character.`);
  return reason;
}
