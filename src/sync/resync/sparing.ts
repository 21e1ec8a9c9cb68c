import { BerthError } from '../../errors.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { ResyncContext } from './resync-context.ts';

/**
 * Works on one twin, so that an error does not stop the run. A defect is logged. A twin that a newer package has stored is
 * left to that package; the store reports it.
 *
 * @returns false if the work failed. It would fail again in this run.
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
    warn(`Berth failed on ${twinKey(id)} because of a defect (${reason}).`, {
      code: 'BERTH_DEFECT',
      twin: twinKey(id),
    });
    return false;
  }
}

/**
 * Does a part of a run, or skips it if a newer package has stored the data that it needs. The other parts continue. The
 * store reports the newer data.
 */
export async function unlessNewer<Result>(skipped: Result, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NewerFormatError) return skipped;
    throw error;
  }
}
