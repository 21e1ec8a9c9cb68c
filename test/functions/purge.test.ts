import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { BerthError } from '../../src/errors.ts';
import { deadLetters } from '../../src/functions/dead-letters.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { purgeOld } from '../../src/sync/resync/purge.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { CAPTURED, fleetOf } from '../allocation/requests.ts';
import { letterOf } from '../store/letters.ts';
import { FunctionApp } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';

/* The retention of receipts and dead letters, as steps of `resyncFleet` with real tables. */

const DAY_MS = 24 * 60 * 60_000;
const HOUR_MS = 60 * 60_000;

let app: FunctionApp;
let instance: Instance;
beforeEach(async () => {
  app = await FunctionApp.open();
  instance = app.instance();
});
afterEach(() => app.close());

const FLEET = fleetOf();
function receipt(registrationId: string, at: EpochMs): Receipt {
  const request = parseAllocationRequest({
    ...CAPTURED,
    deviceRuntimeContext: { registrationId, symmetricKey: {} },
  });
  const input = {
    request,
    fleet: FLEET,
    conditions: { loadedAt: at, hubs: new Map(), causes: new Map() },
    now: at,
  };
  return receiptOf(input, decide(input));
}

const keep = async (registrationId: string, ageDays: number) =>
  instance.stores.receipts.keep(receipt(registrationId, plus(app.now, -ageDays * DAY_MS)));
const has = async (registrationId: string) =>
  (await instance.stores.receipts.list(registrationId)).length > 0;
const letter = async (ageDays: number) =>
  instance.stores.deadLetters.keep(
    letterOf({ enqueuedAt: new Date(app.now - ageDays * DAY_MS).toISOString(), sequenceNumber: ageDays }),
  );
const letters = async () => {
  const found: string[] = [];
  for await (const page of instance.stores.deadLetters.summaries({})) found.push(...page.map(({ id }) => id));
  return found.map((id) => Number(id.split('/')[2]));
};

test('receipts and dead letters are deleted after 30 days, and the log says how many', async () => {
  await keep('old', 31);
  await keep('young', 29);
  for (const age of [32, 29]) await letter(age);

  const lines = await app.resync(instance);

  expect([await has('old'), await has('young')]).toEqual([false, true]);
  expect(await letters()).toEqual([29]);
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'fleetResynced', purged: 1, purgedReceipts: 1 }),
  );
});

test('settings change how long receipts and dead letters are stored', async () => {
  instance = app.instance({ BERTH_RECEIPT_DAYS: '400', BERTH_DEAD_LETTER_DAYS: '2' });
  await keep('kept', 300);
  for (const age of [4, 1]) await letter(age);

  await app.resync(instance);

  expect(await has('kept')).toBe(true);
  expect(await letters()).toEqual([1]);
});

test.each(['0', '-1', '1.5', 'x', '4000', '1e2'])(
  'the setting "%s" is refused, and no receipt is deleted',
  async (text) => {
    instance = app.instance({ BERTH_RECEIPT_DAYS: text });
    await keep('old', 31);

    const lines = await app.resync(instance);

    expect(lines).toContainEqual(
      expect.objectContaining({
        event: 'purgeFailed',
        code: 'BERTH_SETTING_INVALID',
        message: expect.stringContaining(`BERTH_RECEIPT_DAYS is "${text}"`),
      }),
    );
    expect(await has('old')).toBe(true);
  },
);

test('a wrong setting for receipts stops neither the purge of dead letters nor their list', async () => {
  instance = app.instance({ BERTH_RECEIPT_DAYS: 'x' });
  for (const age of [32, 3]) await letter(age);

  await app.resync(instance);

  expect(await letters()).toEqual([3]);
  const answer = await call(deadLetters(instance), {});
  expect([answer.status, answer.body]).toMatchObject([200, { letters: [{}], onlyCounted: 0 }]);
});

test('a wrong setting for dead letters stops neither the purge of receipts nor the list, and is logged once', async () => {
  instance = app.instance({ BERTH_DEAD_LETTER_DAYS: 'x' });
  await keep('old', 31);
  for (const age of [32, 3]) await letter(age);
  const count = { hub: 'weu', source: 's', code: 'BERTH_EVENT_INVALID', events: 4 };
  await instance.stores.letterHours.addBeyond([count], '7', plus(app.now, -DAY_MS));

  const lines = await app.resync(instance);

  expect(await has('old')).toBe(false);
  expect(await letters()).toEqual([32, 3]);
  expect(lines.filter(({ event }) => event === 'purgeFailed')).toMatchObject([
    { message: expect.stringContaining('BERTH_DEAD_LETTER_DAYS is "x"') },
  ]);
  const answer = await call(deadLetters(instance), {});
  expect([answer.status, answer.body]).toMatchObject([200, { letters: [{}], onlyCounted: 4 }]);
});

describe('old counts', () => {
  const rows = async (partitionKey: string) => (await app.tables.state.list({ partitionKey })).length;
  /** Rows of five hundred hubs for some hours that are older than two days. */
  const storeStatistics = async (hours: number) => {
    for (let hour = 0; hour < hours; hour += 1) {
      const text = new Date(app.now - 3 * DAY_MS - hour * HOUR_MS).toISOString().slice(0, 13);
      for (let first = 0; first < 500; first += 100) {
        await app.tables.state.transact(
          Array.from({ length: 100 }, (_, index) => [
            'create',
            { partitionKey: 'statistics', rowKey: `${text}|hub-${first + index}.azure-devices.net` },
          ]),
        );
      }
    }
  };

  test('of five hundred hubs are removed in a few runs, while a pass over the receipts continues', async () => {
    for (let index = 0; index < 11; index += 1) {
      await app.tables.receipts.transact(
        Array.from({ length: 100 }, (_, row) => [
          'create',
          { partitionKey: '0', rowKey: `pump-${index}-${row}|1`, at: new Date(app.now), format: 1 },
        ]),
      );
    }
    await app.resync(instance);
    await storeStatistics(5);
    app.pass(HOUR_MS);

    for (let run = 0; run < 3; run += 1) {
      await app.resync(instance);
      app.pass(60_000);
    }

    expect(await rows('statistics')).toBeLessThanOrEqual(1);
  });

  test('of budgets are removed for all days before yesterday, however old', async () => {
    const day = (ago: number) => new Date(app.now - ago * DAY_MS).toISOString().slice(0, 10);
    for (const ago of [0, 1, 2, 9, 400])
      await app.tables.state.put(`budget|${day(ago)}`, 'weu.azure-devices.net|0', { messages: 1 });

    for (let run = 0; run < 4; run += 1) await app.resync(instance);

    const kept = await Promise.all([0, 1, 2, 9, 400].map((ago) => rows(`budget|${day(ago)}`)));
    expect(kept.map((count) => count > 0)).toEqual([true, true, false, false, false]);
  });

  test('are looked at once an hour while none are old', async () => {
    await app.resync(instance);
    await storeStatistics(1);
    await app.resync(instance);
    expect(await rows('statistics')).toBeGreaterThanOrEqual(500);

    app.pass(HOUR_MS);
    await app.resync(instance);

    expect(await rows('statistics')).toBeLessThan(500);
  });
});

test.each([
  'deadLetters',
  'statistics',
  'budgets',
  'letterHours',
  'unknownHubs',
  'unknownSources',
  'receipts',
] as const)('a failure of the part %s does not stop the other parts of the purge', async (failing) => {
  const done: string[] = [];
  const storeOf = (name: string, result: unknown) => ({
    forget: async () => {
      if (name === failing) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'no answer');
      done.push(name);
      return result;
    },
  });
  const counts = ['statistics', 'budgets', 'letterHours', 'unknownHubs', 'unknownSources'];
  const context = {
    now: () => app.now,
    warn: () => {},
    retention: instance.retention,
    progress: instance.stores.progress,
    deadLetters: storeOf('deadLetters', 0),
    receipts: storeOf('receipts', { deleted: 0, next: undefined }),
    ...Object.fromEntries(counts.map((name) => [name, storeOf(name, false)])),
  };

  const purge = purgeOld(context as unknown as Parameters<typeof purgeOld>[0]);

  await expect(purge).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  expect(done.sort()).toEqual(
    ['deadLetters', 'receipts', ...counts].filter((name) => name !== failing).sort(),
  );
});

test('one run deletes at most 200 receipts, and the next ones continue behind them', async () => {
  const { receipts } = app.tables;
  const at = new Date(app.now - 31 * DAY_MS);
  // More than a page of 1,000 rows.
  const ids = Array.from({ length: 230 }, (_, index) => `pump-${String(index).padStart(4, '0')}`);
  for (const [index, id] of ids.entries()) {
    await receipts.transact(
      Array.from({ length: 5 }, (_, decision) => [
        'upsert',
        { partitionKey: String(index % 4), rowKey: `${id}|1|${decision}`, at, format: 1 },
        'Replace',
      ]),
    );
  }
  await keep('zebra', 1);
  const left = async () => {
    let rows = 0;
    for await (const page of receipts.scan({ select: [] })) rows += page.length;
    return rows;
  };

  const counts: number[] = [];
  for (let run = 0; run < 9; run += 1) {
    await app.resync(instance);
    counts.push(await left());
    app.pass(60_000);
  }

  expect(counts).toEqual([951, 751, 551, 351, 151, 1, 1, 1, 1]);
  expect(await has('zebra')).toBe(true);
});

test('a pass over the receipts begins once an hour', async () => {
  for (let run = 0; run < 3; run += 1) await app.resync(instance);
  await keep('old', 31);
  await app.resync(instance);
  expect(await has('old')).toBe(true);

  app.pass(HOUR_MS);
  await app.resync(instance);

  expect(await has('old')).toBe(false);
});

test('receipts of a newer package stay, and a new registration saves its receipt from deletion', async () => {
  await app.tables.receipts.put('newer', '0', { at: new Date(0), format: 99 });
  await keep('again', 31);
  await keep('again', 0);

  await app.resync(instance);

  expect(await app.tables.receipts.get('newer', '0')).toBeDefined();
  expect(await has('again')).toBe(true);
});
