import { BerthError } from '../../errors.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { ResyncContext } from './resync-context.ts';

/**
 * Works on one twin, which costs no other twin the run. A defect is told. A twin that a newer package has stored is left to that
 * package, and the store tells of it.
 *
 * @returns whether the work was done; else it would fail again in this run.
 */
export async function sparing(
  id: TwinId,
  { warn }: Pick<ResyncContext, 'warn'>,
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof NewerFormatError) return false;
    if (error instanceof BerthError && error.code !== 'BERTH_DEFECT') throw error;
    const reason = error instanceof Error ? error.name : 'error';
    warn(`A defect while working on ${twinKey(id)} (${reason}).`, {
      code: 'BERTH_DEFECT',
      twin: twinKey(id),
    });
    return false;
  }
}

/**
 * Does a part of a run, or leaves it to the newer package that has stored what it needs: the other parts need not wait for that
 * package. The store tells of it.
 */
export async function unlessNewer<Result>(skipped: Result, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NewerFormatError) return skipped;
    throw error;
  }
}
