import { BerthError } from '../../errors.ts';
import type { DailyCounts, DailyKey } from '../../hub/daily-budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { escapeId } from '../tables/keys.ts';
import type { Table } from '../tables/tables.ts';

/** Messages of hubs' daily quotas that Berth has used or set aside, by day, hub and part of the budget. */
export class BudgetStore implements DailyCounts {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async reserve({ day, host, share }: DailyKey, messages: number, limit: number): Promise<number> {
    const partition = partitionOf(day);
    const key = `${host}|${escapeId(share)}`;
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const row = await this.#table.get(partition, key);
      const used = Number(row?.properties.messages ?? 0);
      const granted = Math.max(0, Math.min(messages, limit - used));
      if (granted === 0) return 0;
      const properties = { messages: used + granted };
      if ((await this.#table.putIfUnchanged(partition, key, properties, row?.etag)) === 'written')
        return granted;
    }
    throw new BerthError(
      'BERTH_STORE_UNAVAILABLE',
      'The count of the day’s messages is being changed by others all the time.',
    );
  }

  /** Messages used or set aside on a day, by hub. */
  async used(day: string): Promise<ReadonlyMap<HostName, number>> {
    const used = new Map<HostName, number>();
    for (const { rowKey, properties } of await this.#table.list({ partitionKey: partitionOf(day) })) {
      const host = rowKey.slice(0, rowKey.indexOf('|')) as HostName;
      used.set(host, (used.get(host) ?? 0) + Number(properties.messages ?? 0));
    }
    return used;
  }

  /** Forgets a day. */
  async forget(day: string): Promise<void> {
    const rows = await this.#table.list({ partitionKey: partitionOf(day), select: [] });
    for (const { partitionKey, rowKey } of rows) await this.#table.delete(partitionKey, rowKey);
  }
}

function partitionOf(day: string): string {
  return `budget|${day}`;
}
