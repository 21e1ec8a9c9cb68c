import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Instance } from '../../src/instance/instance.ts';
import { FunctionApp } from '../support/function-app.ts';
import { storageAccount } from '../support/storage-account.ts';
import { startTableProxy, type TableProxy } from '../support/table-proxy.ts';

/** The work item of a write that is under way lies so far ahead. */
const WRITE_DUE_MS = 30_000;
const NAMES = Array.from({ length: 24 }, (_, index) => `pump-${index}`);

let storage: string;
let tables: TableProxy;
let app: FunctionApp;
let instance: Instance;
beforeAll(async () => {
  storage = await storageAccount();
  tables = await startTableProxy(storage);
});
afterAll(() => tables.close());
beforeEach(async () => {
  tables.fate = () => 'pass';
  app = await FunctionApp.open({ storage, tables: tables.connectionString });
  instance = app.instance();
});
afterEach(async () => {
  tables.fate = () => 'pass';
  await app.close();
});

const away = { code: 'BERTH_STORE_UNAVAILABLE' };
const allAre = (value: number) =>
  expect(NAMES.map((name) => app.interval(name))).toEqual(NAMES.map(() => value));
const writes = () => app.hub().counters.twinWrites;
const afterRequeue = async () => {
  app.pass(WRITE_DUE_MS + 1_000);
  await app.resync(instance);
};
const expectDone = async () => {
  allAre(5);
  expect(writes()).toBe(NAMES.length);
  for (const name of NAMES) {
    expect(await app.snapshot(name)).toMatchObject({
      lastReconcile: { status: 'pending' },
      writing: undefined,
      workItem: { priority: 'activity' },
      paths: { interval: { foreign: [], writes: [{ value: 5, count: 1 }] } },
    });
  }
};

describe('a failure of the state tables', () => {
  test.each(['the same instance', 'another instance'])(
    'before any write makes %s write each twin once when the batch comes again',
    async (who) => {
      for (const name of NAMES) app.create(name);
      const batch = app.take();
      await instance.gate.current();
      tables.fate = () => 'cut';
      await expect(app.deliver(instance, batch)).rejects.toMatchObject(away);
      expect(writes()).toBe(0);

      tables.fate = () => 'pass';
      if (who === 'another instance') instance = app.instance();
      await app.deliver(instance, batch);

      await expectDone();
    },
  );

  test.each(['the same instance', 'another instance'])(
    'after some writes, which could not be stored, makes %s write none of them again',
    async (who) => {
      for (const name of NAMES) app.create(name);
      const batch = app.take();
      app.front = (request) => {
        if (request.method === 'PATCH' && app.patches() === 8) tables.fate = () => 'cut';
        return undefined;
      };
      await expect(app.deliver(instance, batch)).rejects.toMatchObject(away);
      const before = writes();
      expect(before).toBeGreaterThanOrEqual(8);
      expect(before).toBeLessThan(NAMES.length);

      tables.fate = () => 'pass';
      app.front = undefined;
      if (who === 'another instance') instance = app.instance();
      await app.deliver(instance, batch);
      await app.deliver(instance);
      await afterRequeue();

      await expectDone();
    },
  );

  test('that loses the answer to a table write causes no second write and loses nothing', async () => {
    for (const name of NAMES) app.create(name);
    const batch = app.take();
    let calls = 0;
    tables.fate = (method, path) => {
      if (method !== 'POST' || !path.includes('$batch')) return 'pass';
      calls += 1;
      return calls % 3 === 1 ? 'lost' : 'pass';
    };

    await app.deliver(instance, batch).catch(() => app.deliver(instance, batch));
    tables.fate = () => 'pass';
    await app.deliver(instance);
    await afterRequeue();

    await expectDone();
  });

  test('while a work item is done lets the next run do it once', async () => {
    for (const name of NAMES) app.create(name);
    app.front = () => {
      throw new Error('the hub is down');
    };
    await app.deliver(instance);
    expect(writes()).toBe(0);
    app.take();
    app.pass(20 * 60_000);
    app.front = (request) => {
      if (request.method === 'PATCH' && writes() === 6) tables.fate = () => 'cut';
      return undefined;
    };
    await expect(app.resync(instance)).rejects.toMatchObject(away);
    expect(writes()).toBeLessThan(NAMES.length);

    tables.fate = () => 'pass';
    app.front = undefined;
    // The lease of the run that failed, and the writes that were under way, are over by then.
    await afterRequeue();

    await expectDone();
  });
});
