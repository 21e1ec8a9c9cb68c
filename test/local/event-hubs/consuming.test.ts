import {
  EventHubConsumerClient,
  EventHubProducerClient,
  type EventPosition,
  latestEventPosition,
  type ReceivedEventData,
} from '@azure/event-hubs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { MemoryCheckpointStore } from './memory-checkpoint-store.ts';
import { eventually, readEvents, texts } from './reading.ts';

const START_MS = 1_700_000_000_000;
/** Letters a to j, appended one second apart to partition 0 of the hub `letters`. */
const LETTERS = [...'abcdefghij'];

describe('consumers of the official client', () => {
  let eventHubs: EventHubs;
  let clock = START_MS;
  const clients: { close(): Promise<void> }[] = [];
  const offsets: number[] = [];

  const consume = (hub: string, group = '$Default', store?: MemoryCheckpointStore) => {
    const connectionString = eventHubs.connectionString(hub);
    const client =
      store === undefined
        ? new EventHubConsumerClient(group, connectionString, { retryOptions: { maxRetries: 0 } })
        : new EventHubConsumerClient(group, connectionString, store, {
            loadBalancingOptions: { strategy: 'greedy', updateIntervalInMs: 100 },
          });
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    eventHubs = await startEventHubs({
      port: 0,
      hubs: [
        { name: 'letters', partitionCount: 2, consumerGroups: ['second', 'Third'] },
        { name: 'live', partitionCount: 3, consumerGroups: [] },
        { name: 'iot', partitionCount: 1, consumerGroups: [] },
        { name: 'work', partitionCount: 4, consumerGroups: ['processor'] },
        { name: 'metrics', partitionCount: 1, consumerGroups: [] },
        { name: 'many', partitionCount: 1, consumerGroups: [] },
      ],
      now: () => clock,
    });
    for (const letter of LETTERS) {
      const { offset } = eventHubs.append('letters', { body: Buffer.from(letter), partitionId: '0' });
      offsets.push(offset);
      clock += 1_000;
    }
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(() => eventHubs.close());

  test.each<[string, () => EventPosition, string]>([
    ['the start', () => ({ offset: '-1' }), 'abcdefghij'],
    ['the offset of c', () => ({ offset: String(offsets[2]) }), 'defghij'],
    ['the offset of c inclusively', () => ({ offset: String(offsets[2]), isInclusive: true }), 'cdefghij'],
    ['an offset inside c', () => ({ offset: String((offsets[2] ?? 0) + 1) }), 'defghij'],
    ['sequence number -1', () => ({ sequenceNumber: -1 }), 'abcdefghij'],
    ['sequence number 6', () => ({ sequenceNumber: 6 }), 'hij'],
    ['sequence number 6 inclusively', () => ({ sequenceNumber: 6, isInclusive: true }), 'ghij'],
    ['sequence number 9 inclusively', () => ({ sequenceNumber: 9, isInclusive: true }), 'j'],
    ['the time of h', () => ({ enqueuedOn: START_MS + 7_000 }), 'ij'],
    ['a time just before h', () => ({ enqueuedOn: new Date(START_MS + 6_999) }), 'hij'],
    ['a time before all events', () => ({ enqueuedOn: 1 }), 'abcdefghij'],
  ])('a consumer that starts from %s receives the events after it', async (_, position, expected) => {
    const events = await readEvents(consume('letters'), expected.length, {
      partitionId: '0',
      startPosition: position(),
    });

    expect(texts(events).join('')).toBe(expected);
  });

  test.each<[string, EventPosition, RegExp]>([
    ['an offset beyond the end', { offset: '999999' }, /supplied offset '999999' is invalid/],
    [
      'a sequence number beyond the end',
      { sequenceNumber: 10 },
      /The last sequence number in the system is '9'/,
    ],
  ])('a start position with %s is an argument error', async (_, startPosition, message) => {
    const read = readEvents(consume('letters'), 1, { partitionId: '0', startPosition });

    await expect(read).rejects.toMatchObject({
      code: 'ArgumentError',
      message: expect.stringMatching(message),
    });
  });

  test('a consumer that starts from the last event, or from the latest, reads only later events', async () => {
    const options = { partitionId: '1' };
    eventHubs.append('live', { body: Buffer.from('old'), partitionId: '1' });
    const latest = readEvents(consume('live'), 2, { ...options, startPosition: latestEventPosition });
    const after = readEvents(consume('live'), 2, { ...options, startPosition: { sequenceNumber: 0 } });
    const readers = () => eventHubs.partitions('live')[1]?.consumerGroups[0]?.readers ?? [];
    await eventually(() => readers().length === 2, 'both readers are connected');

    eventHubs.append('live', { body: Buffer.from('new'), partitionId: '1' });
    eventHubs.append('live', { body: Buffer.from('newer'), partitionId: '1' });

    expect(texts(await latest)).toEqual(['new', 'newer']);
    expect(texts(await after)).toEqual(['new', 'newer']);
  });

  test('consumer groups read independently, and their names are compared without case', async () => {
    const first = readEvents(consume('letters', '$default'), 10, { partitionId: '0' });
    const second = readEvents(consume('letters', 'second'), 10, { partitionId: '0' });
    const third = readEvents(consume('letters', 'THIRD'), 4, {
      partitionId: '0',
      startPosition: { sequenceNumber: 5 },
    });

    expect(texts(await first)).toEqual(LETTERS);
    expect(texts(await second)).toEqual(LETTERS);
    expect(texts(await third)).toEqual(['g', 'h', 'i', 'j']);
    const [partition] = eventHubs.partitions('letters');
    expect(
      partition?.consumerGroups.map(({ name, deliveredSequenceNumber }) => [name, deliveredSequenceNumber]),
    ).toEqual([
      ['$Default', 9],
      ['second', 9],
      ['Third', 9],
    ]);
  });

  test('annotations of IoT hubs arrive as system properties', async () => {
    const body = Buffer.from('{"version":3}');
    eventHubs.append('iot', {
      body,
      partitionKey: 'device-1',
      properties: { hubName: 'contoso-weu', opType: 'updateTwin', count: 7, ratio: 0.5, yes: true },
      annotations: {
        'iothub-connection-device-id': 'device-1',
        'iothub-enqueuedtime': 1_654_122_470_282,
        'iothub-message-source': 'twinChangeEvents',
      },
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: 'c-1',
      messageId: 'm-1',
      subject: 's-1',
      userId: 'contoso-weu',
    });

    const [event] = await readEvents(consume('iot'), 1);

    expect(event).toMatchObject({
      body,
      partitionKey: 'device-1',
      sequenceNumber: 0,
      offset: '0',
      enqueuedTimeUtc: new Date(clock),
      contentType: 'application/json',
      correlationId: 'c-1',
      messageId: 'm-1',
      properties: { hubName: 'contoso-weu', opType: 'updateTwin', count: 7, ratio: 0.5, yes: true },
      systemProperties: {
        'iothub-connection-device-id': 'device-1',
        'iothub-enqueuedtime': 1_654_122_470_282,
        'iothub-message-source': 'twinChangeEvents',
        contentEncoding: 'utf-8',
        subject: 's-1',
      },
    });
    // The client turns the binary into an object of numbered bytes.
    expect(Buffer.from(Object.values(event?.systemProperties?.userId)).toString()).toBe('contoso-weu');
  });

  test('two processors share the partitions, and a third one continues from the checkpoints', async () => {
    const store = new MemoryCheckpointStore();
    const append = (round: number) => {
      for (let index = 0; index < 40; index += 1) {
        eventHubs.append('work', { body: Buffer.from(`${round}.${index}`), partitionId: String(index % 4) });
      }
    };
    const seen: string[] = [];
    const partitionsOf: Set<string>[] = [new Set(), new Set()];
    append(0);
    const subscriptions = partitionsOf.map((partitions) =>
      consume('work', 'processor', store).subscribe(
        {
          async processEvents(events: ReceivedEventData[], context) {
            partitions.add(context.partitionId);
            for (const { body } of events) seen.push(body.toString());
            const last = events.at(-1);
            if (last !== undefined) await context.updateCheckpoint(last);
          },
          async processError() {},
        },
        { startPosition: { offset: '-1' }, skipParsingBodyAsJson: true, maxWaitTimeInSeconds: 1 },
      ),
    );
    await eventually(() => new Set(seen).size === 40 && store.checkpoints.size === 4, 'all events were seen');
    await eventually(
      () => [...store.checkpoints.values()].every(({ sequenceNumber }) => sequenceNumber === 9),
      'all checkpoints were written',
    );
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    append(1);

    const rest = await readEvents(consume('work', 'processor', store), 40);

    expect(texts(rest).sort()).toEqual(Array.from({ length: 40 }, (_, index) => `1.${index}`).sort());
  });

  test('runtime metrics show the last event of the partition', async () => {
    for (let index = 0; index < 3; index += 1)
      eventHubs.append('metrics', { body: Buffer.from(String(index)) });
    const known: unknown[] = [];

    await readEvents(consume('metrics'), 3, {
      partitionId: '0',
      trackLastEnqueuedEventProperties: true,
      async onEvents(_, context) {
        known.push({ ...context.lastEnqueuedEventProperties });
      },
    });

    expect(known.at(-1)).toEqual({
      sequenceNumber: 2,
      offset: String(eventHubs.partitions('metrics')[0]?.lastOffset),
      enqueuedOn: new Date(clock),
      retrievedOn: new Date(clock),
    });
  });

  test('more events than the client requests at once arrive in order', async () => {
    const count = 5_000;
    for (let index = 0; index < count; index += 1)
      eventHubs.append('many', { body: Buffer.from(String(index)) });

    const events = await readEvents(consume('many'), count, { maxBatchSize: 300 });

    expect(texts(events)).toEqual(Array.from({ length: count }, (_, index) => String(index)));
  });

  test.each([
    ['MessagingEntityNotFoundError', 'missing', '$Default', '0'],
    ['MessagingEntityNotFoundError', 'letters', 'nobody', '0'],
    ['ArgumentOutOfRangeError', 'letters', '$Default', '2'],
  ])(
    'the error is %s when reading event hub %s, group %s, partition %s',
    async (code, hub, group, partitionId) => {
      await expect(readEvents(consume(hub, group), 1, { partitionId })).rejects.toMatchObject({ code });
    },
  );

  test('the client reads the properties of event hubs and partitions', async () => {
    const producer = new EventHubProducerClient(eventHubs.connectionString('letters'), {
      retryOptions: { maxRetries: 0 },
    });
    clients.push(producer);

    expect(await producer.getEventHubProperties()).toEqual({
      name: 'letters',
      createdOn: new Date(START_MS),
      partitionIds: ['0', '1'],
      isGeoDrEnabled: false,
    });
    expect(await producer.getPartitionProperties('0')).toEqual({
      eventHubName: 'letters',
      partitionId: '0',
      beginningSequenceNumber: 0,
      lastEnqueuedSequenceNumber: 9,
      lastEnqueuedOffset: String(offsets[9]),
      lastEnqueuedOnUtc: new Date(START_MS + 9_000),
      isEmpty: false,
    });
    expect(await producer.getPartitionProperties('1')).toMatchObject({
      beginningSequenceNumber: -1,
      lastEnqueuedSequenceNumber: -1,
      lastEnqueuedOffset: '-1',
      isEmpty: true,
    });
    await expect(producer.getPartitionProperties('2')).rejects.toMatchObject({
      code: 'ArgumentOutOfRangeError',
    });
  });

  test('reading the properties of an unknown event hub is an error', async () => {
    const producer = new EventHubProducerClient(eventHubs.connectionString('missing'), {
      retryOptions: { maxRetries: 0 },
    });
    clients.push(producer);

    await expect(producer.getEventHubProperties()).rejects.toMatchObject({
      code: 'MessagingEntityNotFoundError',
    });
  });
});
