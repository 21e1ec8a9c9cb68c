import { expect, test } from '@jest/globals';
import type { HubLiveness } from '../../src/liveness/liveness.ts';
import { NO_READER } from '../../src/liveness/reader.ts';
import type { GaugeValue } from '../../src/metrics/metrics.ts';
import { ALL_DEVICES } from '../../src/store/twins/twin-count-store.ts';
import { readGauges } from '../../src/sync/resync/gauges.ts';
import { EDGE_DEVICE_STATUSES } from '../../src/twin/snapshot/edge-device-status.ts';
import { edgeFleet, HOST } from '../edge/edge-devices.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';

const STATUSES = { inSync: 3, pending: 0, drifted: 1, rejected: 0, contested: 0, suspended: 0, unknown: 0 };
const EDGE = edgeFleet([{ name: 'sensor', modules: { sensor: { image: 'a.io/sensor:1' } } }]);

const gaugesOf = (fleet = EDGE, host = HOST, silent?: Pick<HubLiveness, 'state'>) =>
  readGauges(
    {
      fleet,
      hosts: [host],
      twins: { hubsWithDueWork: async () => () => false },
      twinCounts: {
        read: async () => {
          const edge = { [ALL_DEVICES]: { running: 2, offline: 1 }, abc: { running: 2 } } as const;
          return new Map([[host, { statuses: STATUSES, policies: {}, edge, countedAt: T0 }]]);
        },
      },
      lists: { workItems: async () => [] },
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
