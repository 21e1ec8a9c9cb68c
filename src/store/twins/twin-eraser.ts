import type { HostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { bucketOf, type PartitionKey, partitionOf } from '../tables/keys.ts';
import { NewerFormatError } from '../tables/newer-format.ts';
import type { Row, Table } from '../tables/tables.ts';
import type { TwinCountStore } from './twin-count-store.ts';
import { DELETED, ID_COLUMNS, newerSnapshot, twinIdOf } from './twin-rows.ts';

/** What the rows of a device hold. */
export const ROW_KINDS = ['deviceTwin', 'moduleTwin', 'workItem', 'attention', 'stub'] as const;
export type RowKind = (typeof ROW_KINDS)[number];

/** One row of a device. */
export interface DeviceRow {
  readonly host: HostName;
  readonly partition: PartitionKey;
  readonly rowKey: string;
  readonly kind: RowKind;
}

/** How often rows are looked for again, because an instance may have stored some in between. */
const MOST_ROUNDS = 5;

/** Finds and deletes all rows of a device in the table of twins, with those of its modules. */
export class TwinEraser {
  readonly #table: Table;
  readonly #counts: Pick<TwinCountStore, 'countHub'>;

  constructor(table: Table, counts: Pick<TwinCountStore, 'countHub'>) {
    this.#table = table;
    this.#counts = counts;
  }

  /**
   * The rows of a device on all hubs that have rows, also hubs that are no longer in the fleet file.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has stored a twin of the device
   */
  async find(deviceId: string): Promise<readonly DeviceRow[]> {
    const found: DeviceRow[] = [];
    const bucket = bucketOf(deviceId);
    const pages = this.#table.scan({
      partition: bucket,
      where: ['deviceId', deviceId],
      select: [...ID_COLUMNS, 'format', 'status'],
    });
    for await (const page of pages) {
      for (const row of page) {
        const { host, moduleId } = twinIdOf(row);
        const kind = kindOf(row, { host, deviceId, moduleId });
        const partition = partitionOf({ host, deviceId });
        if (kind !== undefined) found.push({ host, partition, rowKey: row.rowKey, kind });
      }
    }
    return found;
  }

  /**
   * Deletes the rows of a device, and counts the twins of their partitions again.
   *
   * @returns the rows that were deleted
   */
  async erase(deviceId: string, now: EpochMs): Promise<readonly DeviceRow[]> {
    const erased: DeviceRow[] = [];
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const rows = await this.find(deviceId);
      if (rows.length === 0) break;
      for (const { partition, rowKey } of rows) await this.#table.delete(partition, rowKey);
      erased.push(...rows);
    }
    for (const host of new Set(erased.map((row) => row.host))) {
      await this.#counts.countHub(host, bucketOf(deviceId), now);
    }
    return erased;
  }
}

function kindOf(row: Row, { host, deviceId, moduleId }: TwinId): RowKind | undefined {
  const [prefix] = row.rowKey.split('|');
  switch (prefix) {
    case 's': {
      const newer = newerSnapshot(row);
      if (newer !== undefined) throw new NewerFormatError({ ...newer, of: `${host}|${deviceId}` });
      if (row.properties.status === DELETED) return 'stub';
      return moduleId === undefined ? 'deviceTwin' : 'moduleTwin';
    }
    case 'work':
      return 'workItem';
    case 'att':
      return 'attention';
    case 'tomb':
      return 'stub';
    default:
      return undefined;
  }
}
