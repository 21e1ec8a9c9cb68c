import { afterEach, describe, expect, test } from '@jest/globals';
import type { Instance } from '../../src/instance/instance.ts';
import { hash } from '../../src/json/hash.ts';
import { auditName, requestName } from '../../src/sync/resync/audit-progress.ts';
import { FunctionApp, type FunctionAppOptions, troubles } from '../support/function-app.ts';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
const MODULES = [
  { name: 'base', desired: { interval: 5 } },
  { name: 'log', target: 'module:collector', desired: { interval: 7 } },
];

let app: FunctionApp;
let instance: Instance;
afterEach(() => app.close());
const open = async (options: FunctionAppOptions = {}) => {
  app = await FunctionApp.open(options);
  instance = app.instance();
};
/** One run finds, the next one does what is due. */
const twice = async () => {
  await app.resync(instance);
  app.pass(MINUTE_MS);
  await app.resync(instance);
};
const queries = () => app.calls.filter((call) => call === 'POST /devices/query').length;
const ask = () =>
  instance.stores.progress.write(requestName(app.host), { at: app.now, author: 'me', reason: 'test' });
const moduleInterval = (deviceId: string) => app.interval(deviceId, app.host, 'collector');

describe('an audit of a real hub', () => {
  test('finds a twin whose creation event was missed, across pages of a hundred twins', async () => {
    await open();
    for (let index = 0; index < 130; index += 1) app.create(`pump-${index}`, { interval: 5 });
    await app.deliver(instance);
    app.create('pump-050-missed');
    app.create('zebra');
    app.take();

    await twice();

    expect([app.interval('pump-050-missed'), app.interval('zebra')]).toEqual([5, 5]);
    expect(queries()).toBe(2);
    expect(await instance.stores.progress.read(auditName(app.host))).toMatchObject({
      phase: 'done',
      seen: 132,
      missed: 2,
      stale: 0,
    });
    app.pass(MINUTE_MS);
    await app.resync(instance);
    expect(queries()).toBe(2);
    app.pass(WEEK_MS);
    await app.resync(instance);
    // Two pages again, and three questions about devices that have never answered.
    expect(queries()).toBe(4 + 3);
  });

  test('finds a twin that changed without an event, after the time in which events may be late', async () => {
    await open();
    app.create('pump', { interval: 5 });
    await app.deliver(instance);
    app.hub().edit('pump', { properties: { desired: { interval: 99 } } }, 'service');
    app.take();

    await twice();
    expect(app.interval('pump')).toBe(99);

    app.pass(WEEK_MS);
    await twice();
    expect(app.interval('pump')).toBe(5);
  });

  test('reads all twins again when a person requests it, and removes those that are gone', async () => {
    await open({ policies: MODULES });
    for (const name of ['one', 'two', 'three', 'gone']) {
      app.create(name, { interval: 5 });
      app.hub().createModule(name, 'collector', {});
    }
    await app.deliver(instance);
    await app.resync(instance);
    app.take();
    app.hub().edit('two', { properties: { desired: { interval: 99 } } }, 'service');
    app.hub().edit('three', { properties: { desired: { interval: 98 } } }, 'service', 'collector');
    app.hub().remove('gone');
    app.take();
    const reads = () => app.calls.filter((call) => call.startsWith('GET /twins/')).length;
    const before = reads();
    app.pass(MINUTE_MS);
    await ask();

    await twice();

    const reread = reads() - before;
    expect(reread).toBeGreaterThanOrEqual(8);
    expect(app.interval('two')).toBe(5);
    expect(moduleInterval('three')).toBe(7);
    expect((await app.known('gone')).kind).toBe('deleted');
    expect((await app.known('gone', 'collector')).kind).toBe('deleted');
    // The same request is not met again.
    app.pass(MINUTE_MS);
    await twice();
    expect(reads() - before).toBe(reread);
  });

  test('lists modules only if a policy targets one', async () => {
    await open();
    app.create('pump', { interval: 5 });
    app.hub().createModule('pump', 'collector', {});
    app.take();
    await twice();
    expect(queries()).toBe(1);
    expect((await app.known('pump', 'collector')).kind).toBe('nothing');
    await app.close();

    await open({ policies: MODULES });
    app.create('pump', { interval: 5 });
    app.hub().createModule('pump', 'collector', {});
    app.hub().createModule('pump', 'other', {});
    app.take();
    await twice();
    expect(queries()).toBe(2);
    expect(moduleInterval('pump')).toBe(7);
    expect((await app.known('pump', 'other')).kind).toBe('nothing');
  });

  test('starts from the beginning when the hub no longer knows the stored position', async () => {
    await open();
    app.create('pump');
    app.take();
    await instance.stores.progress.write(auditName(app.host), {
      startedAt: app.now,
      phase: 'devices',
      at: 'of another region',
      seen: 0,
      missed: 0,
      stale: 0,
      sampled: 0,
      mismatched: 0,
    });

    await twice();
    app.pass(MINUTE_MS);
    await app.resync(instance);

    expect(app.interval('pump')).toBe(5);
  });
});

test('a manual run does nothing while another run is active, also in the same instance', async () => {
  await open();
  app.create('pump');
  app.take();

  await Promise.all([app.resync(instance), app.resync(instance), app.resync(instance)]);

  expect(queries()).toBe(1);
  app.pass(MINUTE_MS);
  await Promise.all([app.resync(instance), app.resync(instance)]);
  expect(app.interval('pump')).toBe(5);
  expect(app.calls.filter((call) => call.includes('/twins/'))).toEqual([
    'GET /twins/pump',
    'PATCH /twins/pump',
  ]);
});

describe('snapshots that differ from the twins on the hub', () => {
  /** Spoils what is stored of a twin, as a defect would: no version tells of it. */
  const spoil = async (deviceId: string) => {
    const { twins } = app.instance().stores;
    const record = await twins.load(app.id(deviceId));
    if (record.known.kind !== 'snapshot') throw new Error(record.known.kind);
    const { snapshot } = record.known;
    await twins.save(record, { kind: 'snapshot', snapshot: { ...snapshot, tags: { spoilt: true } } });
  };

  const pumps = Array.from({ length: 5_000 }, (_, index) => `pump-${index}`);
  const isSampled = (name: string, startedAt: number) => hash(name, String(startedAt)) % 100 === 0;

  test('are found by sampling and read again, and too many of them cause a read before each decision', async () => {
    await open();
    const startedAt = app.now;
    // The sample is another one at each moment: of these names exactly four are in it.
    const sampled = pumps.filter((name) => isSampled(name, startedAt)).slice(0, 4);
    const [other = '', another = ''] = pumps.filter((name) => !isSampled(name, startedAt));
    const names = [...sampled, other, another];
    for (const name of names) app.create(name, { interval: 5 });
    await app.deliver(instance);
    for (const name of sampled) await spoil(name);
    await spoil(other);

    const lines = await app.resync(instance);

    expect(troubles(lines, 'BERTH_SNAPSHOT_MISMATCH').map(({ deviceId }) => deviceId)).toEqual(
      [...sampled].sort(),
    );
    expect(troubles(lines, 'BERTH_HUB_UNTRUSTED')).toMatchObject([{ hub: app.host }]);
    expect((await instance.stores.control.read()).untrusted).toHaveProperty([app.host], {
      since: expect.any(Number),
      why: '4 of 4 compared snapshots differ from the twins on the hub',
    });
    app.pass(MINUTE_MS);
    await app.resync(instance);
    for (const name of sampled) expect((await app.snapshot(name)).tags).toEqual({});

    // An event in order, which says nothing of what is wrong.
    const before = app.reads(other);
    app.hub().edit(other, { properties: { desired: { more: 1 } } }, 'service');
    await app.deliver(instance);
    expect(app.reads(other) - before).toBe(1);
    expect((await app.snapshot(other)).tags).toEqual({});
  });

  test('are read again, and a few of them do not make the hub untrusted', async () => {
    await open();
    const startedAt = app.now;
    const [unlucky = ''] = pumps.filter((name) => isSampled(name, startedAt));
    app.create(unlucky, { interval: 5 });
    await app.deliver(instance);
    await spoil(unlucky);

    await app.resync(instance);

    app.pass(MINUTE_MS);
    await app.resync(instance);
    expect((await app.snapshot(unlucky)).tags).toEqual({});
    expect((await instance.stores.control.read()).untrusted).not.toHaveProperty([app.host]);
  });
});
