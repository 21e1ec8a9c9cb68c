import { beforeEach, describe, expect, test } from '@jest/globals';
import type { HubLiveness } from '../../src/liveness/liveness.ts';
import { NO_READER } from '../../src/liveness/reader.ts';
import type { GaugeValue } from '../../src/metrics/metrics.ts';
import { openStores, type Stores } from '../../src/store/stores.ts';
import { bucketOf } from '../../src/store/tables/keys.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { ALL_DEVICES } from '../../src/store/twins/twin-count-store.ts';
import { readGauges } from '../../src/sync/resync/gauges.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { EDGE_DEVICE_STATUSES } from '../../src/twin/snapshot/edge-device-status.ts';
import type { WorkItem } from '../../src/twin/snapshot/snapshot.ts';
import { edgeFleet, HOST } from '../edge/edge-devices.ts';
import { storageAccount } from '../support/storage-account.ts';
import { fleetOf, ID, snapshotOf, T0 } from '../twin/twins.ts';

const STATUSES = { inSync: 3, pending: 0, drifted: 1, rejected: 0, contested: 0, suspended: 0, unknown: 0 };
const EDGE = edgeFleet([{ name: 'sensor', modules: { sensor: { image: 'a.io/sensor:1' } } }]);

const gaugesOf = (fleet = EDGE, host = HOST, silent?: Pick<HubLiveness, 'state'>) =>
  readGauges(
    {
      fleet,
      hosts: [host],
      twins: {
        hubsWithDueWork: async () => () => false,
        dueItems: async () => ({ items: [], areAll: true }),
      },
      twinCounts: {
        read: async () => {
          const edge = { [ALL_DEVICES]: { running: 2, offline: 1 }, abc: { running: 2 } } as const;
          return new Map([[host, { statuses: STATUSES, policies: {}, edge, countedAt: T0 }]]);
        },
      },
      budgets: { used: async () => new Map() },
      liveness: {
        read: async () => ({
          ranAt: T0,
          reader: NO_READER,
          hubs: new Map(silent === undefined ? [] : [[host, silent as HubLiveness]]),
          evidence: new Map(),
        }),
      },
      share: { left: (_, operation) => (operation === 'apply' ? 0.25 : 0.5) },
    },
    T0,
  );
const named = (gauges: readonly GaugeValue[], name: string) =>
  gauges.filter((gauge) => gauge.name === name).map(({ value, attributes }) => [value, attributes]);

test('gauges count the IoT Edge devices of each hub by status, each device once', async () => {
  const devices = named(await gaugesOf(), 'berth.edge.devices');

  expect(devices).toHaveLength(EDGE_DEVICE_STATUSES.length);
  expect(devices).toEqual(
    expect.arrayContaining([
      [2, { hub: HOST, status: 'running' }],
      [1, { hub: HOST, status: 'offline' }],
      [0, { hub: HOST, status: 'failed' }],
    ]),
  );
});

test('gauges say how much is left for manifests that wait', async () => {
  expect(named(await gaugesOf(), 'berth.edge.budget.left')).toEqual([
    [0.25, { hub: HOST, operation: 'apply' }],
    [0.5, { hub: HOST, operation: 'identity' }],
  ]);
});

test('gauges of IoT Edge are left out if the fleet file has no deployments', async () => {
  const gauges = await gaugesOf(fleetOf({}), ID.host);

  expect(gauges.filter(({ name }) => name.startsWith('berth.edge'))).toEqual([]);
});

test.each([
  [undefined, 'quiet'],
  [{ state: 'silent' as const }, 'silent'],
])('the gauge of liveness is 1 for the present state of a hub and 0 for the others', async (found, state) => {
  const liveness = named(await gaugesOf(EDGE, HOST, found), 'berth.liveness');

  expect(liveness.map(([value]) => value).sort()).toEqual([0, 0, 0, 1]);
  expect(liveness).toContainEqual([1, { hub: HOST, state }]);
});

describe('the gauge of the oldest due work item', () => {
  const HOUR_MS = 60 * 60_000;
  /** Devices whose rows are in one partition. */
  const DEVICES = Array.from({ length: 200 }, (_, index) => `pump-${index}`).filter(
    (deviceId) => bucketOf(deviceId) === '03',
  );
  const item = (priority: WorkItem['priority'], hours: number): WorkItem => ({
    priority,
    at: plus(T0, hours * HOUR_MS),
    why: 'a test',
    tries: 0,
  });
  let stores: Stores;
  beforeEach(async () => {
    const connectionString = await storageAccount();
    stores = openStores(openTables({ kind: 'connectionString', connectionString }));
  });
  const queueAge = async (...items: readonly WorkItem[]) => {
    for (const [index, workItem] of items.entries()) {
      const id = { ...ID, deviceId: DEVICES[index] ?? '' };
      await stores.twins.save(
        { id, known: { kind: 'nothing' }, etag: undefined, isRemembered: false },
        { kind: 'snapshot', snapshot: snapshotOf({ id, workItem }) },
      );
    }
    const sources = { ...stores, fleet: fleetOf({}), hosts: [ID.host], share: { left: () => 1 } };
    return named(await readGauges(sources, T0), 'berth.queue.age');
  };

  test.each<[string, readonly WorkItem[], number]>([
    ['no work item', [], 0],
    ['an item that is not due', [item('drift', 1)], 0],
    ['an overdue item', [item('drift', -6)], 6],
    ['an overdue item and a more urgent one that is not due', [item('drift', -6), item('edit', 1)], 6],
    ['an overdue item and a more urgent one that has waited less', [item('resync', -6), item('edit', -1)], 6],
    [
      'an overdue item and a less urgent one that has waited longer',
      [item('edit', -1), item('activity', -7)],
      7,
    ],
  ])('is the longest wait of any priority: %s', async (_, items, hours) => {
    expect(await queueAge(...items)).toEqual([[hours * 3_600, { hub: ID.host }]]);
  });
});
