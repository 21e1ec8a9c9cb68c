import { afterAll, describe, expect, test } from '@jest/globals';
import { openConsumer } from '../../../local/function-host/event-hub/consumer.ts';
import {
  type ReceivedEvent,
  toReceivedEvent,
} from '../../../local/function-host/event-hub/received-event.ts';
import { eventHubSource } from '../../../local/function-host/event-hub/source.ts';
import { eventHubInvocation } from '../../../local/function-host/event-hub/trigger-data.ts';
import type { HostedFunction } from '../../../local/function-host/hosted-function.ts';

const EMULATOR =
  'Endpoint=sb://localhost:5672;SharedAccessKeyName=n;SharedAccessKey=k=;UseDevelopmentEmulator=true';

const fn = (trigger: Readonly<Record<string, unknown>>): HostedFunction => ({
  id: 'f',
  name: 'f',
  metadata: { name: 'f', bindings: {} },
  trigger: {
    type: 'eventHubTrigger',
    direction: 'in',
    name: 't',
    connection: 'EVENTS',
    eventHubName: 'hub',
    ...trigger,
  },
  callback: () => undefined,
});

describe('the event hub of a binding', () => {
  test('is the one that the binding names, in the consumer group $Default if none is named', () => {
    expect(eventHubSource(fn({}), { EVENTS: `${EMULATOR};` })).toEqual({
      connectionString: EMULATOR,
      eventHubName: 'hub',
      consumerGroup: '$Default',
      form: 'one-string',
    });
  });

  test('is the one that the connection string names, if it names one', () => {
    const source = eventHubSource(fn({ consumerGroup: 'berth' }), { EVENTS: `${EMULATOR};EntityPath=other` });

    expect(source).toMatchObject({
      connectionString: EMULATOR,
      eventHubName: 'other',
      consumerGroup: 'berth',
    });
  });

  test.each([
    ['one', undefined, 'one-string'],
    [undefined, 'binary', 'one-binary'],
    ['many', undefined, 'many-json'],
    ['many', 'string', 'many-string'],
    ['Many', 'Binary', 'many-binary'],
  ])('the cardinality %s and the data type %s are read as %s', (cardinality, dataType, form) => {
    expect(eventHubSource(fn({ cardinality, dataType }), { EVENTS: EMULATOR }).form).toBe(form);
  });

  test.each([
    [{ connection: undefined }, 'its binding needs "connection", the name of an app setting'],
    [{ eventHubName: undefined }, 'its binding names no event hub'],
    [{ connection: 'SECRET' }, 'the app setting SECRET is not an Event Hubs connection string'],
  ])('the binding %j is refused, without quoting a secret', (trigger, message) => {
    const refused = () => eventHubSource(fn(trigger), { EVENTS: EMULATOR, SECRET: 'AccountKey=very-secret' });

    expect(refused).toThrow(message);
    expect(refused).not.toThrow('very-secret');
  });
});

describe('the consumer of an event hub', () => {
  const opened: { close(): Promise<void> }[] = [];
  afterAll(() => Promise.all(opened.map((client) => client.close())));

  const source = eventHubSource(fn({}), { EVENTS: EMULATOR });

  test.each([
    ['UseDevelopmentStorage=true', 'http://127.0.0.1:10000/devstoreaccount1/azure-webjobs-eventhub'],
    [
      'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1234/a;',
      'http://127.0.0.1:1234/a/azure-webjobs-eventhub',
    ],
  ])('keeps its checkpoints for %s at %s', async (storage, url) => {
    const { client, checkpoints } = await openConsumer(source, storage, () => {});
    opened.push(client);

    expect(checkpoints.url).toBe(url);
  });

  test('refuses a storage connection string that cannot be parsed, without quoting it', async () => {
    const refused = openConsumer(source, 'AccountKey=very-secret', () => {});

    await expect(refused).rejects.toThrow(/^the connection string in AzureWebJobsStorage is not valid$/);
  });
});

describe('a received event', () => {
  const received = (body: unknown, more: object = {}) =>
    toReceivedEvent({
      body,
      sequenceNumber: 7,
      offset: '512',
      enqueuedTimeUtc: new Date('2026-01-02T03:04:05.060Z'),
      partitionKey: null,
      getRawAmqpMessage: () => ({ body }),
      ...more,
    });

  test.each([
    ['a body of bytes', Buffer.from([0, 255]), Buffer.from([0, 255])],
    ['no body', undefined, Buffer.alloc(0)],
    ['several data sections', [Buffer.from('a'), Buffer.from('b')], Buffer.from('ab')],
    ['an AMQP string', 'text', Buffer.from('text')],
    ['an AMQP map', { a: 1 }, Buffer.from('{"a":1}')],
  ])('an event with %s is read as bytes', (_, body, bytes) => {
    expect(received(body).body).toEqual(bytes);
  });

  test('has system properties with the names that .NET uses', () => {
    const { systemProperties } = received('', {
      systemProperties: {
        messageId: 'm',
        contentType: 'application/json',
        userId: 'u',
        'iothub-message-source': 'Telemetry',
      },
    });

    expect(systemProperties).toEqual({
      'x-opt-sequence-number': 7,
      'x-opt-offset': '512',
      'x-opt-enqueued-time': '2026-01-02T03:04:05.060Z',
      'message-id': 'm',
      'content-type': 'application/json',
      'user-id': 'u',
      'iothub-message-source': 'Telemetry',
    });
  });
});

describe('the invocation for events', () => {
  const event = (text: string, more: Partial<ReceivedEvent> = {}): ReceivedEvent => ({
    body: Buffer.from(text),
    sequenceNumber: 2 ** 40 + 5,
    offset: '4294967296',
    partitionKey: undefined,
    enqueuedTime: new Date('2026-01-02T03:04:05.060Z'),
    properties: {},
    systemProperties: {},
    ...more,
  });
  const partition = {
    fullyQualifiedNamespace: 'ns',
    eventHubName: 'hub',
    consumerGroup: '$Default',
    partitionId: '3',
    isCheckpointingAfterInvocation: true,
  };
  const plain = { includeEmptyEntries: false, longSequenceNumbers: false };
  const dataOf = ({ data }: ReturnType<typeof eventHubInvocation>) =>
    typeof data === 'function' ? data() : data;

  test('keeps empty texts and missing partition keys for an app that declares support for them', () => {
    const options = { ...plain, includeEmptyEntries: true };

    const invocation = eventHubInvocation([event(''), event('a')], 'many-string', partition, options);

    expect(dataOf(invocation)).toEqual({ collectionString: { string: ['', 'a'] } });
    expect(invocation.triggerMetadata?.PartitionKeyArray).toEqual({ collectionString: { string: ['', ''] } });
  });

  test('passes one event as bytes without parsing it', () => {
    const invocation = eventHubInvocation([event('{"Offset":"x"}')], 'one-binary', partition, plain);

    expect(invocation.data).toEqual({ bytes: Buffer.from('{"Offset":"x"}') });
    expect(invocation.triggerMetadata?.Offset).toEqual({ string: '4294967296' });
  });

  test('replaces metadata with members of the body of one event, except lists and null', () => {
    const text =
      '{"offset":"x","PARTITIONKEY":null,"Properties":[1],"flag":true,"count":1.5,"deep":{"a":[1]}}';

    const { triggerMetadata } = eventHubInvocation([event(text)], 'one-string', partition, plain);

    expect(triggerMetadata).toMatchObject({
      Offset: { string: 'x' },
      Properties: { json: '{}' },
      flag: { string: 'True' },
      count: { string: '1.5' },
      deep: { json: '{"a":[1]}' },
    });
    expect(triggerMetadata).not.toHaveProperty('PartitionKey');
  });

  test('splits sequence numbers into the halves of a Long', () => {
    const options = { ...plain, longSequenceNumbers: true };
    const events = [event('', { sequenceNumber: 2 ** 32 - 1 }), event('')];

    const { triggerMetadata } = eventHubInvocation(events, 'many-binary', partition, options);

    expect(triggerMetadata?.SequenceNumberArray).toEqual({
      collectionSint64: {
        sint64: [
          { low: -1, high: 0, unsigned: false },
          { low: 5, high: 256, unsigned: false },
        ],
      },
    });
  });

  test('writes bytes in properties as Base64, and times without Z and without trailing zeros', () => {
    const events = [event('', { properties: { Bytes: Buffer.from('abc'), text: 'Buffer' } })];

    const { triggerMetadata } = eventHubInvocation(events, 'many-binary', partition, plain);

    expect(triggerMetadata?.PropertiesArray).toEqual({ json: '[{"Bytes":"YWJj","text":"Buffer"}]' });
    expect(triggerMetadata?.EnqueuedTimeUtcArray).toEqual({ json: '["2026-01-02T03:04:05.06"]' });
  });
});
