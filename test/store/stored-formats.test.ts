import { beforeAll, describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { type DocumentFormat, presentFormat } from '../../src/json/document-format.ts';
import { hash } from '../../src/json/hash.ts';
import { RECEIPT_FORMAT, ReceiptStore } from '../../src/store/receipts/receipt-store.ts';
import { ConditionsStore } from '../../src/store/state/conditions-store.ts';
import { ControlStore } from '../../src/store/state/control.ts';
import { ProgressStore } from '../../src/store/state/progress-store.ts';
import { RevisionStore } from '../../src/store/state/revisions.ts';
import { packDocument } from '../../src/store/tables/document.ts';
import { BUCKET_NAMES, bucketOf, partitionOf, snapshotKey } from '../../src/store/tables/keys.ts';
import type { MetNewerFormat } from '../../src/store/tables/newer-format.ts';
import { StoredDocuments } from '../../src/store/tables/stored-documents.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import { TwinStore } from '../../src/store/twins/twin-store.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { SNAPSHOT_FORMAT } from '../../src/twin/snapshot/stored-snapshot.ts';
import { fleetOf, requestOf } from '../allocation/requests.ts';
import { storageAccount } from '../support/storage-account.ts';
import { ID, snapshotOf, T0 } from '../twin/twins.ts';

/* How the formats of documents are stored in the tables, and what the stores make of older, damaged and newer rows. */

let tables: Tables;
beforeAll(async () => {
  const connectionString = await storageAccount();
  tables = openTables({ kind: 'connectionString', connectionString });
});

describe('rows of an older format', () => {
  /** What one package wrote, and a later one reads and writes. */
  const FIRST: DocumentFormat<{ readonly count: number }> = {
    document: 'counter',
    steps: [],
    read: (document) => document as { count: number },
  };
  const SECOND: DocumentFormat<{ readonly total: number }> = {
    document: 'counter',
    steps: [(document) => ({ total: (document as { count: number }).count })],
    read: (document) => document as { total: number },
  };

  test('are upgraded when they are read, stored in the new format, and refused by the old package after that', async () => {
    const met: MetNewerFormat[] = [];
    const old = new StoredDocuments(FIRST, (each) => void met.push(each));
    const later = new StoredDocuments(SECOND);
    await tables.state.put('formats', 'counter', old.columns({ count: 7 }));

    const total = await tables.state.update('formats', 'counter', (row) => {
      const before = row === undefined ? undefined : later.readOrRefuse(row, 'counter');
      const next = { total: (before?.total ?? 0) + 1 };
      return { put: later.columns(next), result: next.total };
    });

    expect(total).toBe(8);
    const row = await tables.state.get('formats', 'counter');
    if (row === undefined) throw new Error('no row');
    expect(later.read(row, 'it')).toEqual({ kind: 'known', value: { total: 8 } });
    expect(() => old.readOrRefuse(row, 'it')).toThrow(
      expect.objectContaining({ code: 'BERTH_FORMAT_NEWER', kind: 'transient' }),
    );
    expect(met).toEqual([{ document: 'counter', format: 2, known: 1, of: 'it' }]);
  });

  test.each<[string, unknown, object]>([
    ['its text alone', '{"a":1}', { text: '{"a":1}', models: {} }],
    ['with models', { text: '{}', models: { m: ['c'] } }, { text: '{}', models: { m: ['c'] } }],
  ])('are read if they hold a fleet file without a format number: %s', async (_, document, revision) => {
    await tables.state.put('revisions', 'older', packDocument(document));

    expect(await new RevisionStore(tables.state).get('older')).toEqual(revision);
  });

  test('count the approvals of stages that have begun as used, if they are the control row', async () => {
    const approvals = ['lab', 'one', 'all'].map((stage) => ({
      author: 'ann',
      reason: 'test',
      at: T0,
      stage,
    }));
    const rollouts = { abc: { stage: { name: 'one', since: T0 }, done: ['lab'], approvals } };
    await tables.state.put('control', 'control', { format: 4, ...packDocument({ generation: 7, rollouts }) });

    const { generation, rollouts: read } = await new ControlStore(tables.state).read();

    expect(generation).toBe(7);
    expect(read.abc?.approvals.map(({ stage, isUsed }) => [stage, isUsed])).toEqual([
      ['lab', true],
      ['one', true],
      ['all', undefined],
    ]);
  });

  test('are not written again if the same fleet file runs', async () => {
    await tables.state.put('revisions', 'same', packDocument('{}'));
    const before = await tables.state.get('revisions', 'same');

    await new RevisionStore(tables.state).keep('same', '{}', '2026-01-01');

    expect(await tables.state.get('revisions', 'same')).toEqual(before);
  });
});

describe('rows of this package', () => {
  const formatOf = async (table: keyof Tables, partition: string, row: string) =>
    (await tables[table].get(partition, row))?.properties.format;

  test('have the number of their format in a column', async () => {
    const twins = new TwinStore(tables.twins);
    const record = await twins.load(ID);
    const saved = await twins.save(record, { kind: 'snapshot', snapshot: snapshotOf() });
    await new ControlStore(tables.state).update((control) => ({ ...control, generation: 1 }));
    await new ProgressStore(tables.state).write('x', 1);
    await new RevisionStore(tables.state).keep('r', '{}', '2026-01-01');
    await new ConditionsStore(tables.state).recordCount(ID.host, 1, T0);

    expect(saved).not.toBe('conflict');
    expect(await formatOf('twins', partitionOf(ID), snapshotKey(ID))).toBe(presentFormat(SNAPSHOT_FORMAT));
    expect(await formatOf('state', 'control', 'control')).toBe(5);
    expect(await formatOf('state', 'progress', 'x')).toBe(1);
    expect(await formatOf('state', 'revisions', 'r')).toBe(3);
    expect(await formatOf('state', 'conditions', `hub|${ID.host}`)).toBe(1);
  });

  test('keep all fields of a receipt when a schema reads them', () => {
    const fleet = fleetOf({
      allocation: { rules: [{ name: 'r', when: "payload.a == 'b'", hub: 'weu.azure-devices.net' }] },
      twins: { initial: [{ name: 'base', tags: { site: '=payload.site' } }] },
    });
    for (const payload of [{}, { site: 'a', a: 'c' }, { site: 'x'.repeat(5_000) }, null]) {
      const input = {
        request: requestOf({ context: { payload } }),
        fleet,
        conditions: NO_CONDITIONS,
        now: T0,
      };
      const json: unknown = JSON.parse(JSON.stringify(receiptOf(input, decide(input))));

      expect(RECEIPT_FORMAT.read(json)).toEqual(json);
    }
  });
});

describe('rows without a possible format number', () => {
  const FORMATS = [undefined, 0, -3, 1.5, 'x', true, new Date(T0)];
  const columns = (format: unknown) => (format === undefined ? {} : { format });

  test('count as no progress, and the next progress replaces them', async () => {
    const store = new ProgressStore(tables.state);
    for (const format of FORMATS) {
      await tables.state.put('progress', 'damaged', { ...columns(format), ...packDocument(1) });

      expect(await store.read('damaged')).toBeUndefined();
    }
    await tables.state.put('progress', 'damaged', { format: 1, doc0: new Uint8Array([1]) });
    expect(await store.read('damaged')).toBeUndefined();

    await store.write('damaged', 2);
    expect(await store.read('damaged')).toBe(2);
  });

  test('count as no receipt, and receipts of a device that registers again replace them', async () => {
    const store = new ReceiptStore(tables.receipts);
    const partition = String(hash('damaged') % 4);
    for (const [row, format] of FORMATS.slice(0, 5).entries()) {
      await tables.receipts.put(partition, `damaged|1|${row}`, {
        ...columns(format),
        ...packDocument({ at: 'x' }),
      });
    }
    expect(await store.list('damaged')).toEqual([]);

    const input = {
      request: requestOf({
        context: { registrationId: 'damaged', currentIotHubHostName: 'weu.azure-devices.net' },
      }),
      fleet: fleetOf(),
      conditions: NO_CONDITIONS,
      now: T0,
    };
    await store.keep(receiptOf(input, decide(input)));

    expect(await store.list('damaged')).toHaveLength(1);
    expect(await tables.receipts.list({ partitionKey: partition })).toHaveLength(1);
    const all: unknown[] = [];
    for await (const receipts of store.all()) all.push(...receipts);
    expect(all).toHaveLength(1);
  });

  test('count as no conditions, and the next conditions replace them', async () => {
    const store = new ConditionsStore(tables.state);
    const host = hostName('damaged.azure-devices.net');
    for (const key of [`hub|${host}`, `override|state|${host}`, `cause|drain:${host}`]) {
      await tables.state.put('conditions', key, { devices: 'many', value: 3, since: 'x', failures: 'x' });
    }
    const damaged = await store.read(T0);
    expect([damaged.hubs.get(host), damaged.causes.has(`drain:${host}`)]).toEqual([{ overrides: {} }, false]);

    await store.recordFailure(host);
    await store.recordCauses([`drain:${host}`], damaged, T0);

    const { hubs, causes } = await store.read(plus(T0, 5));
    expect([hubs.get(host), causes.get(`drain:${host}`)]).toEqual([{ failures: 1, overrides: {} }, T0]);
  });

  test('count as no fleet revision, and the same fleet file replaces them', async () => {
    const store = new RevisionStore(tables.state);
    await tables.state.put('revisions', 'damaged', { format: 2, doc0: new Uint8Array([1]) });
    expect(await store.get('damaged')).toBeUndefined();

    await store.keep('damaged', '{}', '2026-01-01');

    expect(await store.get('damaged')).toEqual({ text: '{}', models: {} });
  });

  test('are an error that says what to do, if they are the control row', async () => {
    const store = new ControlStore(tables.state);
    for (const format of FORMATS) {
      await tables.state.put('control', 'control', { ...columns(format), ...packDocument({}) });

      await expect(store.read()).rejects.toMatchObject({
        code: 'BERTH_STORE_UNAVAILABLE',
        message: expect.stringMatching(/Delete the row control\/control of the table berthstate/),
      });
    }
  });
});

describe('rows of a newer package', () => {
  test('are refused and kept if they hold a fleet file or say which one was the last', async () => {
    const store = new RevisionStore(tables.state);
    const refused = { code: 'BERTH_FORMAT_NEWER' };
    await tables.state.put('revisions', 'newer', { format: 4 });
    await tables.state.put('revisions', 'last-good', { format: 4, revision: 'newer', build: '2026-01-01' });
    const before = await tables.state.list({ partitionKey: 'revisions', range: ['last-good', 'newes'] });

    await store.keep('newer', '{}', '2026-02-01');

    await expect(store.get('newer')).rejects.toMatchObject(refused);
    await expect(store.lastGood()).rejects.toMatchObject(refused);
    expect(await tables.state.list({ partitionKey: 'revisions', range: ['last-good', 'newes'] })).toEqual(
      before,
    );
  });

  test('end a scan of the twins of a bucket and a scan of all receipts with a coded error', async () => {
    const refused = { code: 'BERTH_FORMAT_NEWER' };
    const [newerBucket = bucketOf('d')] = BUCKET_NAMES;
    await tables.twins.put(`newer.azure-devices.net|${newerBucket}`, 's|d', {
      format: presentFormat(SNAPSHOT_FORMAT) + 1,
      status: 'inSync',
    });
    await tables.receipts.put('newer', '0', { format: presentFormat(RECEIPT_FORMAT) + 1, at: new Date(T0) });

    const through = async (rows: AsyncIterable<unknown>) => {
      for await (const _ of rows);
    };

    await expect(through(new TwinStore(tables.twins).records(newerBucket))).rejects.toMatchObject(refused);
    await expect(through(new ReceiptStore(tables.receipts).all())).rejects.toMatchObject(refused);
  });
});
