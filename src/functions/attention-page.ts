import type { AttentionPage } from '../api/contract.ts';
import type { Hub } from '../fleet/fleet.ts';
import type { Attention, TwinStore } from '../store/twins/twin-store.ts';
import { type Redaction, redactReason } from '../twin/events/redact.ts';
import { cursorText, listedPartitions, readCursor } from './cursor.ts';
import { isoTime } from './http-answer.ts';

/** Which part of the attention list is wanted. */
export interface AttentionRequest {
  readonly hubs: readonly Hub[];
  readonly top: number;
  /** What `next` of the page before had. */
  readonly after?: string | undefined;
  readonly redaction: Redaction;
}

/**
 * The twins that need attention, and the start of the next page.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID`
 */
export async function attentionPage(
  twins: Pick<TwinStore, 'attention' | 'partitionsWithAttention'>,
  { hubs, top, after, redaction }: AttentionRequest,
): Promise<AttentionPage> {
  const partitions = listedPartitions(hubs);
  const cursor = readCursor(after, partitions, 'att|');
  const begin = cursor === undefined ? 0 : partitions.indexOf(cursor.partition);
  const hasRows = await twins.partitionsWithAttention();
  const items: Attention[] = [];
  for (const partition of partitions.slice(begin).filter(hasRows)) {
    const last = partition === cursor?.partition ? cursor.rowKey : undefined;
    const rows = await twins.attention(partition, last, top - items.length);
    items.push(...rows);
    const { rowKey } = rows.at(-1) ?? {};
    if (items.length === top && rowKey !== undefined)
      return { items: items.map(describe), next: cursorText({ partition, rowKey }) };
  }
  return { items: items.map(describe), next: null };

  function describe(attention: Attention): AttentionPage['items'][number] {
    // What is stored may be older than the path that redacts it.
    const { id, status, since, why } = redactReason(attention, redaction);
    return {
      hub: id.host,
      deviceId: id.deviceId,
      ...(id.moduleId === undefined ? {} : { moduleId: id.moduleId }),
      status,
      since: isoTime(since),
      why,
    };
  }
}
