import { expect, test } from '@jest/globals';
import { boundMs, permittedPerSecond } from '../../bench/converge/bound.ts';
import { converge } from '../../bench/converge/convergence.ts';
import { storageAccount } from '../support/storage-account.ts';

const S1 = { tier: 'S1', units: 1, rate: 0.5 } as const;

test('the bound is the number of twins of the fullest hub, divided by the twin updates that its budget allows', () => {
  expect(boundMs({ ...S1, devices: 1_001, hubs: 2 })).toBe(1_000 * (501 / 25));
  expect(permittedPerSecond({ tier: 'S3', units: 2, rate: 0.5 })).toBe(250);
});

// From 150 twins of an S1 hub on, resyncFleet claims its writes.
test('every twin gets the changed value with one write, and no call is refused', async () => {
  const found = await converge({
    change: { ...S1, devices: 300, hubs: 2 },
    storage: await storageAccount(),
    longestMs: 60 * 60_000,
    speed: 30,
  });

  expect(found).toMatchObject({ writes: 300, refused: 0, inSyncMs: expect.any(Number) });
  expect(found.boundMs).toBeCloseTo(6_000);
});
