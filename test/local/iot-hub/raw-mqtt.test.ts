import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import type { IConnectPacket, IPublishPacket, Packet, QoS } from 'mqtt-packet';
import { RawClient } from '../mqtt/raw-client.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

/*
 * A device without an SDK, by the sentences of "Communicate with an IoT hub using the MQTT protocol"
 * (iot-mqtt-connect-to-iot-hub.md). Each test begins with what the page says.
 */

const KEY = testKey(1);
const TWIN_RESPONSES = '$iothub/twin/res/#';
const TO = '%24.to=%2Fdevices%2Fdev-1%2Fmessages%2Fdevicebound';
/** Valid JSON that JSON.stringify could not write again. */
const DEEP = '['.repeat(60_000) + ']'.repeat(60_000);
const DEVICEBOUND = 'devices/dev-1/messages/devicebound/#';

describe('a device that speaks MQTT 3.1.1 without an SDK', () => {
  let local: LocalHubs;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    local = await startLocalHubs();
    const keys = { authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } } };
    await local.registry(WEU).create({ deviceId: 'dev-1', ...keys });
    await local.registry(WEU).addModule({ deviceId: 'dev-1', moduleId: 'camera', ...keys });
    local.events.length = 0;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await local.close();
  });

  const tokenOf = (path: string) =>
    SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/${path}`),
      '',
      KEY,
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();
  function connect(more: Partial<IConnectPacket> = {}): RawClient {
    const client = new RawClient(local.ports.mqtt, local.authority.root);
    clients.push(client);
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clientId: 'dev-1',
      clean: true,
      keepalive: 60,
      username: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: Buffer.from(tokenOf('dev-1')),
      ...more,
    } as Packet);
    return client;
  }
  async function open(more: Partial<IConnectPacket> = {}): Promise<RawClient> {
    const client = connect(more);
    expect(await client.answer('connack')).toMatchObject({ returnCode: 0 });
    return client;
  }
  let ids = 0;
  async function subscribe(client: RawClient, topic: string, qos: QoS = 0): Promise<unknown> {
    ids += 1;
    const messageId = ids;
    client.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] } as Packet);
    const answer = await until(
      () => client.packets.find((packet) => packet.cmd === 'suback' && packet.messageId === messageId),
      'the SUBACK',
    );
    return (answer as { granted?: unknown[] }).granted?.[0];
  }
  const publish = (client: RawClient, topic: string, payload = '', qos: QoS = 0, retain = false) =>
    client.send({
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      dup: false,
      ...(qos > 0 && { messageId: 7 }),
    });
  const published = (client: RawClient, start: string): Promise<IPublishPacket> =>
    until(
      () =>
        client.packets.find(
          (packet): packet is IPublishPacket => packet.cmd === 'publish' && packet.topic.startsWith(start),
        ),
      `a message to ${start}`,
    );
  const bodyOf = ({ payload }: IPublishPacket) => JSON.parse(payload.toString());
  const telemetry = () =>
    until(() => local.events.find(({ properties }) => properties.opType === undefined), 'the telemetry');
  const isOpen = async (client: RawClient) => {
    client.send({ cmd: 'pingreq' });
    await client.answer('pingresp', client.packets.filter(({ cmd }) => cmd === 'pingresp').length + 1);
  };

  describe('CONNECT', () => {
    test.each([
      ['the documented user name', `${WEU}/dev-1/?api-version=2021-04-12`],
      ['a user name without api-version', `${WEU}/dev-1`],
      ['a user name that ends with a slash', `${WEU}/dev-1/`],
      ['the user name of older SDKs', `${WEU}/dev-1/api-version=2016-11-14`],
      ['a user name with an unknown api-version', `${WEU}/dev-1/?api-version=2099-01-01`],
    ])('accepts %s, and telemetry works', async (_what, username) => {
      const client = await open({ username });

      publish(client, 'devices/dev-1/messages/events/', '{"t":1}', 1);

      expect(await client.answer('puback')).toMatchObject({ messageId: 7 });
      expect(await telemetry()).toMatchObject({ body: { t: 1 } });
    });

    test.each([
      ['the token of another key', { password: Buffer.from(tokenOf('dev-2')) }, 5],
      ['no password', { password: undefined }, 5],
      ['an unknown device', { clientId: 'dev-2', username: `${WEU}/dev-2/?api-version=2021-04-12` }, 5],
      ['a client id that differs from the user name', { clientId: 'other' }, 2],
      ['a hub that does not exist', { username: 'none.azure-devices.net/dev-1/?api-version=2021-04-12' }, 5],
      ['the protocol version 5', { protocolVersion: 5 as const }, 1],
    ])('refuses %s', async (_what, more, returnCode) => {
      const client = connect(more as Partial<IConnectPacket>);

      expect(await client.answer('connack')).toMatchObject({ returnCode });
      await client.closed;
    });

    test('of a second client with the same id ends the first', async () => {
      const first = await open();
      const second = await open();

      await first.closed;
      await isOpen(second);
    });
  });

  describe('SUBSCRIBE', () => {
    test('grants at most QoS 1', async () => {
      const client = await open();

      expect(await subscribe(client, DEVICEBOUND, 2)).toBe(1);
      expect(await subscribe(client, TWIN_RESPONSES, 0)).toBe(0);
    });

    test.each([
      '#',
      'devices/#',
      'devices/dev-2/messages/devicebound/#',
      'devices/dev-1/messages/events/#',
      'x',
    ])('refuses %s, says so in the log, and the connection stays', async (topic) => {
      const client = await open();

      expect(await subscribe(client, topic)).toBe(128);
      expect(local.log.join('\n')).toContain(JSON.stringify(topic));
      await isOpen(client);
    });

    test('with CleanSession 0 keeps its QoS for the next connection', async () => {
      const first = await open({ clean: false });
      await subscribe(first, DEVICEBOUND, 0);
      first.send({ cmd: 'disconnect' });
      await first.closed;
      await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'while away' });

      const second = await open({ clean: false });

      expect(await published(second, 'devices/dev-1/messages/devicebound/')).toMatchObject({ qos: 0 });
    });

    test('with CleanSession 0 holds for the next connection, and CleanSession 1 ends that', async () => {
      const first = await open({ clean: false });
      await subscribe(first, DEVICEBOUND, 1);
      first.send({ cmd: 'disconnect' });
      await first.closed;
      await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'while away' });

      const second = await open({ clean: false });
      const message = await published(second, 'devices/dev-1/messages/devicebound/');
      expect(message.payload.toString()).toBe('while away');
      second.send({ cmd: 'puback', messageId: message.messageId ?? 0 });
      await until(() => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount === 0, 'the end');
      second.send({ cmd: 'disconnect' });
      await second.closed;

      const third = await open({ clean: true });
      third.send({ cmd: 'disconnect' });
      await third.closed;
      const fourth = connect({ clean: false });
      expect(await fourth.answer('connack')).toMatchObject({ returnCode: 0, sessionPresent: false });
    });
  });

  describe('a message to the hub', () => {
    test.each([
      ['to the topic of another device', 'devices/dev-2/messages/events/', 0],
      ['to a topic that IoT Hub does not have', 'home/kitchen', 1],
      ['to a topic for messages from the hub', 'devices/dev-1/messages/devicebound/', 1],
      ['with QoS 2', 'devices/dev-1/messages/events/', 2],
      ['with a method status that is not a number', '$iothub/methods/res/ok/?$rid=1', 0],
      ['with a method status of more than 32 bits', '$iothub/methods/res/2147483648/?$rid=1', 0],
      ['to a part of the twin that does not exist', '$iothub/twin/PATCH/properties/desired/?$rid=1', 0],
    ])('%s ends the connection', async (_what, topic, qos) => {
      const client = await open();

      publish(client, topic, '{}', qos as QoS);

      await client.closed;
      expect(local.events.filter(({ properties }) => properties.opType === undefined)).toEqual([]);
    });

    test('with RETAIN gets the property mqtt-retain', async () => {
      publish(await open(), 'devices/dev-1/messages/events/', '{}', 0, true);

      expect((await telemetry()).properties).toMatchObject({ 'mqtt-retain': 'true' });
    });

    test.each([
      ['k%20k=v%2F1&empty=&bare', { 'k k': 'v/1', empty: '', bare: '' }, {}],
      ['?a=1', { a: '1' }, {}],
      ['a=b+c&u=%C3%BC', { a: 'b+c', u: 'ü' }, {}],
      [
        '$.mid=m-1&%24.cid=c-1&$.ct=application%2Fjson&$.ce=utf-8',
        {},
        { messageId: 'm-1', correlationId: 'c-1', contentType: 'application/json', contentEncoding: 'utf-8' },
      ],
    ])('with the property bag %s has its properties', async (bag, application, system) => {
      publish(await open(), `devices/dev-1/messages/events/${bag}`, '{}', 1);

      expect(await telemetry()).toMatchObject({ ...system, properties: application });
    });
  });

  describe('the twin', () => {
    test('comes to the topic with the id of the request', async () => {
      const client = await open();
      await subscribe(client, TWIN_RESPONSES);

      publish(client, '$iothub/twin/GET/?$rid=any%20id-1');

      const answer = await published(client, '$iothub/twin/res/');
      expect(answer.topic).toBe('$iothub/twin/res/200/?$rid=any%20id-1');
      expect(bodyOf(answer)).toEqual({ desired: { $version: 1 }, reported: { $version: 1 } });
    });

    test('takes a report, and answers its version', async () => {
      const client = await open();
      await subscribe(client, TWIN_RESPONSES);

      publish(client, '$iothub/twin/PATCH/properties/reported/?$rid=1', '{"batteryLevel":60}');

      const answer = await published(client, '$iothub/twin/res/');
      expect(answer.topic).toBe('$iothub/twin/res/204/?$rid=1&$version=2');
      expect(answer.payload.length).toBe(0);
    });

    test.each([
      ['malformed JSON', '$iothub/twin/PATCH/properties/reported/?$rid=1', '{"a":', 400],
      ['an empty report', '$iothub/twin/PATCH/properties/reported/?$rid=1', '', 400],
      ['a report that is a list', '$iothub/twin/PATCH/properties/reported/?$rid=1', '[1]', 400],
      ['a report without a request id', '$iothub/twin/PATCH/properties/reported/', '{"a":1}', 400],
      ['a read without a request id', '$iothub/twin/GET/', '', 400],
      ['a read with an empty request id', '$iothub/twin/GET/?$rid=', '', 400],
    ])('refuses %s with 400, and the connection stays', async (_what, topic, payload, status) => {
      const client = await open();
      await subscribe(client, TWIN_RESPONSES);

      publish(client, topic, payload);

      const answer = await published(client, `$iothub/twin/res/${status}/`);
      expect(bodyOf(answer)).toMatchObject({ errorCode: expect.any(Number), message: expect.any(String) });
      expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({
        properties: { reported: { $version: 1 } },
      });
      await isOpen(client);
    });

    test('takes a report for the present version of the reported properties, and answers 412 to one for another', async () => {
      const client = await open();
      await subscribe(client, TWIN_RESPONSES);
      const report = async (rid: string, version: string, payload: string) => {
        publish(client, `$iothub/twin/PATCH/properties/reported/?$rid=${rid}&$version=${version}`, payload);
        return until(
          () =>
            client.packets.find(
              (packet): packet is IPublishPacket =>
                packet.cmd === 'publish' && packet.topic.includes(`$rid=${rid}`),
            ),
          `the answer to ${rid}`,
        );
      };

      const present = await report('1', '1', '{"level":60}');
      const stale = await report('2', '1', '{"level":"stale"}');
      const future = await report('3', '3', '{"level":"future"}');
      const unreadable = await report('4', 'x', '{"level":"unreadable"}');

      expect([present, stale, future, unreadable].map(({ topic }) => topic)).toEqual([
        '$iothub/twin/res/204/?$rid=1&$version=2',
        '$iothub/twin/res/412/?$rid=2',
        '$iothub/twin/res/412/?$rid=3',
        '$iothub/twin/res/400/?$rid=4',
      ]);
      expect(bodyOf(stale)).toMatchObject({ errorCode: 412001 });
      expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({
        properties: { reported: { level: 60, $version: 2 } },
      });
      expect(local.hubs.view(WEU)?.counters.deviceTwinWritesRefused).toBe(3);
    });

    test.each(['', '/?api-version=2099-01-01'])(
      'answers 400 to a device whose user name ends with "%s"',
      async (end) => {
        const client = await open({ username: `${WEU}/dev-1${end}` });
        await subscribe(client, TWIN_RESPONSES);

        publish(client, '$iothub/twin/GET/?$rid=1');

        const answer = await published(client, '$iothub/twin/res/');
        expect(answer.topic).toBe('$iothub/twin/res/400/?$rid=1');
        expect(bodyOf(answer).message).toMatch(/api-version/);
      },
    );

    test('sends changes of desired properties, with null for a removed one', async () => {
      const client = await open();
      await subscribe(client, '$iothub/twin/PATCH/properties/desired/#');
      const registry = local.registry(WEU);
      await registry.updateTwin('dev-1', { properties: { desired: { a: 1, route: 'x' } } }, '*');
      await published(client, '$iothub/twin/PATCH/properties/desired/?$version=2');

      await registry.updateTwin('dev-1', { properties: { desired: { a: 2, route: null } } }, '*');

      const message = await published(client, '$iothub/twin/PATCH/properties/desired/?$version=3');
      expect(bodyOf(message)).toEqual({ a: 2, route: null, $version: 3 });
    });
  });

  describe('a direct method', () => {
    test.each([
      ['a JSON answer', '{"done":true}', 207, { status: 207, payload: { done: true } }],
      ['an empty answer', '', 207, { status: 207, payload: null }],
      ['an answer that is nested too deep, as a text', DEEP, 207, { status: 207, payload: DEEP }],
      ['the largest status', '1', 2_147_483_647, { status: 2_147_483_647, payload: 1 }],
      ['the smallest status', '1', -2_147_483_648, { status: -2_147_483_648, payload: 1 }],
    ])('reaches the device, and gets %s', async (_what, answer, status, result) => {
      const client = await open();
      await subscribe(client, '$iothub/methods/POST/#');

      const call = local.call('POST', '/twins/dev-1/methods', {
        body: { methodName: 'reboot', payload: { in: 5 } },
      });
      const request = await published(client, '$iothub/methods/POST/reboot/?$rid=');
      const requestId = request.topic.split('$rid=')[1];
      publish(client, `$iothub/methods/res/${status}/?$rid=${requestId}`, answer);

      expect(bodyOf(request)).toEqual({ in: 5 });
      expect((await call).body).toEqual(result);
    });
  });

  describe('a message from a service', () => {
    test.each([
      ['nothing', {}, TO],
      ['a message id', { 'iothub-messageid': 'm-1' }, `%24.mid=m-1&${TO}`],
      ['iothub-ack=none', { 'iothub-ack': 'none' }, `${TO}&iothub-ack=none`],
      ['iothub-ack=full', { 'iothub-ack': 'full' }, `${TO}&iothub-ack=full`],
    ])('that sets %s has no other properties in its topic than its address', async (_what, headers, bag) => {
      const client = await open();
      await subscribe(client, DEVICEBOUND);

      await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'hello', headers });

      const { topic } = await published(client, 'devices/dev-1/messages/devicebound/');
      expect(topic).toBe(`devices/dev-1/messages/devicebound/${bag}`);
    });

    test('is sent with QoS 1 to a device that asks for QoS 2, and ends with PUBACK', async () => {
      const client = await open();
      await subscribe(client, DEVICEBOUND, 2);

      await local.call('POST', '/devices/dev-1/messages/devicebound', {
        body: 'hello',
        headers: { 'iothub-messageid': 'm/1', 'iothub-app-prop3': 'a string', 'iothub-ack': 'full' },
      });

      const message = await published(client, 'devices/dev-1/messages/devicebound/');
      expect(message).toMatchObject({ qos: 1, retain: false });
      expect(message.topic.split('/devicebound/')[1]?.split('&')).toEqual(
        expect.arrayContaining([
          '%24.mid=m%2F1',
          '%24.to=%2Fdevices%2Fdev-1%2Fmessages%2Fdevicebound',
          'iothub-ack=full',
          'prop3=a%20string',
        ]),
      );
      const left = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;
      expect(left()).toBe(1);
      client.send({ cmd: 'puback', messageId: message.messageId ?? 0 });
      await until(() => left() === 0, 'the end of the message');
    });

    test('ends at once for a device that has subscribed with QoS 0', async () => {
      const client = await open();
      await subscribe(client, DEVICEBOUND, 0);

      await local.call('POST', '/devices/dev-1/messages/devicebound', { body: 'hello' });

      expect(await published(client, 'devices/dev-1/messages/devicebound/')).toMatchObject({ qos: 0 });
      expect(local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount).toBe(0);
    });
  });

  test('a module connects with its own user name, sends to its topic and subscribes to its messages', async () => {
    const client = await open({
      clientId: 'dev-1/camera',
      username: `${WEU}/dev-1/camera/?api-version=2021-04-12`,
      password: Buffer.from(tokenOf('dev-1/modules/camera')),
    });

    expect(await subscribe(client, 'devices/dev-1/modules/camera/#', 1)).toBe(1);
    publish(client, 'devices/dev-1/modules/camera/messages/events/', '{"t":1}', 1);
    await client.answer('puback');

    expect((await telemetry()).annotations).toMatchObject({ 'iothub-connection-module-id': 'camera' });
    publish(client, 'devices/dev-1/messages/events/', '{}', 1);
    await client.closed;
  });
});
