import { rmSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EventHubConsumerClient, EventHubProducerClient } from '@azure/event-hubs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { readEvents, texts } from './reading.ts';

describe('event hubs with a directory', () => {
  let directory: string;
  let eventHubs: EventHubs;
  const start = async (partitionCount = 1) => {
    const hubs = [{ name: 'Hub', partitionCount, consumerGroups: [] }];
    eventHubs = await startEventHubs({ port: 0, directory, hubs });
  };
  const append = (text: string) => eventHubs.append('hub', { body: Buffer.from(text), partitionId: '0' });
  const read = async (count: number, sequenceNumber = -1) => {
    const consumer = new EventHubConsumerClient('$Default', eventHubs.connectionString('hub'));
    const startPosition = { sequenceNumber };
    const events = await readEvents(consumer, count, { partitionId: '0', startPosition });
    await consumer.close();
    return events;
  };

  beforeEach(() => {
    directory = temporaryFolder('event-hubs');
  });
  afterEach(async () => {
    await eventHubs.close();
  });

  test('continue after a restart: events stay readable, and numbers and offsets go on', async () => {
    await start();
    append('one');
    const producer = new EventHubProducerClient(eventHubs.connectionString('hub'));
    await producer.sendBatch([{ body: Buffer.from('two') }, { body: Buffer.from([0, 255]) }], {
      partitionId: '0',
    });
    await producer.close();
    const before = await read(3);
    const [counters] = eventHubs.partitions('hub');
    await eventHubs.close();

    await start();

    expect(eventHubs.partitions('hub')[0]).toMatchObject({
      beginningSequenceNumber: 0,
      lastSequenceNumber: 2,
      lastOffset: counters?.lastOffset,
      lastEnqueuedTime: counters?.lastEnqueuedTime,
    });
    const { sequenceNumber, offset } = append('four');
    expect(sequenceNumber).toBe(3);
    expect(offset).toBeGreaterThan(counters?.lastOffset ?? Number.POSITIVE_INFINITY);
    const after = await read(4);
    expect(after.slice(0, 3).map(places)).toEqual(before.map(places));
    expect(texts(await read(2, 1))).toEqual([Buffer.from([0, 255]).toString('utf8'), 'four']);
  });

  test('lose no accepted event when the process is killed, even with an incomplete last line', async () => {
    await start();
    append('kept');
    // Without a close, and with the beginning of a record that was never finished.
    const killed = eventHubs;
    await appendFile(join(directory, 'hub', '0.jsonl'), '{"sequenceNumber":1,"off');

    await start();

    expect(append('next').sequenceNumber).toBe(1);
    expect(texts(await read(2))).toEqual(['kept', 'next']);
    await killed.close();
  });

  test('can have more partitions after a restart', async () => {
    await start(1);
    append('old');
    await eventHubs.close();

    await start(3);

    expect(eventHubs.partitions('hub').map(({ lastSequenceNumber }) => lastSequenceNumber)).toEqual([
      0, -1, -1,
    ]);
  });

  test('start again at 0 with a new directory, where old checkpoints are beyond the end', async () => {
    await start();
    append('old');
    append('older');
    await eventHubs.close();
    rmSync(directory, { recursive: true });

    await start();

    expect(append('new').sequenceNumber).toBe(0);
    await expect(read(1, 1)).rejects.toMatchObject({ code: 'ArgumentError' });
  });

  test('refuse a log that Berth did not write', async () => {
    await start();
    append('x');
    await eventHubs.close();
    await writeFile(join(directory, 'hub', '0.jsonl'), '{"sequenceNumber":"one"}\n');

    const started = startEventHubs({
      port: 0,
      directory,
      hubs: [{ name: 'hub', partitionCount: 1, consumerGroups: [] }],
    });

    await expect(started).rejects.toMatchObject({
      code: 'BERTH_LOCAL_EVENT_LOG_UNREADABLE',
      message: expect.stringContaining('0.jsonl'),
    });
  });
});

/** What must be the same when an event is read again. */
function places({
  sequenceNumber,
  offset,
  enqueuedTimeUtc,
  body,
}: Awaited<ReturnType<typeof readEvents>>[number]) {
  return { sequenceNumber, offset, enqueuedTimeUtc, body };
}
