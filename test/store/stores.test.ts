import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { withPackage } from '../../src/control/packages.ts';
import { pauseOf } from '../../src/control/pauses.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { ReceiptStore } from '../../src/store/receipts/receipt-store.ts';
import { ConditionsStore } from '../../src/store/state/conditions-store.ts';
import { ControlStore } from '../../src/store/state/control.ts';
import { Lease } from '../../src/store/state/lease.ts';
import { RevisionStore } from '../../src/store/state/revisions.ts';
import { UnknownHubStore } from '../../src/store/state/unknown-hub-store.ts';
import { packDocument } from '../../src/store/tables/document.ts';
import {
  attentionKey,
  BUCKET_NAMES,
  bucketOf,
  type PartitionKey,
  partitionOf,
  snapshotKey,
  tombstoneKey,
  workItemKey,
} from '../../src/store/tables/keys.ts';
import { openTables, type Row, type Table, type Tables } from '../../src/store/tables/tables.ts';
import { TwinCountStore } from '../../src/store/twins/twin-count-store.ts';
import { type TwinRecord, TwinStore } from '../../src/store/twins/twin-store.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf, NEVER } from '../../src/time/instant.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { type Snapshot, type TwinStatus, WORK_PRIORITIES } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { fleetOf, requestOf } from '../allocation/requests.ts';
import { countAll } from '../support/count-all.ts';
import { storageAccount } from '../support/storage-account.ts';
import { snapshotOf, T0 } from '../twin/twins.ts';

let storage: string;
let tables: Tables;
beforeAll(async () => {
  storage = await storageAccount();
  tables = openTables({ kind: 'connectionString', connectionString: storage });
});

/** A hub of its own for each test, so that tests share the tables without meeting. */
let host = hostName('x.azure-devices.net');
beforeEach(() => {
  host = hostName(`${randomUUID()}.azure-devices.net`);
});
const idOf = (deviceId: string, moduleId?: string): TwinId => ({ host, deviceId, moduleId });
const present = (id: TwinId, parts: Partial<Snapshot> = {}): Exclude<Known, { kind: 'nothing' }> => ({
  kind: 'snapshot',
  snapshot: snapshotOf({ ...parts, id }),
});
const resynced = (status: TwinStatus, why = '') => ({
  lastReconcile: { status, since: T0, why, revision: 'r', policies: {}, isHeld: false },
});

describe('the twin store', () => {
  let store: TwinStore;
  let counts: TwinCountStore;
  beforeEach(() => {
    store = new TwinStore(tables.twins);
    counts = new TwinCountStore(tables.twins, tables.state);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  const save = async (
    record: TwinRecord,
    known: Exclude<Known, { kind: 'nothing' }>,
  ): Promise<TwinRecord> => {
    const saved = await store.save(record, known);
    if (saved === 'conflict') throw new Error('conflict');
    return saved;
  };

  /** Work items of all priorities. */
  const dueIn = async (partition: PartitionKey, now: EpochMs) => {
    const pages = await Promise.all(
      WORK_PRIORITIES.map((priority) => store.dueItems(partition, priority, now, 10)),
    );
    return pages.flatMap(({ items }) => items);
  };

  test('returns the stored snapshot for any id and any text', async () => {
    const id = idOf("a#b?c%d*'(x)=@$,;", 'm#1');
    const snapshot = present(id, {
      tags: { city: 'Zürich' },
      reported: { list: [1, null, { a: 1.5 }] },
      etag: undefined,
    });

    const nothing = await store.load(id);
    await save(nothing, snapshot);

    expect(nothing.known).toEqual({ kind: 'nothing' });
    expect((await store.load(id)).known).toEqual(snapshot);
  });

  test('keeps twins up to the documented sizes', async () => {
    const id = idOf('big');
    const section = (seed: number) =>
      Object.fromEntries(
        Array.from({ length: 30 }, (_, i) => [
          `key${i}`,
          Array.from({ length: 250 }, (_, j) => ((i * 997 + j * seed) % 9973).toString(36)).join('-'),
        ]),
      );
    const snapshot = present(id, {
      desired: section(31),
      reported: section(37),
      tags: { a: 'x'.repeat(4_000) },
    });

    await save(await store.load(id), snapshot);

    expect((await store.load(id)).known).toEqual(snapshot);
  });

  test('refuses to overwrite a change of another writer', async () => {
    const id = idOf('d');
    const nothing = await store.load(id);
    const first = await save(nothing, present(id, { version: 2 }));
    const second = await save(first, present(id, { version: 3 }));

    expect(await store.save(nothing, present(id, { version: 9 }))).toBe('conflict');
    expect(await store.save(first, present(id, { version: 9 }))).toBe('conflict');
    expect(await store.save(second, present(id, { version: 4 }))).not.toBe('conflict');
  });

  test('writes many twins at once, and one conflict does not affect the others', async () => {
    const ids = Array.from({ length: 120 }, (_, index) => idOf(`d${index}`));
    const nothing = await Promise.all(ids.map((id) => store.load(id)));
    await save(nothing[7] as TwinRecord, present(ids[7] as TwinId, { version: 5 }));

    const results = await Promise.all(nothing.map((record) => store.save(record, present(record.id))));

    expect(results.filter((result) => result === 'conflict')).toHaveLength(1);
    expect(results[7]).toBe('conflict');
    const loaded = await Promise.all(ids.map((id) => store.load(id)));
    expect(loaded.every(({ known }) => known.kind === 'snapshot')).toBe(true);
  });

  test('keeps the work item consistent with the snapshot', async () => {
    const id = idOf('d');
    const partition = partitionOf(id);
    const workItem = (at: EpochMs, priority: 'edit' | 'drift' = 'drift') => ({
      workItem: { priority, at, why: 'test', tries: 0 },
    });

    let record = await save(await store.load(id), present(id, workItem(T0)));
    expect(await dueIn(partition, plus(T0, -1))).toEqual([]);
    expect(await dueIn(partition, T0)).toMatchObject([{ id, priority: 'drift' }]);

    record = await save(record, present(id, workItem(plus(T0, 5_000), 'edit')));
    expect(await dueIn(partition, T0)).toEqual([]);
    expect(await dueIn(partition, plus(T0, 5_000))).toMatchObject([{ id, priority: 'edit' }]);

    await save(record, present(id));
    expect(await dueIn(partition, plus(T0, 9_000))).toEqual([]);
  });

  test('returns work items by priority and then by time', async () => {
    const partition = partitionOf(idOf('d'));
    const same = Array.from({ length: 400 }, (_, i) => idOf(`d${i}`))
      .filter((id) => partitionOf(id) === partition)
      .slice(0, 4);
    const workItems = [
      { priority: 'resync', at: T0 },
      { priority: 'drift', at: plus(T0, 2) },
      { priority: 'drift', at: plus(T0, 1) },
      { priority: 'edit', at: plus(T0, 3) },
    ] as const;
    for (const [index, workItem] of workItems.entries()) {
      const id = same[index] as TwinId;
      await save(await store.load(id), present(id, { workItem: { ...workItem, why: '', tries: 0 } }));
    }

    const ids = (await dueIn(partition, plus(T0, 10))).map(({ id }) => id.deviceId);

    expect(ids).toEqual([same[3], same[2], same[1], same[0]].map((id) => id?.deviceId));
    const first = await store.dueItems(partition, 'drift', plus(T0, 10), 1);
    expect(first).toMatchObject({ items: [{ id: same[2] }], areAll: false });
    expect(await store.dueItems(partition, 'drift', plus(T0, 10), 2, first.items[0]?.rowKey)).toMatchObject({
      items: [{ id: same[1] }],
      areAll: true,
    });
    expect((await store.firstItems(partition, 10)).items.map(({ id }) => id.deviceId)).toEqual(ids);
  });

  test('accepts a missing work item and removes one without a snapshot', async () => {
    const id = idOf('d');
    const record = await save(
      await store.load(id),
      present(id, { workItem: { priority: 'edit', at: T0, why: '', tries: 0 } }),
    );
    const {
      items: [row],
    } = await store.dueItems(partitionOf(id), 'edit', T0, 1);
    if (row === undefined) throw new Error('no work item');

    await store.dropItem(row);
    await store.dropItem(row);

    expect(await store.save(record, present(id))).not.toBe('conflict');
  });

  test('returns a twin with a damaged row as one that must be read', async () => {
    const id = idOf('broken');
    await save(await store.load(id), present(id, { tags: { city: 'Zürich' } }));
    const row = { partitionKey: partitionOf(id), rowKey: snapshotKey(id) };
    for (const properties of [
      { host: 'x', deviceId: 'somebody-else', status: 'inSync', doc0: new Uint8Array([1, 2, 3]) },
      { host: 'x', deviceId: 'somebody-else', status: 'inSync', ...packDocument({ version: 'x' }) },
      { host: 'x', deviceId: 'somebody-else', status: 'inSync' },
      { host: 'x', deviceId: 'somebody-else', status: 'deleted', at: 'x' },
    ]) {
      await tables.twins.put(row.partitionKey, row.rowKey, properties);

      const { known } = await new TwinStore(tables.twins).load(id);
      const [paged] = await store.page(partitionOf(id), undefined, 10);

      expect(known).toMatchObject({ kind: 'snapshot', snapshot: { id, version: 0, unread: {} } });
      expect(paged).toMatchObject({ id, known: { kind: 'snapshot', snapshot: { id } } });
    }
  });

  test('removes rows that no twin has and keeps the others', async () => {
    const id = idOf('swept');
    const workItem = { priority: 'drift', at: T0, why: 'late', tries: 0 } as const;
    await save(await store.load(id), present(id, { workItem, ...resynced('rejected', 'no') }));
    const partition = partitionOf(id);
    const columns = { host, deviceId: 'swept' };
    const strays = [attentionKey(id, 'contested'), workItemKey(id, 'edit', plus(T0, 5)), tombstoneKey(id)];
    for (const rowKey of strays) await tables.twins.put(partition, rowKey, { ...columns, why: 'stray' });
    const kept = [attentionKey(id, 'rejected'), workItemKey(id, 'drift', T0)];

    for (let after: string | undefined; ; ) {
      const page = await store.sweep(partition, after, 2);
      if (page.length < 2) break;
      after = page.at(-1)?.rowKey;
    }

    const rows = await tables.twins.list({ partitionKey: partition });
    expect(rows.map(({ rowKey }) => rowKey)).toEqual([...kept, snapshotKey(id)].sort());
  });

  test('writes lost rows of a twin again on request', async () => {
    const id = idOf('lost');
    const workItem = { priority: 'drift', at: T0, why: 'late', tries: 0 } as const;
    const snapshot = present(id, { workItem, ...resynced('rejected', 'no') });
    const saved = await save(await store.load(id), snapshot);
    await tables.twins.delete(partitionOf(id), workItemKey(id, 'drift', T0));
    await tables.twins.delete(partitionOf(id), attentionKey(id, 'rejected'));

    await store.save(saved, snapshot, { rewrites: true });

    expect(await dueIn(partitionOf(id), T0)).toHaveLength(1);
    expect(await store.attention(partitionOf(id), undefined, 10)).toMatchObject([{ id, why: 'no' }]);
  });

  test('lists twins that need attention and removes them when they are in sync', async () => {
    const id = idOf('d');
    const rejected = await save(
      await store.load(id),
      present(id, resynced('rejected', 'interval the device answered 400')),
    );

    expect(await store.attention(partitionOf(id), undefined, 10)).toMatchObject([
      { id, status: 'rejected', since: T0, why: 'interval the device answered 400' },
    ]);

    await save(rejected, present(id, resynced('inSync')));
    expect(await store.attention(partitionOf(id), undefined, 10)).toEqual([]);
  });

  test('keeps the tombstone of a deleted twin until it is old and accepts the twin when it is created again', async () => {
    const id = idOf('d');
    const partition = partitionOf(id);
    const countBefore = (ms: number) => countAll({ twinCounts: counts }, [host], T0, instantOf(plus(T0, ms)));
    const workItem = {
      workItem: { priority: 'edit', at: T0, why: '', tries: 0 },
      ...resynced('rejected'),
    } as const;
    const snapshot = await save(await store.load(id), present(id, workItem));
    const deleted = { kind: 'deleted', at: instantOf(T0) } as const;

    const tombstone = await save(snapshot, deleted);
    expect((await store.load(id)).known).toEqual(deleted);
    expect(await dueIn(partition, T0)).toEqual([]);
    expect(await store.attention(partition, undefined, 10)).toEqual([]);

    await countBefore(-1);
    expect((await store.load(id)).known).toEqual(deleted);

    const reborn = await save(tombstone, present(id));
    await countBefore(1);
    expect((await store.load(id)).known.kind).toBe('snapshot');

    await save(reborn, deleted);
    await countBefore(1);
    expect((await store.load(id)).known).toEqual({ kind: 'nothing' });
  });

  // The key of a tombstone is longer than that of a snapshot. So only one of both may have a hash of the ids.
  test.each([434, 435, 436, 437, 438, 439, 440])(
    'removes the snapshot row of a deleted module with its tombstone if the escaped ids have %i characters',
    async (length) => {
      const id = idOf('#'.repeat(128), 'm'.repeat(length - 3 * 128 - 1));
      const snapshot = await save(await store.load(id), present(id, resynced('inSync')));
      await save(snapshot, { kind: 'deleted', at: instantOf(T0) });

      await countAll({ twinCounts: counts }, [host], T0, instantOf(plus(T0, 1)));

      const rows: Row[] = [];
      for await (const page of tables.twins.scan({ partition: bucketOf(id.deviceId), range: ['', '~'] }))
        rows.push(...page.filter(({ partitionKey }) => partitionKey === partitionOf(id)));
      expect(rows).toEqual([]);
    },
  );

  test('stores the counts of the other buckets if one bucket cannot be read', async () => {
    const [broken = bucketOf('d')] = BUCKET_NAMES.filter((bucket) => bucket !== bucketOf('d'));
    const id = idOf('d');
    await save(await store.load(id), present(id, resynced('inSync')));
    const away = new Error('away');
    const read = tables.twins.scan.bind(tables.twins);
    jest.spyOn(tables.twins, 'listIfSmall').mockResolvedValue(undefined);
    jest.spyOn(tables.twins, 'scan').mockImplementation((scan) => {
      if (scan.partition === broken) throw away;
      return read(scan);
    });

    await expect(countAll({ twinCounts: counts }, [host], T0)).rejects.toBe(away);

    expect((await counts.of(host)).statuses).toMatchObject({ inSync: 1 });
  });

  test.each([
    { of: 'each bucket of a large table', isSmall: false },
    { of: 'a small table', isSmall: true },
  ])(
    'counts the twins of several hubs with one list of $of, and leaves other hubs alone',
    async ({ isSmall }) => {
      const other = hostName(`other-${host}`);
      const left = hostName(`left-${host}`);
      for (const each of [host, other, left]) {
        const id = { ...idOf('d'), host: each };
        await save(await store.load(id), present(id, resynced(each === other ? 'rejected' : 'inSync')));
      }
      const small = jest.spyOn(tables.twins, 'listIfSmall');
      if (!isSmall) small.mockResolvedValue(undefined);
      const scans = jest.spyOn(tables.twins, 'scan');
      const transactions = jest.spyOn(tables.state, 'transact');

      await countAll({ twinCounts: counts }, [host, other], T0);

      const counted = await counts.read([host, other, left]);
      expect(counted.get(host)?.statuses).toMatchObject({ inSync: 1, rejected: 0 });
      expect(counted.get(other)?.statuses).toMatchObject({ inSync: 0, rejected: 1 });
      expect(counted.get(left)).toMatchObject({ statuses: { inSync: 0 }, countedAt: undefined });
      // One list of snapshots and tombstones.
      expect(scans).toHaveBeenCalledTimes(isSmall ? 0 : BUCKET_NAMES.length);
      // Both hubs have sixteen rows of counts. A transaction has at most a hundred rows.
      expect(transactions.mock.calls.map(([actions]) => actions.length)).toEqual([32]);
    },
  );

  test('says that a hub may have due work items if its rows are behind the first page of a bucket', async () => {
    const row = (name: string, at: EpochMs): Row => {
      const id = { ...idOf('d'), host: hostName(`${name}.azure-devices.net`) };
      return {
        partitionKey: partitionOf(id),
        rowKey: workItemKey(id, 'drift', at),
        etag: '',
        properties: {},
      };
    };
    const pages = [[row('a', plus(T0, 1)), row('b', plus(T0, 1))], [row('c', T0)]];
    const full = {
      listIfSmall: async () => undefined,
      scan: async function* () {
        yield* pages;
      },
    } as unknown as Table;

    const hasWork = await new TwinStore(full).hubsWithDueWork(T0);

    const names = ['a', 'b', 'c', 'z'].map((name) => hostName(`${name}.azure-devices.net`));
    expect(names.map((name) => hasWork(name))).toEqual([false, true, true, true]);
  });

  test.each([
    { size: 'small', isSmall: true },
    { size: 'large', isSmall: false },
  ])('finds due work items and twins that need attention in a $size table', async ({ isSmall }) => {
    if (!isSmall) jest.spyOn(tables.twins, 'listIfSmall').mockResolvedValue(undefined);
    const other = hostName(`other-${host}`);
    const later = hostName(`later-${host}`);
    const workItem = (at: EpochMs) => ({ workItem: { priority: 'drift', at, why: '', tries: 0 } }) as const;
    const due = idOf('due');
    await save(await store.load(due), present(due, { ...workItem(T0), ...resynced('rejected') }));
    const waiting = { ...idOf('waiting'), host: later };
    await save(
      await store.load(waiting),
      present(waiting, { ...workItem(plus(T0, 60_000)), ...resynced('inSync') }),
    );
    const [hasWork, hasAttention] = await Promise.all([
      store.hubsWithDueWork(T0),
      store.partitionsWithAttention(),
    ]);

    expect([host, other, later].map((name) => hasWork(name))).toEqual([true, false, false]);
    expect([hasWork(host, 'drift'), hasWork(host, 'activity')]).toEqual([true, false]);
    expect((await store.hubsWithDueWork(plus(T0, 60_000)))(later)).toBe(true);
    expect([due, waiting].map((id) => hasAttention(partitionOf(id)))).toEqual([true, false]);
  });

  test('counts twins by status with the time of the count', async () => {
    const states: readonly TwinStatus[] = ['inSync', 'inSync', 'rejected', 'pending', 'unknown'];
    for (const [index, status] of states.entries()) {
      const id = idOf(`d${index}`);
      await save(await store.load(id), present(id, resynced(status)));
    }
    expect((await counts.of(host)).countedAt).toBeUndefined();

    let index = 0;
    const now = () => plus(T0, index++);
    const counted = await counts.count(BUCKET_NAMES, now, new Map([[host, NEVER]]), () => true);
    expect(counted).toBe(BUCKET_NAMES.length);

    expect(await counts.of(host)).toEqual({
      statuses: { inSync: 2, pending: 1, drifted: 0, rejected: 1, contested: 0, suspended: 0, unknown: 1 },
      policies: {},
      edge: {},
      countedAt: T0,
    });
  });

  test('finds the modules of a device', async () => {
    for (const id of [idOf('d'), idOf('d', 'a'), idOf('d', 'b'), idOf('d2', 'c')])
      await save(await store.load(id), present(id));

    expect(await store.modulesOf(idOf('d'))).toEqual([idOf('d', 'a'), idOf('d', 'b')]);
  });
});

describe('the control row', () => {
  const fresh = async () => {
    await tables.state.delete('control', 'control');
    return new ControlStore(tables.state);
  };

  test('means that everything is on while it does not exist', async () => {
    const control = await (await fresh()).read();

    expect(pauseOf(control, host)).toBeUndefined();
    expect(control.newestBuild).toBe('');
  });

  test('pauses the fleet or one hub', async () => {
    const store = await fresh();
    const pause = { author: 'ann', reason: 'test', at: T0 };
    await store.update((control) => ({ ...control, hubs: { [host]: pause } }));

    expect(pauseOf(await store.read(), host)).toEqual(pause);
    expect(pauseOf(await store.read(), hostName('other.azure-devices.net'))).toBeUndefined();
    await store.update((control) => ({ ...control, fleet: pause }));
    expect(pauseOf(await store.read(), hostName('other.azure-devices.net'))).toEqual(pause);
  });

  test('keeps the newest build time and every one of several concurrent changes', async () => {
    const store = await fresh();
    const pause = { author: 'ann', reason: 'test', at: T0 };
    await Promise.all([
      ...['2026-11-23T12:00:00Z', '2026-11-22T12:00:00Z'].map((build) =>
        store.update((control) => withPackage(control, build, [], T0)),
      ),
      ...['a', 'b', 'c'].map((hub) =>
        store.update((control) => ({ ...control, hubs: { ...control.hubs, [hub]: pause } })),
      ),
    ]);

    const control = await store.read();
    expect(control.newestBuild).toBe('2026-11-23T12:00:00Z');
    expect(Object.keys(control.hubs).sort()).toEqual(['a', 'b', 'c']);
  });

  test('is an error when it cannot be read and does not count as "on"', async () => {
    const store = await fresh();
    await tables.state.put('control', 'control', { doc0: new Uint8Array([1, 2, 3]) });

    await expect(store.read()).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
    await fresh();
  });
});

describe('the other stores', () => {
  test('keep device counts, failures and causes as conditions', async () => {
    const store = new ConditionsStore(tables.state);
    const other = hostName(`other-${host}`);
    await store.recordCount(host, 12, T0);
    await store.recordFailure(host);
    await store.recordFailure(host);
    await store.recordFailure(other);
    await store.recordCauses([`drain:${host}`], NO_CONDITIONS, T0);

    const conditions = await store.read(plus(T0, 5));
    expect(conditions.hubs.get(host)).toEqual({ devices: { count: 12, countedAt: T0 }, failures: 2 });
    expect(conditions.hubs.get(other)).toEqual({ failures: 1 });
    expect(conditions.causes.get(`drain:${host}`)).toBe(T0);

    await store.recordCauses([`drain:${host}`], NO_CONDITIONS, plus(T0, 99));
    expect((await store.read(T0)).causes.get(`drain:${host}`)).toBe(T0);
    await store.recordCauses([], conditions, plus(T0, 100));
    expect((await store.read(T0)).causes.size).toBe(0);
  });

  test('keep the last valid revision, which an older package does not replace', async () => {
    const store = new RevisionStore(tables.state);
    expect(await store.lastGood()).toBeUndefined();

    await store.keep('r1', '{"a":1}', '2026-01-01');
    await store.keep('r2', '{"a":2}', '2026-02-01');
    await store.keep('r1', '{"a":1}', '2026-01-01');

    expect(await store.lastGood()).toEqual({ text: '{"a":2}', models: {} });
    expect(await store.get('r1')).toEqual({ text: '{"a":1}', models: {} });
    expect(await store.get('r3')).toBeUndefined();
  });

  test('keep a revision with its device models', async () => {
    const store = new RevisionStore(tables.state);
    const models = { 'dtmi:com:example:TemperatureController;1': ['thermostat1', 'thermostat2'] };

    await store.keep('r4', '{"a":4}', '2026-03-01', models);

    expect(await store.lastGood()).toEqual({ text: '{"a":4}', models });
  });

  test('keep the last five receipts, and a repeated receipt replaces the earlier one', async () => {
    const store = new ReceiptStore(tables.receipts);
    const receipt = (minute: number, site: string) => {
      const input = {
        request: requestOf({ context: { registrationId: 'Pump#1'.replace('#', '-'), payload: { site } } }),
        fleet: fleetOf({ twins: { initial: [{ name: 'base', tags: { site: '=payload.site' } }] } }),
        conditions: NO_CONDITIONS,
        now: plus(T0, minute * 60_000),
      };
      return receiptOf(input, decide(input));
    };
    for (let minute = 0; minute < 7; minute += 1) await store.keep(receipt(minute, `site-${minute}`));
    await store.keep(receipt(8, 'site-6'));
    await store.keep(receipt(9, 'site-6'));

    const kept = await store.list('pump-1');

    expect(kept.map(({ at }) => at)).toEqual(
      [9, 5, 4, 3, 2].map((minute) => new Date(plus(T0, minute * 60_000)).toISOString()),
    );
    expect(kept[0]).toEqual(JSON.parse(JSON.stringify(receipt(9, 'site-6'))));
    const newest = (await store.newest(1_000))?.filter(({ inputs }) => inputs.registrationId === 'Pump-1');
    expect(newest).toEqual([kept[0]]);
    expect(await store.newest(0)).toBeUndefined();
  });

  test('count unknown hubs correctly when two writers count at the same time', async () => {
    const store = new UnknownHubStore(tables.state);
    await Promise.all([store.add('Foreign', 3, T0), store.add('foreign', 4, T0)]);

    expect(await store.list()).toEqual([
      { hubName: expect.stringMatching(/foreign/i), events: 7, lastAt: new Date(T0).toISOString() },
    ]);
  });

  test('count unknown hubs with any name', async () => {
    const store = new UnknownHubStore(tables.state);
    await store.add('é'.repeat(40_000), 2, T0);
    await store.add('é'.repeat(40_000), 3, T0);

    expect(await store.list()).toContainEqual(
      expect.objectContaining({ hubName: 'é'.repeat(100), events: 5 }),
    );
  });

  test('give a lease to one owner at a time, and the lease expires', async () => {
    const one = new Lease(tables.state, host, 'one');
    const other = new Lease(tables.state, host, 'other');

    expect(await one.take(T0, 1_000)).toBe(true);
    expect(await one.take(plus(T0, 1), 1_000)).toBe(true);
    expect(await other.take(plus(T0, 500), 1_000)).toBe(false);
    expect(await other.take(plus(T0, 1_002), 1_000)).toBe(true);
    await one.release();
    expect(await one.take(plus(T0, 1_003), 1_000)).toBe(false);
    await other.release();
    expect(await one.take(plus(T0, 1_004), 1_000)).toBe(true);
  });
});

describe('a store that is unavailable', () => {
  test('gives a coded error without the account key and works again when it is back', async () => {
    const away = openTables({
      kind: 'connectionString',
      connectionString: storage.replace(
        /TableEndpoint=[^;]+/,
        'TableEndpoint=http://127.0.0.1:9/devstoreaccount1',
      ),
    });

    const error: unknown = await away.state.get('p', 'r').catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE', kind: 'transient' });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toMatch(/Eby8|SharedKey/);
  });
});
