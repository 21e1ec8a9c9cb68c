import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DEVELOPMENT_POLICY } from '../../src/hub/development.ts';
import { type IotHubsOptions, openIotHubs } from '../../src/hub/iot-hubs.ts';
import { HubError } from '../../src/hub/port.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';

const HOST = hostName('weu.azure-devices.net');
const ID: TwinId = { host: HOST, deviceId: 'pump 1/é', moduleId: undefined };
const TWIN = {
  deviceId: 'pump-1',
  etag: 'AAAAAAAAAAM=',
  version: 7,
  tags: { city: 'Zürich', constructor: 'kept' },
  properties: {
    desired: {
      interval: 5,
      $metadata: { $lastUpdated: '2026-11-23T12:00:00.1Z', interval: { $lastUpdatedVersion: 2 } },
      $version: 3,
    },
    reported: { $metadata: { $lastUpdated: '2026-11-23T12:00:01Z' }, $version: 4 },
  },
};

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let answer: (response: ServerResponse) => void;
let seen: Seen[];
let hubs: ReturnType<typeof openIotHubs>;
const open = (more: Partial<IotHubsOptions> = {}) => {
  const { port } = server.address() as AddressInfo;
  return openIotHubs({
    hub: () => undefined,
    settings: {},
    clientId: undefined,
    isAzure: false,
    endpoint: () => `http://127.0.0.1:${port}`,
    deadlineMs: 10_000,
    ...more,
  });
};
/** Opens the hubs again, with a deadline that a test can wait for. */
const useDeadline = async (deadlineMs: number) => {
  await hubs.close();
  hubs = open({ deadlineMs });
};
const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

beforeEach(async () => {
  seen = [];
  answer = json(200, TWIN);
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method, url: request.url, headers: request.headers, body });
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  hubs = open();
});
afterEach(async () => {
  await hubs.close();
  server.closeAllConnections();
  server.close();
});
const failure = async (act: Promise<unknown>): Promise<HubError> => {
  const error: unknown = await act.catch((reason: unknown) => reason);
  if (!(error instanceof HubError)) throw new Error(`expected a HubError, got ${inspect(error)}`);
  return error;
};

describe('a call to a hub', () => {
  test('has the hub in its host header and a signature for it', async () => {
    await hubs.readTwin(ID);

    const [call] = seen;
    expect(call).toMatchObject({ method: 'GET', url: '/twins/pump%201%2F%C3%A9?api-version=2021-04-12' });
    expect(call?.headers.host).toBe(HOST);
    const token = new URLSearchParams(call?.headers.authorization?.replace('SharedAccessSignature ', ''));
    const signature = createHmac('sha256', Buffer.from(DEVELOPMENT_POLICY.key, 'base64'))
      .update(`${HOST}\n${token.get('se')}`)
      .digest('base64');
    expect(token.get('sig')).toBe(signature);
    expect(token.get('skn')).toBe('iothubowner');
  });

  test('reads a whole twin with its version and names that the SDK would lose', async () => {
    const twin = await hubs.readTwin(ID);

    expect(twin).toMatchObject({
      version: 7,
      etag: 'AAAAAAAAAAM=',
      tags: { city: 'Zürich', constructor: 'kept' },
      desired: { values: { interval: 5 }, version: 3 },
      lastUpdated: '2026-11-23T12:00:01.0000000Z',
    });
  });

  test('reads UTF-8 that is split between two chunks', async () => {
    const bytes = Buffer.from(JSON.stringify(TWIN));
    const split = bytes.indexOf('ü') + 1;
    answer = (response) => {
      response.writeHead(200);
      response.write(bytes.subarray(0, split));
      setImmediate(() => response.end(bytes.subarray(split)));
    };

    expect((await hubs.readTwin(ID)).tags.city).toBe('Zürich');
  });

  test('patches with the etag in quotes, because a hub ignores an unquoted etag', async () => {
    await hubs.patchDesired(ID, { interval: 60 }, 'AAAAAAAAAAM=');

    expect(seen[0]).toMatchObject({ method: 'PATCH', body: '{"properties":{"desired":{"interval":60}}}' });
    expect(seen[0]?.headers['if-match']).toBe('"AAAAAAAAAAM="');
  });

  test('applies a manifest to a device, and takes an answer without a body', async () => {
    answer = (response) => response.writeHead(204).end();
    const content = { modulesContent: { $edgeAgent: { 'properties.desired': { password: 'Hunter2' } } } };
    await hubs.applyManifest(ID, content);

    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: '/devices/pump%201%2F%C3%A9/applyConfigurationContent?api-version=2021-04-12',
      body: JSON.stringify(content),
    });
  });

  test('that applies a manifest has no credential in its error', async () => {
    answer = json(400, { Message: '{"errorCode":400004,"message":"Property value: Hunter2"}' });
    const content = { modulesContent: { $edgeAgent: { 'properties.desired': { password: 'Hunter2' } } } };
    const error = await failure(hubs.applyManifest(ID, content));

    expect(error).toMatchObject({ code: 'BERTH_HUB_REFUSED', hubCode: '400004' });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('Hunter2');
  });

  test('reaches modules, statistics and identities', async () => {
    const module = { ...ID, deviceId: 'd', moduleId: 'm' };
    await hubs.readTwin(module);
    await hubs.patchDesired(module, { a: 1 }, 'x');
    answer = json(200, { totalDeviceCount: 12, enabledDeviceCount: 11, disabledDeviceCount: 1 });
    expect(await hubs.countDevices(HOST)).toBe(12);
    answer = json(200, { deviceId: 'd', status: 'disabled' });
    expect(await hubs.identityStatus(ID)).toBe('disabled');
    answer = json(404, { Message: 'ErrorCode:DeviceNotFound;d', ExceptionMessage: '' });
    expect(await hubs.identityStatus(ID)).toBe('missing');

    expect(seen.map(({ method, url }) => `${method} ${url?.split('?')[0]}`)).toEqual([
      'GET /twins/d/modules/m',
      'PATCH /twins/d/modules/m',
      'GET /statistics/devices',
      'GET /devices/pump%201%2F%C3%A9',
      'GET /devices/pump%201%2F%C3%A9',
    ]);
  });

  test('opens at most sixteen connections to a hub', async () => {
    const sockets = new Set();
    server.on('connection', (socket) => sockets.add(socket));
    answer = (response) => setTimeout(() => json(200, TWIN)(response), 5);

    await Promise.all(Array.from({ length: 100 }, () => hubs.readTwin(ID)));

    expect(sockets.size).toBeLessThanOrEqual(16);
    expect(seen).toHaveLength(100);
  });
});

describe('a failed call to a hub', () => {
  const older = (name: string) => ({ Message: `ErrorCode:${name};text`, ExceptionMessage: 'Tracking ID:x' });
  const newer = (errorCode: number) => ({
    Message: JSON.stringify({ errorCode, trackingId: 'x', message: 'm' }),
    ExceptionMessage: '',
  });

  test.each<[number, unknown, Readonly<Record<string, string>>, string, string | undefined]>([
    [400, newer(400004), {}, 'BERTH_HUB_REFUSED', '400004'],
    [401, older('IotHubUnauthorizedAccess'), {}, 'BERTH_HUB_UNAUTHORIZED', 'IotHubUnauthorizedAccess'],
    [403, newer(403002), {}, 'BERTH_HUB_QUOTA_EXCEEDED', '403002'],
    [403, older('IotHubQuotaExceeded'), {}, 'BERTH_HUB_QUOTA_EXCEEDED', 'IotHubQuotaExceeded'],
    [403, older('IotHubSuspended'), {}, 'BERTH_HUB_UNAVAILABLE', 'IotHubSuspended'],
    [403, newer(403001), {}, 'BERTH_HUB_UNAVAILABLE', '403001'],
    [403, '', { 'iothub-errorcode': 'IotHubSuspended' }, 'BERTH_HUB_UNAVAILABLE', 'IotHubSuspended'],
    [403, older('IotHubUnauthorized'), {}, 'BERTH_HUB_UNAUTHORIZED', 'IotHubUnauthorized'],
    [404, older('IotHubNotFound'), {}, 'BERTH_HUB_UNAVAILABLE', 'IotHubNotFound'],
    [404, newer(401001), {}, 'BERTH_HUB_UNAVAILABLE', '401001'],
    [404, older('DeviceNotFound'), {}, 'BERTH_HUB_NOT_FOUND', 'DeviceNotFound'],
    [404, newer(404001), {}, 'BERTH_HUB_NOT_FOUND', '404001'],
    [404, newer(404012), {}, 'BERTH_HUB_UNAVAILABLE', '404012'],
    [404, '', { 'iothub-errorcode': 'DeviceNotFound' }, 'BERTH_HUB_NOT_FOUND', 'DeviceNotFound'],
    [409, older('Conflict'), {}, 'BERTH_HUB_PRECONDITION_FAILED', 'Conflict'],
    [412, newer(412001), {}, 'BERTH_HUB_PRECONDITION_FAILED', '412001'],
    [429, newer(429001), {}, 'BERTH_HUB_THROTTLED', '429001'],
    [500, 'oops', {}, 'BERTH_HUB_UNAVAILABLE', undefined],
    [503, '', {}, 'BERTH_HUB_UNAVAILABLE', undefined],
  ])(
    'with status %i, body %j and headers %j has the code %s',
    async (status, body, headers, code, hubCode) => {
      answer = json(status, body, headers);

      const error = await failure(hubs.patchDesired(ID, { a: 1 }, 'x'));

      expect(error).toMatchObject({ code, status, hubCode, host: HOST, mayHaveApplied: status >= 500 });
      expect(error.message).toContain(HOST);
    },
  );

  test.each([
    [403, 'IotHubSuspended', 'the hub is disabled'],
    [404, 'IotHubNotFound', 'no hub answers with this host name'],
  ])('with status %i %s says what is wrong with the hub, and names no role', async (status, name, text) => {
    answer = json(status, older(name));

    const { message } = await failure(hubs.readTwin(ID));

    expect(message).toContain(text);
    expect(message).not.toContain('role');
  });

  test('gives the time that a throttled hub asks for', async () => {
    answer = json(429, newer(429001), { 'retry-after': '7' });

    expect((await failure(hubs.readTwin(ID))).retryAfterMs).toBe(7_000);
  });

  test('ends at the deadline when the hub never answers, and its write may have been applied', async () => {
    await useDeadline(400);
    answer = () => {};

    expect(await failure(hubs.patchDesired(ID, { a: 1 }, 'x'))).toMatchObject({
      code: 'BERTH_HUB_TIMEOUT',
      mayHaveApplied: true,
    });
  });

  test('ends at the deadline when the answer never ends', async () => {
    await useDeadline(400);
    answer = (response) => {
      response.writeHead(200);
      response.write('{"deviceId":');
    };

    expect(await failure(hubs.readTwin(ID))).toMatchObject({ code: 'BERTH_HUB_TIMEOUT' });
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['breaks off', (response) => response.destroy()],
    ['is not JSON', json(200, '<html>')],
    ['is not a twin', json(200, { hello: 1 })],
    ['is empty', json(200, 'null')],
  ])('is reported when the answer %s', async (_, how) => {
    answer = how;

    expect(await failure(hubs.readTwin(ID))).toMatchObject({
      code: 'BERTH_HUB_UNAVAILABLE',
      mayHaveApplied: true,
    });
  });

  test('is reported when no server listens, and its write cannot have been applied', async () => {
    const away = open({ endpoint: () => 'http://127.0.0.1:9' });

    expect(await failure(away.readTwin(ID))).toMatchObject({
      code: 'BERTH_HUB_UNAVAILABLE',
      mayHaveApplied: false,
    });
    await away.close();
  });

  test('shows neither the token nor the key at any depth', async () => {
    answer = json(500, 'SharedAccessSignature sr=x');

    const error = await failure(hubs.readTwin(ID));

    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
    expect(shown).not.toContain('SharedAccessSignature');
    expect(shown).not.toContain(DEVELOPMENT_POLICY.key);
  });
});

describe('a direct method', () => {
  const invoke = () => hubs.invokeMethod(ID, 'leaveHub', { leaveHub: HOST });

  test('is one POST that does not wait for a device that is not connected', async () => {
    answer = json(200, { status: 501, payload: null });

    expect(await invoke()).toEqual({ kind: 'answered' });
    expect(seen).toEqual([
      expect.objectContaining({
        method: 'POST',
        url: '/twins/pump%201%2F%C3%A9/methods?api-version=2021-04-12',
      }),
    ]);
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      methodName: 'leaveHub',
      payload: { leaveHub: HOST },
      responseTimeoutInSeconds: 5,
      connectTimeoutInSeconds: 0,
    });
  });

  test.each([
    ['not connected', 404, 'DeviceNotOnline', { kind: 'notConnected' }],
    ['without an answer', 504, 'GatewayTimeout', { kind: 'noAnswer' }],
    [
      'of a hub that refuses the right',
      401,
      'IotHubUnauthorizedAccess',
      { kind: 'unauthorized', hubCode: 'IotHubUnauthorizedAccess' },
    ],
    ['of a hub that forbids the call', 403, 'Forbidden', { kind: 'unauthorized', hubCode: 'Forbidden' }],
  ])('to a device %s is an ordinary result', async (_, status, code, result) => {
    answer = json(status, { Message: `ErrorCode:${code};no` });

    expect(await invoke()).toEqual(result);
  });

  test.each([
    ['a hub that fails over', 404, 'IotHubFailingOver', 'BERTH_HUB_UNAVAILABLE'],
    ['a hub that is not found', 404, 'IotHubNotFound', 'BERTH_HUB_UNAVAILABLE'],
    ['a hub that is disabled', 403, 'IotHubSuspended', 'BERTH_HUB_UNAVAILABLE'],
    ['a hub whose messages are used up', 403, 'IotHubQuotaExceeded', 'BERTH_HUB_QUOTA_EXCEEDED'],
    ['a hub that throttles', 429, 'ThrottlingException', 'BERTH_HUB_THROTTLED'],
    ['a hub that is down', 503, 'ServiceUnavailable', 'BERTH_HUB_UNAVAILABLE'],
  ])('of %s fails', async (_, status, code, error) => {
    answer = json(status, { Message: `ErrorCode:${code};no` });

    expect((await failure(invoke())).code).toBe(error);
  });
});

describe('a hub with a connection setting', () => {
  const hub = { connection: 'HUB_WEU' } as ReturnType<IotHubsOptions['hub']>;
  const withSetting = (value: string | undefined) => open({ hub: () => hub, settings: { HUB_WEU: value } });

  test('signs with the policy of the connection string', async () => {
    const other = withSetting(
      `HostName=WEU.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=a2V5PT0=`,
    );

    await other.readTwin(ID);

    expect(seen[0]?.headers.authorization).toContain('skn=service');
    await other.close();
  });

  test.each([
    ['is missing', undefined, /HUB_WEU.*is missing/],
    ['is not a connection string', 'c2VjcmV0', /HUB_WEU is not a service connection string/],
    [
      'is for another hub',
      'HostName=eus.azure-devices.net;SharedAccessKeyName=s;SharedAccessKey=c2VjcmV0',
      /HUB_WEU is a connection string of a hub other than/,
    ],
  ])('gives a clear error when the setting %s', async (_, value, message) => {
    const other = withSetting(value);

    const error: unknown = await other.readTwin(ID).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: 'BERTH_SETTING_INVALID', message: expect.stringMatching(message) });
    expect(inspect(error)).not.toContain('c2VjcmV0');
    await other.close();
  });
});

describe('a hub with several host names', () => {
  const setting = (host: string) => ({
    HUB_WEU: `HostName=${host};SharedAccessKeyName=service;SharedAccessKey=a2V5PT0=`,
  });
  const hub = (serviceHost: string) =>
    ({ connection: 'HUB_WEU', serviceHost }) as ReturnType<IotHubsOptions['hub']>;

  test.each([
    ['weu.service.azure-devices.net', 'weu.azure-devices.net'],
    ['weu.azure-devices.net', 'WEU.service.azure-devices.net'],
    ['weu.azure-devices.net', 'weu.device.azure-devices.net'],
  ])(
    'is called at %s with a matching signature, also when the connection string has %s',
    async (serviceHost, host) => {
      const other = open({ hub: () => hub(serviceHost), settings: setting(host) });

      await other.readTwin(ID);

      expect(seen[0]?.headers.host).toBe(serviceHost);
      expect(seen[0]?.headers.authorization).toContain(`sr=${encodeURIComponent(serviceHost)}&`);
      await other.close();
    },
  );

  test('has its identity in errors', async () => {
    answer = json(503, {});
    const other = open({
      hub: () => hub('weu.service.azure-devices.net'),
      settings: setting('weu.azure-devices.net'),
    });

    expect(await failure(other.readTwin(ID))).toMatchObject({ host: HOST });
    await other.close();
  });

  test('is not the same as a hub in another cloud', async () => {
    const other = open({ hub: () => hub(HOST), settings: setting('weu.azure-devices.us') });

    await expect(other.readTwin(ID)).rejects.toMatchObject({ code: 'BERTH_SETTING_INVALID' });
    await other.close();
  });
});
