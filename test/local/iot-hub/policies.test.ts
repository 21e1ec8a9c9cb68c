import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { builtInPolicies } from '../../../local/iot-hub/model/access-policy.ts';
import { EUS, type LocalHubs, serviceToken, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const KEY = testKey(1);
/** In the alphabet of ids, all that some SDK encodes twice. */
const SPECIAL = ['a:b', 'a?b', 'a@b', 'a$b', 'a,b', 'a=b', "a'b", 'a%b', 'a;b', 'a%3Ab'];
const inAnHour = (): number => Math.ceil(Date.now() / 1000) + 3600;

describe('the shared access policies of a hub', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    for (const deviceId of ['dev-1', ...SPECIAL]) {
      local.hubs.provisioning(WEU)?.create(deviceId, {
        authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
        capabilities: { iotEdge: false },
        tags: {},
        desired: {},
        reported: {},
      });
    }
  });
  afterEach(() => local.close());

  const keyOf = (name: string) => builtInPolicies().find(({ keyName }) => keyName === name)?.key ?? '';
  const tokenOf = (name: string, resource = WEU) => serviceToken(resource, keyOf(name), undefined, name);
  /** Whether a device that sends this password is let in. */
  const connects = async (password: string, deviceId = 'dev-1'): Promise<boolean> => {
    const session = await local.hubs.mqtt.connect({
      clientId: deviceId,
      userName: `${WEU}/${deviceId}/?api-version=2021-04-12`,
      password,
      cleanSession: true,
      certificates: [],
    });
    return !('refused' in session);
  };

  test.each([
    ['iothubowner', { readTwin: 200, readDevice: 200, query: 200, writeDevice: 200 }],
    ['service', { readTwin: 200, readDevice: 401, query: 401, writeDevice: 401 }],
    ['device', { readTwin: 401, readDevice: 401, query: 401, writeDevice: 401 }],
    ['registryRead', { readTwin: 401, readDevice: 200, query: 200, writeDevice: 401 }],
    ['registryReadWrite', { readTwin: 401, readDevice: 200, query: 200, writeDevice: 200 }],
  ])('the policy %s has the rights of Azure', async (name, expected) => {
    const headers = { authorization: tokenOf(name) };
    const status = async (method: string, path: string, body?: unknown) =>
      (await local.call(method, path, { headers, body })).status;

    expect({
      readTwin: await status('GET', '/twins/dev-1'),
      readDevice: await status('GET', '/devices/dev-1'),
      query: await status('POST', '/devices/query', { query: 'SELECT * FROM devices' }),
      writeDevice: await status('PUT', '/devices/new', { deviceId: 'new' }),
    }).toEqual(expected);
  });

  test.each([
    ['device', WEU, true],
    ['iothubowner', WEU, true],
    ['device', `${WEU}/devices`, true],
    ['device', `${WEU}/devices/dev-1`, true],
    ['device', `${WEU}/devices/dev-2`, false],
    ['device', EUS, false],
    ['service', WEU, false],
    ['registryReadWrite', WEU, false],
  ])(
    'a token of the policy %s for %s as the password of a device is accepted: %s',
    async (name, resource, isAccepted) => {
      expect(await connects(tokenOf(name, resource))).toBe(isAccepted);
    },
  );

  test('a token of a policy with a wrong key or an unknown name is refused as a password', async () => {
    expect(await connects(serviceToken(WEU, testKey(9), undefined, 'device'))).toBe(false);
    expect(await connects(serviceToken(WEU, keyOf('device'), undefined, 'devices'))).toBe(false);
  });

  test.each(SPECIAL)(
    'the device %s connects with a token of its key, encoded once, twice or not at all',
    async (deviceId) => {
      const encode = encodeURIComponent;
      for (const resource of [
        encode(`${WEU}/devices/${deviceId}`),
        encode(`${WEU}/devices/${encode(deviceId)}`),
        `${WEU}/devices/${deviceId}`,
      ]) {
        const token = SharedAccessSignature.create(resource, '', KEY, inAnHour()).toString();
        expect([resource, await connects(token, deviceId)]).toEqual([resource, true]);
      }
    },
  );

  // A connection string cannot contain an id with a semicolon.
  const inStrings = SPECIAL.filter((id) => !id.includes(';'));
  test.each(inStrings)('the device %s connects through azure-iot-device', async (deviceId) => {
    const client = await local.device(WEU, deviceId, KEY);
    await client.open();
    const twin = await client.getTwin();
    expect(twin.properties.desired.$version).toBe(1);
  });

  test.each([
    [`${WEU}/devices/dev-1/api-version=2018-06-30`, true],
    [`${WEU}/devices/dev-1/?api-version=2021-04-12`, true],
    [`${WEU}/devices/dev-1/other`, false],
    [`${WEU}/devices/dev-11`, false],
    [`${WEU}/devices`, false],
    [WEU, false],
  ])('a token of a device for %s is accepted: %s', async (resource, isAccepted) => {
    const token = SharedAccessSignature.create(encodeURIComponent(resource), '', KEY, inAnHour()).toString();
    expect(await connects(token)).toBe(isAccepted);
  });
});

describe('what is not in the local hub', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
  });
  afterEach(() => local.close());

  test.each([
    ['POST', '/twins/dev-1/streams/shell'],
    ['GET', '/$iothub/websocket'],
  ])('%s %s is answered so, without a look at the token', async (method, path) => {
    const answer = await local.call(method, path, { headers: { authorization: 'wrong' }, version: null });

    expect(answer.status).toBe(501);
    expect(answer.body.Message).toMatch(/^ErrorCode:NotInLocalHub;.* not in the local hub\./);
    expect(answer.headers['iothub-errorcode']).toBe('NotInLocalHub');
  });

  test('a WebSocket upgrade is answered so', async () => {
    const answer = await local.call('GET', '/$iothub/websocket', {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-protocol': 'mqtt',
      },
    });

    expect(answer.status).toBe(501);
    expect(answer.body.Message).toContain('WebSockets without TLS are not in the local hub');
  });

  test('an unknown route is 404 even with a wrong token', async () => {
    const answer = await local.call('GET', '/nothing', { headers: { authorization: 'wrong' } });

    expect(answer.status).toBe(404);
    expect(answer.body.Message).toContain('InvalidOperation');
  });

  test.each([[null], ['2011-01-01'], ['']])('the api-version %s is refused with 400', async (version) => {
    const answer = await local.call('GET', '/statistics/devices', { version });

    expect(answer.status).toBe(400);
    expect(answer.body.Message).toMatch(/^ErrorCode:InvalidProtocolVersion;/);
  });

  test.each(['2018-04-01', '2018-06-30', '2020-03-13', '2021-04-12'])(
    'the api-version %s is accepted',
    async (version) => {
      expect((await local.call('GET', '/statistics/devices', { version })).status).toBe(200);
    },
  );

  test('an Entra token is refused with these words', async () => {
    const answer = await local.call('GET', '/statistics/devices', { headers: { authorization: 'Bearer x' } });

    expect(answer.status).toBe(401);
    expect(answer.body.Message).toContain('not in the local hub');
  });
});
