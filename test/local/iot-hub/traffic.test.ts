import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Traffic } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const KEY = testKey(1);

let local: LocalHubs;
let seen: (readonly [string, Traffic])[];
beforeEach(async () => {
  seen = [];
  local = await startLocalHubs({ onTraffic: (host, traffic) => seen.push([host, traffic]) });
  const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
  await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
});
afterEach(() => local.close());

test('a watcher sees a message of a service with its body and properties', async () => {
  const headers = { 'iothub-app-level': 'high' };
  await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'hello', headers });

  expect(seen).toMatchObject([
    [WEU, { kind: 'message', address: { deviceId: 'dev-1' }, properties: { level: 'high' } }],
  ]);
  const [, traffic] = seen[0] ?? [];
  expect(traffic?.kind === 'message' && traffic.body.toString()).toBe('hello');
});

test('a watcher sees a direct method with the answer of the device', async () => {
  const client = await local.device(WEU, 'dev-1', KEY);
  await client.open();
  client.onDeviceMethod('ping', (request, response) => response?.send(200, request?.payload, () => {}));

  await local.call('POST', '/twins/dev-1/methods', {
    body: { methodName: 'ping', payload: { n: 1 }, connectTimeoutInSeconds: 60 },
  });

  expect(seen.map(([, traffic]) => traffic)).toEqual([
    {
      kind: 'method',
      address: { deviceId: 'dev-1' },
      name: 'ping',
      payload: { n: 1 },
      answer: { status: 200, payload: { n: 1 } },
    },
  ]);
});
