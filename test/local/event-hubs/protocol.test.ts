import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import rhea, { type Message } from 'rhea';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { connectRaw, deliver, type RawClient, socketOf } from './raw-client.ts';
import { eventually } from './reading.ts';

const MAX_MESSAGE_SIZE = 1_048_576;
const HEARTBEAT = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0]);
/** The descriptor that .NET uses; JavaScript's is 0x468C00000004. */
const NET_FILTER_CODE = 0x137000000a;

const filter = (text: string) => rhea.types.wrap_described(text, NET_FILTER_CODE);
const data = (text: string | Buffer) => rhea.message.data_section(Buffer.from(text));
const bodyOf = (message: Message) => String(message.body?.content ?? message.body);
const message = (fields: Record<string, unknown>) => fields as unknown as Message;

describe('the AMQP protocol for clients other than the official JavaScript one', () => {
  let eventHubs: EventHubs;
  let client: RawClient;

  const last = (hub: string) => eventHubs.partitions(hub)[0]?.lastSequenceNumber;
  const append = (hub: string, ...bodies: string[]) => {
    for (const body of bodies) eventHubs.append(hub, { body: Buffer.from(body) });
  };
  const readers = (hub: string) => eventHubs.partitions(hub)[0]?.consumerGroups[0]?.readers ?? [];

  beforeAll(async () => {
    const names = [
      'sent',
      'credit',
      'drain',
      'net',
      'large',
      'broken',
      'ended',
      'owned',
      'waiting',
      'window',
    ];
    eventHubs = await startEventHubs({
      port: 0,
      hubs: names.map((name) => ({ name, partitionCount: 1, consumerGroups: [] })),
    });
  });
  beforeEach(async () => {
    client = await connectRaw(eventHubs.port);
  });
  afterEach(() => client.destroy());
  afterAll(() => eventHubs.close());

  const mechanism = (name: string) => ({
    sasl_mechanisms: {
      [name]: () => ({ start: (answer: (error: unknown, bytes: string) => void) => answer(undefined, '') }),
    },
  });
  test.each<[string, Record<string, unknown>]>([
    ['ANONYMOUS', { password: undefined }],
    ['PLAIN', {}],
    ['EXTERNAL', mechanism('EXTERNAL')],
    ['MSSBCBS', mechanism('MSSBCBS')],
    ['no SASL', { username: undefined, password: undefined }],
  ])('a client connects with %s', async (_, options) => {
    const other = await connectRaw(eventHubs.port, options);

    expect(other.connection.is_open()).toBe(true);
    expect(other.connection).toMatchObject({ max_frame_size: 65_536, idle_time_out: 240_000 });
    other.destroy();
  });

  test('a client that requests heartbeats gets them', async () => {
    // The client gives up when it hears nothing for so long, however busy the machine is.
    const other = await connectRaw(eventHubs.port, { idle_time_out: 1_000 });
    let heartbeats = 0;
    socketOf(other.connection).on('data', (bytes) => {
      // Several may arrive together.
      for (let at = bytes.indexOf(HEARTBEAT); at !== -1; at = bytes.indexOf(HEARTBEAT, at + 1))
        heartbeats += 1;
    });

    await eventually(() => heartbeats >= 5, 'five empty frames came');

    expect(other.connection.is_open()).toBe(true);
    other.destroy();
  });

  test('single messages are accepted, and service annotations of clients are replaced', async () => {
    const sender = await client.sender('sent');
    const sent = message({
      message_annotations: {
        'x-opt-sequence-number': 99,
        'x-opt-offset': 'evil',
        'x-opt-enqueued-time': new Date(1),
        'x-opt-partition-key': 'key',
        mine: 'kept',
      },
      application_properties: { a: 1 },
      body: data('hello'),
    });

    expect(await deliver(sender, sent)).toEqual({ result: 'accepted' });

    const receiver = await client.receiver('sent/ConsumerGroups/$Default/Partitions/0');
    const [received] = await receiver.take(1);
    expect(received && bodyOf(received)).toBe('hello');
    expect(received?.application_properties).toEqual({ a: 1 });
    expect(received?.message_annotations).toEqual({
      'x-opt-sequence-number': 0,
      'x-opt-offset': '0',
      'x-opt-enqueued-time': expect.any(Date),
      'x-opt-partition-key': 'key',
      mine: 'kept',
    });
  });

  test('addresses and filters of the .NET SDK are accepted', async () => {
    const sender = await client.sender('/net/Partitions/0');
    for (const text of ['a', 'b', 'c']) await deliver(sender, message({ body: data(text) }));

    const receiver = await client.receiver('/net/ConsumerGroups/$Default/Partitions/0', {
      filter: filter('amqp.annotation.x-opt-sequence-number > 0'),
      target: 'some-guid',
    });

    expect((await receiver.take(2)).map(bodyOf)).toEqual(['b', 'c']);
    expect(receiver.link).toMatchObject({ snd_settle_mode: 1, target: { address: 'some-guid' } });
    expect(receiver.link.source.filter).toBeDefined();
  });

  test('a reader gets no more messages than its credit allows', async () => {
    append('credit', '0', '1', '2', '3', '4', '5');
    const receiver = await client.receiver('credit/ConsumerGroups/$Default/Partitions/0');
    expect(readers('credit')[0]?.deliveredSequenceNumber).toBe(-1);

    expect((await receiver.take(2)).map(bodyOf)).toEqual(['0', '1']);
    expect((await receiver.take(3)).map(bodyOf)).toEqual(['2', '3', '4']);

    // Another link's message comes after whatever else had been sent.
    const other = await client.receiver('credit/ConsumerGroups/$Default/Partitions/0');
    await other.take(1);
    expect(receiver.messages).toHaveLength(5);
    expect(readers('credit')[0]?.deliveredSequenceNumber).toBe(4);
  });

  test('a waiting reader gets new events', async () => {
    const receiver = await client.receiver('waiting/ConsumerGroups/$Default/Partitions/0');
    const waiting = receiver.take(2);
    // Whatever the client sent before has been read when this comes back.
    await client.sender('waiting');
    append('waiting', 'first', 'second');

    expect((await waiting).map(bodyOf)).toEqual(['first', 'second']);
  });

  test('a small session window is respected, and a link without credit does not block another', async () => {
    const count = 6_000;
    for (let index = 0; index < count; index += 1) append('window', String(index));
    const other = await connectRaw(eventHubs.port, { session_buffer_size: { incoming: 8 } });
    const address = 'window/ConsumerGroups/$Default/Partitions/0';
    const first = await other.receiver(address);
    const second = await other.receiver(address);

    expect((await first.take(20)).map(bodyOf).at(-1)).toBe('19');
    expect((await second.take(count)).map(bodyOf)).toEqual(
      Array.from({ length: count }, (_, index) => String(index)),
    );

    expect(first.messages).toHaveLength(20);
    other.destroy();
  });

  test('a drained link gets the available events, returns the remaining credit, and continues with new credit', async () => {
    append('drain', '0', '1', '2');
    const receiver = await client.receiver('drain/ConsumerGroups/$Default/Partitions/0');
    let drained = 0;
    receiver.link.on('receiver_drained', () => {
      drained += 1;
    });
    for (const round of [1, 2]) {
      receiver.link.drain = true;
      receiver.link.add_credit(1_000_000_000);
      await eventually(() => drained === round, `the link was drained ${round} times`);
    }
    receiver.link.drain = false;

    expect(receiver.messages.map(bodyOf)).toEqual(['0', '1', '2']);
    append('drain', '3');
    expect((await receiver.take(1)).map(bodyOf)).toEqual(['3']);
  });

  test('a message over the limit is rejected, and the link continues', async () => {
    const sender = await client.sender('large');
    expect(sender.max_message_size).toBe(MAX_MESSAGE_SIZE);

    for (const size of [MAX_MESSAGE_SIZE, 5 * MAX_MESSAGE_SIZE]) {
      expect(await deliver(sender, message({ body: data(Buffer.alloc(size)) }))).toEqual({
        result: 'rejected',
        condition: 'amqp:link:message-size-exceeded',
      });
    }
    expect(last('large')).toBe(-1);
    expect(await deliver(sender, message({ body: data(Buffer.alloc(1_000_000)) }))).toEqual({
      result: 'accepted',
    });
  });

  test.each([
    ['bytes that are not AMQP', Buffer.from('hello'), 0],
    ['a batch of bytes that are not AMQP', rhea.message.encode({ body: data('hello') }), 0x80013700],
    ['a batch of values', rhea.message.encode({ body: 'hello' }).subarray(0, -1), 0x80013700],
  ])('a message of %s is rejected, and the link continues', async (_, bytes, format) => {
    const before = last('broken') ?? Number.NaN;
    const sender = await client.sender('broken');

    expect(await deliver(sender, bytes, format)).toEqual({
      result: 'rejected',
      condition: 'amqp:decode-error',
    });

    expect(last('broken')).toBe(before);
    expect(await deliver(sender, message({ body: data('fine') }))).toEqual({ result: 'accepted' });
  });

  test('messages that arrive together are accepted or rejected one by one', async () => {
    const sender = await client.sender('broken');
    const good = message({ body: data('fine') });
    const bad = Buffer.from('no AMQP');
    // One packet.
    const socket = socketOf(client.connection);
    socket.cork();
    setImmediate(() => socket.uncork());

    const results = await Promise.all([
      deliver(sender, bad, 0),
      deliver(sender, good),
      deliver(sender, good),
      deliver(sender, bad, 0),
      deliver(sender, good),
    ]);

    expect(results.map(({ result }) => result)).toEqual([
      'rejected',
      'accepted',
      'accepted',
      'rejected',
      'accepted',
    ]);
  });

  test.each<[string, string, 'receiver' | 'sender', string | undefined]>([
    [
      'amqp:not-allowed',
      'net/ConsumerGroups/$Default/Partitions/0',
      'receiver',
      'amqp.annotation.x-opt-offset > none',
    ],
    ['amqp:not-allowed', 'net/ConsumerGroups/$Default/Partitions/0', 'sender', undefined],
    ['amqp:not-allowed', 'net', 'receiver', undefined],
    ['amqp:not-allowed', '', 'sender', undefined],
    ['amqp:not-found', 'missing', 'sender', undefined],
    ['amqp:not-found', 'missing/ConsumerGroups/$Default/Partitions/0', 'receiver', undefined],
    ['amqp:not-found', 'net/ConsumerGroups/nobody/Partitions/0', 'receiver', undefined],
    ['com.microsoft:argument-out-of-range', 'net/Partitions/1', 'sender', undefined],
    [
      'com.microsoft:argument-out-of-range',
      'net/ConsumerGroups/$Default/Partitions/-1',
      'receiver',
      undefined,
    ],
    [
      'com.microsoft:argument-error',
      'net/ConsumerGroups/$Default/Partitions/0',
      'receiver',
      'amqp.annotation.x-opt-sequence-number > 1000',
    ],
  ])('the error is %s for the address "%s" as %s (filter: %s)', async (condition, address, kind, text) => {
    const options = text === undefined ? {} : { filter: filter(text) };

    const link = kind === 'sender' ? client.sender(address) : client.receiver(address, options);

    await expect(link).rejects.toMatchObject({ condition });
  });

  test('a reader is removed when its session or its connection ends', async () => {
    const address = 'ended/ConsumerGroups/$Default/Partitions/0';
    const { link } = await client.receiver(address, { properties: { 'com.microsoft:epoch': 5 } });
    expect(readers('ended')).toMatchObject([{ epoch: 5 }]);
    link.session.close();
    await eventually(() => readers('ended').length === 0, 'the reader is gone with its session');

    const other = await connectRaw(eventHubs.port);
    await other.receiver(address, { properties: { 'com.microsoft:epoch': 1 } });
    other.destroy();
    await eventually(() => readers('ended').length === 0, 'the reader is gone with its connection');
  });

  test('epochs up to the largest long are accepted, and malformed ones are ignored', async () => {
    const address = 'owned/ConsumerGroups/$Default/Partitions/0';
    const largest = Buffer.from([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    const epoch = (value: unknown) => ({ properties: { 'com.microsoft:epoch': value } });
    await client.receiver(address, epoch(rhea.types.wrap_long(largest)));

    await expect(client.receiver(address, epoch(1))).rejects.toMatchObject({ condition: 'amqp:link:stolen' });
    await expect(client.receiver(address, epoch('many'))).rejects.toMatchObject({
      condition: 'amqp:link:stolen',
    });
  });
});
