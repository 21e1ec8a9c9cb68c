import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry, SharedAccessSignature } from 'azure-iot-common';
import { Client, Message, type Twin, X509AuthenticationProvider } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { EUS, type LocalHubs, report, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const NO_RETRY = new NoRetry();

describe('the device API, through azure-iot-device over MQTT', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    for (const host of [WEU, EUS]) {
      await local.registry(host).create({
        deviceId: 'dev-1',
        authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(2) } },
      });
    }
  });
  afterEach(() => local.close());

  const connect = async (host = WEU, key = KEY, deviceId = 'dev-1'): Promise<Client> => {
    const client = await local.device(host, deviceId, key);
    await client.open();
    return client;
  };
  const serviceTwin = (host = WEU) => local.hubs.view(host)?.twin('dev-1');
  const kinds = () => local.events.map(({ properties }) => properties.opType ?? 'telemetry');

  test('creation time, RETAIN, security and diagnostic properties of a message arrive as in Azure', async () => {
    const session = await local.hubs.mqtt.connect({
      clientId: 'dev-1',
      userName: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: SharedAccessSignature.create(
        encodeURIComponent(`${WEU}/devices/dev-1`),
        '',
        KEY,
        Math.ceil(Date.now() / 1000) + 60,
      ).toString(),
      cleanSession: true,
      certificates: [],
    });
    if ('refused' in session) throw new Error('refused');
    session.opened({ publish: () => true, close() {} });
    local.events.length = 0;

    await session.received({
      topic:
        'devices/dev-1/messages/events/%24.ctime=2024-03-01T10%3A00%3A00.000Z&%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.diagid=8cd869a4&%24.diagctx=creationtimeutc%3D1506054179.100&k=v',
      payload: Buffer.from('x'),
      isRetained: true,
    });

    expect(local.events).toMatchObject([
      {
        properties: { k: 'v', 'mqtt-retain': 'true', 'iothub-creation-time-utc': '2024-03-01T10:00:00.000Z' },
        annotations: {
          'iothub-interface-id': 'urn:azureiot:Security:SecurityAgent:1',
          'Diagnostic-Id': '8cd869a4',
          'Correlation-Context': 'creationtimeutc=1506054179.100',
        },
      },
    ]);
  });

  test('a device reads its twin without tags and metadata', async () => {
    await local.registry(WEU).updateTwin('dev-1', { tags: { t: 1 }, properties: { desired: { d: 1 } } }, '*');
    const client = await connect();

    const twin = await client.getTwin();

    expect(JSON.parse(JSON.stringify(twin.properties.desired))).toEqual({ d: 1, $version: 2 });
    expect(twin.properties.reported.$version).toBe(1);
    expect(local.hubs.view(WEU)?.counters).toMatchObject({ deviceTwinReads: 1, twinReads: 0 });
  });

  test('a report is merged, answered, and sent to the event hub', async () => {
    const client = await connect();
    const twin = await client.getTwin();
    local.events.length = 0;

    await report(twin, { battery: 20, wifi: { ssid: 'Zürich' } });

    expect(serviceTwin()).toMatchObject({
      etag: 'AAAAAAAAAAE=',
      version: 3,
      properties: { reported: { battery: 20, wifi: { ssid: 'Zürich' }, $version: 2 } },
    });
    expect(kinds()).toEqual(['updateTwin']);
    expect(local.events[0]?.body).toMatchObject({
      version: 3,
      properties: { reported: { battery: 20, wifi: { ssid: 'Zürich' }, $version: 2 } },
    });
    expect(local.hubs.view(WEU)?.counters).toMatchObject({ deviceTwinWrites: 1, twinWrites: 0 });
  });

  test('reports that are not awaited stay in order', async () => {
    const client = await connect();
    const twin = await client.getTwin();

    await Promise.all(Array.from({ length: 20 }, (_, index) => report(twin, { index })));

    expect(serviceTwin()).toMatchObject({ properties: { reported: { index: 19, $version: 21 } } });
    const versions = local.events
      .filter(({ properties }) => properties.opType === 'updateTwin')
      .map(({ body }) => body.properties.reported.$version);
    expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
  });

  test.each<[string, object]>([
    ['a null in an array', { a: [null] }],
    ['a key with a dollar', { $a: 1 }],
    [
      'more than 32 KB',
      Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`k${index}`, 'x'.repeat(4000)])),
    ],
  ])('a report with %s is refused in the response body, and changes nothing', async (_name, patch) => {
    const client = await connect();
    const twin = await client.getTwin();
    local.events.length = 0;

    await expect(report(twin, patch)).rejects.toThrow();

    expect(serviceTwin()).toMatchObject({ version: 2 });
    expect(local.events).toEqual([]);
    expect(local.hubs.view(WEU)?.counters.deviceTwinWritesRefused).toBe(1);
  });

  test('a connected device is notified of each change of its desired properties', async () => {
    const client = await connect();
    const twin = await client.getTwin();
    const heard: unknown[] = [];
    twin.on('properties.desired', (delta: object) => heard.push(JSON.parse(JSON.stringify(delta))));
    await until(() => heard.length === 1, 'the document that the SDK gives at once');
    await settled(client);

    const registry = local.registry(WEU);
    await registry.updateTwin('dev-1', { properties: { desired: { a: 1, b: { c: 2 } } } }, '*');
    await registry.updateTwin('dev-1', { tags: { unheard: true } }, '*');
    await registry.updateTwin('dev-1', { properties: { desired: { a: null } } }, '*');
    await until(() => heard.length === 3, 'two notifications');

    expect(heard.slice(1)).toEqual([
      { a: 1, b: { c: 2 }, $version: 2 },
      { a: null, $version: 3 },
    ]);
  });

  test('a device that was offline gets no old notifications, and reads the changes in its twin', async () => {
    const first = await connect();
    await first.getTwin();
    await first.close();
    await until(() => local.hubs.view(WEU)?.connectedCount === 0, 'the device to be gone');
    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { missed: 1 } } }, '*');

    const again = await connect();
    const twin = await again.getTwin();

    expect(twin.properties.desired.missed).toBe(1);
  });

  test('connections and disconnections are visible in the twin and in events', async () => {
    local.events.length = 0;
    const client = await connect();
    expect(serviceTwin()).toMatchObject({ connectionState: 'Connected' });

    await client.close();
    await until(() => kinds().length === 2, 'both events');

    expect(kinds()).toEqual(['deviceConnected', 'deviceDisconnected']);
    expect(serviceTwin()).toMatchObject({ connectionState: 'Disconnected' });
    const [connected, disconnected] = local.events.map(({ body }) => body.sequenceNumber as string);
    expect(connected).toMatch(/^[0-9A-F]{64}$/);
    expect((connected ?? '') < (disconnected ?? '')).toBe(true);
  });

  test('a second connection ends the first', async () => {
    const first = await connect();
    const ended = once(first, 'disconnect');
    first.setRetryPolicy(NO_RETRY);
    local.events.length = 0;

    await connect();
    await ended;

    expect(kinds()).toEqual(['deviceDisconnected', 'deviceConnected']);
    expect(local.hubs.view(WEU)?.connectedCount).toBe(1);
    expect(serviceTwin()).toMatchObject({ connectionState: 'Connected' });
  });

  test('the same id on two hubs is two devices', async () => {
    const [weu, eus] = [await connect(WEU), await connect(EUS)];

    await report(await weu.getTwin(), { at: 'weu' });
    await report(await eus.getTwin(), { at: 'eus' });

    expect(serviceTwin(WEU)).toMatchObject({ properties: { reported: { at: 'weu' } } });
    expect(serviceTwin(EUS)).toMatchObject({ properties: { reported: { at: 'eus' } } });
    const told = local.events.filter(({ properties }) => properties.opType === 'updateTwin');
    expect(told.map(({ host, properties }) => [host, properties.hubName])).toEqual([
      [WEU, 'contoso-weu'],
      [EUS, 'contoso-eus'],
    ]);
  });

  test('telemetry arrives with its properties, byte for byte', async () => {
    const client = await connect();
    local.events.length = 0;
    const message = new Message(Buffer.from([0, 255, 1, 254]));
    message.messageId = 'm 1';
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.correlationId = 'c&1';
    message.properties.add('a b', 'c=d/é+');

    await client.sendEvent(message);
    await client.sendEvent(new Message(''));

    const [event, empty] = local.events;
    expect(event?.raw).toEqual(Buffer.from([0, 255, 1, 254]));
    expect(event).toMatchObject({
      partitionKey: 'dev-1',
      properties: { 'a b': 'c=d/é+' },
      annotations: {
        'iothub-connection-device-id': 'dev-1',
        'iothub-message-source': 'Telemetry',
        'iothub-enqueuedtime': expect.any(Number),
      },
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: 'c&1',
      messageId: 'm 1',
    });
    expect(empty?.raw).toEqual(Buffer.alloc(0));
    expect(local.hubs.view(WEU)?.counters.deviceTelemetry).toBe(2);
  });

  test('the Plug and Play model is stored in the twin', async () => {
    const client = await local.device(WEU, 'dev-1', KEY);
    await client.setOptions({ ca: local.authority.root, modelId: 'dtmi:com:example:Thermostat;1' });
    await client.open();

    expect(serviceTwin()).toMatchObject({ modelId: 'dtmi:com:example:Thermostat;1' });
  });

  test('a device can subscribe to cloud messages and to methods', async () => {
    const client = await connect();
    client.onDeviceMethod('reboot', () => {});
    client.on('message', () => {});
    const twin = await client.getTwin();
    twin.on('properties.desired', () => {});

    await expect(client.getTwin()).resolves.toBe(twin);
  });

  describe('refused devices', () => {
    const refused = async (client: Client) => {
      client.setRetryPolicy(NO_RETRY);
      await expect(client.open()).rejects.toMatchObject({ name: 'UnauthorizedError' });
    };

    test('a device with a wrong key is refused', async () =>
      refused(await local.device(WEU, 'dev-1', testKey(9))));
    test('an unknown device is refused', async () => refused(await local.device(WEU, 'dev-2', KEY)));
    test('a device whose id differs in case is refused', async () =>
      refused(await local.device(WEU, 'DEV-1', KEY)));
    test('a device of an unknown hub is refused', async () =>
      refused(await local.device('nowhere.azure-devices.net', 'dev-1', KEY)));

    test('a disabled device is refused, and disconnected if it is connected', async () => {
      const client = await connect();
      client.setRetryPolicy(NO_RETRY);
      const ended = once(client, 'disconnect');
      await local.registry(WEU).update({
        deviceId: 'dev-1',
        status: 'disabled',
        authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
      });
      await ended;

      await refused(await local.device(WEU, 'dev-1', KEY));
    });
  });

  test('the secondary key is accepted like the primary key', async () => {
    const client = await connect(WEU, testKey(2));
    await expect(client.getTwin()).resolves.toBeDefined();
  });

  test('deleting the identity ends the connection, with an event before that of the deletion', async () => {
    const client = await connect();
    client.setRetryPolicy(NO_RETRY);
    local.events.length = 0;
    const ended = once(client, 'disconnect');

    local.hubs.view(WEU)?.remove('dev-1');
    await ended;

    expect(kinds()).toEqual(['deviceDisconnected', 'deleteDeviceIdentity']);
  });

  test('a device with a certificate is identified by its thumbprint', async () => {
    const issued = await local.authority.issueDevice('dev-x');
    const other = await local.authority.issueDevice('dev-x');
    const thumbprint = new X509Certificate(issued.certificate).fingerprint256.replaceAll(':', '');
    await local.registry(WEU).create({
      deviceId: 'dev-x',
      authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprint } },
    } as never);
    const withCertificate = async ({ certificate, key }: { certificate: string; key: string }) => {
      // Only credentials of one's own making may hold a gateway here: the SDK's connection strings with
      // x509=true drop it.
      const credentials = { host: WEU, deviceId: 'dev-x', gatewayHostName: `localhost:${local.ports.mqtt}` };
      const provider = new X509AuthenticationProvider(credentials);
      const client = Client.fromAuthenticationProvider(provider, Mqtt);
      client.setRetryPolicy(NO_RETRY);
      await client.setOptions({ ca: local.authority.root, cert: certificate, key });
      return client;
    };

    const client = await withCertificate(issued);
    await client.open();
    await expect(client.getTwin()).resolves.toBeDefined();
    local.events.length = 0;
    await client.sendEvent(new Message('x'));
    expect(JSON.parse(String(local.events[0]?.annotations['iothub-connection-auth-method']))).toMatchObject({
      scope: 'device',
      type: 'x509Certificate',
      issuer: 'external',
    });
    await client.close();

    await expect((await withCertificate(other)).open()).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test('a device reconnects after the server drops it, and is notified again', async () => {
    const client = await connect();
    const twin: Twin = await client.getTwin();
    const heard: unknown[] = [];
    twin.on('properties.desired.a', (value: unknown) => heard.push(value));
    await settled(client);

    local.dropConnections();
    await until(() => local.hubs.view(WEU)?.counters.deviceConnections === 2, 'the second connection');
    await settled(client);
    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { a: 5 } } }, '*');

    await until(() => heard.includes(5), 'the notification');
    // The SDK never subscribes to twin responses again: it counts on the hub to remember.
    await expect(client.getTwin()).resolves.toBe(twin);
  });

  /** Packets are handled in order: an acknowledged message proves that what was sent before it has been. */
  async function settled(client: Client): Promise<void> {
    await client.sendEvent(new Message('marker'));
  }
});
