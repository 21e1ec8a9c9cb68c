import { describe, expect, test } from '@jest/globals';
import type { Hub } from '../../src/fleet/fleet.ts';
import { durationText, writeCost } from '../../src/what-if/write-cost.ts';
import { fleetOf } from '../twin/twins.ts';

/** S1 with one unit and the default budgets: 25 writes a second, and 24,000 messages a day for resync. */
const [S1] = fleetOf({}).hubs as [Hub];

describe('the cost of writes for a hub', () => {
  test.each<[string, Partial<Hub>, number, number, object]>([
    ['no writes and reads', {}, 0, 0, { messages: 0, hours: 0, bottleneck: undefined }],
    [
      'one day at the rate',
      {},
      2_700,
      0,
      { messages: 8_100, rate: { writesPerSecond: 25, hours: 0.03 }, hours: 0.03, bottleneck: 'rate' },
    ],
    [
      'a day that uses the last message',
      {},
      8_000,
      0,
      { messages: 24_000, daily: { messages: 24_000, days: 1 }, bottleneck: 'rate' },
    ],
    [
      'one message more, which needs the next day',
      {},
      8_001,
      0,
      { daily: { messages: 24_000, days: 2 }, bottleneck: 'daily', hours: expect.closeTo(24, 2) },
    ],
    ['one message for each read', {}, 8_000, 1, { messages: 24_001, bottleneck: 'daily' }],
    [
      'a quota that needs many days while the rate needs hours',
      {},
      100_000,
      0,
      {
        rate: { writesPerSecond: 25, hours: expect.closeTo(1.1, 1) },
        daily: { messages: 24_000, days: 13 },
        hours: expect.closeTo(288.04, 1),
        bottleneck: 'daily',
      },
    ],
    [
      'a rate that limits when the quota is large',
      { tier: 'S3', budget: { rate: 0.0001, daily: 1 } },
      100_000,
      0,
      { daily: { messages: 90_000_000, days: 1 }, bottleneck: 'rate' },
    ],
    [
      'a day that has no room for one write, so the writes never end',
      { tier: 'F1', budget: { rate: 0.5, daily: 0.001 } },
      1,
      0,
      { daily: { messages: 2, days: undefined }, hours: undefined, bottleneck: 'daily' },
    ],
  ])('is right in this case: %s', (_, size, writes, reads, cost) => {
    expect(writeCost({ ...S1, ...size }, writes, reads)).toMatchObject(cost);
  });

  test.each([
    [0, '0 h'],
    [0.05, '3 min'],
    [5.64, '5.6 h'],
    [288.15, '12 d'],
  ])('shows %f hours as %s', (hours, text) => {
    expect(durationText(hours)).toBe(text);
  });
});
