import { untilStored } from '../../store/tables/optimistic.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Mark, markUnread } from '../../twin/events/mark.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { SyncContext } from './sync-context.ts';

/**
 * Marks a twin to be read from its hub, and adds a work item for `resyncFleet`. Returns `'deleted'` if the twin was deleted
 * after `since`: it stays deleted.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`; `BERTH_FORMAT_NEWER` for a twin that a newer package has stored
 * @example
 * await markForRead(store, id, { since, why: 'its hub failed over', priority: 'resync', now });
 */
export async function markForRead(
  store: Pick<TwinStore, 'load' | 'save'>,
  id: TwinId,
  { now, wait, ...mark }: Omit<Mark, 'at'> & Pick<SyncContext, 'wait'> & { readonly now: EpochMs },
): Promise<'marked' | 'deleted'> {
  return untilStored(
    `The record of ${twinKey(id)}`,
    async () => {
      const record = await store.load(id);
      const known = markUnread(record.known, id, { ...mark, at: now });
      if (known.kind !== 'snapshot') return 'deleted';
      const options = { rewrites: mark.isResync === true };
      return (await store.save(record, known, options)) === 'conflict' ? 'conflict' : 'marked';
    },
    wait,
  );
}
