import { expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { hubErrorOf } from '../../src/hub/failure.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { refreshConditions } from '../../src/sync/resync/hub-conditions.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { syncContextOf } from './sync-context.ts';

test('all hubs are asked for their devices at the same time, so that those that do not answer delay a run only once', async () => {
  const fleet = fleetOf({});
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  const hosts = Array.from({ length: 50 }, (_, index) => hostName(`hub-${index}.azure-devices.net`));
  const hubs = new MemoryHub(() => T0);
  const answers: (() => void)[] = [];
  hubs.countDevices = async () => {
    await new Promise<void>((resolve) => {
      answers.push(resolve);
      // The slowest of all answers last.
      if (answers.length === hosts.length) for (const answer of answers) answer();
    });
    return 7;
  };
  const counted: string[] = [];
  const context = syncContextOf({
    fleet: { ...fleet, hubByHost: new Map([...hosts, ID.host].map((host) => [host, { ...hub, host }])) },
    hosts,
    hubs,
    twins: new MemoryTwinStore(),
    now: () => T0,
  });

  await refreshConditions(
    context,
    {
      read: async () => NO_CONDITIONS,
      recordCount: async (host) => void counted.push(host),
      recordFailure: async () => {},
      recordCauses: async () => {},
    },
    new Map(),
  );

  expect(counted.sort()).toEqual([...hosts].sort());
});

test.each([
  ['is disabled', 403, 'IotHubSuspended', true],
  ['does not exist', 404, 'IotHubNotFound', true],
  ['fails over', 404, 'IotHubFailingOver', true],
  ['is down', 503, 'ServiceUnavailable', true],
  ['gives Berth no role', 403, 'IotHubUnauthorized', false],
  ['refuses the credentials of Berth', 401, 'IotHubUnauthorizedAccess', false],
  ['throttles', 429, 'ThrottlingException', false],
  ['has no messages left', 403, 'IotHubQuotaExceeded', false],
])('a hub that %s (%i %s) counts as failed: %p', async (_, status, code, isFailure) => {
  const hubs = new MemoryHub(() => T0);
  hubs.countDevices = async () => {
    throw hubErrorOf({
      kind: 'refused',
      host: ID.host,
      method: 'GET',
      status,
      headers: {},
      body: JSON.stringify({ Message: `ErrorCode:${code};text` }),
      mayHaveApplied: false,
      retryAfterMs: undefined,
      answeredAt: undefined,
    });
  };
  const failed: string[] = [];
  const context = syncContextOf({
    fleet: fleetOf({}),
    hosts: [ID.host],
    hubs,
    twins: new MemoryTwinStore(),
    now: () => T0,
  });

  await refreshConditions(
    context,
    {
      read: async () => NO_CONDITIONS,
      recordCount: async () => {},
      recordFailure: async (host) => void failed.push(host),
      recordCauses: async () => {},
    },
    new Map(),
  );

  expect(failed).toEqual(isFailure ? [ID.host] : []);
});
