import { limitFunction } from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';
import { EPOCH, type EpochMs, epochMsOf } from '../../time/epoch-ms.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import type { TwinStatus, WorkPriority } from '../../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import {
  BUCKET_NAMES,
  type Bucket,
  bucketOf,
  hostOf,
  moduleSnapshotPrefix,
  type PartitionKey,
  partitionOf,
  prefixRange,
  readWorkItemKey,
  snapshotKey,
  workItemRange,
} from '../tables/keys.ts';
import { type MetNewerFormat, NewerFormatError, type OnNewerFormat } from '../tables/newer-format.ts';
import type { Row, Table } from '../tables/tables.ts';
import { RecordMemory } from './record-memory.ts';
import { isNewer, type NewerTwin, type TwinRecord } from './twin-record.ts';

export { isNewer, type NewerTwin, type TwinRecord } from './twin-record.ts';

import {
  attentionRow,
  DELETED,
  ID_COLUMNS,
  idOfSnapshot,
  knownIn,
  moveRow,
  newerSnapshot,
  snapshotAction,
  tombstoneRow,
  twinIdOf,
  workItemRow,
} from './twin-rows.ts';
import { TwinWriter } from './twin-writer.ts';

/** Rows that `loadAll` reads at the same time. */
const READS = 32;

export interface WorkItemRow {
  readonly id: TwinId;
  readonly priority: WorkPriority;
  /** When it is due. */
  readonly at: EpochMs;
  readonly partitionKey: PartitionKey;
  readonly rowKey: string;
}

export interface FirstItems {
  readonly items: readonly WorkItemRow[];
  /** Whether there are no others behind them. */
  readonly areAll: boolean;
}

/** Whether a hub has due work items; with a priority, whether it has some of this priority. */
export type HasDueWork = (host: HostName, priority?: WorkPriority) => boolean;

export interface Attention {
  readonly id: TwinId;
  readonly status: TwinStatus;
  readonly since: EpochMs;
  readonly why: string;
}

/**
 * The snapshots of twins with their work items and attention, in Azure Table Storage. Data of a newer package is neither
 * used nor overwritten.
 */
export class TwinStore {
  readonly #table: Table;
  readonly #writer: TwinWriter;
  readonly #memory = new RecordMemory();
  readonly #onNewer: OnNewerFormat;

  constructor(table: Table, onNewer: OnNewerFormat = () => {}) {
    this.#table = table;
    this.#writer = new TwinWriter(table);
    this.#onNewer = onNewer;
  }

  /**
   * @param from `remembered`: a record in the memory of this instance is used, if there is one.
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) for a twin that a newer package has stored
   */
  async load(id: TwinId, from: 'stored' | 'remembered' = 'stored'): Promise<TwinRecord> {
    const remembered = from === 'remembered' ? this.#memory.get(id) : undefined;
    if (remembered !== undefined) return remembered;
    const found = await this.#find(id);
    if (isNewer(found)) throw new NewerFormatError(metIn(found));
    return found;
  }

  /**
   * The records of many twins, remembered or stored, by `twinKey`, and the error of those that a newer package has stored. A record
   * that cannot be loaded for another reason is missing: then `load` says why.
   */
  async loadAll(ids: readonly TwinId[]): Promise<ReadonlyMap<string, TwinRecord | NewerFormatError>> {
    const found = new Map<string, TwinRecord | NewerFormatError>();
    let isAway = false;
    const load = async (id: TwinId): Promise<void> => {
      if (isAway) return;
      try {
        found.set(twinKey(id), await this.load(id, 'remembered'));
      } catch (error) {
        if (error instanceof NewerFormatError) found.set(twinKey(id), error);
        else isAway = true;
      }
    };
    const loadLimited = limitFunction(load, { concurrency: READS });
    await Promise.all(ids.map((id) => loadLimited(id)));
    return found;
  }

  async #find(id: TwinId): Promise<TwinRecord | NewerTwin> {
    const row = await this.#table.get(partitionOf(id), snapshotKey(id));
    if (row === undefined) return { id, known: { kind: 'nothing' }, etag: undefined, isRemembered: false };
    const found = this.#twinIn(id, row);
    if (!isNewer(found)) this.#memory.put(found, Number(row.properties.size ?? 0));
    return found;
  }

  #twinIn(id: TwinId, row: Row): TwinRecord | NewerTwin {
    const newer = newerSnapshot(row);
    if (newer === undefined) return { id, known: knownIn(id, row), etag: row.etag, isRemembered: false };
    this.#onNewer({ ...newer, of: twinKey(id) });
    return { id, newer };
  }

  /**
   * Stores the snapshot, its work item and its attention row in one transaction, if the record is unchanged. Returns the new
   * record. After `'conflict'`, load the record and decide again.
   *
   * @param options.rewrites also writes rows that should exist already, because they may have been lost.
   */
  async save(
    record: TwinRecord,
    known: Exclude<Known, { kind: 'nothing' }>,
    { rewrites = false }: { readonly rewrites?: boolean } = {},
  ): Promise<TwinRecord | 'conflict'> {
    const { id, etag } = record;
    const snapshot = snapshotAction(id, known, etag);
    const result = await this.#writer.write({
      bucket: bucketOf(id.deviceId),
      snapshot,
      others: [
        ...moveRow(workItemRow(id, record.known), workItemRow(id, known), rewrites),
        ...moveRow(attentionRow(id, record.known), attentionRow(id, known), rewrites),
        ...moveRow(tombstoneRow(id, record.known), tombstoneRow(id, known), rewrites),
      ],
    });
    if (result === 'conflict') {
      this.#memory.forget(id);
      return result;
    }
    const saved = { id, known, etag: result.etag, isRemembered: false };
    this.#memory.put(saved, Number(snapshot[1].size ?? 0));
    return saved;
  }

  /** A page of the twins of a partition, in the order of their keys. Includes deleted twins and those of a newer package. */
  async page(
    partition: PartitionKey,
    after: string | undefined,
    limit: number,
  ): Promise<readonly ((TwinRecord | NewerTwin) & { readonly rowKey: string })[]> {
    const [from, to] = prefixRange('s|');
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : `${after}\u0000`, to],
      limit,
    });
    return rows.map((row) => ({ ...this.#twinIn(idOfSnapshot(row), row), rowKey: row.rowKey }));
  }

  /**
   * Removes rows of work items, attention and deletions that belong to no stored twin, for example after a row was damaged.
   * Checks one page of a partition, in the order of the keys, and returns it.
   */
  async sweep(
    partition: PartitionKey,
    after: string | undefined,
    limit: number,
  ): Promise<readonly { readonly rowKey: string }[]> {
    const prefix = SIDE_ROWS.find((each) => after === undefined || after < prefixRange(each)[1]);
    if (prefix === undefined) return [];
    const [from, to] = prefixRange(prefix);
    const isWithin = after !== undefined && after >= from;
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [isWithin ? `${after}\u0000` : from, to],
      select: ID_COLUMNS,
      limit,
    });
    for (const row of rows) {
      const found = await this.#find(twinIdOf(row));
      if (isNewer(found)) continue;
      const { id, known } = found;
      const expected = [workItemRow(id, known), attentionRow(id, known), tombstoneRow(id, known)];
      const isKnown = expected.some(
        (each) => each?.partitionKey === row.partitionKey && each.rowKey === row.rowKey,
      );
      // A row that was written in between has another etag, and stays.
      if (!isKnown) await this.#table.deleteIfUnchanged(partition, row.rowKey, row.etag);
    }
    // A short page is the end of this prefix, but there may be another prefix.
    const isLast = prefix === SIDE_ROWS.at(-1);
    return rows.length === limit || isLast
      ? rows
      : [...rows, ...(await this.sweep(partition, to, limit - rows.length))];
  }

  /** The modules of a device that have snapshots. */
  async modulesOf({ host, deviceId }: TwinId): Promise<readonly TwinId[]> {
    const rows = await this.#table.list({
      partitionKey: partitionOf({ host, deviceId }),
      range: prefixRange(moduleSnapshotPrefix(deviceId)),
      select: ID_COLUMNS,
    });
    return rows.map((row) => twinIdOf(row));
  }

  /** Every device with a snapshot, and whether it was deleted. Without modules. Scans the table. */
  async *devices(): AsyncGenerator<{ readonly id: TwinId; readonly isDeleted: boolean }> {
    const pages = this.#table.scan({ range: prefixRange('s|'), select: [...ID_COLUMNS, 'status'] });
    for await (const page of pages) {
      for (const row of page) {
        const id = twinIdOf(row);
        if (id.moduleId === undefined) yield { id, isDeleted: row.properties.status === DELETED };
      }
    }
  }

  /**
   * The records of all twins of a bucket, deleted ones included, in the order of the keys. The next page loads while one page is
   * used, so at most two pages are in memory.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) at a twin that a newer package has stored
   */
  async *records(bucket: Bucket): AsyncGenerator<TwinRecord> {
    const pages = this.#table.scan({ partition: bucket, range: prefixRange('s|') });
    let next = pages.next();
    for (;;) {
      const { value: page, done } = await next;
      if (done) return;
      next = pages.next();
      // The next page is awaited later. If the reader stops before that, its error does not matter.
      next.catch(() => {});
      for (const row of page) {
        const found = this.#twinIn(idOfSnapshot(row), row);
        if (isNewer(found)) throw new NewerFormatError(metIn(found));
        yield found;
      }
    }
  }

  /**
   * Which hubs have due work items. A fleet without work costs one request if the table is small, else sixteen, however many hubs it
   * has. Of a hub whose rows are too far behind those of others, it says yes.
   */
  async hubsWithDueWork(now: EpochMs): Promise<HasDueWork> {
    const seen = await this.#firstRows('work|');
    const due = new Set(
      seen.flatMap(({ rows }) =>
        rows.flatMap(({ rowKey, partitionKey }) => {
          const item = readWorkItemKey(rowKey);
          if (item === undefined || item.at > now) return [];
          const host = hostOf(partitionKey);
          return [host, `${host}|${item.priority}`];
        }),
      ),
    );
    return (host, priority) =>
      due.has(priority === undefined ? host : `${host}|${priority}`) ||
      seen.some(({ allBefore }) => !isBefore(host, allBefore));
  }

  /** Which partitions have twins that need attention. Costs as many requests as `hubsWithDueWork`, and says yes where it does not know. */
  async partitionsWithAttention(): Promise<(partition: PartitionKey) => boolean> {
    const seen = await this.#firstRows('att|');
    const found = new Set(seen.flatMap(({ rows }) => rows.map(({ partitionKey }) => partitionKey)));
    return (partition) =>
      found.has(partition) || seen.some(({ allBefore }) => !isBefore(hostOf(partition), allBefore));
  }

  /** The first rows whose keys begin with a prefix: of the whole table, or of each bucket. */
  async #firstRows(prefix: string): Promise<readonly FirstRows[]> {
    const rows = await this.#table.listIfSmall({ range: prefixRange(prefix), select: [] });
    if (rows !== undefined) return [{ rows, allBefore: undefined }];
    return Promise.all(BUCKET_NAMES.map((bucket) => this.#firstRowsOf(bucket, prefix)));
  }

  /** The first rows of a bucket whose keys begin with a prefix, of all hubs in their order. */
  async #firstRowsOf(bucket: Bucket, prefix: string): Promise<FirstRows> {
    const rows: Row[] = [];
    let pages = 0;
    for await (const page of this.#table.scan({
      partition: bucket,
      range: prefixRange(prefix),
      select: [],
    })) {
      const last = rows.at(-1);
      if (pages === MOST_PAGES && last !== undefined) return { rows, allBefore: hostOf(last.partitionKey) };
      pages += 1;
      rows.push(...page);
    }
    return { rows, allBefore: undefined };
  }

  /** The first work items of one partition, also those that are not due yet: by priority, then the oldest first. */
  async firstItems(partition: PartitionKey, limit: number): Promise<FirstItems> {
    const rows = await this.#table.list({
      partitionKey: partition,
      range: prefixRange('work|'),
      select: ID_COLUMNS,
      limit,
    });
    return { items: rows.flatMap((row) => workItemsIn(row)), areAll: rows.length < limit };
  }

  /**
   * The due work items of a priority in one partition, the oldest first.
   *
   * @param after the row key of the item before them. Default: they begin with the oldest.
   */
  async dueItems(
    partition: PartitionKey,
    priority: WorkPriority,
    now: EpochMs,
    limit: number,
    after?: string,
  ): Promise<FirstItems> {
    const [from, to] = workItemRange(priority, now);
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : `${after}\u0000`, to],
      select: ID_COLUMNS,
      limit,
    });
    return { items: rows.flatMap((row) => workItemsIn(row)), areAll: rows.length < limit };
  }

  /** Removes a work item that its twin no longer has. */
  async dropItem({ partitionKey, rowKey }: WorkItemRow): Promise<void> {
    await this.#table.delete(partitionKey, rowKey);
  }

  /** The twins of one partition that need attention, by status. */
  async attention(
    partition: PartitionKey,
    after: string | undefined,
    limit: number,
  ): Promise<readonly (Attention & { readonly rowKey: string })[]> {
    const [from, to] = prefixRange('att|');
    const rows = await this.#table.list({
      partitionKey: partition,
      range: [after === undefined ? from : `${after}\u0000`, to],
      limit,
    });
    return rows.map((row) => ({
      id: twinIdOf(row),
      status: String(row.properties.status) as TwinStatus,
      since: row.properties.since instanceof Date ? epochMsOf(row.properties.since) : EPOCH,
      why: String(row.properties.why),
      rowKey: row.rowKey,
    }));
  }
}

/** The other rows of a twin, in the order of their keys. */
const SIDE_ROWS = ['att|', 'tomb|', 'work|'];
/** Pages of a bucket that are read to find out which hubs have rows there. */
const MOST_PAGES = 1;

function workItemsIn(row: Row): readonly WorkItemRow[] {
  const item = readWorkItemKey(row.rowKey);
  if (item === undefined) return [];
  return [{ ...item, id: twinIdOf(row), partitionKey: row.partitionKey as PartitionKey, rowKey: row.rowKey }];
}

interface FirstRows {
  readonly rows: readonly Row[];
  /** The rows of hubs before this one are complete. Undefined: those of all hubs are. */
  readonly allBefore: HostName | undefined;
}

/** The order of hubs in a bucket is that of the stored keys, in which `|` ends the host name. */
function isBefore(host: HostName, border: HostName | undefined): boolean {
  return border === undefined || `${host}|` < `${border}|`;
}

function metIn({ id, newer }: NewerTwin): MetNewerFormat {
  return { ...newer, of: twinKey(id) };
}
