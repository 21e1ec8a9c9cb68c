import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { type LocalHubs, serviceToken, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const BATCH = 'application/vnd.microsoft.iothub.json';

describe('the device API over HTTPS', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
    await local.registry(WEU).addModule({ deviceId: 'dev-1', moduleId: 'camera', authentication });
    local.events.length = 0;
  });
  afterEach(() => local.close());

  const tokenOf = (resource: string, key = KEY) =>
    SharedAccessSignature.create(
      encodeURIComponent(resource),
      '',
      key,
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();
  const call = (
    method: string,
    path: string,
    options: {
      headers?: Record<string, string>;
      body?: unknown;
      host?: string;
      version?: string | null;
    } = {},
  ) => {
    const host = options.host ?? WEU;
    const headers = { authorization: tokenOf(`${host}/devices/dev-1`), ...options.headers };
    return local.call(method, path, { ...options, headers });
  };
  const enqueue = (body: string, headers: Record<string, string> = {}) =>
    local.call('POST', '/devices/dev-1/messages/devicebound', { body, headers });
  const receive = () => call('GET', '/devices/dev-1/messages/devicebound');
  const tokenIn = (etag: unknown) => String(etag).replaceAll('"', '');
  const queued = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;

  test('telemetry arrives with its properties', async () => {
    const answer = await call('POST', '/devices/dev-1/messages/events', {
      body: { temperature: 7 },
      headers: {
        'iothub-messageid': 'm-1',
        'iothub-contenttype': 'application/json',
        'iothub-contentencoding': 'utf-8',
        'iothub-app-level': 'high',
      },
    });

    expect(answer.status).toBe(204);
    expect(local.events).toMatchObject([
      {
        partitionKey: 'dev-1',
        body: { temperature: 7 },
        messageId: 'm-1',
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        properties: { level: 'high' },
        annotations: { 'iothub-connection-device-id': 'dev-1', 'iothub-message-source': 'Telemetry' },
      },
    ]);
  });

  test('a message has at most 256 KB with the values of its system properties and its application properties', async () => {
    const send = (bytes: number) =>
      call('POST', '/devices/dev-1/messages/events', {
        body: 'x'.repeat(bytes),
        headers: { 'iothub-messageid': 'm-1', 'iothub-app-note': 'value' },
      });

    expect((await send(256 * 1024 - 12)).status).toBe(204);
    expect((await send(256 * 1024 - 11)).status).toBe(413);
    expect(local.events).toHaveLength(1);
  });

  test('names of application properties keep their case, and those of system properties may have any', async () => {
    await call('POST', '/devices/dev-1/messages/events', {
      body: 'x',
      headers: { 'IoTHub-MessageId': 'm-1', 'IoTHub-App-siteName': 'Amsterdam' },
    });

    expect(local.events[0]).toMatchObject({ messageId: 'm-1', properties: { siteName: 'Amsterdam' } });
  });

  test('the messages of a batch arrive in their order', async () => {
    const answer = await call('POST', '/devices/dev-1/messages/events', {
      headers: { 'content-type': BATCH },
      body: [
        {
          body: Buffer.from('one').toString('base64'),
          properties: { 'iothub-app-n': '1', 'iothub-messageid': 'a' },
        },
        { body: 'two', base64Encoded: false },
      ],
    });

    expect(answer.status).toBe(204);
    expect(local.events).toMatchObject([
      { body: 'one', messageId: 'a', properties: { n: '1' } },
      { body: 'two' },
    ]);
  });

  test.each([
    [
      'a message',
      {
        body: 'x',
        headers: {
          'dt-subject': 'thermostat1',
          'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1',
        },
      },
    ],
    [
      'a message of a batch',
      {
        headers: { 'content-type': BATCH },
        body: [
          {
            body: Buffer.from('x').toString('base64'),
            properties: {
              'dt-subject': 'thermostat1',
              'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1',
            },
          },
        ],
      },
    ],
  ])('%s keeps its component and the mark of a security message', async (_what, message) => {
    expect((await call('POST', '/devices/dev-1/messages/events', message)).status).toBe(204);

    expect(local.events).toMatchObject([
      {
        annotations: {
          'dt-subject': 'thermostat1',
          'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1',
        },
      },
    ]);
  });

  test('a module sends with its own token', async () => {
    const path = '/devices/dev-1/modules/camera/messages/events';
    const own = { authorization: tokenOf(`${WEU}/devices/dev-1/modules/camera`) };

    expect((await call('POST', path, { body: 'x' })).status).toBe(401);
    expect((await call('POST', path, { body: 'x', headers: own })).status).toBe(204);
    expect(local.events).toMatchObject([{ annotations: { 'iothub-connection-module-id': 'camera' } }]);
  });

  test('the device name of the hub serves devices, and its service name does not', async () => {
    const path = '/devices/dev-1/messages/events';

    expect(
      (await call('POST', path, { body: 'x', host: 'contoso-weu.device.azure-devices.net' })).status,
    ).toBe(204);
    expect(
      (await call('POST', path, { body: 'x', host: 'contoso-weu.service.azure-devices.net' })).status,
    ).toBe(404);
  });

  test.each([
    ['no token', { authorization: '' }],
    ['another key', { authorization: tokenOf(`${WEU}/devices/dev-1`, testKey(9)) }],
    ['the token of another device', { authorization: tokenOf(`${WEU}/devices/dev-2`) }],
    [
      'the token of a policy with a wrong key',
      { authorization: serviceToken(WEU, undefined, undefined, 'service') },
    ],
  ])('%s is refused with 401', async (_name, headers) => {
    expect((await call('POST', '/devices/dev-1/messages/events', { body: 'x', headers })).status).toBe(401);
    expect(local.events).toEqual([]);
  });

  test('a token of a policy with DeviceConnect is accepted', async () => {
    const headers = { authorization: serviceToken() };
    expect((await call('POST', '/devices/dev-1/messages/events', { body: 'x', headers })).status).toBe(204);
  });

  test.each([
    ['no api-version', { body: 'x', version: null }, 400],
    ['a batch that is not a list', { body: {}, headers: { 'content-type': BATCH } }, 400],
    ['a batch with a message without a body', { body: [{}], headers: { 'content-type': BATCH } }, 400],
    ['a message above 256 KB', { body: 'x'.repeat(262_145) }, 413],
  ])('%s is refused', async (_name, options, status) => {
    expect((await call('POST', '/devices/dev-1/messages/events', options)).status).toBe(status);
    expect(local.events).toEqual([]);
  });

  test('a device receives a message, and it is gone when the device completes it', async () => {
    await enqueue('hello', { 'iothub-messageid': 'm-1', 'iothub-app-color': 'red' });

    const received = await receive();

    expect(received).toMatchObject({
      status: 200,
      text: 'hello',
      headers: {
        'iothub-messageid': 'm-1',
        'iothub-app-color': 'red',
        'iothub-ack': 'none',
        'iothub-to': '/devices/dev-1/messages/devicebound',
        etag: expect.stringMatching(/^"[0-9a-f-]{36}"$/),
      },
    });
    expect((await receive()).status).toBe(204); // it is locked
    const token = tokenIn(received.headers.etag);
    expect((await call('DELETE', `/devices/dev-1/messages/devicebound/${token}`)).status).toBe(204);
    expect(queued()).toBe(0);
  });

  test('an abandoned message is received again, and a rejected one is gone', async () => {
    await enqueue('hello');
    const first = tokenIn((await receive()).headers.etag);

    expect((await call('POST', `/devices/dev-1/messages/devicebound/${first}/abandon`)).status).toBe(204);
    const second = await receive();
    const path = `/devices/dev-1/messages/devicebound/${tokenIn(second.headers.etag)}?reject`;

    expect(second.text).toBe('hello');
    expect((await call('DELETE', path)).status).toBe(204);
    expect(queued()).toBe(0);
  });

  test('a lock token counts once and only for its message', async () => {
    await enqueue('hello');
    const token = tokenIn((await receive()).headers.etag);
    const path = `/devices/dev-1/messages/devicebound/${token}`;
    await call('DELETE', path);

    const again = await call('DELETE', path);

    expect(again.status).toBe(412);
    expect(again.headers['iothub-errorcode']).toBe('DeviceMessageLockLost');
  });
});
