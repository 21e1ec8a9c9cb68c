import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Message } from 'azure-iot-device';
import WebSocket from 'ws';
import { startHttp } from '../../../local/https/index.ts';
import {
  createDeviceWithCamera,
  type LocalHubs,
  report,
  startLocalHubs,
  testKey,
  thumbprintOf,
  until,
  WEU,
} from './local-hubs.ts';

const KEY = testKey(1);
const MODULE_KEY = testKey(3);

describe('MQTT over WebSocket, through azure-iot-device', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    await createDeviceWithCamera(local, { device: KEY, camera: MODULE_KEY });
  });
  afterEach(() => local.close());

  test('a device with a key sends telemetry, reports properties and hears of desired ones', async () => {
    const device = await local.device(WEU, 'dev-1', KEY, 'MqttWs');
    await device.open();
    const twin = await device.getTwin();
    const heard: object[] = [];
    twin.on('properties.desired', (delta: object) => heard.push(JSON.parse(JSON.stringify(delta))));
    await report(twin, { fps: 25 });
    await device.sendEvent(new Message('{"t":1}'));

    await local.registry(WEU).updateTwin('dev-1', { properties: { desired: { rate: 5 } } }, '*');
    await until(() => heard.length > 1, 'the notification');

    expect(heard.at(-1)).toEqual({ rate: 5, $version: 2 });
    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({
      connectionState: 'Connected',
      properties: { reported: { fps: 25 } },
    });
    expect(local.events.map(({ properties }) => properties.opType ?? 'telemetry')).toEqual([
      'deviceConnected',
      'updateTwin',
      'telemetry',
      'updateTwin',
    ]);
  });

  test('a module with a key sends telemetry', async () => {
    const client = await local.module(WEU, 'dev-1', 'camera', MODULE_KEY, 'MqttWs');
    await client.open();
    await client.sendEvent(new Message('{"t":1}'));

    expect(local.events.at(-1)?.annotations['iothub-connection-module-id']).toBe('camera');
  });

  test('a device with a certificate sends telemetry', async () => {
    const certificate = await local.authority.issueDevice('dev-x');
    const primaryThumbprint = thumbprintOf(certificate.certificate);
    await local.registry(WEU).create({
      deviceId: 'dev-x',
      authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint, secondaryThumbprint: '' } },
    });
    const device = await local.device(WEU, 'dev-x', certificate, 'MqttWs');
    await device.open();

    await device.sendEvent(new Message('{"t":1}'));

    expect(local.events.at(-1)?.annotations['iothub-connection-device-id']).toBe('dev-x');
  });

  test('a device with a wrong key is refused as unauthorized', async () => {
    const device = await local.device(WEU, 'dev-1', testKey(8), 'MqttWs');
    device.setRetryPolicy(new NoRetry());

    await expect(device.open()).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test('a lost connection disconnects the device', async () => {
    const device = await local.device(WEU, 'dev-1', KEY, 'MqttWs');
    device.setRetryPolicy(new NoRetry());
    await device.open();
    const ended = once(device, 'disconnect');

    local.dropConnections();
    await ended;
    await until(() => local.hubs.view(WEU)?.connectedCount === 0, 'the end of the connection');

    expect(local.events.at(-1)?.properties.opType).toBe('deviceDisconnected');
  });

  const opening = async (path: string, protocols: string[], headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`wss://localhost:${local.ports.https}${path}`, protocols, {
      ca: local.authority.root,
      headers,
    });
    const answer = await new Promise<unknown>((resolve) => {
      socket.on('open', () => resolve(socket.protocol));
      socket.on('error', (error) => resolve(error.message));
    });
    socket.terminate();
    return answer;
  };

  test.each([
    ['/$iothub/websocket', ['mqtt'], 'mqtt'],
    ['/$iothub/websocket?iothub-no-client-cert=true', ['MQTT'], 'MQTT'],
    ['/%24iothub/websocket', ['other', 'AMQPWSB10'], 'AMQPWSB10'],
    ['/$iothub/websocket', ['soap'], 'Unexpected server response: 400'],
    ['/$iothub/websocket', [], 'Unexpected server response: 400'],
    ['/twins/dev-1', ['mqtt'], 'Unexpected server response: 401'],
  ])('a WebSocket at %s for %j is answered with %s', async (path, protocols, expected) => {
    expect(await opening(path, protocols, { host: WEU })).toBe(expected);
  });

  test('the HTTPS server closes although a WebSocket is open', async () => {
    let isOpen = false;
    const server = await startHttp({
      port: 0,
      services: [local.hubs.https],
      certificate: local.authority.server,
      webSockets: [
        {
          path: '/$iothub/websocket',
          protocol: 'mqtt',
          accept: ({ stream }) => {
            isOpen = true;
            stream.on('error', () => {});
          },
        },
      ],
    });
    const socket = new WebSocket(`wss://localhost:${server.port}/$iothub/websocket`, ['mqtt'], {
      ca: local.authority.root,
    });
    await once(socket, 'open');
    const ended = once(socket, 'close');

    await server.close();
    await ended;

    expect(isOpen).toBe(true);
  });

  test.each(['/$iothub/websocket', '/twins/dev-1'])(
    'a client that breaks off its request for a WebSocket at %s harms no one else',
    async (path) => {
      for (let count = 0; count < 5; count += 1) {
        const socket = connectTls({ host: 'localhost', port: local.ports.https, ca: local.authority.root });
        await once(socket, 'secureConnect');
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: ${WEU}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        );
        socket.destroy();
      }

      expect(await opening('/$iothub/websocket', ['mqtt'], { host: WEU })).toBe('mqtt');
    },
  );

  test('a WebSocket of a foreign web page is refused', async () => {
    expect(await opening('/$iothub/websocket', ['mqtt'], { origin: 'https://evil.example' })).toBe(
      'Unexpected server response: 403',
    );
  });
});
