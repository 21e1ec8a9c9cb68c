import type { DailyCounts, DailyKey } from '../../hub/daily-budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { escapeId } from '../tables/keys.ts';
import type { Table } from '../tables/tables.ts';

const MOST_FORGOTTEN = 200;

/** Messages of the hubs' daily quotas that Berth has used or reserved, by day, hub and part of the budget. */
export class BudgetStore implements DailyCounts {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async reserve({ day, host, share }: DailyKey, messages: number, limit: number): Promise<number> {
    return this.#table.update(partitionOf(day), `${host}|${escapeId(share)}`, (row) => {
      const used = Number(row?.properties.messages ?? 0);
      const granted = Math.max(0, Math.min(messages, limit - used));
      return { put: granted === 0 ? 'unchanged' : { messages: used + granted }, result: granted };
    });
  }

  /** Messages used or reserved on a day, by hub. */
  async used(day: string): Promise<ReadonlyMap<HostName, number>> {
    const used = new Map<HostName, number>();
    for (const { rowKey, properties } of await this.#table.list({ partitionKey: partitionOf(day) })) {
      const host = rowKey.slice(0, rowKey.indexOf('|')) as HostName;
      used.set(host, (used.get(host) ?? 0) + Number(properties.messages ?? 0));
    }
    return used;
  }

  /** Removes rows of a day, at most 200. */
  async forget(day: string): Promise<void> {
    const query = { partitionKey: partitionOf(day), select: [], limit: MOST_FORGOTTEN };
    const rows = await this.#table.list(query);
    for (const { partitionKey, rowKey } of rows) await this.#table.delete(partitionKey, rowKey);
  }
}

function partitionOf(day: string): string {
  return `budget|${day}`;
}
