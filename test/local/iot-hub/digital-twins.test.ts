import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DigitalTwinClient, IoTHubTokenCredentials } from 'azure-iothub';
import { DEVELOPMENT_SERVICE_KEY } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, report, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const MODEL = 'dtmi:com:example:TemperatureController;1';

/** A request of the SDK's HTTP client, and the class of its headers. */
interface SdkRequest {
  readonly url: string;
  readonly method: string;
  readonly body: unknown;
  readonly headers: {
    rawHeaders(): Record<string, string>;
    readonly constructor: new (headers: object) => object;
  };
}

describe('digital twins over the service SDK', () => {
  let local: LocalHubs;
  let twins: DigitalTwinClient;

  beforeEach(async () => {
    local = await startLocalHubs();
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    });
    twins = new DigitalTwinClient(
      new IoTHubTokenCredentials(
        `HostName=${WEU};SharedAccessKeyName=iothubowner;SharedAccessKey=${DEVELOPMENT_SERVICE_KEY}`,
      ),
    );
    // The SDK connects to the real name of the hub. This client sends its requests to the local one.
    // biome-ignore lint/suspicious/noExplicitAny: the HTTP client is private
    (twins as any)._pl._httpClient = {
      async sendRequest(request: SdkRequest) {
        const { pathname, search } = new URL(request.url);
        const answer = await local.call(request.method, pathname + search, {
          headers: request.headers.rawHeaders(),
          body: request.body,
        });
        const headers = new request.headers.constructor(answer.headers);
        return { request, headers, status: answer.status, bodyAsText: answer.text };
      },
    };
  });
  afterEach(() => local.close());

  async function device() {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.setOptions({ ca: local.authority.root, modelId: MODEL });
    await client.open();
    return client;
  }
  // biome-ignore lint/suspicious/noExplicitAny: a twin of every shape
  const read = async (): Promise<any> => {
    const {
      _response,
      eTag: _etag,
      ...twin
    } = (await twins.getDigitalTwin('dev-1')) as object & {
      _response?: unknown;
      eTag?: string;
    };
    return twin;
  };
  const desired = () => {
    // biome-ignore lint/suspicious/noExplicitAny: twins of every shape
    const twin: any = local.hubs.view(WEU)?.twin('dev-1');
    const { $metadata, $version, ...values } = twin.properties.desired;
    return values;
  };

  test('a device without properties has its id and its model', async () => {
    await device();

    expect(await read()).toEqual({ $dtId: 'dev-1', $metadata: { $model: MODEL } });
  });

  test('wishes and answers of a device come together, by component', async () => {
    const client = await device();
    await twins.updateDigitalTwin('dev-1', [
      { op: 'add', path: '/thermostat1', value: { targetTemperature: 21.8, $metadata: {} } },
      { op: 'add', path: '/fanSpeed', value: 2 },
    ]);
    const twin = await client.getTwin();
    await report(twin, {
      serialNumber: 'a1',
      thermostat1: {
        __t: 'c',
        maxTempSinceLastReboot: 25.3,
        targetTemperature: { value: 21.8, ac: 200, av: 2, ad: 'done' },
      },
    });
    const time = expect.stringMatching(/^\d{4}-.*Z$/);

    expect(await read()).toEqual({
      $dtId: 'dev-1',
      serialNumber: 'a1',
      thermostat1: {
        maxTempSinceLastReboot: 25.3,
        targetTemperature: 21.8,
        $metadata: {
          maxTempSinceLastReboot: { lastUpdateTime: time },
          targetTemperature: {
            desiredValue: 21.8,
            desiredVersion: 2,
            ackVersion: 2,
            ackCode: 200,
            ackDescription: 'done',
            lastUpdateTime: time,
          },
        },
      },
      $metadata: {
        $model: MODEL,
        serialNumber: { lastUpdateTime: time },
        fanSpeed: { desiredValue: 2, desiredVersion: 2 },
      },
    });
    expect(desired()).toEqual({ fanSpeed: 2, thermostat1: { __t: 'c', targetTemperature: 21.8 } });
  });

  test('a component is replaced as a whole, and properties are removed', async () => {
    const update = (...patch: object[]) => twins.updateDigitalTwin('dev-1', patch);
    await update(
      { op: 'add', path: '/t1', value: { a: 1, b: 2, $metadata: {} } },
      { op: 'add', path: '/x', value: 1 },
    );
    await update({ op: 'replace', path: '/t1', value: { a: 3, $metadata: {} } });
    expect(desired()).toEqual({ x: 1, t1: { __t: 'c', a: 3 } });

    await update({ op: 'add', path: '/t1/c', value: { d: 4 } }, { op: 'remove', path: '/x' });
    expect(desired()).toEqual({ t1: { __t: 'c', a: 3, c: { d: 4 } } });

    await update({ op: 'remove', path: '/t1' });
    expect(desired()).toEqual({});
  });

  test('an update is accepted with 202, the new etag and the location', async () => {
    const { status, headers } = await local.call('PATCH', '/digitaltwins/dev-1', {
      body: [{ op: 'add', path: '/x', value: 1 }],
    });

    expect(status).toBe(202);
    expect(headers).toMatchObject({
      etag: '"AAAAAAAAAAI="',
      location: `https://${WEU}/digitaltwins/dev-1`,
    });
  });

  test('an update with the etag of an older twin is refused', async () => {
    const eTag = String((await local.call('GET', '/digitaltwins/dev-1')).headers.etag);
    await twins.updateDigitalTwin('dev-1', [{ op: 'add', path: '/x', value: 1 }], eTag);

    await expect(
      twins.updateDigitalTwin('dev-1', [{ op: 'add', path: '/x', value: 2 }], eTag),
    ).rejects.toMatchObject({ statusCode: 412 });
  });

  test('commands of the device and of a component are direct methods', async () => {
    const client = await device();
    const called: unknown[] = [];
    for (const name of ['reboot', 'thermostat1*reset']) {
      client.onDeviceMethod(name, (request, response) => {
        called.push([request.methodName, request.payload]);
        response.send(202, { done: name }, () => {});
      });
    }
    await until(() => local.hubs.view(WEU)?.connectedCount === 1, 'the device');
    await new Promise((resolve) => setTimeout(resolve, 200));

    const root = await twins.invokeCommand('dev-1', 'reboot', { delay: 1 }, { responseTimeoutInSeconds: 10 });
    const component = await twins.invokeComponentCommand('dev-1', 'thermostat1', 'reset', 'now');

    expect(root).toMatchObject({ body: { done: 'reboot' }, xMsCommandStatuscode: 202 });
    expect(component).toMatchObject({ body: { done: 'thermostat1*reset' }, xMsCommandStatuscode: 202 });
    expect(called).toEqual([
      ['reboot', { delay: 1 }],
      ['thermostat1*reset', 'now'],
    ]);
  });

  test('a command for an absent device is 404, and a digital twin of an unknown device too', async () => {
    await expect(twins.invokeCommand('dev-1', 'reboot', {})).rejects.toMatchObject({ statusCode: 404 });
    await expect(twins.getDigitalTwin('absent')).rejects.toMatchObject({ statusCode: 404 });
  });

  test.each<[string, unknown]>([
    ['a list of another kind', [{ op: 'test', path: '/x', value: 1 }]],
    ['an object in the place of a list', { op: 'add', path: '/x', value: 1 }],
    ['a path of three names', [{ op: 'add', path: '/a/b/c', value: 1 }]],
    ['a name that is not of DTDL', [{ op: 'add', path: '/a-b', value: 1 }]],
    ['an array', [{ op: 'add', path: '/x', value: [1] }]],
    ['no value', [{ op: 'add', path: '/x' }]],
    [
      'an object of six levels',
      [{ op: 'add', path: '/x', value: { a: { b: { c: { d: { e: { f: 1 } } } } } } }],
    ],
    ['a property below a property', [{ op: 'add', path: '/plain/x', value: 1 }]],
  ])('an update with %s is refused with 400', async (_what, body) => {
    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { plain: 1 } } }, '*');
    const answer = await local.call('PATCH', '/digitaltwins/dev-1', { body });

    expect([answer.status, answer.headers['iothub-errorcode']]).toEqual([400, 'ArgumentInvalid']);
  });
});
