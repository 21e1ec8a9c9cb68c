import { expect, test } from '@jest/globals';
import { measureRows } from '../../bench/scale/measure-rows.ts';
import { entityBytes, occupied, type ScaledFleet, scaleOf } from '../../bench/scale/scale-model.ts';
import { storageAccount } from '../support/storage-account.ts';

const FLEET: ScaledFleet = {
  devices: 1_000_000,
  hubs: 12,
  partitions: 32,
  instances: 8,
  eventsADay: 25,
  peak: 2,
};
const MEASURED = { rowBytes: 1_500, snapshotBytes: 2_000, resyncedASecond: 1_000, resyncTransactions: 0.1 };

test('the scale of a fleet is measured with real rows and adds up', async () => {
  const measured = await measureRows(await storageAccount(), 60);
  const scale = scaleOf(FLEET, measured);

  expect(measured.rowBytes).toBeGreaterThan(500);
  expect(measured.resyncTransactions).toBeGreaterThan(0);
  expect(scale.stateGb).toBeCloseTo((1_000_000 * measured.rowBytes) / 1e9);
  expect(scale.eventsASecond).toBeCloseTo(289.35, 1);
});

test('a fleet that instances remember needs no reads, and more instances remember more', () => {
  const small = scaleOf({ ...FLEET, devices: 10_000 }, MEASURED);
  const [few, many] = [8, 16].map((instances) => scaleOf({ ...FLEET, instances }, MEASURED).remembered);

  expect(small.transactions.reads).toBe(0);
  expect(many).toBeCloseTo(2 * Number(few));
});

test('a full batch meets all sixteen partitions of the table, and one event meets one', () => {
  expect(occupied(200)).toBeCloseTo(16, 3);
  expect(occupied(1)).toBeCloseTo(1);
});

test('the size of a row counts names and texts with two bytes a character', () => {
  // 4 + 2 × (1 + 1), the timestamp of 8 + 18 + 8, and 8 + 2 + (4 + 2 × 2) for one text of two characters.
  expect(entityBytes('p', 'r', { a: 'xy' })).toBe(60);
});
