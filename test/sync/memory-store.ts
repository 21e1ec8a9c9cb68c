import { BerthError } from '../../src/errors.ts';
import { dueKey, type PartitionKey, partitionOf, shadowKey } from '../../src/store/tables/keys.ts';
import type { DueRow, TwinRecord, TwinStore } from '../../src/store/twins/twin-store.ts';
import type { Known } from '../../src/twin/events/fold.ts';
import {
  type DuePriority,
  restoreShadow,
  TWIN_STATES,
  type TwinState,
} from '../../src/twin/snapshot/shadow.ts';
import { type TwinId, twinKey } from '../../src/twin/snapshot/twin.ts';

/** Twin records in memory with etags, for virtual time. */
export class MemoryTwinStore {
  readonly records = new Map<string, { readonly known: Known; readonly etag: string }>();
  /** Due rows whose twins do not know of them. */
  strayDue: readonly DueRow[] = [];
  /** Partitions whose twins were counted. */
  readonly counted: PartitionKey[] = [];
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
      known: known.kind === 'shadow' ? { kind: 'shadow', shadow: restoreShadow(id, known.shadow) } : known,
      etag: found?.etag,
      isRemembered: false,
    };
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

  /** The due rows of a partition, the oldest first. */
  async due(partition: PartitionKey, priority: DuePriority, now: number): Promise<readonly DueRow[]> {
    this.#reach();
    const known = [...this.records.values()].flatMap(({ known }): readonly DueRow[] => {
      const due = known.kind === 'shadow' ? known.shadow.due : undefined;
      if (known.kind !== 'shadow' || due === undefined || due.at > now) return [];
      const { id } = known.shadow;
      const rowKey = dueKey(id, due.priority, due.at);
      return [{ id, priority: due.priority, partitionKey: partitionOf(id), rowKey }];
    });
    return [...known, ...this.strayDue]
      .filter((row) => row.partitionKey === partition && row.priority === priority)
      .sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
  }

  async dropDue({ rowKey }: DueRow): Promise<void> {
    this.strayDue = this.strayDue.filter((row) => row.rowKey !== rowKey);
  }

  async count(partition: PartitionKey): Promise<void> {
    this.counted.push(partition);
  }

  async sweep(): ReturnType<TwinStore['sweep']> {
    return [];
  }

  /** All twins of a partition: there are few. */
  async page(partition: PartitionKey): ReturnType<TwinStore['page']> {
    const { records } = this;
    return [...records.values()].flatMap(({ known, etag }) => {
      if (known.kind !== 'shadow' || partitionOf(known.shadow.id) !== partition) return [];
      const { id } = known.shadow;
      return [{ id, known, etag, isRemembered: false, rowKey: shadowKey(id) }];
    });
  }

  async counts(): ReturnType<TwinStore['counts']> {
    const states = Object.fromEntries(TWIN_STATES.map((state) => [state, 0])) as Record<TwinState, number>;
    return { states, policies: {}, countedAt: undefined };
  }

  #reach(): void {
    if (this.isAway) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The state tables cannot be used now.');
  }
}
