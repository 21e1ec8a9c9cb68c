import { once } from 'node:events';
import { connect } from 'node:net';
import { EventHubConsumerClient, EventHubProducerClient } from '@azure/event-hubs';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type EventHubOptions, type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { connectRaw, socketOf } from './raw-client.ts';
import { eventually, readEvents, texts } from './reading.ts';

const hub: EventHubOptions = { name: 'hub', partitionCount: 1, consumerGroups: [] };

describe('starting and closing event hubs', () => {
  const started: EventHubs[] = [];
  const start = async (options: Partial<Parameters<typeof startEventHubs>[0]> = {}) => {
    const eventHubs = await startEventHubs({ port: 0, hubs: [hub], ...options });
    started.push(eventHubs);
    return eventHubs;
  };

  afterEach(async () => {
    await Promise.all(started.splice(0).map((eventHubs) => eventHubs.close()));
  });

  test('closing leaves no server, socket or timer, even for a client that was disconnected', async () => {
    const resources = () =>
      process
        .getActiveResourcesInfo()
        .filter((type) => ['TCPServerWrap', 'TCPSocketWrap', 'Timeout'].includes(type)).length;
    const before = await settled(resources);
    const eventHubs = await start();
    const client = await connectRaw(eventHubs.port, { idle_time_out: 60_000 });
    const receiver = await client.receiver('hub/ConsumerGroups/$Default/Partitions/0');
    eventHubs.append('hub', { body: Buffer.from('x') });
    await receiver.take(1);
    const other = await connectRaw(eventHubs.port, { idle_time_out: 60_000 });
    socketOf(other.connection).write(Buffer.alloc(64));
    await once(socketOf(other.connection), 'close');

    await eventHubs.close();

    await eventually(() => resources() <= before, 'everything was gone');
  });

  test("the connection string is that of Microsoft's emulator", async () => {
    const eventHubs = await start();

    expect(eventHubs.connectionString('hub')).toBe(
      `Endpoint=sb://localhost:${eventHubs.port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;EntityPath=hub;`,
    );
    expect(eventHubs.connectionString()).not.toContain('EntityPath');
  });

  test('only this machine can reach the port', async () => {
    const eventHubs = await start();
    const socket = connect(eventHubs.port, '127.0.0.1');
    await once(socket, 'connect');

    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  test('a port that is in use is a coded error', async () => {
    const { port } = await start();

    await expect(start({ port })).rejects.toMatchObject({ code: 'BERTH_LOCAL_PORT_TAKEN' });
  });

  test.each<[string, EventHubOptions[]]>([
    ['0 partitions', [{ ...hub, partitionCount: 0 }]],
    ['33 partitions', [{ ...hub, partitionCount: 33 }]],
    ['1.5 partitions', [{ ...hub, partitionCount: 1.5 }]],
    ['"a/b"', [{ ...hub, name: 'a/b' }]],
    ['".."', [{ ...hub, name: '..' }]],
    ['""', [{ ...hub, name: '' }]],
    ['"HUB"', [hub, { ...hub, name: 'HUB' }]],
    ['"x/y"', [{ ...hub, consumerGroups: ['x/y'] }]],
  ])('event hubs with the wrong value %s are refused', async (what, hubs) => {
    await expect(start({ hubs })).rejects.toMatchObject({
      code: 'BERTH_LOCAL_EVENT_HUBS_OPTIONS',
      message: expect.stringContaining(what),
    });
  });

  test('closing ends every connection and frees the port', async () => {
    const eventHubs = await start();
    const client = await connectRaw(eventHubs.port);
    await client.receiver('hub/ConsumerGroups/$Default/Partitions/0');
    const silent = connect(eventHubs.port, '127.0.0.1');
    await once(silent, 'connect');
    const ended = [once(socketOf(client.connection), 'close'), once(silent.resume(), 'close')];

    await eventHubs.close();
    await Promise.all(ended);

    const refused = connect(eventHubs.port, '127.0.0.1');
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(() => eventHubs.append('hub', { body: Buffer.from('x') })).toThrow(
      expect.objectContaining({ code: 'BERTH_LOCAL_EVENT_HUBS_CLOSED' }),
    );
    await eventHubs.close();
  });

  test('closing does not wait for a client that reads nothing', async () => {
    const eventHubs = await start();
    for (let index = 0; index < 200; index += 1) eventHubs.append('hub', { body: Buffer.alloc(300_000) });
    const client = await connectRaw(eventHubs.port);
    const receiver = await client.receiver('hub/ConsumerGroups/$Default/Partitions/0');
    socketOf(client.connection).pause();
    receiver.link.add_credit(1_000);
    const sent = () => eventHubs.partitions('hub')[0]?.consumerGroups[0]?.deliveredSequenceNumber ?? 0;
    await eventually(() => sent() > 5, 'the server had written much');
    expect(await settled(sent)).toBeLessThan(199);

    await eventHubs.close();

    client.destroy();
  });

  test('clients of the official SDK continue by themselves when Event Hubs starts again', async () => {
    const directory = temporaryFolder('event-hubs');
    const first = await start({ directory });
    const { port } = first;
    const options = { retryOptions: { retryDelayInMs: 50 } };
    const producer = new EventHubProducerClient(first.connectionString('hub'), options);
    const consumer = new EventHubConsumerClient('$Default', first.connectionString('hub'), options);
    let seen = 0;
    const all = readEvents(consumer, 3, {
      async onEvents(events) {
        seen += events.length;
      },
    });
    await producer.sendBatch([{ body: Buffer.from('before') }]);
    await eventually(() => seen === 1, 'the first event was read');
    await first.close();

    const second = await start({ port, directory });
    second.append('hub', { body: Buffer.from('from within') });
    await eventually(() => seen === 2, 'the reader came back');
    await producer.sendBatch([{ body: Buffer.from('after') }]);

    expect(texts(await all)).toEqual(['before', 'from within', 'after']);
    await Promise.all([consumer.close(), producer.close()]);
    await second.close();
  });
});

/** The value when it has not changed for a while. */
async function settled(value: () => number): Promise<number> {
  for (let before = value(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = value();
    if (now === before) return now;
    before = now;
  }
}
