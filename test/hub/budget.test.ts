import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Hub } from '../../src/fleet/fleet.ts';
import {
  BudgetShare,
  dailyLimit,
  type HubOperation,
  noBudget,
  ratePerSecond,
  SYNC_PART,
} from '../../src/hub/budget.ts';
import { DailyBudget, type DailyCounts, type DailyKey } from '../../src/hub/daily-budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError } from '../../src/hub/port.ts';
import { TokenBucket } from '../../src/hub/token-bucket.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';

const SECOND = 1_000;
const DAY_MS = 24 * 60 * 60_000;

describe('a token bucket', () => {
  const FOR_EVER = Number.POSITIVE_INFINITY;

  test('starts empty, so the first operation waits for a permit', () => {
    expect(new TokenBucket(4, T0).take(T0, FOR_EVER)).toBe(250);
  });

  test('lets operations pass one after the other', () => {
    const bucket = new TokenBucket(4, T0);

    expect([1, 2, 3].map(() => bucket.take(T0, FOR_EVER))).toEqual([250, 500, 750]);
  });

  test('holds one second’s worth of permits after any idle time', () => {
    const bucket = new TokenBucket(4, T0);
    const later = plus(T0, 60 * SECOND);

    expect([1, 2, 3, 4, 5].map(() => bucket.take(later, FOR_EVER))).toEqual([0, 0, 0, 0, 250]);
  });

  test('holds at least one permit, even if a permit takes longer than a second', () => {
    const bucket = new TokenBucket(0.1, T0);

    expect(bucket.take(plus(T0, 60 * SECOND), FOR_EVER)).toBe(0);
    expect(bucket.take(plus(T0, 60 * SECOND), FOR_EVER)).toBe(10 * SECOND);
  });

  test('takes no permit when it refuses, so a caller that can wait gets the permit', () => {
    const bucket = new TokenBucket(4, T0);

    for (let times = 0; times < 10; times += 1) expect(bucket.take(T0, 249)).toBeUndefined();
    expect(bucket.take(T0, 250)).toBe(250);
  });

  test('gains no permit from a clock that moves backwards', () => {
    const bucket = new TokenBucket(4, T0);
    bucket.take(plus(T0, 10 * SECOND), FOR_EVER);

    expect(bucket.take(T0, FOR_EVER)).toBe(0);
    expect([1, 2, 3].map(() => bucket.take(plus(T0, 10 * SECOND), FOR_EVER))).toEqual([0, 0, 250]);
  });
});

describe('a token bucket with saved and borrowed operations', () => {
  test('permits the operations that it starts with at once', () => {
    const bucket = new TokenBucket(0.1, T0, 1);

    expect([bucket.take(T0, 60 * SECOND), bucket.take(T0, 60 * SECOND)]).toEqual([0, 10 * SECOND]);
  });

  test('saves up a fraction of an operation, which makes the next wait shorter', () => {
    const bucket = new TokenBucket(0.1, T0, 1.5);

    expect([1, 2].map(() => bucket.take(T0, 60 * SECOND))).toEqual([0, 5 * SECOND]);
  });

  test('holds no more operations than its burst', () => {
    const bucket = new TokenBucket(0.1, T0, 2);
    const later = plus(T0, 1_000 * SECOND);

    expect([1, 2, 3].map(() => bucket.take(later, 60 * SECOND))).toEqual([0, 0, 10 * SECOND]);
  });

  test('lends several operations at once, and lets later ones wait until they are paid', () => {
    const bucket = new TokenBucket(0.1, T0);

    expect(bucket.borrow(6, T0, 0)).toBe(0);
    expect(bucket.borrow(6, T0, 60 * SECOND)).toBe(60 * SECOND);
    expect(bucket.take(plus(T0, 120 * SECOND), 60 * SECOND)).toBe(10 * SECOND);
  });

  test('lends nothing if the debt takes too long, and takes operations back that were not made', () => {
    const bucket = new TokenBucket(0.1, T0);
    bucket.borrow(6, T0, 0);

    expect(bucket.borrow(1, T0, 59 * SECOND)).toBeUndefined();
    bucket.putBack(6);
    expect(bucket.borrow(1, T0, 0)).toBe(0);
  });
});

/** The counts of all instances, in memory. */
class MemoryCounts implements DailyCounts {
  readonly asked: DailyKey[] = [];
  readonly used = new Map<string, number>();

  async reserve(key: DailyKey, messages: number, limit: number): Promise<number> {
    this.asked.push(key);
    const name = `${key.day} ${key.host} ${key.share}`;
    const used = this.used.get(name) ?? 0;
    const granted = Math.max(0, Math.min(messages, limit - used));
    this.used.set(name, used + granted);
    return granted;
  }
}

describe('what is left of the saved operations', () => {
  test('falls with each operation, is never less than nothing, and grows again', () => {
    const bucket = new TokenBucket(1, T0, 4);
    expect(bucket.left(T0)).toBe(1);

    bucket.take(T0, 0);
    expect(bucket.left(T0)).toBe(0.75);
    bucket.borrow(9, T0, 0);
    expect(bucket.left(T0)).toBe(0);

    expect(bucket.left(plus(T0, 60 * SECOND))).toBe(1);
  });
});

describe('a daily budget', () => {
  let counts: MemoryCounts;
  beforeEach(() => {
    counts = new MemoryCounts();
  });
  const budgetOf = (limit: number) => new DailyBudget(counts, ID.host, 'resync', limit);
  /** How many operations of so many messages there are before it is spent. */
  const drain = async (budget: DailyBudget, messages: number, now = T0): Promise<number> => {
    let taken = 0;
    while (await budget.take(messages, now)) taken += 1;
    return taken;
  };

  test('is taken in blocks, so not every operation asks the tables', async () => {
    expect(await drain(budgetOf(2_000), 1)).toBe(2_000);
    // Each block is a two-hundredth; the last question finds nothing.
    expect(counts.asked).toHaveLength(201);
    expect(counts.asked[0]).toEqual({ day: '2026-11-23', host: ID.host, share: 'resync' });
  });

  test('is shared by all instances', async () => {
    const [one, other] = [budgetOf(1_000), budgetOf(1_000)];

    expect((await drain(one, 3)) * 3 + (await drain(other, 1))).toBeLessThanOrEqual(1_000);
    expect([...counts.used.values()]).toEqual([1_000]);
  });

  test('asks the tables no more after it is spent', async () => {
    const budget = budgetOf(10);
    await drain(budget, 1);
    const asked = counts.asked.length;

    expect(await budget.take(1, T0)).toBe(false);
    expect(counts.asked).toHaveLength(asked);
  });

  test('keeps the rest for a smaller operation when too little is left for a larger one', async () => {
    const budget = budgetOf(5);

    expect([await budget.take(3, T0), await budget.take(3, T0)]).toEqual([true, false]);
    expect([await budget.take(2, T0), await budget.take(1, T0)]).toEqual([true, false]);
  });

  test('starts again on the next UTC day and carries nothing over', async () => {
    const budget = budgetOf(10);
    await drain(budget, 1);
    const midnight = plus(T0, DAY_MS / 2);

    expect(await budget.take(1, plus(midnight, -1))).toBe(false);
    expect(await drain(budget, 1, midnight)).toBe(10);
    expect([...counts.used.keys()].map((key) => key.slice(0, 10))).toEqual(['2026-11-23', '2026-11-24']);
  });

  test('asks the tables once for callers at the same time', async () => {
    const budget = budgetOf(2_000);

    expect(await Promise.all(Array.from({ length: 10 }, () => budget.take(1, T0)))).not.toContain(false);
    expect(counts.asked).toHaveLength(1);
  });

  test('works again after the tables were unavailable', async () => {
    const budget = budgetOf(10);
    const reserve = counts.reserve.bind(counts);
    counts.reserve = () => Promise.reject(new Error('away'));
    await expect(budget.take(1, T0)).rejects.toThrow('away');
    counts.reserve = reserve;

    expect(await drain(budget, 1)).toBe(10);
  });
});

describe('a share of the budgets', () => {
  const [weu] = fleetOf({}).hubs;
  if (weu === undefined) throw new Error('no hub');
  /** Writes: 50 a second, of which a tenth, of which half: 2.5 a second. Messages: 400 000 a day, of them 200 000. */
  const HUB: Hub = { ...weu, tier: 'S1', units: 1, budget: { rate: 0.1, daily: 1 } };
  const LATER = plus(T0, DAY_MS / 4);

  let time: EpochMs;
  let counts: MemoryCounts;
  let pauses: HubPauses;
  let share: BudgetShare;
  /** Called whenever a caller waits for a permit. */
  let meanwhile: () => void;
  beforeEach(() => {
    time = T0;
    counts = new MemoryCounts();
    pauses = new HubPauses(() => 0);
    meanwhile = () => {};
    share = new BudgetShare({
      share: 'resync',
      part: 0.5,
      counts,
      pauses,
      now: () => time,
      wait: async (ms) => {
        time = plus(time, ms);
        meanwhile();
      },
    });
  });
  const throttle = () =>
    pauses.failed(ID.host, new HubError('BERTH_HUB_THROTTLED', 'slow', { host: ID.host }), time);
  const quotaExceeded = () =>
    pauses.failed(ID.host, new HubError('BERTH_HUB_QUOTA_EXCEEDED', 'spent', { host: ID.host }), time);

  test.each<[HubOperation, number]>([
    ['write', 50],
    ['read', 100],
    ['identity', 100 / 60],
    ['query', 20 / 60],
  ])('permits its part of the %s operations per second', async (operation, ofTheHub) => {
    // What it has saved up comes first.
    do await share.permit(HUB, operation, LATER);
    while (time === T0);
    const first = time;
    for (let times = 0; times < 10; times += 1) await share.permit(HUB, operation, LATER);

    expect(10_000 / (time - first)).toBeCloseTo(ofTheHub * 0.1 * 0.5);
    expect(ratePerSecond(HUB, operation, 0.5)).toBeCloseTo(ofTheHub * 0.1 * 0.5);
  });

  /** The part of a hub with one unit that each of four partitions has. */
  const SMALL: Hub = { ...HUB, budget: { rate: 0.35, daily: 1 } };
  const APPLY_MS = (60 * SECOND) / (20 * 0.35 * 0.5);
  const IDENTITY_MS = (60 * SECOND) / (100 * 0.35 * 0.5);

  /** What this part saves up in a quiet minute. */
  const [SAVED_APPLIES, SAVED_OPERATIONS] = [3.5, 17.5];

  test('permits the applies that it has saved up at once, with their identity operations', async () => {
    for (let times = 0; times < 3; times += 1) {
      expect(await share.permitApply(SMALL, 6, plus(T0, SECOND))).toEqual({ kind: 'granted' });
    }
    expect(time).toBe(T0);
  });

  test.each([2, 6, 40])(
    'keeps the rates of applies and identity operations for applies with %i identity operations',
    async (operations) => {
      const applies = 20;
      for (let times = 0; times <= applies; times += 1) await share.permitApply(SMALL, operations, LATER);

      const byApplies = (applies + 1 - SAVED_APPLIES) * APPLY_MS;
      const byOperations = (applies * operations - SAVED_OPERATIONS) * IDENTITY_MS;
      expect(time - T0).toBeCloseTo(Math.max(byApplies, byOperations), -2);
    },
  );

  test.each([0.1, 0.35, 0.5, 0.9, 1])(
    'makes no more applies in its first minute than its part of the limit of the hub, with the rate %d',
    async (rate) => {
      const hub: Hub = { ...HUB, units: 3, budget: { rate, daily: 1 } };
      let applies = 0;
      while (time < plus(T0, 60 * SECOND)) {
        await share.permitApply(hub, 0, LATER);
        applies += 1;
      }

      // The last one came after the minute.
      expect(applies - 1).toBeLessThanOrEqual(Math.max(20 * 3 * 0.5, 1));
    },
  );

  test('lets a second new device of a partition of four wait less than ten seconds, on a hub with one unit', async () => {
    const partition = new BudgetShare({
      share: '0/4',
      part: SYNC_PART / 4,
      counts,
      pauses,
      now: () => time,
      wait: async (ms) => {
        time = plus(time, ms);
      },
    });
    const hub: Hub = { ...HUB, budget: { rate: 0.5, daily: 1 } };
    await partition.permitApply(hub, 6, LATER);
    await partition.permitApply(hub, 6, LATER);

    expect(time - T0).toBeLessThan(10 * SECOND);
  });

  test('lets allocation’s identity operations wait for those of applied manifests', async () => {
    await share.permitApply(SMALL, 20, LATER);
    await share.permit(SMALL, 'identity', LATER);

    expect(time - T0).toBeCloseTo((21 - SAVED_OPERATIONS) * IDENTITY_MS, -1);
  });

  test('counts no identity operation of an apply that it refuses', async () => {
    for (let times = 0; times < 3; times += 1) await share.permitApply(SMALL, 0, LATER);

    expect(await share.permitApply(SMALL, 17, plus(T0, SECOND))).toMatchObject({
      kind: 'noPermit',
      why: 'the budget of applied manifests is used up',
    });
    for (let times = 0; times < 17; times += 1) await share.permit(SMALL, 'identity', LATER);
    expect(time).toBe(T0);
  });

  test('refuses an apply to a paused hub and keeps it saved up', async () => {
    throttle();

    expect(await share.permitApply(SMALL, 6, plus(T0, SECOND))).toMatchObject({ why: 'the hub throttles' });
    time = plus(T0, 2 * SECOND);
    expect(await share.permitApply(SMALL, 6, time)).toEqual({ kind: 'granted' });
  });

  test('has a separate queue for each operation', async () => {
    await share.permit(HUB, 'query', LATER);
    const before = time;

    await share.permit(HUB, 'write', LATER);

    // 400 ms for a write; the next query would take a minute.
    expect(time - before).toBe(400);
  });

  test('refuses at once when the permit would come too late, without waiting or counting', async () => {
    const permit = await share.permit(HUB, 'write', plus(T0, 399));

    expect(permit).toMatchObject({ kind: 'noPermit', at: plus(T0, 399), isQuota: false });
    expect([time, counts.asked]).toEqual([T0, []]);
    expect(await share.permit(HUB, 'write', plus(T0, 400))).toEqual({ kind: 'granted' });
  });

  test.each<[HubOperation, Hub['tier'], number]>([
    ['write', 'S1', 3],
    ['read', 'S1', 1],
    ['query', 'S1', 4],
    // A message of a free hub is an eighth of that.
    ['query', 'F1', 32],
    ['identity', 'S1', 0],
  ])('has a daily message cost for one %s on tier %s: %i', async (operation, tier, messages) => {
    // As many messages as two of them, and all but one of a third.
    const room = 3 * messages - 1;
    const hub: Hub = { ...HUB, tier, budget: { rate: 1, daily: 1 } };
    const { reserve } = MemoryCounts.prototype;
    counts.reserve = (key, wanted) => reserve.call(counts, key, wanted, room);
    const permits = [];
    for (let times = 0; times < 3; times += 1) permits.push((await share.permit(hub, operation, LATER)).kind);

    expect(permits).toEqual(['granted', 'granted', messages === 0 ? 'granted' : 'noPermit']);
  });

  test('names the start of the next day when it is spent', async () => {
    counts.reserve = async () => 0;

    expect(await share.permit(HUB, 'read', LATER)).toMatchObject({
      kind: 'noPermit',
      at: plus(T0, DAY_MS / 2),
      isQuota: true,
    });
    expect(dailyLimit(HUB, 0.5)).toBe(200_000);
  });

  test('refuses calls to a paused hub and takes no permit', async () => {
    throttle();

    expect(await share.permit(HUB, 'write', plus(T0, SECOND))).toMatchObject({
      kind: 'noPermit',
      at: plus(T0, 2 * SECOND),
      why: 'the hub throttles',
      isQuota: false,
    });
    expect([time, counts.asked]).toEqual([T0, []]);
  });

  test('refuses a call when the hub is paused while the call waits for a permit', async () => {
    meanwhile = throttle;

    expect(await share.permit(HUB, 'write', LATER)).toMatchObject({
      kind: 'noPermit',
      why: 'the hub throttles',
    });
    expect(counts.asked).toEqual([]);
  });

  test.each<[string, () => void]>([
    ['throttles', throttle],
    ['has used up its quota', quotaExceeded],
    ['has no permit for an identity operation yet', () => {}],
  ])('permits a device count at once although the hub %s', async (_, given) => {
    given();

    expect(await share.permit(HUB, 'statistics', T0)).toEqual({ kind: 'granted' });
    expect([time, counts.asked]).toEqual([T0, []]);
  });

  test('counts a device count as an identity operation', async () => {
    await share.permit(HUB, 'statistics', LATER);
    // The part has saved up five operations.
    for (let times = 0; times < 4; times += 1) await share.permit(HUB, 'identity', LATER);
    expect(time).toBe(T0);

    await share.permit(HUB, 'identity', LATER);

    expect(time).toBeGreaterThan(T0);
  });

  test('distinguishes a spent quota from a throttle', async () => {
    quotaExceeded();

    expect(await share.permit(HUB, 'write', LATER)).toMatchObject({
      at: plus(T0, 15 * 60_000),
      isQuota: true,
    });
  });
});

test('a budget without a share permits no operation and suggests a later retry', async () => {
  const [hub] = fleetOf({}).hubs;
  if (hub === undefined) throw new Error('no hub');

  expect(await noBudget('no part yet', 5_000, () => T0).permit(hub, 'read', plus(T0, DAY_MS))).toEqual({
    kind: 'noPermit',
    at: plus(T0, 5_000),
    why: 'no part yet',
    isQuota: false,
  });
});
