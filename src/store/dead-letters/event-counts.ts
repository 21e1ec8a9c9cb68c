import type { TransactionAction } from '@azure/data-tables';
import { limitFunction } from 'p-limit';
import { sha256Hex } from '../../json/hash.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { escapeId, prefixRange } from '../tables/keys.ts';
import { untilStored } from '../tables/optimistic.ts';
import type { Row, Table } from '../tables/tables.ts';

/** A number of events, by texts of the events. The events themselves are not stored. */
export type CountedEvents<Name extends string> = Readonly<Record<Name, string>> & { readonly events: number };

export type EventCount<Name extends string> = CountedEvents<Name> & {
  /** When the last event was counted: ISO 8601, UTC. */
  readonly lastAt: string;
};

/** Who counts, and when. */
export interface Counting {
  readonly now: EpochMs;
  /** The partition of the Event Hub. Each has its own rows, so that partitions do not wait for each other. */
  readonly shard?: string;
  /** A group of counts, such as an hour. Hours sort by time. */
  readonly scope?: string;
}

/** Replaces all texts beyond the limit of rows. */
export const OTHERS = '(others)';

/** The most rows of one scope and shard. The texts come from events, so their number must be limited. */
const MOST_ROWS = 100;
/** The longest text, in UTF-16 units. */
const MAX_TEXT = 100;
/** A key may have 512 characters (Azure Table storage data model). */
const MAX_KEY = 400;
/** How many rows one call removes. Each is a request, because a row that has grown since stays. */
const MOST_FORGOTTEN = 1_000;
const CONCURRENCY = 8;
/** The most rows of a transaction (Azure Table storage entity group transactions). */
const MAX_ACTIONS = 100;

/** Counts of events in one partition of a table: at most 100 rows for each scope and shard, and one row for the rest. */
export class EventCounts<Name extends string> {
  readonly #table: Table;
  readonly #partition: string;
  readonly #names: readonly Name[];

  /** @param names of the texts that events are counted by. */
  constructor(table: Table, partition: string, names: readonly Name[]) {
    this.#table = table;
    this.#partition = partition;
    this.#names = names;
  }

  /**
   * Adds to the counts. Makes two calls to the tables for up to 99 different counts.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`: not all of them are counted.
   */
  async add(counts: readonly CountedEvents<Name>[], counting: Counting): Promise<void> {
    // The row for the rest may be added to the transaction.
    const size = MAX_ACTIONS - 1;
    for (let from = 0; from < counts.length; from += size) {
      await this.#addTogether(counts.slice(from, from + size), counting);
    }
  }

  async #addTogether(
    counts: readonly CountedEvents<Name>[],
    { now, shard = '', scope = '' }: Counting,
  ): Promise<void> {
    const prefix = `${scope}|${escapeId(shard)}|`;
    await untilStored('The counts of events', async () => {
      const rows = await this.#table.list({ partitionKey: this.#partition, range: prefixRange(prefix) });
      const actions = this.#actions(counts, new Map(rows.map(keyed)), prefix, now);
      return (await this.#table.transact(actions)).ok ? undefined : 'conflict';
    });
  }

  /** The sums over all shards, by text, the greatest first. `scopes`: `from` is inclusive, `to` is exclusive. */
  async list(scopes?: readonly [from: string, to: string]): Promise<readonly EventCount<Name>[]> {
    const sums = new Map<string, EventCount<Name>>();
    for (const row of await this.#rows(scopes)) {
      const count = this.#countIn(row);
      const key = JSON.stringify(this.#names.map((name) => count[name].toLowerCase()));
      const sum = sums.get(key);
      sums.set(
        key,
        sum === undefined
          ? count
          : { ...sum, events: sum.events + count.events, lastAt: later(sum.lastAt, count.lastAt) },
      );
    }
    return [...sums.values()].sort((left, right) => right.events - left.events);
  }

  /** Removes counts whose last event was before a time, at most 1,000 rows. Returns whether there are more. */
  async forget(before: EpochMs, scopes?: readonly [from: string, to: string]): Promise<boolean> {
    const old = (await this.#rows(scopes)).filter(({ properties: { lastAt } }) => {
      return !(lastAt instanceof Date) || lastAt.getTime() < before;
    });
    const remove = limitFunction(
      ({ rowKey, etag }: Row) => this.#table.deleteIfUnchanged(this.#partition, rowKey, etag),
      { concurrency: CONCURRENCY },
    );
    await Promise.all(old.slice(0, MOST_FORGOTTEN).map(remove));
    return old.length > MOST_FORGOTTEN;
  }

  #rows(scopes?: readonly [from: string, to: string]): Promise<readonly Row[]> {
    const range = scopes === undefined ? {} : { range: scopes };
    return this.#table.list({ partitionKey: this.#partition, ...range });
  }

  #actions(
    counts: readonly CountedEvents<Name>[],
    rows: ReadonlyMap<string, Row>,
    prefix: string,
    now: EpochMs,
  ): readonly TransactionAction[] {
    const sums = new Map<string, CountedEvents<Name>>();
    for (const count of counts) {
      const own = `${prefix}${this.#keyOf(count)}`;
      const isNew = !rows.has(own) && !sums.has(own);
      const room = MOST_ROWS - rows.size - [...sums.keys()].filter((key) => !rows.has(key)).length;
      const key = isNew && room <= 0 ? `${prefix}~others` : own;
      const texts = key === own ? count : { ...count, ...this.#all(() => OTHERS) };
      sums.set(key, { ...texts, events: (sums.get(key)?.events ?? 0) + count.events });
    }
    return [...sums].map(([rowKey, count]): TransactionAction => {
      const row = rows.get(rowKey);
      const entity = {
        partitionKey: this.#partition,
        rowKey,
        ...this.#all((name) => cut(count[name])),
        // Without its type, a number above 2^31 is not taken. Such a row would stop its partition.
        events: { type: 'Double' as const, value: count.events + Number(row?.properties.events ?? 0) },
        lastAt: new Date(now),
      };
      return row === undefined ? ['create', entity] : ['update', entity, 'Replace', { etag: row.etag }];
    });
  }

  #countIn({ properties }: Row): EventCount<Name> {
    const { events, lastAt } = properties;
    return {
      ...this.#all((name) => String(properties[name])),
      events: Number(events),
      lastAt: lastAt instanceof Date ? lastAt.toISOString() : '',
    } as EventCount<Name>;
  }

  #keyOf(count: CountedEvents<Name>): string {
    const key = this.#names.map((name) => escapeId(cut(count[name]).toLowerCase())).join('|');
    return key.length <= MAX_KEY ? key : `~${sha256Hex(key)}`;
  }

  #all(textOf: (name: Name) => string): Readonly<Record<Name, string>> {
    return Object.fromEntries(this.#names.map((name) => [name, textOf(name)])) as Record<Name, string>;
  }
}

/** Counts events of unknown sources, by the hub and source in the events. */
export function unknownSourceCounts(state: Table): EventCounts<'hub' | 'source'> {
  return new EventCounts(state, 'unknown-sources', ['hub', 'source']);
}

function keyed(row: Row): readonly [string, Row] {
  return [row.rowKey, row];
}

/** Half of a surrogate pair is replaced, because the tables may refuse it. */
function cut(text: string): string {
  return Buffer.from(text.slice(0, MAX_TEXT), 'utf8').toString('utf8');
}

function later(one: string, other: string): string {
  return one < other ? other : one;
}
