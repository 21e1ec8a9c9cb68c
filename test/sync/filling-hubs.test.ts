import { beforeEach, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonValue } from '../../src/json/json.ts';
import type { TwinStatusCounts } from '../../src/store/twins/twin-count-store.ts';
import { FillingHubs } from '../../src/sync/resync/filling-hubs.ts';
import type { ResyncContext } from '../../src/sync/resync/resync-context.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { TWIN_STATUSES } from '../../src/twin/snapshot/snapshot.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { memoryProgress } from './sync-context.ts';

const OTHER = hostName('other.azure-devices.net');
const NO_TWINS = Object.fromEntries(TWIN_STATUSES.map((status) => [status, 0])) as TwinStatusCounts;
const fleet = fleetOf({});
let stored: Map<string, JsonValue>;
let claimed: string[];
beforeEach(() => {
  stored = new Map();
  claimed = [];
});
const claims = { claim: async (host: string) => void claimed.push(host) };
const isPlanned = () =>
  stored.set('resync', { about: `${fleet.revision} 3`, place: 16, after: '', doneAt: T0 });
const contextOf = (twins: number, gate: Partial<typeof OPEN_GATE> = {}) => ({
  fleet,
  hosts: [ID.host, OTHER],
  gate: {
    current: async () => ({ ...OPEN_GATE, generation: { number: 3, since: plus(T0, -10_000) }, ...gate }),
  },
  progress: memoryProgress(stored),
  twinCounts: {
    count: async () => 16,
    read: async () =>
      new Map([[ID.host, { statuses: { ...NO_TWINS, inSync: twins }, policies: {}, countedAt: T0 }]]),
  } satisfies ResyncContext['twinCounts'],
});

test('a hub with many twins is claimed while the resync of a new fleet file waits, until all twins are planned', async () => {
  const filling = await FillingHubs.open(contextOf(150), claims);

  expect(claimed).toEqual([ID.host]);
  expect([filling.has(ID.host), filling.has(OTHER)]).toEqual([true, false]);
  await filling.check();
  expect(filling.isEmpty).toBe(false);
  isPlanned();
  await filling.check();
  expect(filling.isEmpty).toBe(true);
});

test('a hub whose twins are planned is not claimed', async () => {
  isPlanned();

  expect((await FillingHubs.open(contextOf(150), claims)).isEmpty).toBe(true);
  expect(claimed).toEqual([]);
});

test.each<[string, number, Partial<typeof OPEN_GATE>, typeof claims | undefined]>([
  ['it has few twins', 149, {}, claims],
  ['a newer package claims the writes', 150, {}, undefined],
  ['a newer package has run', 150, { isOutdated: true }, claims],
  ['the control row cannot be read', 150, { generation: undefined }, claims],
])('a hub is not claimed if %s', async (_, twins, gate, own) => {
  expect((await FillingHubs.open(contextOf(twins, gate), own)).isEmpty).toBe(true);
  expect(claimed).toEqual([]);
});
