import type { HostName } from '../../iot-hub/host-name.ts';
import type { HourSums } from '../../metrics/series.ts';
import { addCounts, type HubCounts, noCounts, SYNC_COUNTS } from '../../metrics/sync-counters.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { deleteRows } from '../tables/delete-rows.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'statistics';
const HOUR_MS = 60 * 60_000;
/** How long the counts are stored. */
const KEPT_HOURS = 48;
/** A run removes at most this many rows. Five hundred hubs have as many rows in two hours. */
const MOST_FORGOTTEN = 1_000;

/** The counts of sync, by hub and hour, for all instances together. */
export class SyncStatisticsStore {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Adds to the counts of a hub in this hour. Other instances may do so at the same time. */
  async add(host: HostName, counts: HubCounts, now: EpochMs): Promise<void> {
    await this.#table.update(PARTITION, `${hourOf(now)}|${host}`, (row) => {
      const before = row === undefined ? noCounts() : countsOf(row);
      return { put: columnsOf(addCounts(before, counts)), result: undefined };
    });
  }

  /** The counts of this hour and the one before, by hub. */
  async recent(now: EpochMs): Promise<ReadonlyMap<HostName, HubCounts>> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: [hourOf(plus(now, -HOUR_MS)), `${hourOf(now)}~`],
    });
    const hubs = new Map<HostName, HubCounts>();
    for (const row of rows) {
      const host = hostIn(row);
      hubs.set(host, addCounts(hubs.get(host) ?? noCounts(), countsOf(row)));
    }
    return hubs;
  }

  /** The same by hour, the one before first. */
  async byHour(now: EpochMs): Promise<readonly HourSums[]> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: [hourOf(plus(now, -HOUR_MS)), `${hourOf(now)}~`],
    });
    return [plus(now, -HOUR_MS), now].map((time) => {
      const hour = hourOf(time);
      const own = rows.filter(({ rowKey }) => rowKey.startsWith(`${hour}|`));
      return {
        hour: epochMs(Date.parse(`${hour}:00Z`)),
        hubs: Object.fromEntries(own.map((row) => [hostIn(row), countsOf(row)])),
      };
    });
  }

  /** Removes counts that are older than two days, at most 1,000 rows. Returns whether there may be more. */
  async forget(now: EpochMs): Promise<boolean> {
    const rows = await this.#table.list({
      partitionKey: PARTITION,
      range: ['0', hourOf(plus(now, -KEPT_HOURS * HOUR_MS))],
      select: [],
      limit: MOST_FORGOTTEN,
    });
    await deleteRows(this.#table, rows);
    return rows.length === MOST_FORGOTTEN;
  }
}

function hourOf(now: EpochMs): string {
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
