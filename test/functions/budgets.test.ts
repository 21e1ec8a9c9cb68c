import { afterEach, describe, expect, test } from '@jest/globals';
import { markForRead } from '../../src/sync/reconcile/mark-for-read.ts';
import { untilTomorrow } from '../../src/time/day.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { NEVER } from '../../src/time/instant.ts';
import { FunctionApp, type FunctionAppOptions } from '../support/function-app.ts';

let app: FunctionApp;
afterEach(() => app.close());
const open = async (options: FunctionAppOptions) => {
  app = await FunctionApp.open(options);
};
const named = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

describe('the daily message quota of a hub', () => {
  /** 120 of 8,000 messages: 84 for sync, which is 28 corrections, and 36 for resync. */
  const SMALL = { tier: 'F1', units: 1, budget: { rate: 1, daily: 0.015 } };

  test('suspends twins until the next day when it is too small for them, and resumes them in the order of priority', async () => {
    await open({ hubs: [SMALL] });
    const instance = app.instance();
    const edited = named('edited', 2);
    const missed = named('missed', 1);
    for (const name of edited) app.create(name, { interval: 5 });
    for (const name of missed) app.create(name, { interval: 99 });
    await app.deliver(
      instance,
      app.take().filter(({ partitionKey }) => !missed.includes(partitionKey)),
    );
    const drifted = named('drifted', 32);
    for (const name of drifted) app.create(name);
    await app.deliver(instance);
    app.take();
    for (const name of edited) app.hub().edit(name, { properties: { desired: { interval: 99 } } }, 'service');
    await app.deliver(instance);

    const suspended = drifted.filter((name) => app.interval(name) !== 5);
    expect(suspended).toHaveLength(4);
    expect(edited.map((name) => app.interval(name))).toEqual([99, 99]);
    const midnight = plus(app.now, untilTomorrow(app.now));
    for (const name of [...suspended, ...edited]) {
      expect(await app.snapshot(name)).toMatchObject({
        lastReconcile: { status: 'suspended', why: 'the budget of messages a day is used up' },
        workItem: { at: midnight, priority: edited.includes(name) ? 'edit' : 'drift' },
        writing: undefined,
      });
    }
    for (const deviceId of missed) {
      await markForRead(instance.stores.twins, app.id(deviceId), {
        since: NEVER,
        why: 'test',
        priority: 'resync',
        now: midnight,
      });
    }
    // Another instance shares the same daily budget.
    const calls = app.calls.length;
    app.create('late');
    await app.deliver(app.instance());
    expect(app.calls.slice(calls)).toEqual([]);
    expect((await app.snapshot('late')).lastReconcile.status).toBe('suspended');

    app.pass(midnight - app.now + 1_000);
    const before = app.calls.length;
    const all = [...drifted, ...edited, ...missed, 'late'];
    // Waits advance the clock while other calls are on their way. So the time of a run may end before its last twin, or on a slow
    // machine before its first, and the next run does the rest.
    for (let run = 0; run < 30 && !all.every((name) => app.interval(name) === 5); run += 1) {
      await app.resync(instance);
      app.pass(60_000);
    }

    // The audit may read twins at the same time.
    const order = app.calls
      .slice(before)
      .flatMap((call) => /^PATCH \/twins\/(edited|drifted|missed)-/.exec(call)?.[1] ?? []);
    expect([...new Set(order)]).toEqual(['edited', 'drifted', 'missed']);
    expect(all.map((name) => app.interval(name))).toEqual(all.map(() => 5));
  });

  test('makes no twin wait for a permit once it is used up', async () => {
    await open({ hubs: [{ tier: 'F1', units: 1, budget: { rate: 0.1, daily: 0.001 } }] });
    const instance = app.instance();
    // 3.5 a second: in line, the last of these would get its permit after the end of the batch.
    const names = named('pump', 100);
    for (const name of names) app.create(name);

    await app.deliver(instance);

    for (const name of names.filter((each) => app.interval(each) !== 5)) {
      expect((await app.snapshot(name)).lastReconcile).toMatchObject({
        status: 'suspended',
        why: 'the budget of messages a day is used up',
      });
    }
  });
});

describe('a batch of a partition', () => {
  test.each([
    ['beyond the configured number', '4', '4'],
    ['with an unknown number of partitions', '', '0'],
    ['without a partition name', '4', 'unknown'],
  ])('%s asks hubs for nothing and loses nothing', async (_, count, partition) => {
    await open({});
    const instance = app.instance({ TWIN_EVENTS_PARTITIONS: count });
    app.create('pump');
    app.create('gone', { interval: 5 });
    app.take();
    app.hub().edit('gone', { tags: { seen: false } }, 'service');
    app.create('seen');

    await app.deliver(instance, app.take(), partition);

    expect(app.calls).toEqual([]);
    expect((await app.snapshot('seen')).workItem?.at).toBeGreaterThan(app.now);
    expect((await app.snapshot('gone')).lastReconcile.status).toBe('unknown');
    app.pass(61_000);
    await app.resync(instance);
    expect(app.interval('seen')).toBe(5);
    expect((await app.snapshot('gone')).lastReconcile.status).toBe('pending');
  });
});

describe('the operations per second of a hub', () => {
  test('limit the corrections of one partition to its part of the throttle', async () => {
    await open({ hubs: [{ tier: 'S1', units: 1 }] });
    const instance = app.instance({ TWIN_EVENTS_PARTITIONS: '4' });
    const perSecond = (50 * 0.5 * 0.7) / 4;
    const names = named('pump', 12);
    for (const name of names) app.create(name);
    const times: number[] = [];
    app.front = (request) => {
      if (request.method === 'PATCH') times.push(app.now);
      return undefined;
    };
    const from = app.now;

    await app.deliver(instance);

    expect(names.map((name) => app.interval(name))).toEqual(names.map(() => 5));
    for (const [index, at] of times.entries())
      expect(at - from).toBeGreaterThanOrEqual(((index + 1) / perSecond) * 1_000 - 1);
  });

  test('do not delay work items while an audit waits for a permit', async () => {
    await open({ hubs: [{ tier: 'S1', units: 1 }] });
    const names = named('pump', 20);
    for (const name of names) app.create(name);
    // No instance may write for this partition, so all its twins become work items.
    await app.deliver(app.instance(), app.take(), 'unknown');
    app.pass(61_000);

    // The first page of a list gets its permit after twenty seconds, and the first correction at once.
    await app.resync(app.instance());

    expect(names.map((name) => app.interval(name))).toEqual(names.map(() => 5));
  });
});
