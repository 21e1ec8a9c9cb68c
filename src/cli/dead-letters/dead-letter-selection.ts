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
 * Which dead letters a command is about.
 *
 * @param when before each description, such as `with --all: `.
 * @param code an example.
 */
export function selectionInputs(when: string, code: ErrorCode) {
  return {
    '--since <time>': timeBack(`${when}a duration back from now or a time`),
    '--until <time>': timeBack(`${when}as --since, not included`),
    '--code <code>': optional(`${when}such as ${code}`, readCode),
    '--hub <name>': text(`${when}the hub that the event says it is from`),
  };
}

export type Selection = Given<ReturnType<typeof selectionInputs>>;

function readCode(code: string | undefined, { name }: InputReading): ErrorCode | undefined {
  const known = LETTER_CODES.find((each) => each === code?.toUpperCase());
  if (code === undefined || known !== undefined) return known;
  throw invalid(`${name} is "${code}": write one of ${LETTER_CODES.join(', ')}.`);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` where the range ends before it begins */
export function filterOf({ since, until, code, hub }: Selection): LetterFilter {
  if (since !== undefined && until !== undefined && since.at >= until.at) {
    throw invalid(`--since ${since.text} is not before --until ${until.text}.`);
  }
  const hubName = hub === undefined ? undefined : shortName(hostName(hub));
  return { since: since?.at, until: until?.at, code, hubName };
}

/**
 * Refuses ids together with options that choose without them.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID`
 */
export function refuseBoth(ids: readonly string[], options: Readonly<Record<string, unknown>>): void {
  const given = givenFlags(options);
  if (ids.length > 0 && given.length > 0) throw invalid(`Give ids or ${given.join(' and ')}, not both.`);
}

/** Letters looked up at the same time; a person types few. */
const MOST_IDS = 1_000;

/**
 * The letters that ids name, each once.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID` for what is no id or names several letters, `BERTH_DEAD_LETTER_UNKNOWN`
 */
export async function namedLetters(
  { deadLetters, place }: State,
  ids: readonly string[],
): Promise<readonly LetterSummary[]> {
  if (ids.length > MOST_IDS) throw invalid(`These are ${ids.length} ids: give at most ${MOST_IDS} at once.`);
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
    `No dead letter ${unknown.map((id) => `"${id}"`).join(', ')} is in ${place}.`,
  );
}

async function namedLetter(store: DeadLetterStore, id: string): Promise<LetterSummary | undefined> {
  const found = await store.find(id);
  if (found === undefined) {
    throw invalid(
      `"${id}" is no id of a dead letter: write one as "berth dead-letters list" shows it, such as 2026-11-25/3/1234.`,
    );
  }
  if (found.length > 1) {
    const all = found.map((letter) => letter.id).join(', ');
    throw invalid(`"${id}" names ${found.length} dead letters: write one of ${all}.`);
  }
  return found[0];
}
