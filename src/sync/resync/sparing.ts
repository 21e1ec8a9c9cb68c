import { BerthError } from '../../errors.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { ResyncContext } from './resync-context.ts';

/** A defect while working on one twin is told, and costs nobody else the run. */
export async function sparing(
  id: TwinId,
  { warn }: Pick<ResyncContext, 'warn'>,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BerthError && error.code !== 'BERTH_DEFECT') throw error;
    const reason = error instanceof Error ? error.name : 'error';
    warn(`A defect while working on ${twinKey(id)} (${reason}).`, {
      code: 'BERTH_DEFECT',
      twin: twinKey(id),
    });
  }
}
