import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry, SharedAccessSignature } from 'azure-iot-common';
import type { Client, Message } from 'azure-iot-device';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);

describe('cloud-to-device messages', () => {
  let local: LocalHubs;
  let directory: string;

  beforeEach(async () => {
    directory = temporaryFolder('messages');
    local = await startLocalHubs({ directory });
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    });
  });
  afterEach(() => local.close());

  const send = (body: string, headers: Record<string, string> = {}) =>
    local.call('POST', '/devices/dev-1/messages/deviceBound', { body, headers });
  const queued = () => local.hubs.view(WEU)?.twin('dev-1')?.cloudToDeviceMessageCount;
  /** A connected device, and the messages that it gets. */
  async function listen(): Promise<{ client: Client; got: Message[] }> {
    const client = await local.device(WEU, 'dev-1', KEY);
    client.setRetryPolicy(new NoRetry());
    const got: Message[] = [];
    client.on('message', (message: Message) => {
      got.push(message);
      client.complete(message, () => {});
    });
    await client.open();
    return { client, got };
  }

  test('a connected device gets a message with its properties, and its queue is empty', async () => {
    const { got } = await listen();

    const answer = await send('hello', {
      'iothub-messageid': 'm-1',
      'iothub-correlationid': 'c-1',
      'iothub-contenttype': 'application/json',
      'iothub-app-color': 'r/&=d +',
    });

    expect(answer.status).toBe(204);
    await until(() => got.length === 1, 'the message');
    expect(got[0]?.getData().toString()).toBe('hello');
    expect(got[0]).toMatchObject({ messageId: 'm-1', correlationId: 'c-1', contentType: 'application/json' });
    expect(got[0]?.properties.getValue('color')).toBe('r/&=d +');
    await until(() => queued() === 0, 'the acknowledgement');
  });

  test('an absent device gets its messages in their order when it comes, also after a restart', async () => {
    for (const body of ['1', '2', '3']) await send(body);
    expect(queued()).toBe(3);
    await local.close();
    local = await startLocalHubs({ directory });
    expect(queued()).toBe(3);

    const { got } = await listen();

    await until(() => got.length === 3, 'the messages');
    expect(got.map((message) => message.getData().toString())).toEqual(['1', '2', '3']);
    await until(() => queued() === 0, 'the acknowledgements');
  });

  test('one message after the other arrives, each once', async () => {
    const { got } = await listen();

    for (const body of ['1', '2', '3', '4']) {
      await send(body);
      await until(() => queued() === 0, 'the acknowledgement');
    }

    expect(got.map((message) => message.getData().toString())).toEqual(['1', '2', '3', '4']);
  });

  test('a message that the device does not acknowledge is sent again to its next connection, and stays in the queue', async () => {
    await send('again');
    const deliveries = async (): Promise<number> => {
      const session = await local.hubs.mqtt.connect({
        clientId: 'dev-1',
        userName: `${WEU}/dev-1/?api-version=2021-04-12`,
        password: passwordOf(),
        cleanSession: true,
        certificates: [],
      });
      if ('refused' in session) throw new Error('refused');
      let count = 0;
      session.opened({
        publish(filter) {
          if (filter === 'devices/+/messages/devicebound/#') count += 1;
          return true;
        },
        close() {},
      });
      session.subscribed(new Map([['devices/+/messages/devicebound/#', 1]]));
      session.subscribed(
        new Map([
          ['devices/+/messages/devicebound/#', 1],
          ['$iothub/twin/res/#', 1],
        ]),
      );
      session.closed(true);
      return count;
    };

    const counts: number[] = [];
    for (let connection = 0; connection < 12; connection += 1) counts.push(await deliveries());

    expect(counts).toEqual(Array.from({ length: 12 }, () => 1));
    expect(queued()).toBe(1);
  });

  test('a message that has expired is not delivered', async () => {
    await send('late', { 'iothub-expiry': new Date(Date.now() - 1000).toISOString() });
    await send('good');
    const { got } = await listen();

    await until(() => got.length === 1, 'the message');
    expect(got[0]?.getData().toString()).toBe('good');
  });

  test('a queue holds 50 messages, and a purge empties it', async () => {
    for (let count = 0; count < 50; count += 1) await send(String(count));

    const full = await send('one more');
    const purged = await local.call('DELETE', '/devices/dev-1/commands');

    expect(full.status).toBe(403);
    expect(full.headers['iothub-errorcode']).toBe('DeviceMaximumQueueDepthExceeded');
    expect(purged.body).toEqual({ deviceId: 'dev-1', moduleId: null, totalMessagesPurged: 50 });
    expect(queued()).toBe(0);
  });

  test.each([
    ['a body above 64 KB', 'x'.repeat(65_537), {}, 413],
    ['an unknown kind of feedback', 'x', { 'iothub-ack': 'perhaps' }, 400],
    ['an expiry that is not a time', 'x', { 'iothub-expiry': 'soon' }, 400],
  ])('%s is refused', async (_name, body, headers, status) => {
    expect((await send(body, headers)).status).toBe(status);
    expect(queued()).toBe(0);
  });

  test('a message to an unknown device is 404001', async () => {
    const answer = await local.call('POST', '/devices/absent/messages/devicebound', { body: 'x' });

    expect(answer.status).toBe(404);
    expect(answer.headers['iothub-errorcode']).toBe('DeviceNotFound');
  });

  function passwordOf(): string {
    const expiry = Math.ceil(Date.now() / 1000) + 3600;
    return SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/dev-1`),
      '',
      KEY,
      expiry,
    ).toString();
  }
});
