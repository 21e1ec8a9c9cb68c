import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { CAPTURED, fleetOf } from '../allocation/requests.ts';
import { letterOf } from '../store/letters.ts';
import { FunctionApp } from '../support/function-app.ts';

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
  'the setting "%s" is refused, and nothing is deleted',
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
