import { EventHubConsumerClient, EventHubProducerClient } from '@azure/event-hubs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { readEvents, texts } from './reading.ts';

const MAX_MESSAGE_SIZE = 1_048_576;

describe('producers of the official client', () => {
  let eventHubs: EventHubs;
  let producer: EventHubProducerClient;
  let consumer: EventHubConsumerClient;

  /** Events that are in the event hub, by partition. */
  const counts = (hub: string) =>
    eventHubs.partitions(hub).map(({ lastSequenceNumber }) => lastSequenceNumber + 1);
  const total = (hub: string) => counts(hub).reduce((sum, count) => sum + count, 0);
  const connect = (hub: string) => {
    producer = new EventHubProducerClient(eventHubs.connectionString(hub));
    consumer = new EventHubConsumerClient('$Default', eventHubs.connectionString(hub));
    clients.push(producer, consumer);
  };
  const clients: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    const names = ['batches', 'bodies', 'keys', 'turns', 'chosen', 'large', 'both', 'typed'];
    eventHubs = await startEventHubs({
      port: 0,
      hubs: names.map((name) => ({ name, partitionCount: 4, consumerGroups: [] })),
    });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await eventHubs.close();
  });

  test('the events of a batch stay together and in order', async () => {
    connect('batches');
    const batch = await producer.createBatch();
    for (let index = 0; index < 50; index += 1)
      expect(batch.tryAdd({ body: Buffer.from(`event ${index}`) })).toBe(true);

    await producer.sendBatch(batch);

    expect(counts('batches').filter((count) => count > 0)).toEqual([50]);
    const events = await readEvents(consumer, 50);
    expect(texts(events)).toEqual(Array.from({ length: 50 }, (_, index) => `event ${index}`));
    expect(events.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    );
  });

  test.each<[string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['a zero byte', Buffer.from([0])],
    ['every byte value', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['JSON', Buffer.from('{"a": 1.0, "b":[ ]}')],
    ['broken JSON', Buffer.from('{"a":')],
    ['broken UTF-8', Buffer.from([0xc3, 0x28, 0xff])],
    ['an AMQP value', Buffer.from([0x00, 0x53, 0x77, 0xa1, 1, 65])],
    ['300,000 bytes', Buffer.alloc(300_000, 'abc')],
  ])('a body of %s arrives byte for byte, from a client and from inside the process', async (_, body) => {
    connect('bodies');
    const before = counts('bodies')[0] ?? 0;

    await producer.sendBatch([{ body }], { partitionId: '0' });
    eventHubs.append('bodies', { body, partitionId: '0' });

    const startPosition = { sequenceNumber: before - 1 };
    const events = await readEvents(consumer, 2, { partitionId: '0', startPosition });
    const base64 = body.toString('base64');
    expect(events.map((event) => event.body.toString('base64'))).toEqual([base64, base64]);
  });

  test('values and sequences keep their types', async () => {
    connect('typed');

    await producer.sendBatch(
      [
        { bodyType: 'value', body: { answer: 42 }, applicationProperties: { at: new Date(5) } },
        { bodyType: 'sequence', body: [[1, 'two', null]] },
      ],
      { partitionId: '1' },
    );

    const events = await readEvents(consumer, 2, { partitionId: '1' });
    expect(events.map((event) => event.getRawAmqpMessage().bodyType)).toEqual(['value', 'sequence']);
    expect(events.map((event) => event.body)).toEqual([{ answer: 42 }, [[1, 'two', null]]]);
    expect(events[0]?.getRawAmqpMessage().applicationProperties).toEqual({ at: new Date(5) });
  });

  test('events of one key stay in order in one partition, whether sent alone or in a batch', async () => {
    connect('keys');
    const keys = Array.from({ length: 20 }, (_, index) => `device-${index}`);
    for (let round = 0; round < 3; round += 1) {
      for (const key of keys) {
        await producer.sendBatch([{ body: Buffer.from(`${key} ${round}`) }], { partitionKey: key });
        eventHubs.append('keys', { body: Buffer.from(`${key} ${round} within`), partitionKey: key });
      }
    }

    const events = await readEvents(consumer, 120);

    for (const key of keys) {
      const own = events.filter((event) => event.partitionKey === key);
      expect(new Set(own.map((event) => event.partitionId)).size).toBe(1);
      expect(texts(own)).toEqual([0, 1, 2].flatMap((round) => [`${key} ${round}`, `${key} ${round} within`]));
    }
    expect(new Set(events.map((event) => event.partitionId)).size).toBe(4);
  });

  test('events without a key are distributed over the partitions in turn', async () => {
    connect('turns');
    for (let index = 0; index < 8; index += 1) await producer.sendBatch([{ body: 'x' }]);

    expect(counts('turns')).toEqual([2, 2, 2, 2]);
  });

  test('events for a chosen partition arrive there', async () => {
    connect('chosen');
    await producer.sendBatch([{ body: 'x' }, { body: 'y' }], { partitionId: '2' });

    expect(counts('chosen')).toEqual([0, 0, 2, 0]);
    expect(eventHubs.append('chosen', { body: Buffer.from('z'), partitionId: '2' })).toMatchObject({
      partitionId: '2',
      sequenceNumber: 2,
    });
  });

  test('a batch of the maximum size of Azure is accepted, and a larger one is refused', async () => {
    connect('large');
    const batch = await producer.createBatch();
    expect(batch.maxSizeInBytes).toBe(MAX_MESSAGE_SIZE);
    const chunk = Buffer.alloc(10_000, 'x');
    while (batch.tryAdd({ body: chunk }));
    expect(batch.tryAdd({ body: Buffer.alloc(MAX_MESSAGE_SIZE) })).toBe(false);

    await producer.sendBatch(batch);

    expect(batch.count).toBe(104);
    expect(total('large')).toBe(104);
    await expect(producer.createBatch({ maxSizeInBytes: MAX_MESSAGE_SIZE + 1 })).rejects.toThrow(/size/);
    expect(() => eventHubs.append('large', { body: Buffer.alloc(MAX_MESSAGE_SIZE) })).toThrow(
      expect.objectContaining({ code: 'BERTH_LOCAL_EVENT_TOO_LARGE' }),
    );
    expect(total('large')).toBe(104);
  });

  test('two simultaneous producers lose no events', async () => {
    connect('both');
    const other = new EventHubProducerClient(eventHubs.connectionString('both'));
    clients.push(other);
    const send = async (client: EventHubProducerClient, name: string) => {
      for (let index = 0; index < 30; index += 1) {
        await client.sendBatch([{ body: Buffer.from(`${name} ${index}`) }], { partitionId: '3' });
      }
    };

    await Promise.all([send(producer, 'one'), send(other, 'other')]);

    const events = await readEvents(consumer, 60, { partitionId: '3' });
    for (const name of ['one', 'other']) {
      expect(texts(events).filter((text) => text.startsWith(name))).toEqual(
        Array.from({ length: 30 }, (_, index) => `${name} ${index}`),
      );
    }
  });

  test.each<[string, string, string | undefined]>([
    ['MessagingEntityNotFoundError', 'missing', undefined],
    ['ArgumentOutOfRangeError', 'turns', '4'],
    ['ArgumentOutOfRangeError', 'turns', 'x'],
  ])('the error is %s when sending to event hub %s, partition %s', async (code, hub, partitionId) => {
    const client = new EventHubProducerClient(eventHubs.connectionString(hub), {
      retryOptions: { maxRetries: 0 },
    });
    clients.push(client);

    const sent = client.sendBatch([{ body: 'x' }], partitionId === undefined ? {} : { partitionId });

    await expect(sent).rejects.toMatchObject({ code });
  });

  test.each([
    ['missing', undefined],
    ['turns', '4'],
  ])('appending to event hub %s, partition %s, is a coded error', (hub, partitionId) => {
    expect(() => eventHubs.append(hub, { body: Buffer.from('x'), partitionId })).toThrow(
      expect.objectContaining({ code: 'BERTH_LOCAL_EVENT_HUB_UNKNOWN' }),
    );
  });
});
