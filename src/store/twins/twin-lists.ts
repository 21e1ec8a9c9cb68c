import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Instant, parseInstant } from '../../time/instant.ts';
import type { PolicyStatus, TwinStatus, WorkPriority } from '../../twin/snapshot/snapshot.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { type PartitionKey, prefixRange, readWorkItemKey, snapshotPrefix } from '../tables/keys.ts';
import type { Table } from '../tables/tables.ts';
import { ID_COLUMNS, idOfSnapshot, newerSnapshot, readPolicyStatuses, twinIdOf } from './twin-rows.ts';

/** A row of a list, and its key: the next page begins after it. */
export interface Listed<Item> {
  readonly rowKey: string;
  /** Undefined: the row is none that the list shows. */
  readonly item: Item | undefined;
}

/** A stored twin, as far as the columns of its row tell. */
export interface ListedSnapshot {
  readonly id: TwinId;
  readonly status: TwinStatus;
  /** By the id of the policy. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
}

/** A twin that must be reconciled again. */
export interface ListedWorkItem {
  readonly id: TwinId;
  readonly priority: WorkPriority;
  readonly at: EpochMs;
  readonly why: string;
}

/** A twin that was deleted, and the hub's time of its deletion. */
export interface DeletedTwin {
  readonly id: TwinId;
  readonly at: Instant;
}

/** Where a page of a partition begins. */
export interface ListFrom {
  readonly partition: PartitionKey;
  /** The key of the last row of the page before. */
  readonly after?: string | undefined;
  /** Rows, not items. */
  readonly limit: number;
}

/** Lists of twins and of their work items for people, page by page. Reads columns only, and no snapshot. */
export class TwinLists {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Stored twins of a partition, in the order of their keys. Deleted ones, and those of a newer package, are rows without an item.
   *
   * @param prefix only device ids that begin with it.
   */
  async twins(
    { partition, after, limit }: ListFrom,
    prefix = '',
  ): Promise<readonly Listed<ListedSnapshot>[]> {
    const [from, to] = prefixRange(snapshotPrefix(prefix));
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : `${after}\u0000`, to],
      select: [...ID_COLUMNS, 'format', 'status', 'policies'],
      limit,
    });
    return rows.map((row) => {
      const status = TWIN_STATUSES.find((each) => each === row.properties.status);
      if (status === undefined || newerSnapshot(row) !== undefined)
        return { rowKey: row.rowKey, item: undefined };
      const policies = Object.fromEntries(readPolicyStatuses(row.properties.policies));
      return { rowKey: row.rowKey, item: { id: idOfSnapshot(row), status, policies } };
    });
  }

  /** Twins of a partition that were deleted, as long as their tombstones are kept, in the order of their keys. */
  async deleted({ partition, after, limit }: ListFrom): Promise<readonly Listed<DeletedTwin>[]> {
    const [from, to] = prefixRange('tomb|');
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : `${after}\u0000`, to],
      select: [...ID_COLUMNS, 'at'],
      limit,
    });
    return rows.map((row) => {
      const at = parseInstant(row.properties.at);
      return { rowKey: row.rowKey, item: at === undefined ? undefined : { id: twinIdOf(row), at } };
    });
  }

  /** Work items of a partition, the most urgent first, and then by their time. */
  async workItems(
    { partition, after, limit }: ListFrom,
    /** Whether the row of `after` itself comes again. */
    isIncluded = false,
  ): Promise<readonly Listed<ListedWorkItem>[]> {
    const [from, to] = prefixRange('work|');
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : isIncluded ? after : `${after}\u0000`, to],
      limit,
    });
    return rows.map((row) => {
      const key = readWorkItemKey(row.rowKey);
      const item = key && { id: twinIdOf(row), ...key, why: String(row.properties.why) };
      return { rowKey: row.rowKey, item };
    });
  }
}
