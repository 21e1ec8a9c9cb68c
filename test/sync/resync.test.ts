import { beforeEach, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { NO_READER } from '../../src/liveness/reader.ts';
import { partitionOf, partitionsOf, workItemKey } from '../../src/store/tables/keys.ts';
import { type ResyncRun, resync } from '../../src/sync/resync/resync.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { type ResyncParts, resyncContextOf } from './sync-context.ts';

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
      hubsUntil: epochMs(Number.POSITIVE_INFINITY),
      ...more,
    },
  );
const isQueued = (): void => {
  const priority = 'edit';
  store.strayItems = [
    { id: ID, priority, partitionKey: partitionOf(ID), rowKey: workItemKey(ID, priority, T0) },
  ];
};

test('a run does work items, counts devices and returns the lease', async () => {
  isQueued();

  expect(await run()).toMatchObject({ ran: true, workItems: 1, counted: partitionsOf(ID.host).length });
  expect(happened).toEqual(['reconciled', 'released']);
});

test('a run starts no work items after the hubs must be left alone and continues with work on the tables', async () => {
  isQueued();

  expect(await run({ hubsUntil: T0 })).toMatchObject({ workItems: 0, counted: partitionsOf(ID.host).length });
  expect(happened).toEqual(['released']);
  expect(store.strayItems).toHaveLength(1);
});

test('a run keeps the lease until all its parts have ended, even if one part fails', async () => {
  const defect = new TypeError('a defect');
  isQueued();
  store.dueItems = () => Promise.reject(defect);
  const count = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    happened.push('counted');
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
