import { beforeEach, expect, test } from '@jest/globals';
import type { Receipt } from '../../src/allocation/receipt/receipt.ts';
import { KeptOutCache } from '../../src/instance/kept-out-cache.ts';
import { EPOCH, type EpochMs, plus } from '../../src/time/epoch-ms.ts';

let now: EpochMs;
let kept: string;
let isAway: boolean;
let reads: number;
let cache: KeptOutCache;
beforeEach(() => {
  [now, kept, isAway, reads] = [EPOCH, 'pump-1', false, 0];
  cache = new KeptOutCache({
    now: () => now,
    read: async () => {
      reads += 1;
      if (isAway) throw new Error('away');
      const list = kept;
      return (deviceId) => deviceId === list;
    },
  });
});

test('no device is kept out before the first list, and work that stores something waits for the list', async () => {
  expect(cache.has('pump-1')).toBe(false);

  await Promise.all([cache.load(), cache.load()]);

  expect(cache.has('pump-1')).toBe(true);
  expect(reads).toBe(1);
});

test('a list is used for twenty seconds, and then read again', async () => {
  await cache.load();
  kept = 'pump-2';
  now = plus(now, 19_999);
  await cache.load();
  expect(cache.has('pump-2')).toBe(false);

  now = plus(now, 1);
  await cache.load();

  expect([cache.has('pump-1'), cache.has('pump-2')]).toEqual([false, true]);
});

test('work that stores something fails while the list cannot be read, and the last list stays', async () => {
  await cache.load();
  isAway = true;
  now = plus(now, 20_000);

  await expect(cache.load()).rejects.toThrow('away');
  await cache.refresh();

  expect(cache.has('pump-1')).toBe(true);
});

test.each<[string, Partial<Receipt['inputs']>, boolean]>([
  ['its registration id', { registrationId: 'pump-1' }, true],
  ['the device id of its enrollment', { deviceId: 'pump-1' }, true],
  ['the device id that it has now', { currentDeviceId: 'pump-1' }, true],
  ['its parent', { parent: { deviceId: 'pump-1', why: 'x' } }, true],
  ['a value that an expression read', { read: { 'payload.gateway': 'pump-1' } }, true],
  [
    'a part of a value that an expression read',
    { read: { payload: { gateways: [{ id: 'pump-1' }] } } },
    true,
  ],
  ['no part of it', { read: { 'payload.gateway': 'pump-10', 'payload.count': 1 } }, false],
])(
  'a receipt is about a kept-out device if this is the id of the device: %s',
  async (_, inputs, expected) => {
    await cache.load();
    const receipt = { inputs: { registrationId: 'child-1', read: {}, ...inputs } } as Receipt;

    expect(cache.hasReceipt(receipt)).toBe(expected);
  },
);
