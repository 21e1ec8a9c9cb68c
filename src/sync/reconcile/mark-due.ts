import { BerthError } from '../../errors.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import { type Mark, markUnread } from '../../twin/events/mark.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';

/** How often a twin is marked again because an instance changed its record meanwhile. */
const MAX_CONFLICTS = 8;

/**
 * Makes a twin due for a read from its hub, whatever is known of it: `resyncFleet` does it when its time has come. `'deleted'`
 * where the twin was deleted after `since`, and stays so.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 * @example
 * await markForRead(store, id, { since, why: 'its hub failed over', priority: 'resync', now: Date.now() });
 */
export async function markForRead(
  store: Pick<TwinStore, 'load' | 'save'>,
  id: TwinId,
  { now, ...mark }: Omit<Mark, 'at'> & { readonly now: number },
): Promise<'marked' | 'deleted'> {
  for (let attempt = 0; attempt < MAX_CONFLICTS; attempt += 1) {
    const record = await store.load(id);
    const known = markUnread(record.known, id, { ...mark, at: now });
    if (known.kind !== 'shadow') return 'deleted';
    const options = { rewrites: mark.isResync === true };
    if ((await store.save(record, known, options)) !== 'conflict') return 'marked';
  }
  throw new BerthError(
    'BERTH_STORE_UNAVAILABLE',
    `The record of ${twinKey(id)} is being changed by others all the time.`,
  );
}
