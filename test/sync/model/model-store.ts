import { type Control, controlSchema } from '../../../src/control/control.ts';
import { BerthError } from '../../../src/errors.ts';
import type { DailyCounts } from '../../../src/hub/daily-budget.ts';
import type { HostName } from '../../../src/iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';
import {
  BUCKET_NAMES,
  type PartitionKey,
  partitionKey,
  partitionOf,
  partitionsOf,
  snapshotKey,
  workItemKey,
} from '../../../src/store/tables/keys.ts';
import type { RecordMemory } from '../../../src/store/twins/record-memory.ts';
import {
  addStatusCounts,
  type PolicyStatusCounts,
  stageKey,
  type TwinCountStore,
} from '../../../src/store/twins/twin-count-store.ts';
import type { FirstItems, HasDueWork, TwinRecord, WorkItemRow } from '../../../src/store/twins/twin-store.ts';
import { type EpochMs, earlierOf, epochMs } from '../../../src/time/epoch-ms.ts';
import { NEVER, parseInstant } from '../../../src/time/instant.ts';
import type { Known } from '../../../src/twin/events/apply-event.ts';
import {
  type Snapshot,
  unreadSnapshot,
  type WorkItem,
  type WorkPriority,
} from '../../../src/twin/snapshot/snapshot.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../../src/twin/snapshot/stored-snapshot.ts';
import { type TwinId, twinKey } from '../../../src/twin/snapshot/twin.ts';
import { damaged, planted } from './damage.ts';
import type { Random } from './random.ts';
import type { Scheduler, Task } from './scheduler.ts';

interface Stored {
  readonly id: TwinId;
  readonly text: string;
  readonly etag: string;
  readonly workItem: WorkItem | undefined;
  readonly partition: PartitionKey;
}

/** The state tables, for all instances: rows with etags, that may be away, or answer after the connection is lost. */
export class ModelStore {
  readonly rows = new Map<string, Stored>();
  /** What the counts have read of rows. Nothing else may see it: each reader gets objects of its own. */
  readonly #restored = new WeakMap<Stored, Known>();
  readonly #progress = new Map<string, string>();
  readonly #messages = new Map<string, number>();
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  /** Every control row that there was, and since when. */
  readonly controls: { readonly at: EpochMs; readonly control: Control }[] = [];
  readonly #counted = new Map<
    PartitionKey,
    { readonly policies: Readonly<Record<string, PolicyStatusCounts>>; readonly at: EpochMs }
  >();
  #control: Control = controlSchema.parse({});
  awayUntil = 0;
  /** How often a call takes effect although its answer is lost. */
  lostAnswers = 0;
  #etags = 0;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get control(): Control {
    return this.#control;
  }

  set control(control: Control) {
    if (control === this.#control) return;
    this.#control = control;
    this.controls.push({ at: this.#scheduler.now, control });
  }

  /** Messages of the daily quotas that were set aside, by hub and day. */
  get reserved(): ReadonlyMap<string, number> {
    return this.#messages;
  }

  /** All that is stored of twins and of the progress of work, as text. */
  get text(): string {
    return JSON.stringify([[...this.rows.values()], [...this.#progress], this.controls]);
  }

  /** An operator changes a stored twin, as a command does. */
  change(id: TwinId, change: (snapshot: Snapshot) => Snapshot): void {
    const { known, etag } = this.#read(id);
    if (known.kind !== 'snapshot') return;
    this.#write(
      { id, known, etag, isRemembered: false },
      { kind: 'snapshot', snapshot: change(known.snapshot) },
    );
  }

  known(id: TwinId): Known {
    const stored = this.rows.get(twinKey(id));
    return stored === undefined ? { kind: 'nothing' } : restore(stored);
  }

  /** When the earliest work items is due; undefined: there is none. */
  nextItem(): EpochMs | undefined {
    const times = [...this.rows.values()].flatMap(({ workItem }) => workItem?.at ?? []);
    return times.length === 0 ? undefined : times.reduce(earlierOf);
  }

  /** The store as one task sees it, with what its instance remembers. */
  seenBy(task: Task, memory: RecordMemory) {
    const call = async <Result>(act: () => Result): Promise<Result> => {
      await this.#scheduler.pause(this.#random.between(1, 20), task);
      if (this.#scheduler.now < this.awayUntil) throw away();
      const result = act();
      if (this.#random.chance(this.lostAnswers)) throw away();
      return result;
    };
    const load = async (id: TwinId, from: 'stored' | 'remembered' = 'stored'): Promise<TwinRecord> => {
      const remembered = from === 'remembered' ? memory.get(id) : undefined;
      if (remembered !== undefined) return remembered;
      const record = await call(() => this.#read(id));
      memory.put(record, 1);
      return record;
    };
    return {
      load,
      loadAll: async (ids: readonly TwinId[]): Promise<ReadonlyMap<string, TwinRecord>> => {
        const settled = await Promise.allSettled(ids.map((id) => load(id, 'remembered')));
        return new Map(
          settled.flatMap((each) =>
            each.status === 'fulfilled' ? [[twinKey(each.value.id), each.value] as const] : [],
          ),
        );
      },
      save: async (record: TwinRecord, known: Exclude<Known, { kind: 'nothing' }>) => {
        const saved = await call(() => this.#write(record, known));
        if (saved === 'conflict') memory.forget(record.id);
        else memory.put(saved, 1);
        return saved;
      },
      modulesOf: ({ host, deviceId }: TwinId) =>
        call(() =>
          [...this.rows.values()]
            .map(({ id }) => id)
            .filter((id) => id.host === host && id.deviceId === deviceId && id.moduleId !== undefined),
        ),
      page: async (partition: PartitionKey, after: string | undefined, limit: number) => {
        const rows = [...this.rows.values()]
          .filter((stored) => stored.partition === partition)
          .map(({ id }) => ({ id, rowKey: snapshotKey(id) }))
          .filter(({ rowKey }) => after === undefined || rowKey > after)
          .sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1))
          .slice(0, limit)
          .map(({ id, rowKey }) => ({ ...this.#read(id), rowKey }));
        return rows.length === 0 ? [] : call(() => rows);
      },
      dueItems: async (
        partition: PartitionKey,
        priority: WorkPriority,
        now: EpochMs,
        limit: number,
        after = '',
      ): Promise<FirstItems> => {
        const due = this.#workItems(partition).filter(
          (row) => row.priority === priority && row.at <= now && row.rowKey > after,
        );
        const first = { items: due.slice(0, limit), areAll: due.length < limit };
        return due.length === 0 ? first : call(() => first);
      },
      firstItems: async (partition: PartitionKey, limit: number): Promise<FirstItems> => {
        const all = this.#workItems(partition);
        const first = { items: all.slice(0, limit), areAll: all.length < limit };
        return all.length === 0 ? first : call(() => first);
      },
      dropItem: async () => {},
      sweep: async () => [],
      hubsWithDueWork: async (now: EpochMs) => {
        const isDue: HasDueWork = (host, priority) =>
          [...this.rows.values()].some(
            ({ id, workItem }) =>
              id.host === host &&
              workItem !== undefined &&
              workItem.at <= now &&
              workItem.priority === (priority ?? workItem.priority),
          );
        return [...this.rows.values()].some(({ id }) => isDue(id.host)) ? call(() => isDue) : isDue;
      },
    };
  }

  /** The counts of twins as one task sees them. */
  countsOfTwins(task: Task): Pick<TwinCountStore, 'count' | 'read'> {
    const call = async <Result>(act: () => Result): Promise<Result> => {
      await this.#scheduler.pause(this.#random.between(1, 20), task);
      if (this.#scheduler.now < this.awayUntil) throw away();
      return act();
    };
    return {
      count: (buckets, _, hubs) =>
        call(() => {
          for (const bucket of buckets) {
            for (const host of hubs.keys()) this.#count(partitionKey(host, BUCKET_NAMES.indexOf(bucket)));
          }
          return buckets.length;
        }),
      read: (hosts) => call(() => new Map(hosts.map((host) => [host, this.#counts(host)]))),
    };
  }

  #count(partition: PartitionKey): void {
    const policies: Record<string, PolicyStatusCounts> = {};
    for (const stored of this.rows.values()) {
      if (stored.partition !== partition) continue;
      // Most rows are counted again and again before they change.
      const known = this.#restored.get(stored) ?? restore(stored);
      this.#restored.set(stored, known);
      if (known.kind !== 'snapshot') continue;
      const { policies: statuses, stages = {}, status } = known.snapshot.lastReconcile;
      for (const [id, policyStatus] of Object.entries(statuses)) {
        policies[id] = addStatusCounts(policies[id] ?? {}, { [policyStatus]: 1 });
        const stage = stages[id];
        if (stage === undefined) continue;
        const inStage = status === 'suspended' ? 'silent' : policyStatus;
        const key = stageKey(id, stage);
        policies[key] = addStatusCounts(policies[key] ?? {}, { [inStage]: 1 });
      }
    }
    this.#counted.set(partition, { policies, at: this.#scheduler.now });
  }

  #counts(host: HostName) {
    let policies: Record<string, PolicyStatusCounts> = {};
    let countedAt: EpochMs | undefined = epochMs(Number.POSITIVE_INFINITY);
    for (const partition of partitionsOf(host)) {
      const counted = this.#counted.get(partition);
      countedAt = counted && countedAt && earlierOf(countedAt, counted.at);
      for (const [key, counts] of Object.entries(counted?.policies ?? {})) {
        policies = { ...policies, [key]: addStatusCounts(policies[key] ?? {}, counts) };
      }
    }
    return { statuses: noStates(), policies, countedAt };
  }

  /** Damages what is stored of some twins, and some of their rows of work. @param policies their hashes */
  damage(policies: readonly string[], values: readonly JsonValue[]): void {
    const random = this.#random;
    for (const [key, stored] of this.rows) {
      if (random.chance(0.3)) continue;
      const known = JSON.parse(stored.text) as Record<string, JsonValue>;
      // `snapshot`, or `at` of a deletion; the kind is a column of its own.
      const [content = ''] = Object.keys(known).filter((name) => name !== 'kind');
      const before = known[content] ?? null;
      const isPlanted = isObject(before) && isObject(before.paths) && random.chance(0.5);
      const after = isPlanted
        ? { ...before, paths: planted(before.paths as JsonObject, policies, values, random) }
        : damaged(before, random);
      const text = JSON.stringify({ ...known, [content]: after });
      const isWorkLost = random.chance(0.3);
      this.rows.set(key, { ...stored, text, workItem: isWorkLost ? undefined : stored.workItem });
    }
  }

  controlSeenBy(task: Task) {
    const call = async <Result>(act: () => Result): Promise<Result> => {
      await this.#scheduler.pause(this.#random.between(1, 20), task);
      if (this.#scheduler.now < this.awayUntil) throw away();
      return act();
    };
    return {
      read: () => call(() => this.control),
      update: (change: (control: Control) => Control) =>
        call(() => {
          this.control = change(this.control);
          return this.control;
        }),
    };
  }

  progressSeenBy(task: Task) {
    return {
      read: async (name: string): Promise<JsonValue | undefined> => {
        if (this.#scheduler.now < this.awayUntil) throw away();
        const text = this.#progress.get(name);
        return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
      },
      write: async (name: string, progress: JsonValue) => {
        await this.#scheduler.pause(1, task);
        if (this.#scheduler.now < this.awayUntil) throw away();
        this.#progress.set(name, JSON.stringify(progress));
      },
    };
  }

  progress(name: string): JsonValue | undefined {
    const text = this.#progress.get(name);
    return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
  }

  setProgress(name: string, progress: JsonValue): void {
    this.#progress.set(name, JSON.stringify(progress));
  }

  countsSeenBy(task: Task): DailyCounts {
    return {
      reserve: async ({ day, host, share }, messages, limit) => {
        await this.#scheduler.pause(this.#random.between(1, 20), task);
        if (this.#scheduler.now < this.awayUntil) throw away();
        const key = `${day} ${host} ${share}`;
        const used = this.#messages.get(key) ?? 0;
        const granted = Math.max(0, Math.min(messages, limit - used));
        this.#messages.set(key, used + granted);
        return granted;
      },
    };
  }

  #workItems(partition: PartitionKey): readonly WorkItemRow[] {
    return [...this.rows.values()]
      .flatMap(({ id, workItem, partition: own }) => {
        if (workItem === undefined || own !== partition) return [];
        const { priority, at } = workItem;
        return [{ id, priority, at, partitionKey: partition, rowKey: workItemKey(id, priority, at) }];
      })
      .sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
  }

  #read(id: TwinId): TwinRecord {
    const stored = this.rows.get(twinKey(id));
    if (stored === undefined) return { id, known: { kind: 'nothing' }, etag: undefined, isRemembered: false };
    return { id, known: restore(stored), etag: stored.etag, isRemembered: false };
  }

  #write(record: TwinRecord, known: Exclude<Known, { kind: 'nothing' }>): TwinRecord | 'conflict' {
    const key = twinKey(record.id);
    if (this.rows.get(key)?.etag !== record.etag) return 'conflict';
    this.#etags += 1;
    const etag = String(this.#etags);
    const workItem = known.kind === 'snapshot' ? known.snapshot.workItem : undefined;
    const { id } = record;
    this.rows.set(key, { id, text: JSON.stringify(known), etag, workItem, partition: partitionOf(id) });
    return { id: record.id, known, etag, isRemembered: false };
  }
}

function restore({ id, text }: Stored): Known {
  const known = JSON.parse(text) as {
    readonly kind?: unknown;
    readonly at?: unknown;
    readonly snapshot?: unknown;
  };
  if (known.kind !== 'deleted')
    return { kind: 'snapshot', snapshot: snapshotIn(id, SNAPSHOT_FORMAT.read(known.snapshot)) };
  const at = parseInstant(known.at);
  return at === undefined
    ? { kind: 'snapshot', snapshot: unreadSnapshot(id, NEVER, 'the stored time of its deletion is damaged') }
    : { kind: 'deleted', at };
}

function away(): BerthError {
  return new BerthError('BERTH_STORE_UNAVAILABLE', 'The state tables cannot be used now.');
}

function noStates() {
  return { inSync: 0, pending: 0, drifted: 0, rejected: 0, contested: 0, suspended: 0, unknown: 0 };
}

/** The hub and the day of a count of messages. */
export function hubAndDay(key: string): readonly [host: HostName, day: string] {
  const [day = '', host = ''] = key.split(' ');
  return [host as HostName, day];
}
