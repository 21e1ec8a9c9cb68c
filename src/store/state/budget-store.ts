import type { DailyCounts, DailyKey } from '../../hub/daily-budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { deleteRows } from '../tables/delete-rows.ts';
import { escapeId } from '../tables/keys.ts';
import type { Table } from '../tables/tables.ts';

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

  /** Removes the rows of all days before a day, at most one page of 1,000. Returns whether there may be more. */
  async forget(before: string): Promise<boolean> {
    const days = [partitionOf(''), partitionOf(before)] as const;
    for await (const page of this.#table.scan({ partitions: days, select: [] })) {
      if (page.length === 0) continue;
      await deleteRows(this.#table, page);
      return true;
    }
    return false;
  }
}

function partitionOf(day: string): string {
  return `budget|${day}`;
}
