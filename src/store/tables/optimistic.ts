import { setTimeout } from 'node:timers/promises';
import { BerthError } from '../../errors.ts';

/** Others must write a row that often in between, until a change of it is given up. */
export const MOST_TRIES = 10;
/** The wait before the third try, and the longest one, ms; each is random, so that two writers do not meet again. */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 250;

/**
 * Tries to change something stored until nobody else did so in between: `attempt` reads it, decides, and writes only what
 * is still as it was read. The second try comes at once, because the first may have begun from memory.
 *
 * @param what it is, as the subject of a sentence.
 * @param attempt answers `'conflict'` where another writer was faster. Given the number of earlier tries.
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` after ten tries
 */
export async function untilStored<Result>(
  what: string,
  attempt: (tries: number) => Promise<Result | 'conflict'>,
): Promise<Result> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if (tries > 1) await setTimeout(waitBefore(tries));
    const result = await attempt(tries);
    if (result !== 'conflict') return result;
  }
  throw new BerthError(
    'BERTH_STORE_UNAVAILABLE',
    `${what} was changed by other writers ${MOST_TRIES} times in a row. Berth tries again later.`,
  );
}

function waitBefore(tries: number): number {
  return Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
}
