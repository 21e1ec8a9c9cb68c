import { beforeEach, describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { controlSchema } from '../../src/control/control.ts';
import { BerthError } from '../../src/errors.ts';
import { BudgetShare, RESYNC_PART } from '../../src/hub/budget.ts';
import type { DailyCounts } from '../../src/hub/daily-budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { NO_READER } from '../../src/liveness/reader.ts';
import { partitionOf, partitionsOf, workItemKey } from '../../src/store/tables/keys.ts';
import type { TwinStatusCounts } from '../../src/store/twins/twin-count-store.ts';
import { type ResyncRun, resync } from '../../src/sync/resync/resync.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { TWIN_STATUSES } from '../../src/twin/snapshot/snapshot.ts';
import { TestClock } from '../support/clock.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { memoryProgress, type ResyncParts, resyncContextOf } from './sync-context.ts';

let store: MemoryTwinStore;
/** What happened, in its order. */
let happened: string[];
beforeEach(() => {
  store = new MemoryTwinStore();
  happened = [];
});
const run = (more: Partial<ResyncRun> = {}, parts: Partial<ResyncParts> = {}) =>
  resync(
    resyncContextOf({
      fleet: fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] }),
      hubs: new MemoryHub(() => T0),
      twins: store,
      reconciler: {
        reconcile: async () => {
          happened.push('reconciled');
          return { result: 'corrected', known: { kind: 'nothing' } };
        },
        resync: async () => ({ result: 'nothing', known: { kind: 'nothing' } }),
      },
      now: () => T0,
      ...parts,
    }),
    {
      conditions: {
        read: async () => NO_CONDITIONS,
        recordCount: async () => {},
        recordFailure: async () => {},
        recordCauses: async () => {},
      },
      liveness: {
        store: {
          read: async () => ({ ranAt: undefined, reader: NO_READER, hubs: new Map(), evidence: new Map() }),
          writeHub: async () => {},
          writeRun: async () => {},
        },
        look: async () => ({ kind: 'positions', partitions: new Map() }),
        flush: async () => {},
      },
      lease: { take: async () => true, release: async () => void happened.push('released') },
      claims: {
        load: async () => {},
        isClaimed: () => false,
        claim: async () => {},
        release: async () => {},
      },
      queueUntil: epochMs(Number.POSITIVE_INFINITY),
      ...more,
    },
  );
const isQueued = (): void => {
  const priority = 'edit';
  store.strayItems = [
    { id: ID, priority, at: T0, partitionKey: partitionOf(ID), rowKey: workItemKey(ID, priority, T0) },
  ];
};

test('a run does work items, counts devices and returns the lease', async () => {
  isQueued();

  expect(await run()).toMatchObject({ ran: true, workItems: 1, counted: partitionsOf(ID.host).length });
  expect(happened).toEqual(['reconciled', 'released']);
});

test('a run starts no work items after the hubs must be left alone and continues with work on the tables', async () => {
  isQueued();

  expect(await run({ queueUntil: T0 })).toMatchObject({
    workItems: 0,
    counted: partitionsOf(ID.host).length,
  });
  expect(happened).toEqual(['released']);
  expect(store.strayItems).toHaveLength(1);
});

test('a run keeps the lease until all its parts have ended, even if one part fails', async () => {
  const defect = new TypeError('a defect');
  isQueued();
  store.firstItems = () => Promise.reject(defect);
  const count = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    happened.push('counted');
    return 16;
  };

  await expect(run({}, { twinCounts: { count, read: async () => new Map() } })).rejects.toBe(defect);
  expect(happened.at(-1)).toBe('released');
  expect(happened).toContain('counted');
});

test('a run does nothing when another instance holds its lease', async () => {
  isQueued();

  const lease = { take: async () => false, release: async () => void happened.push('released') };
  expect(await run({ lease })).toMatchObject({ ran: false, workItems: 0 });
  expect(happened).toEqual([]);
});

test('the audit of a hub gets its part of the queries while many devices are asked for', async () => {
  const clock = new TestClock();
  const { now, wait } = clock;
  const hub = new MemoryHub(now);
  store.strayItems = Array.from({ length: 2_000 }, (_, index) => {
    const id = { ...ID, deviceId: `quiet-${index}` };
    const priority = 'activity';
    const at = plus(now(), -60_000);
    return { id, priority, at, partitionKey: partitionOf(id), rowKey: workItemKey(id, priority, at) };
  });
  const counts: DailyCounts = { reserve: async (_, messages) => messages };
  const budget = new BudgetShare({
    share: 'resync',
    part: RESYNC_PART,
    counts,
    pauses: new HubPauses(() => 0),
    now,
    wait,
  });
  const until = plus(now(), 40_000);

  expect(await run({ wait }, { hubs: hub, budget, until, now, hubNow: now })).toMatchObject({ audited: 1 });
  expect(hub.calls).toContain('query');
  expect(hub.calls.some((call) => call.startsWith('activity of '))).toBe(true);
});

describe('after a new fleet file', () => {
  const SECOND = 1_000;
  let now: EpochMs;
  let claimed: string[];
  beforeEach(() => {
    now = plus(T0, 20 * SECOND);
    claimed = [];
  });
  const claims = {
    load: async () => {},
    isClaimed: (host: string) => claimed.includes(host),
    claim: async (host: string) => {
      if (claimed.includes(host)) return;
      claimed.push(host);
      happened.push(`claimed at ${(now - T0) / SECOND} s`);
    },
    release: async () => {
      if (claimed.pop() !== undefined) happened.push('given back');
    },
  };
  const wait = async (ms: number) => {
    now = plus(now, ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const countsOf = (inSync: number) => {
    const none = Object.fromEntries(TWIN_STATUSES.map((status) => [status, 0])) as TwinStatusCounts;
    return { statuses: { ...none, inSync }, policies: {}, countedAt: T0 };
  };
  /** One twin is stored. This is the number that the counts say. */
  const runWith = async (twins: number, gate: Partial<typeof OPEN_GATE> = {}) => {
    await store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf() });
    const known = async () => (await store.load(ID)).known;
    return run(
      { claims, wait, queueUntil: plus(T0, 78 * SECOND) },
      {
        now: () => now,
        gate: { current: async () => ({ ...OPEN_GATE, generation: { number: 1, since: T0 }, ...gate }) },
        twinCounts: { count: async () => 16, read: async () => new Map([[ID.host, countsOf(twins)]]) },
        reconciler: {
          reconcile: async () => {
            happened.push('reconciled');
            return { result: 'corrected', known: await known() };
          },
          resync: async () => {
            happened.push(`planned at ${(now - T0) / SECOND} s`);
            isQueued();
            return { result: 'requeued', known: await known() };
          },
        },
      },
    );
  };

  test('a run claims a hub with many twins at once, plans them when all instances have the file, and writes them', async () => {
    expect(await runWith(1_000)).toMatchObject({ resynced: 1, workItems: 1 });

    expect(happened.filter((what) => !what.startsWith('planned'))).toEqual([
      'claimed at 20 s',
      'reconciled',
      'given back',
      'released',
    ]);
    const at = Number(/planned at ([\d.]+) s/.exec(happened.join())?.[1]);
    expect(at).toBeGreaterThanOrEqual(60);
    expect(at).toBeLessThan(70);
  });

  test('a run leaves a hub with few twins to a later run, which plans and writes them', async () => {
    await runWith(10);
    expect(happened).toEqual(['released']);

    now = plus(T0, 61 * SECOND);
    expect(await runWith(10)).toMatchObject({ resynced: 1, workItems: 1 });
    expect(happened).toEqual(['released', 'planned at 61 s', 'reconciled', 'released']);
  });

  test('a run of an older package neither claims writes nor gives back those that a newer package claims', async () => {
    claimed = [ID.host];
    isQueued();

    expect(await runWith(1_000, { isOutdated: true })).toMatchObject({ workItems: 0, resynced: 0 });
    expect(claimed).toEqual([ID.host]);
    expect(happened).toEqual(['released']);
  });
});

test('the last work on the tables does not wait for work items', async () => {
  isQueued();
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const summary = await run(
    { afterTables: async () => finish() },
    {
      reconciler: {
        reconcile: async () => {
          await finished;
          return { result: 'corrected', known: { kind: 'nothing' } };
        },
        resync: async () => ({ result: 'nothing', known: { kind: 'nothing' } }),
      },
    },
  );

  expect(summary.workItems).toBeGreaterThan(0);
});

describe('a task of a run that fails', () => {
  const away = new BerthError('BERTH_STORE_UNAVAILABLE', 'a row is too large');
  const fail = () => Promise.reject(away);
  const noCounts = { count: async () => 16, read: async () => new Map() };
  const draining = controlSchema.parse({ drains: { [ID.host]: { since: 1, changedAt: 1 } } });
  const stored = new Map<string, JsonValue>();
  const progress = memoryProgress(stored);
  const withoutAudit = {
    ...progress,
    read: async (name: string) => (name.startsWith('audit') ? fail() : progress.read(name)),
  };
  const withoutPlan = {
    ...progress,
    read: async (name: string) => (name === 'resync' ? fail() : progress.read(name)),
  };
  beforeEach(() => stored.clear());

  test.each<[string, Partial<ResyncParts>, readonly string[]]>([
    ['the counts of the twins', { twinCounts: { ...noCounts, count: fail } }, ['resync', 'audit']],
    ['the drains', { control: { read: async () => draining, update: fail } }, ['resync', 'audit']],
    ['the audit', { progress: withoutAudit }, ['resync']],
  ])('does not end the tasks after it, and the run fails at its end: %s', async (_, parts, done) => {
    isQueued();
    const afterTables = async () => void happened.push('tables');

    await expect(run({ afterTables }, { progress, ...parts })).rejects.toBe(away);

    expect(happened).toEqual(expect.arrayContaining(['reconciled', 'tables']));
    expect(happened.at(-1)).toBe('released');
    const written = [...stored.keys()].map((name) => name.split('|')[0]);
    expect(written).toEqual(expect.arrayContaining([...done]));
  });

  test('is logged if the work queue fails too, with whose error the run fails', async () => {
    const defect = new TypeError('a defect');
    isQueued();
    store.firstItems = () => Promise.reject(defect);
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);

    await expect(run({}, { twinCounts: { ...noCounts, count: fail }, warn })).rejects.toBe(defect);

    expect(warnings).toContain('A task of resyncFleet failed: the counts of twins. a row is too large');
  });

  test('ends the tasks after it if the time of the run is over', async () => {
    const clock = new TestClock();
    const count = async () => {
      await clock.wait(60_000);
      return fail();
    };
    const afterTables = async () => void happened.push('tables');

    await expect(
      run({ afterTables }, { now: clock.now, twinCounts: { ...noCounts, count }, progress }),
    ).rejects.toBe(away);

    expect(happened).toEqual(['released']);
    expect(stored).toEqual(new Map());
  });

  test('does not let a run wait for twins that it could not plan', async () => {
    const wait = async () => void happened.push('waited');

    await expect(run({ wait }, { progress: withoutPlan })).rejects.toBe(away);

    expect(happened).toEqual(['released']);
  });
});
