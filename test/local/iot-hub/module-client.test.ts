import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Message, type ModuleClient } from 'azure-iot-device';
import {
  type LocalHubs,
  report,
  startLocalHubs,
  type TransportName,
  testKey,
  until,
  WEU,
} from './local-hubs.ts';

const DEVICE_KEY = testKey(1);
const MODULE_KEY = testKey(3);

describe('the device API for modules, through azure-iot-device over MQTT', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    const keys = (key: string) => ({
      authentication: { symmetricKey: { primaryKey: key, secondaryKey: testKey(9) } },
    });
    await local.registry(WEU).create({ deviceId: 'dev-1', ...keys(DEVICE_KEY) });
    for (const moduleId of ['camera', 'pump']) {
      await local.registry(WEU).addModule({ deviceId: 'dev-1', moduleId, ...keys(MODULE_KEY) });
    }
    local.events.length = 0;
  });
  afterEach(() => local.close());

  const connect = async (
    moduleId = 'camera',
    key = MODULE_KEY,
    transport: TransportName = 'Mqtt',
  ): Promise<ModuleClient> => {
    const client = await local.module(WEU, 'dev-1', moduleId, key, transport);
    client.setRetryPolicy(new NoRetry());
    await client.open();
    return client;
  };
  const serviceTwin = (moduleId?: string) => local.hubs.view(WEU)?.twin('dev-1', moduleId);
  const kinds = () => local.events.map(({ properties }) => properties.opType ?? 'telemetry');

  test('a module reads its own twin, not that of its device', async () => {
    const registry = local.registry(WEU);
    await registry.updateTwin('dev-1', { properties: { desired: { whose: 'device' } } }, '*');
    await registry.updateModuleTwin('dev-1', 'camera', { properties: { desired: { whose: 'module' } } }, '*');

    const twin = await (await connect()).getTwin();

    expect(JSON.parse(JSON.stringify(twin.properties.desired))).toEqual({ whose: 'module', $version: 2 });
  });

  test('a report is merged into its twin and sent to the event hub', async () => {
    const twin = await (await connect()).getTwin();
    local.events.length = 0;

    await report(twin, { fps: 25 });

    expect(serviceTwin('camera')).toMatchObject({ version: 3, properties: { reported: { fps: 25 } } });
    expect(serviceTwin()).toMatchObject({ version: 2 });
    expect(local.events).toMatchObject([
      {
        partitionKey: 'dev-1',
        properties: { opType: 'updateTwin', deviceId: 'dev-1', moduleId: 'camera' },
        annotations: { 'iothub-connection-module-id': 'camera' },
        body: { version: 3, properties: { reported: { fps: 25, $version: 2 } } },
      },
    ]);
  });

  test('a connected module is notified of changes of its own desired properties only', async () => {
    const client = await connect();
    const twin = await client.getTwin();
    const heard: unknown[] = [];
    twin.on('properties.desired', (delta: object) => heard.push(JSON.parse(JSON.stringify(delta))));
    await until(() => heard.length === 1, 'the document that the SDK gives at once');
    await client.sendEvent(new Message('marker')); // what was sent before it has been handled

    const registry = local.registry(WEU);
    const desired = (value: string) => ({ properties: { desired: { value } } });
    await registry.updateTwin('dev-1', desired('of the device'), '*');
    await registry.updateModuleTwin('dev-1', 'pump', desired('of another module'), '*');
    await registry.updateModuleTwin('dev-1', 'camera', desired('its own'), '*');
    await until(() => heard.length > 1, 'a notification');

    expect(heard.slice(1)).toEqual([{ value: 'its own', $version: 2 }]);
  });

  test('telemetry names the module that sent it', async () => {
    const client = await connect();
    local.events.length = 0;
    const message = new Message('{"t":1}');
    message.properties.add('k', 'v');

    await client.sendEvent(message);

    const [event] = local.events;
    expect(event).toMatchObject({
      partitionKey: 'dev-1',
      properties: { k: 'v' },
      annotations: {
        'iothub-connection-device-id': 'dev-1',
        'iothub-connection-module-id': 'camera',
        'iothub-message-source': 'Telemetry',
      },
      body: { t: 1 },
    });
    expect(JSON.parse(String(event?.annotations['iothub-connection-auth-method']))).toMatchObject({
      scope: 'module',
      type: 'sas',
    });
  });

  test.each(['Mqtt', 'MqttWs', 'Amqp', 'AmqpWs'] as const)(
    'a module over %s sends to its outputs, and a line says that nothing arrives at its inputs',
    async (transport) => {
      const client = await connect('camera', MODULE_KEY, transport);
      client.on('inputMessage', () => {});
      await until(() => local.log.some((line) => line.includes('inputs')), 'the line about inputs');
      local.events.length = 0;

      await client.sendOutputEvent('alerts', new Message('{"t":1}'));

      expect(local.log.filter((line) => line.includes('inputs'))).toEqual([
        expect.stringMatching(/devices\/dev-1\/modules\/camera .* not in the local hub/),
      ]);
      expect(local.events).toMatchObject([
        { body: { t: 1 }, annotations: { 'iothub-connection-module-id': 'camera' } },
      ]);
    },
  );

  test('a module that waits for input messages takes methods and reads its twin', async () => {
    const client = await connect();
    client.onMethod('reboot', () => {});
    client.on('inputMessage', () => {});

    await expect(client.getTwin()).resolves.toBeDefined();
  });

  test('a device and each of its modules have one connection each', async () => {
    const device = await local.device(WEU, 'dev-1', DEVICE_KEY);
    await device.open();
    const first = await connect('camera');
    await connect('pump');
    expect(local.hubs.view(WEU)?.connectedCount).toBe(3);
    expect(local.hubs.view(WEU)?.connectedDevices).toBe(1);
    const ended = once(first, 'disconnect');
    local.events.length = 0;

    await connect('camera');
    await ended;

    expect(local.hubs.view(WEU)?.connectedCount).toBe(3);
    expect(local.events.map(({ properties }) => [properties.opType, properties.moduleId])).toEqual([
      ['deviceDisconnected', 'camera'],
      ['deviceConnected', 'camera'],
    ]);
    expect(serviceTwin('camera')).toMatchObject({ connectionState: 'Connected' });
  });

  describe('refused modules', () => {
    const refused = async (opening: Promise<unknown>) =>
      expect(opening).rejects.toMatchObject({ name: 'UnauthorizedError' });

    test('a module with the key of its device is refused', () => refused(connect('camera', DEVICE_KEY)));
    test('an unknown module is refused', () => refused(connect('absent')));
    test('a module whose id differs in case is refused', () => refused(connect('Camera')));
    test('a device with the key of its module is refused', async () => {
      const device = await local.device(WEU, 'dev-1', MODULE_KEY);
      device.setRetryPolicy(new NoRetry());
      await refused(device.open());
    });
    test('a module of a disabled device is refused, and disconnected if it is connected', async () => {
      const client = await connect();
      const ended = once(client, 'disconnect');

      await local.registry(WEU).update({ deviceId: 'dev-1', status: 'disabled' });
      await ended;

      await refused(connect());
    });
  });

  test.each([
    ['its identity', 'camera', ['deviceDisconnected', 'deleteDeviceIdentity']],
    // The modules are camera and pump; then follows the device.
    [
      'its device',
      undefined,
      ['deviceDisconnected', 'deleteDeviceIdentity', 'deleteDeviceIdentity', 'deleteDeviceIdentity'],
    ],
  ])(
    'deleting %s ends the connection of a module, with an event before that of the deletion',
    async (_name, moduleId, expected) => {
      const client = await connect();
      const ended = once(client, 'disconnect');
      local.events.length = 0;

      local.hubs.view(WEU)?.remove('dev-1', moduleId);
      await ended;

      expect(kinds()).toEqual(expected);
    },
  );

  test('a module reconnects with the subscriptions it had', async () => {
    const client = await local.module(WEU, 'dev-1', 'camera', MODULE_KEY);
    await client.open();
    const twin = await client.getTwin();
    twin.on('properties.desired', () => {}); // without a listener the SDK does not reconnect by itself
    await client.sendEvent(new Message('marker'));

    local.dropConnections();
    await until(() => local.hubs.view(WEU)?.counters.deviceConnections === 2, 'the second connection');

    await expect(report(twin, { again: true })).resolves.toBeUndefined();
  });
});
