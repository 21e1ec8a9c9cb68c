import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Message, NoRetry } from 'azure-iot-common';
import type { Client } from 'azure-iothub';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const SECOND = 1000;

interface Feedback {
  readonly originalMessageId: string;
  readonly statusCode: string;
  readonly description: string;
  readonly deviceId: string;
  readonly deviceGenerationId: string;
  readonly enqueuedTimeUtc: string;
}

/** The receiver of feedback or file notifications, which the SDK types as an event emitter. */
interface Receiver {
  on(name: 'message', listener: (message: Message) => void): void;
  complete(message: Message): Promise<unknown>;
  abandon(message: Message): Promise<unknown>;
  reject(message: Message): Promise<unknown>;
  detach(): Promise<unknown>;
}

describe.each([false, true])('the service client over AMQP (WebSocket: %s)', (isWebSocket) => {
  let local: LocalHubs;
  let service: Client;
  let directory: string;
  let clock: number;

  const start = async () => {
    local = await startLocalHubs({ directory, now: () => clock });
    service = local.service(WEU, { isWebSocket });
  };
  beforeEach(async () => {
    clock = Date.now();
    directory = temporaryFolder('service-client');
    await start();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local
      .registry(WEU)
      .addDevices(['dev-1', 'dev-2'].map((deviceId) => ({ deviceId, authentication })));
  });
  afterEach(() => local.close());

  function message(body: string, id: string, ack?: string): Message {
    const sent = new Message(body);
    sent.messageId = id;
    if (ack !== undefined) sent.ack = ack;
    return sent;
  }
  async function device(deviceId = 'dev-1') {
    const client = await local.device(WEU, deviceId, KEY);
    client.setRetryPolicy(new NoRetry());
    const got: Message[] = [];
    client.on('message', (received) => {
      got.push(received);
      client.complete(received, () => {});
    });
    await client.open();
    return { client, got };
  }
  async function receiverOf(client: Client, kind: 'feedback' | 'file' = 'feedback') {
    const found = await (kind === 'feedback'
      ? client.getFeedbackReceiver()
      : client.getFileNotificationReceiver());
    return (found as unknown as { result?: Receiver }).result ?? (found as unknown as Receiver);
  }
  async function collect(receiver: Receiver) {
    const batches: { readonly message: Message; readonly records: readonly Feedback[] }[] = [];
    receiver.on('message', (batch) => {
      batches.push({ message: batch, records: JSON.parse(batch.getData().toString()) });
    });
    return batches;
  }
  /** The SDK completes each message when its listener returns. This leaves it to the test. */
  function settleByHand(client: Client): void {
    // biome-ignore lint/suspicious/noExplicitAny: the SDK has no option for this
    const amqp = (client as any)._transport._amqp;
    const attach = amqp.attachReceiverLink.bind(amqp);
    amqp.attachReceiverLink = (address: string, _options: unknown, done: unknown) =>
      attach(address, { autoaccept: false }, done);
  }
  const queued = (deviceId = 'dev-1') => local.hubs.view(WEU)?.twin(deviceId)?.cloudToDeviceMessageCount;

  test('a message reaches the device with its properties', async () => {
    const { got } = await device();
    const sent = message('hello', 'm-1');
    sent.correlationId = 'c-1';
    sent.contentType = 'application/json';
    sent.contentEncoding = 'utf-8';
    sent.properties.add('color', 'red');

    await service.open();
    await service.send('dev-1', sent);

    await until(() => got.length === 1, 'the message');
    expect(got[0]?.getData().toString()).toBe('hello');
    expect(got[0]).toMatchObject({
      messageId: 'm-1',
      correlationId: 'c-1',
      contentType: 'application/json',
      contentEncoding: 'utf-8',
    });
    expect(got[0]?.properties.getValue('color')).toBe('red');
  });

  test('the completion of a message gives feedback with its facts', async () => {
    await device();
    await service.open();
    const batches = await collect(await receiverOf(service));
    await service.send('dev-1', message('a', 'm-full', 'full'));
    await service.send('dev-1', message('b', 'm-none', 'none'));
    await until(() => batches.length === 1, 'the feedback');

    const { generationId } = (await local.registry(WEU).get('dev-1')).responseBody as unknown as {
      generationId: string;
    };
    expect(batches[0]?.message.contentType).toBe('application/vnd.microsoft.iothub.feedback.json');
    const { user_id: userId } = (batches[0]?.message.transportObj ?? {}) as { user_id?: Buffer };
    expect(userId?.toString()).toBe('contoso-weu');
    expect(batches[0]?.records).toEqual([
      {
        originalMessageId: 'm-full',
        statusCode: 'Success',
        description: 'Success',
        deviceId: 'dev-1',
        deviceGenerationId: generationId,
        enqueuedTimeUtc: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    ]);
  });

  test.each([
    ['positive', ['Success']],
    ['negative', ['Expired', 'Purged']],
    ['full', ['Success', 'Expired', 'Purged']],
    ['none', []],
  ])('the acknowledgement %s gives feedback about %j', async (ack, expected) => {
    await service.open();
    const batches = await collect(await receiverOf(service));
    const short = message('c', 'm-2', ack);
    short.expiryTimeUtc = clock + 5 * SECOND;
    await service.send('dev-2', short);
    clock += 6 * SECOND;
    await until(() => queued('dev-2') === 0, 'the expiry');
    await service.send('dev-2', message('d', 'm-3', ack));
    expect((await local.call('DELETE', '/devices/dev-2/commands')).body).toMatchObject({
      deviceId: 'dev-2',
      totalMessagesPurged: 1,
    });
    const { got } = await device();
    await service.send('dev-1', message('a', 'm-1', ack));
    await until(() => got.length === 1 && queued() === 0, 'the completion');
    clock += 16 * SECOND;
    // A last message marks the end: its feedback comes after that of the others.
    await service.send('dev-1', message('z', 'last', 'full'));
    await until(() => got.length === 2, 'the last message');
    const found = () => batches.flatMap(({ records }) => records);
    await until(() => {
      clock += SECOND;
      return found().some(({ originalMessageId }) => originalMessageId === 'last');
    }, 'the feedback');

    const statuses = found().flatMap(({ originalMessageId, statusCode }) =>
      originalMessageId === 'last' ? [] : [statusCode],
    );
    expect(statuses.sort()).toEqual([...expected].sort());
  });

  test('feedback is batched: the next batch comes after 15 seconds or with 64 records', async () => {
    const { got } = await device();
    await service.open();
    const batches = await collect(await receiverOf(service));
    await service.send('dev-1', message('a', 'first', 'full'));
    await until(() => batches.length === 1, 'the first batch');
    await service.send('dev-1', message('b', 'second', 'full'));
    await service.send('dev-1', message('c', 'third', 'full'));
    await until(() => got.length === 3 && queued() === 0, 'the messages');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(batches).toHaveLength(1);

    clock += 15 * SECOND;

    await until(() => batches.length === 2, 'the second batch');
    expect(batches[1]?.records.map(({ originalMessageId }) => originalMessageId)).toEqual([
      'second',
      'third',
    ]);
  });

  test('abandoned feedback comes again, completed feedback does not', async () => {
    await device();
    settleByHand(service);
    await service.open();
    const receiver = await receiverOf(service);
    const batches = await collect(receiver);
    await service.send('dev-1', message('a', 'm-1', 'full'));
    await until(() => batches.length === 1, 'the feedback');
    await receiver.abandon(batches[0]?.message as Message);
    await until(() => batches.length === 2, 'the same feedback');
    expect(batches[1]?.records).toEqual(batches[0]?.records);

    await receiver.complete(batches[1]?.message as Message);
    await service.close();
    service = local.service(WEU, { isWebSocket });
    await service.open();
    const later = await collect(await receiverOf(service));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(later).toHaveLength(0);
  });

  test('feedback that was not settled comes to the next receiver, also after a restart', async () => {
    await device();
    settleByHand(service);
    await service.open();
    const batches = await collect(await receiverOf(service));
    await service.send('dev-1', message('a', 'm-1', 'full'));
    await until(() => batches.length === 1, 'the feedback');
    await local.close();
    await start();

    await service.open();
    const later = await collect(await receiverOf(service));

    await until(() => later.length === 1, 'the feedback again');
    expect(later[0]?.records).toEqual(batches[0]?.records);
  });

  test('feedback that waits for its batch is stored when the hubs stop', async () => {
    const { got } = await device();
    await service.open();
    const batches = await collect(await receiverOf(service));
    await service.send('dev-1', message('a', 'first', 'full'));
    await until(() => batches.length === 1, 'the first batch');
    await service.send('dev-1', message('b', 'second', 'full'));
    await until(() => got.length === 2 && queued() === 0, 'the message');
    await local.close();
    await start();

    await service.open();
    const later = await collect(await receiverOf(service));

    await until(() => later.length === 1, 'the second batch');
    expect(later[0]?.records).toMatchObject([{ originalMessageId: 'second', statusCode: 'Success' }]);
  });

  test('a message that a device rejects over AMQP gives negative feedback', async () => {
    const client = await local.device(WEU, 'dev-1', KEY, 'Amqp');
    client.on('message', (received) => client.reject(received, () => {}));
    await client.open();
    await service.open();
    const batches = await collect(await receiverOf(service));

    await service.send('dev-1', message('a', 'm-1', 'negative'));

    await until(() => batches.length === 1, 'the feedback');
    expect(batches[0]?.records).toMatchObject([{ originalMessageId: 'm-1', statusCode: 'Rejected' }]);
  });

  test('a device that is deleted gives no more feedback', async () => {
    const { got } = await device();
    await service.open();
    const batches = await collect(await receiverOf(service));
    await service.send('dev-1', message('a', 'first', 'full'));
    await until(() => batches.length === 1, 'the first batch');
    await service.send('dev-1', message('b', 'second', 'full'));
    await until(() => got.length === 2 && queued() === 0, 'the message');
    await local.registry(WEU).delete('dev-1');
    clock += 15 * SECOND;

    await device('dev-2');
    await service.send('dev-2', message('c', 'other', 'full'));
    await until(() => {
      clock += SECOND;
      return batches.length === 2;
    }, 'the second batch');
    expect(batches[1]?.records.map(({ deviceId }) => deviceId)).toEqual(['dev-2']);
  });

  test('a file notification that is in the queue reaches its receiver once', async () => {
    const file = {
      deviceId: 'dev-1',
      blobUri: 'http://127.0.0.1:10000/devstoreaccount1/uploads/dev-1/a.txt',
      blobName: 'dev-1/a.txt',
      lastUpdatedTime: '2024-03-01T10:00:00+00:00',
      blobSizeInBytes: 5,
      enqueuedTimeUtc: '2024-03-01T10:00:01Z',
    };
    await local.close();
    const put = { id: 'n-1', body: JSON.stringify(file), enqueuedAt: clock, deliveryCount: 0 };
    writeFileSync(join(directory, `${WEU}.file-notifications.jsonl`), `${JSON.stringify({ put })}\n`);
    await start();

    await service.open();
    const got: Message[] = [];
    (await receiverOf(service, 'file')).on('message', (notification) => got.push(notification));

    await until(() => got.length === 1, 'the notification');
    expect(JSON.parse(got[0]?.getData().toString() ?? '')).toEqual(file);
    expect(got[0]?.contentType).toBe('application/vnd.microsoft.iothub.filenotification.json');
  });

  test('a message for an unknown device is refused', async () => {
    await service.open();
    await expect(service.send('absent', message('a', 'm-1'))).rejects.toMatchObject({
      name: 'DeviceNotFoundError',
    });
  });

  test('a full queue and a large message are refused', async () => {
    await service.open();
    for (let index = 0; index < 50; index += 1) await service.send('dev-1', message('a', `m-${index}`));

    await expect(service.send('dev-1', message('a', 'm-50'))).rejects.toMatchObject({
      name: 'DeviceMaximumQueueDepthExceededError',
    });
    await expect(service.send('dev-2', message('x'.repeat(65_537), 'm-1'))).rejects.toMatchObject({
      name: 'MessageTooLargeError',
    });
  });

  test('a policy without ServiceConnect, and a wrong key, are refused', async () => {
    const reader = local.service(WEU, { policy: 'registryRead', isWebSocket });
    await reader.open();
    await expect(reader.send('dev-1', message('a', 'm-1'))).rejects.toMatchObject({
      name: 'UnauthorizedError',
    });
    // The hub attaches a link and detaches it at once. The SDK then ends the connection.
    const other = local.service(WEU, { policy: 'registryRead', isWebSocket });
    await other.open();
    const ended = new Promise((resolve) => other.on('disconnect', resolve));
    await receiverOf(other);
    expect(await ended).toMatchObject({ reason: { condition: 'amqp:unauthorized-access' } });
    await expect(
      local.service(WEU, { policy: 'service', key: testKey(9), isWebSocket }).open(),
    ).rejects.toMatchObject({ amqpError: { name: 'UnauthorizedError' } });
  });
});
