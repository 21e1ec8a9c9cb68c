import { beforeEach, describe, expect, test } from '@jest/globals';
import { BerthError } from '../../src/errors.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { partitionOf, partitionsOf, workItemKey } from '../../src/store/tables/keys.ts';
import type { WorkItemRow } from '../../src/store/twins/twin-store.ts';
import type { Reconciled } from '../../src/sync/reconcile/reconciler.ts';
import type { ResyncContext } from '../../src/sync/resync/resync-context.ts';
import { processQueue } from '../../src/sync/resync/work-queue.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { WorkPriority } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { type ResyncParts, resyncContextOf } from './sync-context.ts';

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
  const row = { id, priority, partitionKey: partitionOf(id), rowKey: workItemKey(id, priority, at) };
  store.strayItems = [...store.strayItems, row];
};
const left = () => store.strayItems.map(({ id }) => id.deviceId);
const drain = (more: Partial<ResyncParts> = {}, mayGoOn: () => boolean = () => true): Promise<number> => {
  const context = resyncContextOf({
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
  return processQueue(context.hosts, context, mayGoOn);
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
  for (let index = 0; index < 30; index += 1) isQueued(`pump-${index}`);
  isQueued('elsewhere', 'resync', T0, other);
  const reconciler = reconcilerOf(async ({ host, deviceId }) => {
    done.push(deviceId);
    return host === other ? { result: 'corrected' } : { result: 'requeued', lacksPermit: true };
  });

  await drain({ hosts: [ID.host, other], reconciler });

  // Only those that were started side by side.
  expect(done.filter((deviceId) => deviceId !== 'elsewhere').length).toBeLessThanOrEqual(8);
  expect(left().length).toBeGreaterThanOrEqual(22);
  expect(done).toContain('elsewhere');
});

test('a resync leaves a work item to its twin when the twin has the same work item', async () => {
  const workItem = { priority: 'drift', at: T0, why: 'a cooldown', tries: 0 } as const;
  await store.save(await store.load(ID), { kind: 'snapshot', snapshot: snapshotOf({ workItem }) });
  const dropped: WorkItemRow[] = [];
  store.dropItem = async (row) => void dropped.push(row);

  await drain({}, times(2));

  expect(done).toContain(ID.deviceId);
  expect(dropped).toEqual([]);
});
