import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CONTROL_FORMAT } from '../../src/control/control.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { device } from '../../src/functions/device.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import { health } from '../../src/functions/health.ts';
import type { HttpHandler } from '../../src/functions/http-answer.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { presentFormat } from '../../src/json/document-format.ts';
import {
  attentionKey,
  partitionOf,
  snapshotKey,
  tombstoneKey,
  workItemKey,
} from '../../src/store/tables/keys.ts';
import type { Row, Table } from '../../src/store/tables/tables.ts';
import { auditName, requestName } from '../../src/sync/resync/audit-progress.ts';
import { EPOCH, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { SNAPSHOT_FORMAT } from '../../src/twin/snapshot/stored-snapshot.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { FunctionApp } from '../support/function-app.ts';

/* An instance of this package beside rows that a newer one has written: what rolling back, and the middle of a deployment, are. */

const MINUTE_MS = 60_000;
const NEWER = { code: 'BERTH_FORMAT_NEWER' };

/** A format that no package has yet, and the one of the snapshots of this package. */
const NEWER_FORMAT = 99;
const SNAPSHOTS = presentFormat(SNAPSHOT_FORMAT);

let app: FunctionApp;
let instance: Instance;
beforeEach(async () => {
  app = await FunctionApp.open();
  instance = app.instance();
});
afterEach(() => app.close());

const partition = (name: string) => partitionOf(app.id(name));
/** The row as a newer package writes it: with the next format, and a document that this one could not read. */
async function makeNewer(
  table: Table,
  partitionKey: string,
  rowKey: string,
  format = NEWER_FORMAT,
): Promise<Row> {
  const row = await table.get(partitionKey, rowKey);
  const properties = { ...row?.properties, format, doc0: new Uint8Array([1, 2, 3]), news: 'kept' };
  await table.put(partitionKey, rowKey, properties);
  return rowAt(table, partitionKey, rowKey);
}
async function rowAt(table: Table, partitionKey: string, rowKey: string): Promise<Row> {
  const row = await table.get(partitionKey, rowKey);
  if (row === undefined) throw new Error(`no row ${partitionKey}/${rowKey}`);
  return row;
}
const receiptRows = async (): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  for await (const page of app.tables.receipts.scan({})) rows.push(...page);
  return rows;
};
const snapshotRow = (name: string) => rowAt(app.tables.twins, partition(name), snapshotKey(app.id(name)));
const makeSnapshotNewer = (name: string) =>
  makeNewer(app.tables.twins, partition(name), snapshotKey(app.id(name)));
const lines = () => app.lines.filter(({ event }) => event === 'newerFormat');
const writes = () => app.hub().counters.twinWrites;

async function call(handler: HttpHandler, body?: object, params: Readonly<Record<string, string>> = {}) {
  const request = new HttpRequest({
    url: 'http://localhost/api/x',
    method: body === undefined ? 'GET' : 'POST',
    params,
    ...(body === undefined ? {} : { body: { string: JSON.stringify(body) } }),
  });
  const { status, body: text } = await handler(
    request,
    new InvocationContext({ functionName: 'x', logHandler: () => {} }),
  );
  return { status, body: JSON.parse(String(text)) as Record<string, unknown> };
}
const formatsInHealth = async () => (await call(health(instance))).body.newerFormats;

describe('syncTwins with an event of a twin that a newer package has stored', () => {
  beforeEach(async () => {
    for (const name of ['old', 'new']) app.create(name, { interval: 5 });
    await app.deliver(instance);
    for (const name of ['old', 'new']) {
      app.hub().edit(name, { properties: { desired: { interval: 99 } } }, 'portal');
    }
  });

  test.each(['the same instance', 'another instance'])(
    'fails the batch each time in %s, works on the other twins, and does not change the row',
    async (who) => {
      const before = await makeSnapshotNewer('new');
      const batch = app.take();
      if (who === 'another instance') instance = app.instance();

      for (let times = 0; times < 3; times += 1) {
        await expect(app.deliver(instance, batch)).rejects.toMatchObject({
          ...NEWER,
          message: `The snapshot of ${app.host}|new has format ${NEWER_FORMAT}, and this package knows formats up to ${SNAPSHOTS}: use the package that wrote it, or a newer one.`,
        });
      }

      expect([app.interval('old'), app.interval('new')]).toEqual([5, 99]);
      expect(await snapshotRow('new')).toEqual(before);
      expect(await instance.stores.deadLetters.count(EPOCH, 10)).toMatchObject({ count: 0 });
    },
  );

  test('leaves the event to a package that knows the format', async () => {
    const own = await snapshotRow('new');
    await makeSnapshotNewer('new');
    const batch = app.take();
    await expect(app.deliver(instance, batch)).rejects.toMatchObject(NEWER);

    // That package is this one here, with the row in its own format.
    await app.tables.twins.put(own.partitionKey, own.rowKey, own.properties);
    await app.deliver(app.instance(), batch);

    expect([app.interval('old'), app.interval('new')]).toEqual([5, 5]);
  });

  test('counts the other events of the batch once, however often it comes again', async () => {
    await makeSnapshotNewer('new');
    const [first, ...others] = app.take();
    if (first === undefined) throw new Error('no event');
    const unknownHub = { ...first, properties: { ...first.properties, hubName: 'other-hub' } };
    const unreadable = { ...first, body: Buffer.from('{') };
    const batch = [first, ...others, unknownHub, unreadable];
    for (let times = 0; times < 3; times += 1) {
      await expect(app.deliver(instance, batch)).rejects.toMatchObject(NEWER);
    }
    expect(await instance.stores.unknownHubs.list()).toEqual([]);

    await app.tables.twins.delete(partition('new'), snapshotKey(app.id('new')));
    await app.deliver(instance, batch);

    expect(await instance.stores.unknownHubs.list()).toMatchObject([{ hubName: 'other-hub', events: 1 }]);
    expect(await instance.stores.deadLetters.count(EPOCH, 10)).toMatchObject({ count: 1 });
  });

  test('logs the newer format once a minute, and shows it in /api/health until it is over', async () => {
    expect(await formatsInHealth()).toBeUndefined();
    await makeSnapshotNewer('new');
    const batch = app.take();
    for (let times = 0; times < 3; times += 1) await app.deliver(instance, batch).catch(() => {});

    expect(lines()).toEqual([
      {
        event: 'newerFormat',
        ...NEWER,
        document: 'snapshot',
        of: `${app.host}|new`,
        format: NEWER_FORMAT,
        known: SNAPSHOTS,
        times: 1,
      },
    ]);
    app.pass(MINUTE_MS);
    await app.deliver(instance, batch).catch(() => {});
    expect(lines()).toHaveLength(2);
    expect(lines()[1]).toMatchObject({ times: 3 });
    const { status, body } = await call(health(instance));
    expect(status).toBe(200);
    expect(body).toEqual({
      ready: true,
      newerFormats: [
        {
          document: 'snapshot',
          format: NEWER_FORMAT,
          known: SNAPSHOTS,
          times: 4,
          since: expect.any(String),
          lastAt: expect.any(String),
        },
      ],
    });
    expect(JSON.stringify(body)).not.toContain('new"');

    app.pass(11 * MINUTE_MS);
    expect(await formatsInHealth()).toBeUndefined();
  });

  test('does not take a deletion as done', async () => {
    const before = await makeSnapshotNewer('new');
    app.take();
    await app.service('DELETE', '/devices/new', {});

    await expect(app.deliver(instance)).rejects.toMatchObject(NEWER);

    expect(await snapshotRow('new')).toEqual(before);
  });
});

describe('resyncFleet beside twins that a newer package has stored', () => {
  beforeEach(async () => {
    for (const name of ['old', 'new']) app.create(name, { interval: 99 });
    app.front = () => {
      throw new Error('the hub is down');
    };
    await app.deliver(instance);
    app.front = undefined;
    expect(writes()).toBe(0);
  });

  test('works on the other twins, and leaves the work item and the snapshot', async () => {
    const snapshot = await app.snapshot('new');
    const { workItem } = snapshot;
    if (workItem === undefined) throw new Error('no work item');
    const before = await makeSnapshotNewer('new');
    app.pass(20 * MINUTE_MS);

    await app.resync(instance);

    expect([app.interval('old'), app.interval('new')]).toEqual([5, 99]);
    expect(await snapshotRow('new')).toEqual(before);
    const key = workItemKey(snapshot.id, workItem.priority, workItem.at);
    expect(await app.tables.twins.get(partition('new'), key)).toBeDefined();
    expect(lines()[0]).toMatchObject({ ...NEWER, document: 'snapshot', of: `${app.host}|new` });
    expect(await formatsInHealth()).toMatchObject([{ document: 'snapshot', format: NEWER_FORMAT }]);
  });

  test('audits and resyncs the other twins, and removes no row of such a twin', async () => {
    const before = await makeSnapshotNewer('new');
    const side = [attentionKey(app.id('new'), 'rejected'), tombstoneKey(app.id('new'))];
    const columns = { host: app.host, deviceId: 'new', at: instantOf(EPOCH), why: 'x' };
    for (const key of side) await app.tables.twins.put(partition('new'), key, columns);
    const request = { at: app.now, author: 'me', reason: 'test' };
    await instance.stores.progress.write(requestName(app.host), request);

    for (let run = 0; run < 5; run += 1) {
      app.pass(20 * MINUTE_MS);
      await app.resync(instance);
    }

    expect(app.interval('old')).toBe(5);
    expect(app.reads('old')).toBeGreaterThan(0);
    expect(app.reads('new')).toBe(0);
    expect(await instance.stores.progress.read(auditName(app.host))).toMatchObject({
      phase: 'done',
      seen: 2,
    });
    expect(await snapshotRow('new')).toEqual(before);
    for (const key of side) expect(await app.tables.twins.get(partition('new'), key)).toBeDefined();
  });

  test('does not count such twins, and does not remove the stub of a deleted one', async () => {
    app.pass(20 * MINUTE_MS);
    const stub = { format: NEWER_FORMAT, state: 'deleted', at: instantOf(EPOCH) };
    const key = snapshotKey(app.id('new'));
    const columns = { host: app.host, deviceId: 'new', at: instantOf(EPOCH) };
    await app.tables.twins.put(partition('new'), key, stub);
    await app.tables.twins.put(partition('new'), tombstoneKey(app.id('new')), columns);

    await app.resync(instance);

    expect((await snapshotRow('new')).properties).toMatchObject(stub);
    const { statuses } = await instance.stores.twinCounts.of(app.host);
    expect(Object.values(statuses).reduce((sum, count) => sum + count, 0)).toBe(1);
  });
});

describe('with a control row that a newer package has written', () => {
  test('an instance merges events, writes to no hub, and does not change the row', async () => {
    app.create('pump');
    await instance.stores.control.update((control) => ({ ...control, generation: 1 }));
    await makeNewer(app.tables.state, 'control', 'control');
    const before = await rowAt(app.tables.state, 'control', 'control');

    await app.deliver(instance);
    app.pass(20 * MINUTE_MS);
    await app.resync(instance);
    instance.start();
    await expect(
      instance.stores.control.update((control) => ({ ...control, generation: 2 })),
    ).rejects.toMatchObject({
      ...NEWER,
      message: expect.stringMatching(/^The control row of the deployment has format 99/),
    });

    expect([app.interval('pump'), writes()]).toEqual([99, 0]);
    expect(await app.snapshot('pump')).toMatchObject({ desired: { interval: 99 }, workItem: {} });
    expect(await rowAt(app.tables.state, 'control', 'control')).toEqual(before);
    expect(await formatsInHealth()).toMatchObject([
      { document: 'control row', format: NEWER_FORMAT, known: presentFormat(CONTROL_FORMAT) },
    ]);
    expect(await call(fleetStatus(instance))).toMatchObject({ status: 503, body: { error: NEWER } });
  });

  test('an instance writes again as soon as it can read the row', async () => {
    app.create('pump');
    const own = await instance.stores.control
      .update((control) => ({ ...control, generation: 1 }))
      .then(() => rowAt(app.tables.state, 'control', 'control'));
    await makeNewer(app.tables.state, 'control', 'control');
    await app.deliver(instance);
    expect(writes()).toBe(0);

    await app.tables.state.put('control', 'control', own.properties);
    app.pass(MINUTE_MS);
    await app.resync(instance);

    expect(app.interval('pump')).toBe(5);
  });
});

describe('resyncFleet, while another package runs too', () => {
  test.each([
    ['later', 0, '2026-11-24T00:00:00Z'],
    ['earlier', 2, '2026-11-22T00:00:00Z'],
  ])('that was built %s, adds %s rows of counts over time', async (_, rows, newestBuild) => {
    app.create('pump');
    await app.deliver(instance);
    await instance.stores.control.update((control) => ({ ...control, newestBuild }));
    app.pass(2 * MINUTE_MS);

    await app.resync(instance);

    expect(await app.tables.state.list({ partitionKey: 'series' })).toHaveLength(rows);
  });
});

describe('with progress that a newer package has written', () => {
  test('resyncFleet leaves out that work and does the rest', async () => {
    app.create('pump');
    app.take();
    const { progress } = instance.stores;
    const names = ['counts', 'purge', 'purge-counts', 'resync', 'state-export'];
    for (const name of names) {
      await progress.write(name, 0);
      await makeNewer(app.tables.state, 'progress', name);
    }
    const before = await app.tables.state.list({ partitionKey: 'progress' });

    for (let run = 0; run < 2; run += 1) {
      app.pass(2 * MINUTE_MS);
      await app.resync(instance);
    }

    // The audit has found the twin.
    expect(app.interval('pump')).toBe(5);
    const after = await app.tables.state.list({ partitionKey: 'progress' });
    expect(after.filter(({ rowKey }) => !rowKey.startsWith('audit'))).toEqual(before);
    await expect(progress.write('counts', 3)).rejects.toMatchObject(NEWER);
    await expect(progress.read('counts')).rejects.toMatchObject(NEWER);
  });

  test('resyncFleet does not audit', async () => {
    app.create('pump');
    app.take();
    await instance.stores.progress.write(auditName(app.host), null);
    const before = await makeNewer(app.tables.state, 'progress', auditName(app.host));

    app.pass(2 * MINUTE_MS);
    await app.resync(instance);

    expect(app.calls).not.toContain('POST /devices/query');
    expect(await rowAt(app.tables.state, 'progress', auditName(app.host))).toEqual(before);
  });
});

describe('with receipts and conditions of a newer package', () => {
  const allocate = (registrationId: string) =>
    call(allocateDevice(instance), {
      ...CAPTURED,
      deviceRuntimeContext: { registrationId, symmetricKey: {} },
      enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: [app.host] },
      linkedHubs: [app.host],
    });

  test('allocateDevice adds its own receipts, leaves those, and the device page shows its own', async () => {
    await allocate('pump');
    await instance.receipts.flush();
    const [own] = await receiptRows();
    if (own === undefined) throw new Error('no receipt');
    const newer = own.rowKey.replace(/\|\d+\|/, `|${NEWER_FORMAT}|`);
    await app.tables.receipts.put(own.partitionKey, newer, own.properties);
    const before = await makeNewer(app.tables.receipts, own.partitionKey, newer);

    app.pass(MINUTE_MS);
    await allocate('pump');
    await instance.receipts.flush();

    expect(await rowAt(app.tables.receipts, own.partitionKey, newer)).toEqual(before);
    const { status, body } = await call(device(instance), undefined, { deviceId: 'pump' });
    expect(status).toBe(200);
    expect(body.receipts).toHaveLength(1);
    expect(await formatsInHealth()).toMatchObject([{ document: 'receipt', format: NEWER_FORMAT }]);
  });

  test('allocateDevice decides without those conditions, and nothing changes them', async () => {
    const { conditions } = instance.stores;
    const set = { author: 'ann', reason: 'test', expiresAt: plus(app.now, 60 * MINUTE_MS) };
    await conditions.recordCount(app.host, 5, app.now);
    await conditions.setOverrides(app.host, { state: { value: 'cordoned', ...set } });
    await conditions.recordCauses(['drain:x'], await conditions.read(app.now), app.now);
    const keys = [`hub|${app.host}`, `override|state|${app.host}`, 'cause|drain:x'];
    for (const key of keys) await makeNewer(app.tables.state, 'conditions', key);
    const before = await app.tables.state.list({ partitionKey: 'conditions' });

    expect(await allocate('pump')).toMatchObject({ status: 200, body: { iotHubHostName: app.host } });
    await conditions.recordCount(app.host, 6, app.now);
    await conditions.recordFailure(app.host);
    await conditions.recordCauses(['drain:x'], await conditions.read(app.now), app.now);
    await conditions.recordCauses([], await conditions.read(app.now), app.now);
    await expect(
      conditions.setOverrides(app.host, { state: { value: 'active', ...set } }),
    ).rejects.toMatchObject(NEWER);
    await expect(conditions.clearOverrides(app.host)).rejects.toMatchObject(NEWER);

    const { hubs, causes } = await conditions.read(app.now);
    expect([hubs.get(app.host)?.devices, hubs.get(app.host)?.overrides, causes.size]).toEqual([
      undefined,
      {},
      0,
    ]);
    expect(await app.tables.state.list({ partitionKey: 'conditions' })).toEqual(before);
  });

  test('the device page answers a coded error for a twin of that package', async () => {
    app.create('pump', { interval: 5 });
    await app.deliver(instance);
    await makeSnapshotNewer('pump');

    expect(await call(device(instance), undefined, { deviceId: 'pump' })).toMatchObject({
      status: 503,
      body: { error: NEWER },
    });
  });
});
