import type { HostName } from '../../iot-hub/host-name.ts';
import type { HourSums } from '../../metrics/series.ts';
import { addCounts, type HubCounts, noCounts, SYNC_COUNTS } from '../../metrics/sync-counters.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'statistics';
const HOUR_MS = 60 * 60_000;
/** So long they are kept. */
const KEPT_HOURS = 48;

/** What sync has done, by hub and hour, for all instances together. */
export class SyncStatisticsStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Adds to the hour's counts of a hub, also where other instances do so at the same time. */
  async add(host: HostName, counts: HubCounts, now: number): Promise<void> {
    await this.#table.update(PARTITION, `${hourOf(now)}|${host}`, (row) => {
      const before = row === undefined ? noCounts() : countsOf(row);
      return { put: columnsOf(addCounts(before, counts)), result: undefined };
    });
  }

  /** The counts of this hour and the one before, by hub. */
  async recent(now: number): Promise<ReadonlyMap<HostName, HubCounts>> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: [hourOf(now - HOUR_MS), `${hourOf(now)}~`],
    });
    const hubs = new Map<HostName, HubCounts>();
    for (const row of rows) {
      const host = hostIn(row);
      hubs.set(host, addCounts(hubs.get(host) ?? noCounts(), countsOf(row)));
    }
    return hubs;
  }

  /** The same by hour, the one before first. */
  async byHour(now: number): Promise<readonly HourSums[]> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: [hourOf(now - HOUR_MS), `${hourOf(now)}~`],
    });
    return [now - HOUR_MS, now].map((time) => {
      const hour = hourOf(time);
      const own = rows.filter(({ rowKey }) => rowKey.startsWith(`${hour}|`));
      return {
        hour: Date.parse(`${hour}:00Z`),
        hubs: Object.fromEntries(own.map((row) => [hostIn(row), countsOf(row)])),
      };
    });
  }

  /** Forgets what is older than two days. */
  async forget(now: number): Promise<void> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: ['0', hourOf(now - KEPT_HOURS * HOUR_MS)],
      select: [],
    });
    for (const { rowKey } of rows) await this.#table.delete(PARTITION, rowKey);
  }
}

function hourOf(now: number): string {
  return new Date(now).toISOString().slice(0, 13);
}

function hostIn({ rowKey }: Row): HostName {
  return rowKey.slice(rowKey.indexOf('|') + 1) as HostName;
}

/** Without its type, a number above 2^31 is not taken; milliseconds of many events get there. */
function columnsOf({ lagMs, ...counts }: HubCounts): Row['properties'] {
  return { ...counts, lagMs: { type: 'Double', value: lagMs } };
}

function countsOf({ properties }: Row): HubCounts {
  return Object.fromEntries(SYNC_COUNTS.map((name) => [name, Number(properties[name] ?? 0)])) as HubCounts;
}
