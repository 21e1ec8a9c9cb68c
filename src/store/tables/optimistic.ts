import { setTimeout } from 'node:timers/promises';
import { BerthError } from '../../errors.ts';

/** How often a change is tried while other writers change the row. */
export const MOST_TRIES = 10;
/** The limits of the random waits before the third and later tries. Random waits separate two writers. */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 250;

/**
 * Repeats a change of stored data until no other writer changed the data in between. `attempt` reads, decides, and writes
 * only if the data is unchanged. The second try is immediate, because the first one may have used data from memory.
 *
 * @param what the stored data, as the subject of a sentence.
 * @param wait how it waits before a try, ms. Default: a timer. Runs on virtual time give their own.
 * @param attempt gets the number of earlier tries. Returns `'conflict'` if another writer was faster.
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` after ten tries
 */
export async function untilStored<Result>(
  what: string,
  attempt: (tries: number) => Promise<Result | 'conflict'>,
  wait: (ms: number) => Promise<unknown> = setTimeout,
): Promise<Result> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    if (tries > 1) await wait(waitBefore(tries));
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
