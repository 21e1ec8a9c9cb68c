import { BerthError } from '../../src/errors.ts';
import { type PartitionKey, partitionOf, snapshotKey, workItemKey } from '../../src/store/tables/keys.ts';
import type { FirstItems, TwinRecord, TwinStore, WorkItemRow } from '../../src/store/twins/twin-store.ts';
import type { EpochMs } from '../../src/time/epoch-ms.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { restoreSnapshot, type WorkPriority } from '../../src/twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../src/twin/snapshot/twin.ts';

/** Twin records in memory with etags, for virtual time. */
export class MemoryTwinStore {
  readonly records = new Map<string, { readonly known: Known; readonly etag: string }>();
  /** Work items whose twins do not know of them. */
  strayItems: readonly WorkItemRow[] = [];
  writes = 0;
  isAway = false;
  /** Called before a save is looked at: what another instance does meanwhile. */
  meanwhile: (() => Promise<void> | void) | undefined;

  async load(id: TwinId): Promise<TwinRecord> {
    this.#reach();
    const found = this.records.get(twinKey(id));
    const known: Known = found?.known ?? { kind: 'nothing' };
    return {
      id,
      known:
        known.kind === 'snapshot'
          ? { kind: 'snapshot', snapshot: restoreSnapshot(id, known.snapshot) }
          : known,
      etag: found?.etag,
      isRemembered: false,
    };
  }

  async loadAll(ids: readonly TwinId[]): Promise<ReadonlyMap<string, TwinRecord>> {
    if (this.isAway) return new Map();
    return new Map(await Promise.all(ids.map(async (id) => [twinKey(id), await this.load(id)] as const)));
  }

  async save(record: TwinRecord, known: Known): Promise<TwinRecord | 'conflict'> {
    this.#reach();
    const meanwhile = this.meanwhile;
    this.meanwhile = undefined;
    await meanwhile?.();
    const key = twinKey(record.id);
    if (this.records.get(key)?.etag !== record.etag) return 'conflict';
    this.writes += 1;
    const etag = String(this.writes);
    this.records.set(key, { known: JSON.parse(JSON.stringify(known)) as Known, etag });
    return { id: record.id, known, etag, isRemembered: false };
  }

  async modulesOf({ host, deviceId }: TwinId): Promise<readonly TwinId[]> {
    const prefix = `${host}|${deviceId}|`;
    return [...this.records.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ host, deviceId, moduleId: key.slice(prefix.length) }));
  }

  /** The due work items of a priority in a partition, the oldest first. */
  async dueItems(
    partition: PartitionKey,
    priority: WorkPriority,
    now: EpochMs,
    limit: number,
    after = '',
  ): Promise<FirstItems> {
    const { items } = await this.firstItems(partition, Number.POSITIVE_INFINITY);
    const due = items.filter((row) => row.priority === priority && row.at <= now && row.rowKey > after);
    return { items: due.slice(0, limit), areAll: due.length < limit };
  }

  async firstItems(partition: PartitionKey, limit: number): Promise<FirstItems> {
    this.#reach();
    const known = [...this.records.values()].flatMap(({ known }): readonly WorkItemRow[] => {
      const workItem = known.kind === 'snapshot' ? known.snapshot.workItem : undefined;
      if (known.kind !== 'snapshot' || workItem === undefined) return [];
      const { id } = known.snapshot;
      const rowKey = workItemKey(id, workItem.priority, workItem.at);
      const { priority, at } = workItem;
      return [{ id, priority, at, partitionKey: partitionOf(id), rowKey }];
    });
    const items = [...known, ...this.strayItems]
      .filter((row) => row.partitionKey === partition)
      .sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
    return { items: items.slice(0, limit), areAll: items.length < limit };
  }

  async dropItem({ rowKey }: WorkItemRow): Promise<void> {
    this.strayItems = this.strayItems.filter((row) => row.rowKey !== rowKey);
  }

  async hubsWithDueWork(now: EpochMs): ReturnType<TwinStore['hubsWithDueWork']> {
    const hosts = new Set(this.strayItems.map(({ id }) => id.host));
    for (const { known } of this.records.values()) {
      if (
        known.kind === 'snapshot' &&
        known.snapshot.workItem !== undefined &&
        known.snapshot.workItem.at <= now
      )
        hosts.add(known.snapshot.id.host);
    }
    return (host) => hosts.has(host);
  }

  async sweep(): ReturnType<TwinStore['sweep']> {
    return [];
  }

  /** All twins of a partition: there are few. */
  async page(partition: PartitionKey): ReturnType<TwinStore['page']> {
    const { records } = this;
    return [...records.values()].flatMap(({ known, etag }) => {
      if (known.kind !== 'snapshot' || partitionOf(known.snapshot.id) !== partition) return [];
      const { id } = known.snapshot;
      return [{ id, known, etag, isRemembered: false, rowKey: snapshotKey(id) }];
    });
  }

  #reach(): void {
    if (this.isAway) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The state tables cannot be used now.');
  }
}
