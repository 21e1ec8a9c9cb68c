import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { EventHubConsumerClient, EventHubProducerClient } from '@azure/event-hubs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import rhea, { type Message } from 'rhea';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { fc } from '../../support/properties.ts';
import { connectRaw, deliver, socketOf } from './raw-client.ts';
import { eventually, readEvents, texts } from './reading.ts';

const READER = 'hub/ConsumerGroups/$Default/Partitions/0';
const AMQP = Buffer.from('AMQP\x00\x01\x00\x00', 'latin1');
const SASL = Buffer.from('AMQP\x03\x01\x00\x00', 'latin1');
const data = (text: string) => ({ body: rhea.message.data_section(Buffer.from(text)) }) as unknown as Message;

/** The first message on the first link. */
const transfer = { handle: 0, delivery_id: 0, delivery_tag: Buffer.from('a'), message_format: 0 };

interface SenderInternals {
  readonly session: { readonly outgoing: { next_delivery_id: number; next_pending_delivery: number } };
}

describe('Event Hubs and clients that break the protocol', () => {
  let eventHubs: EventHubs;
  const warnings: string[] = [];

  beforeAll(async () => {
    eventHubs = await startEventHubs({
      port: 0,
      hubs: [{ name: 'hub', partitionCount: 1, consumerGroups: [] }],
      log: { info() {}, warn: (line) => warnings.push(line), error: (line) => warnings.push(line) },
    });
  });
  afterAll(() => eventHubs.close());

  /** Sends and receives with the official client, beside whatever else is going on. */
  const expectService = async () => {
    const producer = new EventHubProducerClient(eventHubs.connectionString('hub'));
    const consumer = new EventHubConsumerClient('$Default', eventHubs.connectionString('hub'));
    const sequenceNumber = eventHubs.partitions('hub')[0]?.lastSequenceNumber ?? -1;
    await producer.sendBatch([{ body: Buffer.from('still here') }]);
    const [event] = await readEvents(consumer, 1, { partitionId: '0', startPosition: { sequenceNumber } });
    await Promise.all([producer.close(), consumer.close()]);
    expect(texts(event === undefined ? [] : [event])[0]?.slice(0, 100)).toBe('still here');
  };
  const open = async (): Promise<Socket> => {
    const socket = connect(eventHubs.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  test.each<[string, Buffer]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x00])],
    ['zeros', Buffer.alloc(64)],
    ['AMQP 0.9.1', Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')],
    ['a frame of four gigabytes', Buffer.concat([AMQP, Buffer.alloc(16, 0xff)])],
    ['a frame without a performative', Buffer.concat([AMQP, Buffer.from([0, 0, 0, 9, 2, 0, 0, 0, 0x40])])],
    [
      'a frame that begins its body beyond its end',
      Buffer.concat([AMQP, Buffer.from([0, 0, 0, 8, 9, 0, 0, 0])]),
    ],
    [
      'an array of four billion nulls',
      Buffer.concat([
        AMQP,
        Buffer.from([0, 0, 0, 0x19, 2, 0, 0, 0, 0x00, 0x53, 0x10, 0xc0, 0x0c, 0x01]),
        Buffer.from([0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40, 0]),
      ]),
    ],
    [
      'nothing but an unknown SASL mechanism',
      Buffer.concat([SASL, Buffer.from([0, 0, 0, 8, 2, 1, 0, 0]), Buffer.alloc(9)]),
    ],
    [
      'a second open',
      Buffer.concat([
        AMQP,
        frame([0x00, 0x53, 0x10, 0xc0, 4, 1, 0xa1, 1, 0x61]),
        frame([0x00, 0x53, 0x10, 0xc0, 4, 1, 0xa1, 1, 0x61]),
      ]),
    ],
    [
      'frames of ten bytes at most',
      Buffer.concat([AMQP, frame([0x00, 0x53, 0x10, 0xc0, 7, 3, 0xa1, 1, 0x61, 0x40, 0x52, 10])]),
    ],
    [
      'a link without a session',
      Buffer.concat([
        AMQP,
        frame([0x00, 0x53, 0x10, 0xc0, 4, 1, 0xa1, 1, 0x61]),
        frame([0x00, 0x53, 0x12, 0xc0, 3, 3, 0xa1, 0, 0x43]),
      ]),
    ],
  ])('a client that sends %s is disconnected, and other clients are not affected', async (_, bytes) => {
    const socket = await open();
    const before = warnings.length;

    socket.write(bytes);
    await once(socket, 'close');

    expect(warnings.slice(before)).toEqual([expect.stringMatching(/^Event Hubs: disconnected /)]);
    await expectService();
  });

  test('a client that disconnects inside a header, a frame or a message adds no event', async () => {
    for (const bytes of [AMQP.subarray(0, 5), SASL, Buffer.concat([AMQP, Buffer.from([0, 0, 1, 0, 2, 0])])]) {
      const socket = await open();
      socket.write(bytes);
      socket.destroy();
    }
    const before = eventHubs.partitions('hub')[0]?.lastSequenceNumber ?? Number.NaN;
    const client = await connectRaw(eventHubs.port);
    await client.sender('hub');
    writeFrame(client.connection, 'transfer', { ...transfer, more: true }, 'the beginning of a message');
    await eventually(() => socketOf(client.connection).writableLength === 0, 'the beginning was sent');
    client.destroy();

    await expectService();
    expect(eventHubs.partitions('hub')[0]?.lastSequenceNumber).toBe(before + 1);
  });

  test('a client that aborts a message in the middle can continue', async () => {
    const client = await connectRaw(eventHubs.port);
    const sender = await client.sender('hub');
    const before = eventHubs.partitions('hub')[0]?.lastSequenceNumber ?? Number.NaN;
    writeFrame(
      client.connection,
      'transfer',
      { ...transfer, more: true },
      rhea.message.encode(data('given up')),
    );
    writeFrame(client.connection, 'transfer', { handle: 0, aborted: true });
    // The delivery id was used.
    const { outgoing } = (sender as unknown as SenderInternals).session;
    outgoing.next_delivery_id = 1;
    outgoing.next_pending_delivery = 1;

    expect(await deliver(sender, data('after it'))).toEqual({ result: 'accepted' });

    expect(eventHubs.partitions('hub')[0]?.lastSequenceNumber).toBe(before + 1);
    client.destroy();
    await expectService();
  });

  test('a client whose request has an id that cannot be repeated is at most disconnected', async () => {
    const client = await connectRaw(eventHubs.port);
    const replies = await client.receiver('$management', { target: 'replies' });
    replies.link.add_credit(10);
    const sender = await client.sender('$management');
    const read = { operation: 'READ', type: 'com.microsoft:eventhub', name: 'hub' };
    for (const id of [
      1,
      rhea.types.wrap_boolean(true),
      rhea.types.wrap_double(0.5),
      rhea.types.wrap_binary(Buffer.alloc(3)),
    ]) {
      sender.send({
        message_id: id,
        reply_to: 'replies',
        application_properties: read,
      } as unknown as Message);
    }
    await eventually(
      () => replies.messages.length > 0 || socketOf(client.connection).destroyed,
      'it was answered',
    );

    await expectService();
    client.destroy();
  });

  test('absurd credit, dispositions and drains do not block the server', async () => {
    const client = await connectRaw(eventHubs.port);
    const receiver = await client.receiver(READER);
    const flow = {
      incoming_window: 2048,
      next_outgoing_id: 0,
      outgoing_window: 2048,
      next_incoming_id: 0,
      handle: 0,
    };
    writeFrame(client.connection, 'disposition', { role: true, first: 0, last: 0xffff_ffff, settled: true });
    writeFrame(client.connection, 'disposition', { role: false, first: 0, last: 0xffff_ffff, settled: true });
    writeFrame(client.connection, 'flow', {
      ...flow,
      delivery_count: 0xffff_ffff,
      link_credit: 0xffff_ffff,
      drain: true,
    });
    writeFrame(client.connection, 'flow', {
      ...flow,
      delivery_count: 0,
      link_credit: 0,
      drain: true,
      echo: true,
    });
    writeFrame(client.connection, 'flow', { ...flow, drain: true });
    writeFrame(client.connection, 'flow', { ...flow, link_credit: 0xffff_ffff });

    await expectService();

    expect(receiver.link.is_open()).toBe(true);
    client.destroy();
  });

  test('a drain without credit changes nothing', async () => {
    const client = await connectRaw(eventHubs.port);
    const receiver = await client.receiver(READER);
    const window = { incoming_window: 2048, next_outgoing_id: 0, outgoing_window: 2048, next_incoming_id: 0 };
    writeFrame(client.connection, 'flow', { ...window, handle: 0, drain: true });
    // Whatever was sent before has been handled when another link is there.
    await client.sender('hub');

    expect(await receiver.take(2)).toHaveLength(2);
    client.destroy();
  });

  test('a reader that does not read its bytes is not sent more without limit', async () => {
    const body = Buffer.alloc(200_000);
    const lastSequenceNumber = eventHubs.append('hub', { body }).sequenceNumber - 1;
    for (let index = 0; index < 150; index += 1) eventHubs.append('hub', { body });
    const client = await connectRaw(eventHubs.port);
    const receiver = await client.receiver(READER, {
      filter: rhea.types.wrap_described(
        `amqp.annotation.x-opt-sequence-number > '${lastSequenceNumber}'`,
        0x468c00000004,
      ),
    });
    receiver.link.add_credit(1_000);
    socketOf(client.connection).pause();
    await expectService();
    const delivered = () =>
      eventHubs.partitions('hub')[0]?.consumerGroups[0]?.readers[0]?.deliveredSequenceNumber ?? 0;
    expect(delivered() - lastSequenceNumber).toBeLessThan(100);

    socketOf(client.connection).resume();
    await eventually(() => receiver.messages.length >= 151, 'the rest came when it was taken');
    client.destroy();
  });

  test('a conversation with any wrong byte at most ends the connection', async () => {
    // rhea tells the console about some of it.
    const quiet = [jest.spyOn(console, 'error'), jest.spyOn(console, 'warn')].map((spy) =>
      spy.mockReturnValue(),
    );
    const conversation = await recordConversation(eventHubs.port);
    const damage = fc.array(fc.tuple(fc.nat({ max: conversation.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });

    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bytes = Buffer.from(conversation);
        for (const [at, byte] of changes) bytes[at] = byte;
        const socket = await open();
        socket.resume();
        // The end is told by the close of the server's side, which answers ours.
        socket.end(bytes);
        await once(socket, 'close');
      }),
      { numRuns: 300 },
    );
    for (const spy of quiet) spy.mockRestore();

    await expectService();
    expect(eventHubs.partitions('hub')[0]?.consumerGroups[0]?.readers).toEqual([]);
  });
});

/** One frame on channel 0. */
function frame(performative: number[]): Buffer {
  const start = Buffer.alloc(8);
  start.writeUInt32BE(8 + performative.length);
  start.writeUInt8(2, 4);
  return Buffer.concat([start, Buffer.from(performative)]);
}

/** Sends a frame of one's own making on the session that the client opened first. */
function writeFrame(
  connection: unknown,
  kind: string,
  fields: Record<string, unknown>,
  payload: Buffer | string = '',
): void {
  const frames = require('rhea/lib/frames.js');
  const internals = connection as { _write_frame(channel: number, frame: unknown, payload: Buffer): void };
  internals._write_frame(0, frames[kind](fields), Buffer.from(payload));
}

/** What a well-behaved client sends while it opens links, sends two messages and receives one. */
async function recordConversation(port: number): Promise<Buffer> {
  const recorded: Buffer[] = [];
  const proxy = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => recorded.push(chunk));
    socket.pipe(upstream).pipe(socket);
    for (const side of [socket, upstream]) side.on('error', () => {});
    socket.on('close', () => upstream.destroy());
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  const client = await connectRaw(typeof address === 'object' && address !== null ? address.port : 0);
  const sender = await client.sender('hub');
  await deliver(sender, data('one'));
  await deliver(sender, data('two'));
  const receiver = await client.receiver(READER, { properties: { 'com.microsoft:epoch': 1 } });
  await receiver.take(1);
  client.destroy();
  proxy.close();
  return Buffer.concat(recorded);
}
