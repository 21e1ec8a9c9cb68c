import { escapeId } from './keys.ts';
import type { Table } from './tables.ts';

/** A hub whose events arrive although this deployment does not reconcile it. */
export interface Stranger {
  readonly hubName: string;
  readonly events: number;
  readonly lastAt: string;
}

const PARTITION = 'strangers';
/** Names come from events; this bounds what a stream of invented ones can store. */
const MAX_NAME = 100;
/** A key may have 512 characters (Azure Table storage data model), and an escape takes six. */
const MAX_KEY = 500;

/** One counted row for each hub that is not in the fleet file. */
export class StrangerStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Adds to a hub's count. Another instance may add at the same time, so it is tried again. */
  async add(hubName: string, events: number, now: number): Promise<void> {
    const key = escapeId(hubName.toLowerCase().slice(0, MAX_NAME)).slice(0, MAX_KEY);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const row = await this.#table.get(PARTITION, key);
      const count = Number(row?.properties.events ?? 0) + events;
      const properties = { hubName: hubName.slice(0, MAX_NAME), events: count, lastAt: new Date(now) };
      if ((await this.#table.putIfUnchanged(PARTITION, key, properties, row?.etag)) === 'written') return;
    }
  }

  async list(): Promise<readonly Stranger[]> {
    const rows = await this.#table.list({ partitionKey: PARTITION });
    return rows.map(({ properties }) => ({
      hubName: String(properties.hubName),
      events: Number(properties.events),
      lastAt: properties.lastAt instanceof Date ? properties.lastAt.toISOString() : '',
    }));
  }
}
