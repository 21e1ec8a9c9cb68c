import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client, DeviceMethodRequest, DeviceMethodResponse, ModuleClient } from 'azure-iot-device';
import { Client as ServiceClient } from 'azure-iothub';
import { DEVELOPMENT_SERVICE_KEY } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);

describe('direct methods', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
    await local.registry(WEU).addModule({ deviceId: 'dev-1', moduleId: 'camera', authentication });
  });
  afterEach(() => local.close());

  /** Answers every call of `reboot` with 201 and what it got. */
  function answers(client: Client | ModuleClient): void {
    const method = (request?: DeviceMethodRequest, response?: DeviceMethodResponse) =>
      response?.send(201, { got: request?.payload, as: request?.methodName }, () => {});
    if ('onDeviceMethod' in client) client.onDeviceMethod('reboot', method);
    else client.onMethod('reboot', method);
  }
  const invoke = (body: object, path = '/twins/dev-1/methods') => local.call('POST', path, { body });
  /** The SDK subscribes on its own time, so the first calls can find no subscription. */
  const whenReady = (body: object, path?: string) => invoke({ connectTimeoutInSeconds: 60, ...body }, path);

  test('a device answers a call through the official SDKs', async () => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    answers(client);
    const service = ServiceClient.fromConnectionString(
      `HostName=${WEU};SharedAccessKeyName=iothubowner;SharedAccessKey=${DEVELOPMENT_SERVICE_KEY}`,
    );
    const { default: https } = await import('node:https');
    const agent = new https.Agent({ host: '127.0.0.1', port: local.ports.https, ca: local.authority.root });
    // biome-ignore lint/suspicious/noExplicitAny: there is no public way to give the SDK an agent
    (service as any)._restApiClient.setOptions({ http: { agent } });

    const { result } = await service.invokeDeviceMethod('dev-1', {
      methodName: 'reboot',
      payload: { delay: 5, text: 'Zürich' },
      connectTimeoutInSeconds: 60,
      responseTimeoutInSeconds: 60,
    });

    expect(result).toEqual({ status: 201, payload: { got: { delay: 5, text: 'Zürich' }, as: 'reboot' } });
    agent.destroy();
  });

  test.each([[null], [''], [0], [false], ['text'], [{}]])('the answer %j arrives', async (payload) => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    client.onDeviceMethod('reboot', (_request, response) => response.send(200, payload, () => {}));

    const answer = await whenReady({ methodName: 'reboot' });

    expect(answer.body).toEqual({ status: 200, payload });
  });

  test.each([[undefined], [null], [7], ['text'], [[1, 2]]])('the payload %j arrives', async (payload) => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    answers(client);

    const answer = await whenReady({ methodName: 'reboot', payload });

    expect(answer).toMatchObject({ status: 200, body: { status: 201, payload: { got: payload ?? null } } });
  });

  test.each([[null], [false], [0], [''], ['null']])('the answer %j arrives', async (payload) => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    client.onDeviceMethod('reboot', (_request, response) => void response?.send(200, payload, () => {}));

    const answer = await whenReady({ methodName: 'reboot' });

    expect(answer.body).toEqual({ status: 200, payload });
  });

  test('a module answers its own calls', async () => {
    const client = await local.module(WEU, 'dev-1', 'camera', KEY);
    await client.open();
    answers(client);

    const answer = await whenReady(
      { methodName: 'reboot', payload: 1 },
      '/twins/dev-1/modules/camera/methods',
    );
    const ofDevice = await invoke({ methodName: 'reboot' });

    expect(answer.body).toEqual({ status: 201, payload: { got: 1, as: 'reboot' } });
    expect(ofDevice.status).toBe(404);
  });

  test('a device that waits is called when it connects', async () => {
    const answer = whenReady({ methodName: 'reboot', payload: 1 });
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    answers(client);

    expect((await answer).body).toMatchObject({ status: 201 });
  });

  test('a device that is not connected is 404103', async () => {
    const answer = await invoke({ methodName: 'reboot' });

    expect(answer.status).toBe(404);
    expect(answer.headers['iothub-errorcode']).toBe('DeviceNotOnline');
    expect(JSON.parse(answer.body.Message)).toMatchObject({ errorCode: 404103 });
  });

  test('a connected device that takes no methods is 404103', async () => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();

    expect((await invoke({ methodName: 'reboot' })).headers['iothub-errorcode']).toBe('DeviceNotOnline');
  });

  test('a device that does not answer in time is 504101, and its late answer is ignored', async () => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.open();
    let late: DeviceMethodResponse | undefined;
    client.onDeviceMethod('reboot', (_request, response) => {
      late = response;
    });

    const answer = await whenReady({ methodName: 'reboot', responseTimeoutInSeconds: 5 });

    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body.Message)).toMatchObject({ errorCode: 504101 });
    await until(() => late, 'the call');
    await new Promise<void>((resolve, reject) =>
      late?.send(200, {}, (error) => (error ? reject(error) : resolve())),
    );
    expect(local.hubs.view(WEU)?.connectedCount).toBe(1);
  });

  test.each([
    ['no name', {}, 400],
    ['a name with a slash', { methodName: 'a/b' }, 400],
    ['a response time that is too short', { methodName: 'a', responseTimeoutInSeconds: 4 }, 400],
    ['a response time that is too long', { methodName: 'a', responseTimeoutInSeconds: 301 }, 400],
    ['a connection time that is too long', { methodName: 'a', connectTimeoutInSeconds: 301 }, 400],
    ['a payload above 128 KB', { methodName: 'a', payload: 'x'.repeat(131_072) }, 413],
  ])('%s is refused', async (_name, body, status) => {
    expect((await invoke(body)).status).toBe(status);
  });

  test('an unknown device or module is 404001 or 404010', async () => {
    const device = await invoke({ methodName: 'a' }, '/twins/absent/methods');
    const module = await invoke({ methodName: 'a' }, '/twins/dev-1/modules/absent/methods');

    expect(JSON.parse(device.body.Message).errorCode).toBe(404001);
    expect(JSON.parse(module.body.Message).errorCode).toBe(404010);
  });
});
