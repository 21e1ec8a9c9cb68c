import { BerthError, ERRORS, type ErrorCode } from '../../errors.ts';
import { hostName, shortName } from '../../iot-hub/host-name.ts';
import type {
  DeadLetterStore,
  LetterFilter,
  LetterSummary,
} from '../../store/dead-letters/dead-letter-store.ts';
import { givenFlags, invalid } from '../shell/arguments.ts';
import { type Given, type InputReading, optional, text, timeBack } from '../shell/inputs.ts';
import type { State } from '../shell/state.ts';

/** The codes that a dead letter may have. */
const LETTER_CODES = (Object.keys(ERRORS) as ErrorCode[]).filter(
  (code) => code.startsWith('BERTH_EVENT_') || code === 'BERTH_DEFECT',
);

/**
 * The options that select dead letters.
 *
 * @param when text before each description, such as `with --all: `.
 * @param code an example of a code, for the help.
 */
export function selectionInputs(when: string, code: ErrorCode) {
  return {
    '--since <time>': timeBack(`${when}only events since then: a duration before now, or a time`),
    '--until <time>': timeBack(`${when}only events before then: a duration before now, or a time`),
    '--code <code>': optional(`${when}only events with this code, such as ${code}`, readCode),
    '--hub <name>': text(`${when}only events that name this hub`),
  };
}

export type Selection = Given<ReturnType<typeof selectionInputs>>;

function readCode(code: string | undefined, { name }: InputReading): ErrorCode | undefined {
  const known = LETTER_CODES.find((each) => each === code?.toUpperCase());
  if (code === undefined || known !== undefined) return known;
  throw invalid(`${name} is "${code}": write one of ${LETTER_CODES.join(', ')}.`);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` if `--since` is not before `--until` */
export function filterOf({ since, until, code, hub }: Selection): LetterFilter {
  if (since !== undefined && until !== undefined && since.at >= until.at) {
    throw invalid(`--since ${since.text} is not before --until ${until.text}: give an earlier --since.`);
  }
  const hubName = hub === undefined ? undefined : shortName(hostName(hub));
  return { since: since?.at, until: until?.at, code, hubName };
}

/**
 * Refuses ids together with options that select letters.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function refuseBoth(ids: readonly string[], options: Readonly<Record<string, unknown>>): void {
  const given = givenFlags(options);
  if (ids.length > 0 && given.length > 0) throw invalid(`Give ids or ${given.join(' and ')}, not both.`);
}

/** The most ids in one command. */
const MOST_IDS = 1_000;

/**
 * The letters with these ids, each once.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID` for an invalid id or an id of several letters,
 *   `BERTH_DEAD_LETTER_UNKNOWN`
 */
export async function namedLetters(
  { deadLetters, place }: State,
  ids: readonly string[],
): Promise<readonly LetterSummary[]> {
  if (ids.length > MOST_IDS)
    throw invalid(`${ids.length} ids are too many: give at most ${MOST_IDS} in one command.`);
  const letters = new Map<string, LetterSummary>();
  const unknown: string[] = [];
  for (const id of ids) {
    const letter = await namedLetter(deadLetters, id);
    if (letter === undefined) unknown.push(id);
    else letters.set(letter.id, letter);
  }
  if (unknown.length === 0) return [...letters.values()];
  throw new BerthError(
    'BERTH_DEAD_LETTER_UNKNOWN',
    `Unknown dead letter: ${unknown.map((id) => `"${id}"`).join(', ')}. Run "berth dead-letters list" to see those in ${place}.`,
  );
}

async function namedLetter(store: DeadLetterStore, id: string): Promise<LetterSummary | undefined> {
  const found = await store.find(id);
  if (found === undefined) {
    throw invalid(
      `"${id}" is not an id of a dead letter: write an id as "berth dead-letters list" shows it, such as 2026-11-25/3/1234.`,
    );
  }
  if (found.length > 1) {
    const all = found.map((letter) => letter.id).join(', ');
    throw invalid(`"${id}" matches ${found.length} dead letters: write one of ${all}.`);
  }
  return found[0];
}
