import type { EpochMs } from '../../time/epoch-ms.ts';
import { escapeId, prefixRange } from '../tables/keys.ts';
import { untilStored } from '../tables/optimistic.ts';
import type { Table } from '../tables/tables.ts';
import { type CountedEvents, type EventCount, EventCounts } from './event-counts.ts';

/** What is left of an event that could not be read, beyond the dead letters that are kept. */
export type LetterCount = CountedEvents<'hub' | 'source' | 'code'>;

/** So many dead letters of an hour are kept; of those beyond, only their number. */
export const MOST_LETTERS_AN_HOUR = 10_000;

const PARTITION = 'letter-hours';

/** How many dead letters each hour has, and what is known of those that were too many. */
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
   * How many of so many letters may be kept in this hour; they count as kept from now on. Each partition of the Event Hub
   * has a row of its own, so those that ask at the same moment may together get a batch each too many.
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

  /** Adds to what is known of the letters that were too many. */
  addBeyond(counts: readonly LetterCount[], shard: string, now: EpochMs): Promise<void> {
    return this.#beyond.add(counts, { now, shard, scope: hourOf(now) });
  }

  /** What was too many since the hour of a time; the greatest numbers first. */
  beyond(since: EpochMs): Promise<readonly EventCount<'hub' | 'source' | 'code'>[]> {
    return this.#beyond.list([hourOf(since), '~']);
  }

  /** Forgets hours before a time. */
  async forget(before: EpochMs): Promise<void> {
    await this.#beyond.forget(before, ['0', hourOf(before)]);
    const range = ['0', hourOf(before)] as const;
    for (const { rowKey } of await this.#table.list({ partitionKey: PARTITION, range, select: [] })) {
      await this.#table.delete(PARTITION, rowKey);
    }
  }
}

function hourOf(at: EpochMs): string {
  return new Date(at).toISOString().slice(0, 13);
}
