import type { EpochMs } from '../../time/epoch-ms.ts';
import { deleteRows } from '../tables/delete-rows.ts';
import { escapeId, prefixRange } from '../tables/keys.ts';
import { untilStored } from '../tables/optimistic.ts';
import type { Table } from '../tables/tables.ts';
import { type CountedEvents, type EventCount, EventCounts } from './event-counts.ts';

/** The count of events that could not be decoded, beyond the limit of stored dead letters. */
export type LetterCount = CountedEvents<'hub' | 'source' | 'code'>;

/** How many dead letters of an hour are stored. Further ones are only counted. */
export const MOST_LETTERS_AN_HOUR = 10_000;

const PARTITION = 'letter-hours';
const MOST_FORGOTTEN = 1_000;

/** The number of stored dead letters of each hour, and the counts of further ones. */
export class LetterHours {
  readonly #table: Table;
  readonly #beyond: EventCounts<'hub' | 'source' | 'code'>;
  readonly #most: number;

  constructor(table: Table, most = MOST_LETTERS_AN_HOUR) {
    this.#table = table;
    this.#beyond = new EventCounts(table, 'letters-beyond', ['hub', 'source', 'code']);
    this.#most = most;
  }

  /**
   * Reserves places for letters in this hour, and returns how many may be stored. Each partition of the Event Hub has its
   * own row. So partitions that reserve at the same moment may exceed the limit by one batch each.
   *
   * @param shard the partition of the Event Hub.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`
   */
  async reserve(letters: number, shard: string, now: EpochMs): Promise<number> {
    const hour = hourOf(now);
    const own = `${hour}|${escapeId(shard)}`;
    return untilStored(`The number of dead letters of ${hour}`, async () => {
      const rows = await this.#table.list({ partitionKey: PARTITION, range: prefixRange(`${hour}|`) });
      const kept = rows.reduce((sum, { properties }) => sum + Number(properties.kept), 0);
      const granted = Math.max(0, Math.min(letters, this.#most - kept));
      if (granted === 0) return 0;
      const row = rows.find(({ rowKey }) => rowKey === own);
      const properties = { kept: Number(row?.properties.kept ?? 0) + granted };
      const result = await this.#table.putIfUnchanged(PARTITION, own, properties, row?.etag);
      return result === 'written' ? granted : result;
    });
  }

  /** Adds to the counts of letters beyond the limit. */
  addBeyond(counts: readonly LetterCount[], shard: string, now: EpochMs): Promise<void> {
    return this.#beyond.add(counts, { now, shard, scope: hourOf(now) });
  }

  /** The counts beyond the limit since the hour of a time, the greatest first. */
  beyond(since: EpochMs): Promise<readonly EventCount<'hub' | 'source' | 'code'>[]> {
    return this.#beyond.list([hourOf(since), '~']);
  }

  /** Removes hours before a time, at most 1,000 rows of each kind. Returns whether there may be more. */
  async forget(before: EpochMs): Promise<boolean> {
    const range = ['0', hourOf(before)] as const;
    const isMoreBeyond = await this.#beyond.forget(before, range);
    const query = { partitionKey: PARTITION, range, select: [], limit: MOST_FORGOTTEN };
    const rows = await this.#table.list(query);
    await deleteRows(this.#table, rows);
    return isMoreBeyond || rows.length === MOST_FORGOTTEN;
  }
}

function hourOf(at: EpochMs): string {
  return new Date(at).toISOString().slice(0, 13);
}
