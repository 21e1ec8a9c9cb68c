import { EventHubConsumerClient, latestEventPosition } from '@azure/event-hubs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EventHubs, startEventHubs } from '../../../local/event-hubs/index.ts';
import { MAX_READERS } from '../../../local/event-hubs/readers.ts';
import { eventually, readEvents } from './reading.ts';

describe('owner levels (epochs) of the official client', () => {
  let eventHubs: EventHubs;
  const closeAll: (() => Promise<void>)[] = [];

  /** Reads partition 0 without end; says which error ended it. */
  const read = (ownerLevel?: number) => {
    const state: { error?: Error & { code?: string } } = {};
    const client = new EventHubConsumerClient('$Default', eventHubs.connectionString('hub'), {
      retryOptions: { maxRetries: 0 },
    });
    client.subscribe(
      '0',
      {
        async processEvents() {},
        async processError(error) {
          state.error ??= error;
        },
      },
      { startPosition: latestEventPosition, ...(ownerLevel === undefined ? {} : { ownerLevel }) },
    );
    closeAll.push(() => client.close());
    return state;
  };
  const readers = () => eventHubs.partitions('hub')[0]?.consumerGroups[0]?.readers ?? [];
  const connected = (count: number) =>
    eventually(() => readers().length === count, `${count} readers are connected`);
  const ended = async (state: ReturnType<typeof read>) => {
    await eventually(() => state.error !== undefined, 'the reader was told an error');
    return state.error;
  };

  beforeAll(async () => {
    eventHubs = await startEventHubs({
      port: 0,
      hubs: [{ name: 'hub', partitionCount: 1, consumerGroups: ['other'] }],
    });
  });
  afterEach(async () => {
    await Promise.all(closeAll.splice(0).map((close) => close()));
    await connected(0);
  });
  afterAll(() => eventHubs.close());

  test.each([
    ['higher', 1, 2],
    ['equal', 1, 1],
  ])('a reader of a level that is %s takes the partition over', async (_, first, second) => {
    const loser = read(first);
    await connected(1);

    const winner = read(second);

    expect(await ended(loser)).toMatchObject({
      code: 'ReceiverDisconnectedError',
      message: expect.stringContaining(`New receiver`),
    });
    expect(readers().map(({ epoch }) => epoch)).toEqual([second]);
    expect(winner.error).toBeUndefined();
  });

  test('a reader of a lower level is refused', async () => {
    const holder = read(2);
    await connected(1);

    const refused = read(1);

    expect(await ended(refused)).toMatchObject({
      code: 'ReceiverDisconnectedError',
      message: expect.stringContaining("with a higher epoch '2' already exists"),
    });
    expect(holder.error).toBeUndefined();
    expect(readers().map(({ epoch }) => epoch)).toEqual([2]);
  });

  test('a reader without a level is disconnected when a reader with a level connects, and refused afterwards', async () => {
    const sharing = read();
    await connected(1);
    // The client does not send a level of 0 without a checkpoint store.
    read(1);
    expect(await ended(sharing)).toMatchObject({ code: 'ReceiverDisconnectedError' });

    const late = read();

    expect(await ended(late)).toMatchObject({
      code: 'ReceiverDisconnectedError',
      message: expect.stringContaining("created with epoch of '1', and so non-epoch receiver is not allowed"),
    });
  });

  test('a level applies to one consumer group only', async () => {
    read(7);
    await connected(1);
    eventHubs.append('hub', { body: Buffer.from('x') });
    const other = new EventHubConsumerClient('other', eventHubs.connectionString('hub'));
    closeAll.push(() => other.close());

    expect(await readEvents(other, 1, { partitionId: '0' })).toHaveLength(1);
  });

  test('a client that disconnects releases its partition', async () => {
    read(3);
    await connected(1);
    await Promise.all(closeAll.splice(0).map((close) => close()));
    await connected(0);

    const next = read(1);
    await connected(1);

    expect(next.error).toBeUndefined();
  });

  test(`reader ${MAX_READERS + 1} of a partition is refused`, async () => {
    for (let index = 0; index < MAX_READERS; index += 1) read();
    await connected(MAX_READERS);

    expect(await ended(read())).toMatchObject({ code: 'QuotaExceededError' });
  });
});
