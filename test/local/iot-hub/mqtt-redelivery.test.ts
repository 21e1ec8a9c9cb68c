import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import type { IPublishPacket, Packet, QoS } from 'mqtt-packet';
import { createPacketIds } from '../../../local/iot-hub/device-api/packet-ids.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { RawClient } from '../mqtt/raw-client.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

/*
 * What MQTT 3.1.1 says about messages that are sent again: the flag DUP (3.3.1.1), and the packet id of a session that lasts
 * (4.4).
 */

const KEY = testKey(1);
const DEVICEBOUND = 'devices/dev-1/messages/devicebound/#';
const MINUTE = 60_000;

describe('a cloud-to-device message that is sent again over MQTT', () => {
  let local: LocalHubs;
  let directory: string;
  let clock: number;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    directory = temporaryFolder('redelivery');
    clock = Date.now();
    local = await startLocalHubs({ directory, now: () => clock });
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await local.close();
  });

  const token = () =>
    SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/dev-1`),
      '',
      KEY,
      Math.ceil(clock / 1000) + 3600,
    ).toString();
  async function connect(clean: boolean): Promise<RawClient> {
    const client = new RawClient(local.ports.mqtt, local.authority.root);
    clients.push(client);
    client.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clientId: 'dev-1',
      clean,
      keepalive: 60,
      username: `${WEU}/dev-1/?api-version=2021-04-12`,
      password: Buffer.from(token()),
    } as Packet);
    expect(await client.answer('connack')).toMatchObject({ returnCode: 0 });
    return client;
  }
  async function subscribe(client: RawClient, qos: QoS = 1): Promise<void> {
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: DEVICEBOUND, qos }] } as Packet);
    await client.answer('suback');
  }
  const received = async (client: RawClient, count: number) => {
    const all = () => client.packets.filter((packet): packet is IPublishPacket => packet.cmd === 'publish');
    await until(() => all().length >= count, `message ${count}`);
    return all().map(({ payload, messageId, dup, qos }) => ({
      text: payload.toString(),
      messageId,
      dup,
      qos,
    }));
  };
  const acknowledge = (client: RawClient, messageId = 0) => client.send({ cmd: 'puback', messageId });
  const send = (body: string) => local.call('POST', '/devices/dev-1/messages/devicebound', { body });
  const left = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;
  const cut = async (client: RawClient) => {
    client.socket.destroy();
    await until(() => local.hubs.view(WEU)?.connectedCount === 0, 'the end of the connection');
  };

  test('has the flag DUP and its packet id, if the session lasts', async () => {
    const first = await connect(false);
    await subscribe(first);
    for (const body of ['a', 'b', 'c']) await send(body);
    const before = await received(first, 3);
    acknowledge(first, before[0]?.messageId);
    await until(() => left() === 2, 'the acknowledgement');
    await cut(first);
    await send('d');

    const second = await connect(false);

    const again = await received(second, 3);
    expect(before.map(({ dup }) => dup)).toEqual([false, false, false]);
    expect(again.slice(0, 2)).toEqual([
      { text: 'b', messageId: before[1]?.messageId, dup: true, qos: 1 },
      { text: 'c', messageId: before[2]?.messageId, dup: true, qos: 1 },
    ]);
    expect(again[2]).toMatchObject({ text: 'd', dup: false });
    expect(new Set(again.map(({ messageId }) => messageId)).size).toBe(3);
    for (const { messageId } of again) acknowledge(second, messageId);
    await until(() => left() === 0, 'the acknowledgements');
  });

  test('has them also after a restart of the hubs', async () => {
    const first = await connect(false);
    await subscribe(first);
    await send('a');
    const [before] = await received(first, 1);
    await local.close();
    local = await startLocalHubs({ directory, now: () => clock });

    const [again] = await received(await connect(false), 1);

    expect(again).toEqual({ text: 'a', messageId: before?.messageId, dup: true, qos: 1 });
  });

  test('has no flag in a new session', async () => {
    const first = await connect(false);
    await subscribe(first);
    await send('a');
    await received(first, 1);
    await cut(first);

    const second = await connect(true);
    await subscribe(second);
    expect(await received(second, 1)).toMatchObject([{ text: 'a', dup: false }]);
    await cut(second);

    const third = await connect(false);
    await subscribe(third);
    expect(await received(third, 1)).toMatchObject([{ text: 'a', dup: false }]);
  });

  test.each([true, false])(
    'a minute later on the same connection has the flag and its id, with CleanSession %s',
    async (clean) => {
      const client = await connect(clean);
      await subscribe(client);
      await send('a');
      const [first] = await received(client, 1);
      clock += MINUTE;

      const [, second] = await received(client, 2);

      expect(second).toEqual({ ...first, dup: true });
      acknowledge(client, first?.messageId);
      await until(() => left() === 0, 'the acknowledgement');
    },
  );

  test('leaves its id to no other message, while another client of the device holds an earlier one', async () => {
    const overHttps = () =>
      local.call('GET', '/devices/dev-1/messages/devicebound', { headers: { authorization: token() } });
    const first = await connect(false);
    await subscribe(first);
    await cut(first);
    await send('held over HTTPS');
    await overHttps();
    const second = await connect(false);
    await send('b');
    const [b] = await received(second, 1);
    await cut(second);
    clock += MINUTE;

    const packets = await received(await connect(false), 2);

    expect(packets).toEqual([
      { text: 'held over HTTPS', messageId: expect.any(Number), dup: false, qos: 1 },
      { text: 'b', messageId: b?.messageId, dup: true, qos: 1 },
    ]);
    expect(packets[0]?.messageId).not.toBe(b?.messageId);
  });

  test('has neither for a device that now subscribes with QoS 0', async () => {
    const first = await connect(false);
    await subscribe(first);
    await send('a');
    await received(first, 1);
    await cut(first);
    const second = await connect(false);
    await received(second, 1);
    await subscribe(second, 0);
    clock += MINUTE;

    expect((await received(second, 2))[1]).toEqual({
      text: 'a',
      messageId: undefined,
      dup: false,
      qos: 0,
    });
    await until(() => left() === 0, 'the end of the message');
  });
});

test('packet ids go from 1 to 65,535 and begin again, without those in use', () => {
  const ids = createPacketIds({ old: 65_534, first: 1 });

  expect(ids.take('a')).toEqual({ id: 65_535, isSentAgain: false });
  expect(ids.take('b')).toEqual({ id: 2, isSentAgain: false });
  expect(ids.take('old')).toEqual({ id: 65_534, isSentAgain: true });
  ids.release('a');
  expect(ids.all()).toEqual({ old: 65_534, first: 1, b: 2 });
});
