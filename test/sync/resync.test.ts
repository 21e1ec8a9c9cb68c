import { beforeEach, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { controlSchema } from '../../src/control/control.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { dueKey, partitionOf, partitionsOf } from '../../src/store/tables/keys.ts';
import { resync } from '../../src/sync/resync/resync.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';

type ResyncOptions = Parameters<typeof resync>[0];

let store: MemoryTwinStore;
/** What happened, in its order. */
let happened: string[];
beforeEach(() => {
  store = new MemoryTwinStore();
  happened = [];
});
const run = (more: Partial<ResyncOptions> = {}) => {
  const progress = new Map<string, JsonValue>();
  return resync({
    fleet: fleetOf({ policies: [{ name: 'base', desired: { interval: 5 } }] }),
    hosts: [ID.host],
    hubs: new MemoryHub(() => T0),
    twins: store,
    conditions: {
      read: async () => NO_CONDITIONS,
      recordCount: async () => {},
      recordFailure: async () => {},
      recordCauses: async () => {},
    },
    control: {
      read: async () => controlSchema.parse({}),
      update: async (change) => change(controlSchema.parse({})),
    },
    progress: {
      read: async (name) => progress.get(name),
      write: async (name, value) => void progress.set(name, value),
    },
    lease: { take: async () => true, release: async () => void happened.push('released') },
    reconciler: {
      reconcile: async () => {
        happened.push('reconciled');
        return { result: 'corrected', known: { kind: 'nothing' } };
      },
      judge: async () => ({ result: 'nothing', known: { kind: 'nothing' } }),
    },
    budget: { turn: async () => ({ isNow: true }) },
    isRefused: () => false,
    gate: {
      current: async () => OPEN_GATE,
    },
    until: Number.POSITIVE_INFINITY,
    now: () => T0,
    count: () => {},
    warn: () => {},
    ...more,
  });
};
const isDue = (): void => {
  const priority = 'edit';
  store.strayDue = [{ id: ID, priority, partitionKey: partitionOf(ID), rowKey: dueKey(ID, priority, T0) }];
};

test('a run does work items, counts devices and returns the lease', async () => {
  isDue();

  expect(await run()).toMatchObject({ ran: true, due: 1, counted: partitionsOf(ID.host).length });
  expect(happened).toEqual(['reconciled', 'released']);
});

test('a run starts no work items after the hubs must be left alone and continues with work on the tables', async () => {
  isDue();

  expect(await run({ until: T0 })).toMatchObject({ due: 0, counted: partitionsOf(ID.host).length });
  expect(happened).toEqual(['released']);
  expect(store.strayDue).toHaveLength(1);
});

test('a run keeps the lease until all its parts have ended, even if one part fails', async () => {
  const defect = new TypeError('a defect');
  store.due = () => Promise.reject(defect);
  store.count = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    happened.push('counted');
  };

  await expect(run()).rejects.toBe(defect);
  expect(happened.at(-1)).toBe('released');
  expect(happened).toContain('counted');
});

test('a run does nothing when another instance holds its lease', async () => {
  isDue();

  const lease = { take: async () => false, release: async () => void happened.push('released') };
  expect(await run({ lease })).toMatchObject({ ran: false, due: 0 });
  expect(happened).toEqual([]);
});
