import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { type Client, Message, type ModuleClient } from 'azure-iot-device';
import {
  createDeviceWithCamera,
  type LocalHubs,
  report,
  startLocalHubs,
  type TransportName,
  testKey,
  thumbprintOf,
  until,
  WEU,
} from './local-hubs.ts';

const KEY = testKey(1);
const MODULE_KEY = testKey(3);

describe.each<TransportName>(['Amqp', 'AmqpWs'])('%s, through azure-iot-device', (transport) => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    await createDeviceWithCamera(local, { device: KEY, camera: MODULE_KEY });
  });
  afterEach(() => local.close());

  const openDevice = async (key: Parameters<LocalHubs['device']>[2] = KEY, id = 'dev-1'): Promise<Client> => {
    const device = await local.device(WEU, id, key, transport);
    device.setRetryPolicy(new NoRetry());
    await device.open();
    return device;
  };
  const openModule = async (key = MODULE_KEY): Promise<ModuleClient> => {
    const client = await local.module(WEU, 'dev-1', 'camera', key, transport);
    client.setRetryPolicy(new NoRetry());
    await client.open();
    return client;
  };
  const serviceTwin = (moduleId?: string) => local.hubs.view(WEU)?.twin('dev-1', moduleId);
  const telemetry = () => local.events.filter(({ properties }) => properties.opType === undefined);
  const kinds = () => local.events.map(({ properties }) => properties.opType ?? 'telemetry');
  const invoke = (methodName: string, payload: unknown, path = 'devices/dev-1') =>
    local.call('POST', `/twins/${path.slice('devices/'.length)}/methods`, {
      body: { methodName, payload, responseTimeoutInSeconds: 5 },
    });
  const send = (text: string, headers: Record<string, string> = {}) =>
    local.call('POST', '/devices/dev-1/messages/devicebound', { body: text, headers });

  test('telemetry carries system properties, application properties and annotations', async () => {
    const device = await openDevice();
    const message = new Message('{"t":1}');
    message.messageId = '3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f';
    message.correlationId = 'corr';
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('k', 'v');
    message.properties.add('dt-subject', 'thermostat1');

    await device.sendEvent(message);

    expect(telemetry()).toMatchObject([
      {
        partitionKey: 'dev-1',
        messageId: '3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f',
        correlationId: 'corr',
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        properties: { k: 'v' },
        annotations: {
          'iothub-connection-device-id': 'dev-1',
          'iothub-message-source': 'Telemetry',
          'dt-subject': 'thermostat1',
        },
        body: { t: 1 },
      },
    ]);
  });

  test('a message larger than 256 KB is refused, and the device stays connected', async () => {
    const device = await openDevice();

    await expect(device.sendEvent(new Message(Buffer.alloc(256 * 1024 + 1)))).rejects.toMatchObject({
      name: 'MessageTooLargeError',
    });
    await device.sendEvent(new Message('small'));

    expect(telemetry()).toHaveLength(1);
  });

  test('a device reads its twin, reports, and hears of desired properties', async () => {
    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { rate: 1 } } }, '*');
    const device = await openDevice();
    const twin = await device.getTwin();
    const heard: object[] = [];
    twin.on('properties.desired', (delta: object) => heard.push(JSON.parse(JSON.stringify(delta))));
    await report(twin, { fps: 25 });
    await device.sendEvent(new Message('marker'));

    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { rate: 5 } } }, '*');
    await until(() => heard.length > 1, 'the notification');

    expect(heard).toEqual([
      { rate: 1, $version: 2 },
      { rate: 5, $version: 3 },
    ]);
    expect(serviceTwin()).toMatchObject({
      properties: { reported: { fps: 25 } },
      connectionState: 'Connected',
    });
  });

  test('a report that a twin refuses gets the error of the hub', async () => {
    const twin = await (await openDevice()).getTwin();

    await expect(report(twin, { 'a.b': 1 })).rejects.toThrow('not allowed');
  });

  test('a direct method reaches the device and its answer the caller', async () => {
    const device = await openDevice();
    device.onDeviceMethod('reboot', (request, response) => {
      response.send(202, { heard: request.payload }, () => {});
    });
    await untilAnswered('devices/dev-1');

    const answers = await Promise.all([invoke('reboot', { in: 5 }), invoke('reboot', 'now')]);

    expect(answers.map(({ body }) => body)).toEqual([
      { status: 202, payload: { heard: { in: 5 } } },
      { status: 202, payload: { heard: 'now' } },
    ]);
  });

  test('a device that takes no methods is not online for them', async () => {
    await openDevice();

    expect((await invoke('reboot', {})).status).toBe(404);
  });

  test('cloud-to-device messages arrive with their properties, and leave the queue when completed', async () => {
    await send('hello', { 'iothub-messageid': 'm-1', 'iothub-app-k': 'v', 'iothub-ack': 'full' });
    const device = await openDevice();
    const messages: Message[] = [];
    device.on('message', (message: Message) => messages.push(message));
    await until(() => messages.length === 1, 'the message');

    const [message] = messages;
    await device.complete(message as Message);

    expect(message?.getData().toString()).toBe('hello');
    expect(message).toMatchObject({
      messageId: 'm-1',
      to: '/devices/dev-1/messages/devicebound',
      ack: 'full',
    });
    expect(message?.properties.getValue('k')).toBe('v');
    await until(() => queueLength() === 0, 'the empty queue');
  });
  const queueLength = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount ?? 0;

  test('a rejected message is gone, and an abandoned one comes again', async () => {
    const device = await openDevice();
    const bodies: string[] = [];
    device.on('message', (message: Message) => {
      bodies.push(message.getData().toString());
      if (bodies.length === 1) void device.abandon(message);
      else void device.reject(message);
    });

    await send('once more');
    await until(() => bodies.length === 2, 'the second delivery');
    await send('end');
    await until(() => bodies.length === 3, 'the next message');

    expect(bodies).toEqual(['once more', 'once more', 'end']);
  });

  test('a message that the device does not settle returns when its connection ends', async () => {
    await send('hello');
    const first = await openDevice();
    const seen: string[] = [];
    first.on('message', () => seen.push('first'));
    await until(() => seen.length === 1, 'the message');
    await first.close();

    const second = await openDevice();
    second.on('message', () => seen.push('second'));
    await until(() => seen.length === 2, 'the message again');

    expect(seen).toEqual(['first', 'second']);
  });

  test('a module has its own twin, methods and telemetry', async () => {
    const client = await openModule();
    const twin = await client.getTwin();
    client.onMethod('reboot', (_request, response) => void response?.send(200, 'yes', () => {}));
    await report(twin, { fps: 25 });
    await client.sendEvent(new Message('{"t":1}'));
    await until(() => local.hubs.view(WEU)?.connectedCount === 1, 'the links');

    expect(serviceTwin('camera')).toMatchObject({ properties: { reported: { fps: 25 } } });
    expect(serviceTwin()).toMatchObject({ connectionState: 'Disconnected' });
    expect(telemetry()[0]?.annotations['iothub-connection-module-id']).toBe('camera');
    await untilAnswered('devices/dev-1/modules/camera');
  });
  const untilAnswered = async (path: string) => {
    for (let status = 404; status === 404; ) status = (await invoke('reboot', {}, path)).status;
  };

  test('a device with a certificate needs no token', async () => {
    const certificate = await local.authority.issueDevice('dev-x');
    const primaryThumbprint = thumbprintOf(certificate.certificate);
    await local.registry(WEU).create({
      deviceId: 'dev-x',
      authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint, secondaryThumbprint: '' } },
    });
    const device = await openDevice(certificate, 'dev-x');

    await device.sendEvent(new Message('{"t":1}'));

    const [event] = telemetry();
    expect(event?.annotations['iothub-connection-device-id']).toBe('dev-x');
    expect(JSON.parse(String(event?.annotations['iothub-connection-auth-method']))).toMatchObject({
      type: 'x509Certificate',
    });
  });

  test('connecting, a newer connection and disconnecting send events as over MQTT', async () => {
    const first = await openDevice();
    await first.sendEvent(new Message('a'));
    const ended = once(first, 'disconnect');
    const second = await openDevice();
    await second.sendEvent(new Message('b'));
    await ended;
    await second.close();
    await until(() => local.hubs.view(WEU)?.connectedCount === 0, 'the end');

    expect(kinds()).toEqual([
      'deviceConnected',
      'telemetry',
      'deviceDisconnected',
      'deviceConnected',
      'telemetry',
      'deviceDisconnected',
    ]);
  });

  test('a device has one connection over all transports', async () => {
    const amqp = await openDevice();
    await amqp.sendEvent(new Message('a'));
    const ended = once(amqp, 'disconnect');

    const mqtt = await local.device(WEU, 'dev-1', KEY);
    await mqtt.open();
    await ended;

    expect(local.hubs.view(WEU)?.connectedCount).toBe(1);
  });

  test('deleting the device ends its connection', async () => {
    const device = await openDevice();
    await device.sendEvent(new Message('a'));
    const ended = once(device, 'disconnect');

    local.hubs.view(WEU)?.remove('dev-1');
    await ended;

    await expect(openDevice()).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test.each([
    ['a wrong key', () => openDevice(testKey(8))],
    ['the key of a module', () => openDevice(MODULE_KEY)],
    ['the id of another device', () => openDevice(KEY, 'dev-2')],
  ])('a device with %s is refused as unauthorized', async (_name, opening) => {
    await expect(opening()).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test('a module with the key of its device is refused as unauthorized', async () => {
    await expect(openModule(KEY)).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test('a device whose certificate has another thumbprint is refused at its first link', async () => {
    const certificate = await local.authority.issueDevice('dev-x');
    await local.registry(WEU).create({
      deviceId: 'dev-x',
      authentication: {
        type: 'selfSigned',
        x509Thumbprint: { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: '' },
      },
    });
    const device = await openDevice(certificate, 'dev-x');

    await expect(device.sendEvent(new Message('a'))).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });
});
