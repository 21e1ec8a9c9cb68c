import { expect, test } from '@jest/globals';
import type { Hub } from '../../src/fleet/fleet.ts';
import { fewTwins, manyTwins, rowsAtOnce, twinsAtOnce } from '../../src/sync/resync/queue-size.ts';

type Size = Pick<Hub, 'tier' | 'units' | 'budget'>;
const size = (tier: Hub['tier'], units: number, rate = 0.5): Size => ({
  tier,
  units,
  budget: { rate, daily: 0.2 },
});

test.each<[string, Size, { together: number; page: number; many: number; few: number }]>([
  ['S1, 25 writes a second', size('S1', 1), { together: 13, page: 250, many: 150, few: 37.5 }],
  ['S1 with more units, the same', size('S1', 100), { together: 13, page: 250, many: 150, few: 37.5 }],
  ['S2 with 200 units, 500 a second', size('S2', 200), { together: 128, page: 5_000, many: 400, few: 200 }],
  ['S3, 125 a second', size('S3', 1), { together: 63, page: 1_250, many: 400, few: 187.5 }],
  ['S3 with 10 units, 1,250 a second', size('S3', 10), { together: 128, page: 12_500, many: 400, few: 200 }],
  ['F1 with a hundredth of its rate', size('F1', 1, 0.01), { together: 8, page: 50, many: 100, few: 0.75 }],
])('the work queue of a hub is as large as its budget needs: %s', (_, hub, expected) => {
  expect({
    together: twinsAtOnce(hub),
    page: rowsAtOnce(hub),
    many: manyTwins(hub),
    few: fewTwins(hub),
  }).toEqual(expected);
  // Otherwise a claim would be given back and made again in turn.
  expect(fewTwins(hub)).toBeLessThanOrEqual(manyTwins(hub) / 2);
});
