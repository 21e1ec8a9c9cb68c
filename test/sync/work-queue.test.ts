import { beforeEach, describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import { BudgetShare } from '../../src/hub/budget.ts';
import { budgetHubs } from '../../src/hub/budgeted-hubs.ts';
import type { DailyCounts } from '../../src/hub/daily-budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { HubError } from '../../src/hub/port.ts';
import { watchHubs } from '../../src/hub/watched-hubs.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { partitionOf, partitionsOf, workItemKey } from '../../src/store/tables/keys.ts';
import type { WorkItemRow } from '../../src/store/twins/twin-store.ts';
import type { Reconciled } from '../../src/sync/reconcile/reconciler.ts';
import { askActivity } from '../../src/sync/resync/activity.ts';
import type { ResyncContext } from '../../src/sync/resync/resync-context.ts';
import { processQueue, type QueueOptions } from '../../src/sync/resync/work-queue.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { WorkPriority } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { TestClock } from '../support/clock.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { FREE, type ResyncParts, resyncContextOf } from './sync-context.ts';

const reconcilerOf = (
  reconcile: (id: TwinId) => Promise<Omit<Reconciled, 'known'>>,
): ResyncContext['reconciler'] => ({
  reconcile: async (id) => ({ ...(await reconcile(id)), known: (await store.load(id)).known }),
  resync: async () => ({ result: 'nothing', known: { kind: 'nothing' } }),
});

let store: MemoryTwinStore;
let done: string[];
let told: string[];
beforeEach(() => {
  store = new MemoryTwinStore();
  done = [];
  told = [];
});
/** A work item whose twin does not know of it: looking at the twin takes it away. */
const isQueued = (deviceId: string, priority: WorkPriority = 'drift', at = T0, host = ID.host): void => {
  const id = { ...ID, host, deviceId };
  const row = { id, priority, at, partitionKey: partitionOf(id), rowKey: workItemKey(id, priority, at) };
  store.strayItems = [...store.strayItems, row];
};
const left = () => store.strayItems.map(({ id }) => id.deviceId);
const contextOf = (more: Partial<ResyncParts>): ResyncContext =>
  resyncContextOf({
    fleet: fleetOf({}),
    hubs: new MemoryHub(() => T0),
    twins: store,
    reconciler: reconcilerOf(async ({ deviceId }) => {
      done.push(deviceId);
      return { result: 'corrected' };
    }),
    now: () => T0,
    warn: (message) => void told.push(message),
    ...more,
  });
const drain = (
  more: Partial<ResyncParts> = {},
  mayGoOn: () => boolean = () => true,
  options: QueueOptions = {},
): Promise<number> => {
  const context = contextOf(more);
  return processQueue(context.hosts, context, mayGoOn, options);
};
/** So many times, and no more. */
const times = (most: number): (() => boolean) => {
  let left = most;
  return () => {
    left -= 1;
    return left >= 0;
  };
};

describe('the work items of a hub', () => {
  test('are done in order: edits by people first, and the oldest first', async () => {
    isQueued('audited', 'resync', plus(T0, -9_000));
    isQueued('drifted', 'drift', plus(T0, -9_000));
    isQueued('edited', 'edit', plus(T0, -1_000));
    isQueued('edited before', 'edit', plus(T0, -2_000));

    expect(await drain()).toBe(4);
    expect(done).toEqual(['edited before', 'edited', 'drifted', 'audited']);
    expect(left()).toEqual([]);
  });

  test('are found in every partition of the hub', async () => {
    for (let index = 0; index < 200; index += 1) isQueued(`pump-${index}`);

    expect(new Set(store.strayItems.map(({ partitionKey }) => partitionKey)).size).toBe(
      partitionsOf(ID.host).length,
    );
    expect(await drain()).toBe(200);
  });

  test.each<[string, string, WorkPriority, number]>([
    ['more urgent ones that are not due yet', 'later', 'edit', 60_000],
    ['more urgent ones that stay due because their work fails', 'bad', 'edit', -60_000],
    ['older ones that stay due because their work fails', 'bad', 'drift', -60_000],
  ])('are found behind many %s', async (_, name, priority, ms) => {
    const partition = partitionOf({ ...ID, deviceId: 'drifted' });
    const inPartition = Array.from({ length: 4_000 }, (_, index) => `${name}-${index}`).filter(
      (deviceId) => partitionOf({ ...ID, deviceId }) === partition,
    );
    for (const deviceId of inPartition) isQueued(deviceId, priority, plus(T0, ms));
    isQueued('drifted', 'drift', plus(T0, -1_000));
    const tried: string[] = [];
    const reconcile = async ({ deviceId }: typeof ID) => {
      tried.push(deviceId);
      if (deviceId.startsWith('bad')) throw new TypeError('a stored snapshot is no object');
      done.push(deviceId);
      return { result: 'corrected' } as const;
    };
    await drain({ reconciler: reconcilerOf(reconcile) });

    expect(inPartition.length).toBeGreaterThan(200);
    expect(done).toEqual(['drifted']);
    expect(tried).toHaveLength(1 + (ms < 0 ? inPartition.length : 0));
  });

  test('that are due again at once after they were done are left to the next run after the fifth time', async () => {
    isQueued('again');
    isQueued('other', 'resync');
    const reconcile = async ({ deviceId }: typeof ID) => {
      done.push(deviceId);
      if (deviceId === 'again') isQueued('again', 'drift', plus(T0, -10_000 - done.length));
      return { result: 'unchanged' } as const;
    };
    await drain({ reconciler: reconcilerOf(reconcile) }, times(100));

    expect(done).toEqual(['again', 'again', 'again', 'again', 'again', 'other']);
  });

  test('are done for other twins when one twin has a defect', async () => {
    for (const deviceId of ['a', 'bad', 'c']) isQueued(deviceId);
    const reconcile = async ({ deviceId }: typeof ID) => {
      if (deviceId === 'bad') throw new TypeError('a stored snapshot is no object');
      done.push(deviceId);
      return { result: 'corrected' } as const;
    };
    await drain({ reconciler: reconcilerOf(reconcile) }, times(4));

    expect(done.sort()).toEqual(['a', 'c']);
    expect(left()).toEqual(['bad']);
    expect(told[0]).toMatch(/bad because of a defect \(TypeError\)/);
  });

  test('that are being done have ended when a run fails because the tables are unavailable', async () => {
    for (const deviceId of ['away', 'slow', 'slower']) isQueued(deviceId);
    const reconcile = async ({ deviceId }: typeof ID) => {
      if (deviceId === 'away') throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
      await new Promise((resolve) => setTimeout(resolve, deviceId === 'slow' ? 10 : 30));
      done.push(deviceId);
      return { result: 'corrected' } as const;
    };

    await expect(drain({ reconciler: reconcilerOf(reconcile) })).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
    expect(done).toEqual(['slow', 'slower']);
  });

  test('are not begun any more after one has failed because the tables are unavailable', async () => {
    for (let index = 0; index < 200; index += 1) isQueued(`pump-${index}`);
    const reconcile = async ({ deviceId }: typeof ID) => {
      done.push(deviceId);
      throw new BerthError('BERTH_STORE_UNAVAILABLE', 'away');
    };

    await expect(drain({ reconciler: reconcilerOf(reconcile) })).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
    });
    expect(done.length).toBeLessThanOrEqual(13);
  });

  test('are not done any further when the tables are unavailable', async () => {
    isQueued('a');
    const away = new BerthError('BERTH_STORE_UNAVAILABLE', 'away');

    await expect(drain({ reconciler: reconcilerOf(() => Promise.reject(away)) })).rejects.toBe(away);
  });

  test.each<[string, Partial<ResyncParts>, () => boolean]>([
    [
      'the hub is paused',
      { gate: { current: async () => ({ ...OPEN_GATE, closedFor: () => 'paused' }) } },
      () => true,
    ],
    ['the time of the run is over', {}, () => false],
  ])('stay in the queue while %s', async (_, options, mayGoOn) => {
    isQueued('a');

    expect(await drain(options, mayGoOn)).toBe(0);
    expect(done).toEqual([]);
    expect(left()).toEqual(['a']);
  });
});

test('work items of a hub stay in the queue after one twin gets no permit, and other hubs continue', async () => {
  const other = hostName('other.azure-devices.net');
  for (let index = 0; index < 40; index += 1) isQueued(`pump-${index}`);
  isQueued('elsewhere', 'resync', T0, other);
  const reconciler = reconcilerOf(async ({ host, deviceId }) => {
    done.push(deviceId);
    return host === other ? { result: 'corrected' } : { result: 'requeued', lacksPermit: true };
  });

  const fleet = fleetOf({});
  const hubByHost = new Map(fleet.hubByHost);
  for (const hub of fleet.hubs) hubByHost.set(other, { ...hub, host: other });
  await drain({ fleet: { ...fleet, hubByHost }, hosts: [ID.host, other], reconciler });

  // Only those that were started side by side.
  expect(done.filter((deviceId) => deviceId !== 'elsewhere').length).toBeLessThanOrEqual(13);
  expect(left().length).toBeGreaterThanOrEqual(27);
  expect(done).toContain('elsewhere');
});

test('work items of a hub that throttles now and then are all done in one run', async () => {
  const clock = new TestClock();
  const { now, wait } = clock;
  const end = plus(now(), 58_000);
  const pauses = new HubPauses(() => 0);
  const hub = new MemoryHub(now);
  const read = hub.readTwin.bind(hub);
  let calls = 0;
  hub.readTwin = async () => {
    calls += 1;
    if (calls % 50 === 0) throw new HubError('BERTH_HUB_THROTTLED', 'slow', { host: ID.host });
    return read();
  };
  const watched = watchHubs(hub, { pauses, count: () => {}, now });
  const counts: DailyCounts = { reserve: async (_, messages) => messages };
  const share = new BudgetShare({ share: 'resync', part: 1, counts, pauses, now, wait });
  const fleet = fleetOf({});
  const hubs = budgetHubs(watched, { fleet, budget: share, until: end, now });
  for (let index = 0; index < 300; index += 1) isQueued(`pump-${index}`, 'drift', plus(now(), -1_000));
  const throttled: string[] = [];
  const reconcile = async (id: TwinId) => {
    try {
      const read = await hubs.readTwin(id);
      if (read.kind === 'noPermit') {
        isQueued(id.deviceId, 'drift', read.at);
        return { result: 'requeued', lacksPermit: true } as const;
      }
      done.push(id.deviceId);
      return { result: 'corrected' } as const;
    } catch {
      throttled.push(id.deviceId);
      isQueued(id.deviceId, 'drift', plus(now(), 1_000));
      return { result: 'requeued' } as const;
    }
  };

  const pauseMs = () => {
    const pause = pauses.of(ID.host, now());
    return pause && pause.until - now();
  };
  await drain({ reconciler: reconcilerOf(reconcile), now, hubNow: now }, () => now() < end, {
    pauseMs,
    wait,
  });

  expect(throttled).toHaveLength(6);
  expect(new Set(done).size).toBe(300);
});

test('a work item that stays due after its twin was handled is left to the next run', async () => {
  isQueued('a');
  store.dropItem = async () => {};

  expect(await drain()).toBe(1);
  expect(left()).toEqual(['a']);
});

test('a hub is asked for the activity of a device behind many whose work fails', async () => {
  const partition = partitionOf({ ...ID, deviceId: 'quiet' });
  const failing = Array.from({ length: 4_000 }, (_, index) => `bad-${index}`).filter(
    (deviceId) => partitionOf({ ...ID, deviceId }) === partition,
  );
  for (const deviceId of failing) isQueued(deviceId, 'activity', plus(T0, -60_000));
  isQueued('quiet', 'activity', plus(T0, -1_000));
  const reconcile = async ({ deviceId }: typeof ID) => {
    if (deviceId !== 'quiet') throw new TypeError('a stored snapshot is no object');
    done.push(deviceId);
    return { result: 'stored' } as const;
  };
  const asked = await askActivity([ID.host], contextOf({ reconciler: reconcilerOf(reconcile) }), () => true);

  expect(failing.length).toBeGreaterThan(200);
  expect(asked).toBe(failing.length + 1);
  expect(done).toEqual(['quiet']);
});

test.each<[string, Partial<ResyncParts>, (hub: MemoryHub) => void]>([
  [
    'there is no permit',
    {
      budget: {
        ...FREE,
        permit: async () => ({ kind: 'noPermit', at: T0, why: 'used up', isQuota: true }),
      },
    },
    () => {},
  ],
  ['the hub fails', {}, (hub) => hub.failures.push({ code: 'BERTH_HUB_UNAVAILABLE' })],
])(
  'a device that could not be asked for during an hour is planned without an answer, while %s',
  async (_, parts, prepare) => {
    const hub = new MemoryHub(() => T0);
    prepare(hub);
    isQueued('young', 'activity', plus(T0, -59 * 60_000));
    isQueued('old', 'activity', plus(T0, -61 * 60_000));
    const reconciler = reconcilerOf(async ({ deviceId }) => {
      done.push(deviceId);
      return { result: 'stored' };
    });

    expect(await askActivity([ID.host], contextOf({ hubs: hub, reconciler, ...parts }), () => true)).toBe(0);

    expect(done).toEqual(['old']);
  },
);

test('a resync leaves a work item to its twin when the twin has the same work item', async () => {
  const workItem = { priority: 'drift', at: T0, why: 'a cooldown', tries: 0 } as const;
  await store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf({ workItem }) });
  const dropped: WorkItemRow[] = [];
  store.dropItem = async (row) => void dropped.push(row);

  await drain({}, times(2));

  expect(done).toContain(ID.deviceId);
  expect(dropped).toEqual([]);
});

describe('the writes of a hub', () => {
  /** S1 with the default budget: 150 twins are many, and 37 are few. */
  let claimed: boolean;
  let changes: string[];
  beforeEach(() => {
    claimed = false;
    changes = [];
  });
  const claims = {
    isClaimed: () => claimed,
    claim: async () => {
      if (!claimed) changes.push(`claimed with ${left().length} left`);
      claimed = true;
    },
    release: async () => {
      if (claimed) changes.push(`given back with ${left().length} left`);
      claimed = false;
    },
  };
  const areQueued = (count: number, priority: WorkPriority = 'resync') => {
    for (let index = 0; index < count; index += 1)
      isQueued(`${priority}-${String(index).padStart(4, '0')}`, priority);
  };

  test('are claimed while many twins wait, and given back when few are left', async () => {
    areQueued(1_000);

    expect(await drain({}, () => true, { claims })).toBe(1_000);
    expect(changes).toEqual(['claimed with 750 left', 'given back with 0 left']);
  });

  test('are claimed while many twins wait behind work that is not due yet', async () => {
    areQueued(1_000);
    const counts = new Map(partitionsOf(ID.host).map((partition) => [partition, 0]));
    for (let index = 0; [...counts.values()].some((count) => count < 42); index += 1) {
      const partition = partitionOf({ ...ID, deviceId: `later-${index}` });
      const count = counts.get(partition) ?? 0;
      if (count === 42) continue;
      counts.set(partition, count + 1);
      isQueued(`later-${index}`, 'drift', plus(T0, 60_000));
    }

    expect(await drain({}, () => true, { claims })).toBe(1_000);
    expect(changes).toEqual(['claimed with 1422 left', 'given back with 672 left']);
  });

  test('are claimed and stay so while the hub refuses a call now and then', async () => {
    areQueued(1_000);
    let pausedMs: number | undefined;
    const reconciler = reconcilerOf(async ({ deviceId }) => {
      done.push(deviceId);
      if (done.length % 100 === 0) pausedMs = 2_000;
      // The one twin after each pause is not written.
      return { result: done.length > 1 && done.length % 100 === 1 ? 'requeued' : 'corrected' };
    });
    const wait = async () => {
      pausedMs = undefined;
    };
    await drain({ reconciler }, () => true, { claims, pauseMs: () => pausedMs, wait });

    expect(changes).toEqual(['claimed with 900 left', 'given back with 0 left']);
  });

  test('stay claimed while a few more urgent ones come first', async () => {
    areQueued(1_000);
    areQueued(10, 'edit');
    claimed = true;

    await drain({}, () => true, { claims });

    expect(changes).toEqual(['given back with 0 left']);
  });

  test('are not made while the hub is left alone to the end of the run', async () => {
    areQueued(1_000);
    claimed = true;

    const pauseMs = () => Number.POSITIVE_INFINITY;
    await drain({}, () => true, { claims, pauseMs, wait: () => Promise.reject(new Error('waits')) });

    expect(done).toEqual([]);
    expect(changes).toEqual(['given back with 1000 left']);
  });

  test('are not claimed for few twins', async () => {
    areQueued(149);

    await drain({}, () => true, { claims });

    expect(changes).toEqual([]);
  });

  test('are not claimed for many twins that are only read', async () => {
    areQueued(1_000);
    const reconciler = reconcilerOf(async () => ({ result: 'stored' }));

    await drain({ reconciler }, () => true, { claims });

    expect(left()).toEqual([]);
    expect(changes).toEqual([]);
  });

  test('stay claimed at the end of a run that has not done all, for the next run', async () => {
    areQueued(1_000);

    // Once for the loop and once for each twin.
    await drain({}, times(600), { claims });

    expect(left().length).toBeGreaterThan(150);
    expect(changes).toEqual(['claimed with 750 left']);
  });

  test('are given back if no twin gets a permit, because the partitions may have some', async () => {
    areQueued(1_000);
    claimed = true;
    const reconciler = reconcilerOf(async () => ({ result: 'requeued', lacksPermit: true }));

    await drain({ reconciler }, () => true, { claims });

    expect(changes).toEqual([expect.stringContaining('given back')]);
  });

  test('stay claimed if the permits end after some twins, as at the end of a run', async () => {
    areQueued(1_000);
    claimed = true;
    const reconciler = reconcilerOf(async ({ deviceId }) => {
      done.push(deviceId);
      return done.length > 500 ? { result: 'requeued', lacksPermit: true } : { result: 'corrected' };
    });

    await drain({ reconciler }, () => true, { claims });

    expect(changes).toEqual([]);
  });

  test('are given back while the hub is paused', async () => {
    areQueued(1_000);
    claimed = true;

    await drain(
      { gate: { current: async () => ({ ...OPEN_GATE, closedFor: () => 'paused' }) } },
      () => true,
      {
        claims,
      },
    );

    expect(changes).toEqual(['given back with 1000 left']);
  });

  test('of an edit that comes in between are made before the many that wait', async () => {
    areQueued(1_000);
    const reconciler = reconcilerOf(async ({ deviceId }) => {
      if (done.length === 100) isQueued('edited', 'edit');
      done.push(deviceId);
      return { result: 'corrected' };
    });

    await drain({ reconciler }, () => true, { claims });

    // At the next look at the queue.
    expect(done.indexOf('edited')).toBe(250);
  });

  test('are made as soon as the resync has planned the twins, in the same run', async () => {
    let isFilling = true;
    const waits: number[] = [];
    const wait = async (ms: number) => {
      waits.push(ms);
      if (waits.length === 2) areQueued(200);
      if (waits.length === 3) isFilling = false;
    };
    claimed = true;

    expect(await drain({}, () => true, { claims, isFilling: () => isFilling, wait })).toBe(200);
    expect(waits).toEqual([5_000, 5_000, 5_000]);
    expect(changes).toEqual(['given back with 0 left']);
  });
});
