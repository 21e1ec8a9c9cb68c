import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type EventHubs, startEventHubs } from '../../local/event-hubs/index.ts';
import { countPartitions, partitionEnds } from '../../src/event-hub/partitions.ts';

let eventHubs: EventHubs;
beforeAll(async () => {
  eventHubs = await startEventHubs({
    port: 0,
    hubs: [
      { name: 'twin-events', partitionCount: 1, consumerGroups: [] },
      { name: 'other', partitionCount: 3, consumerGroups: [] },
    ],
  });
});
afterAll(() => eventHubs.close());

test.each<[string, () => Readonly<Record<string, string>>, number]>([
  ['twin-events by default', () => ({ TWIN_EVENTS: eventHubs.connectionString() }), 1],
  [
    'the one of the setting',
    () => ({ TWIN_EVENTS: eventHubs.connectionString(), TWIN_EVENTS_NAME: 'other' }),
    3,
  ],
  [
    'the one of the connection string, before the one of the setting',
    () => ({ TWIN_EVENTS: eventHubs.connectionString('other'), TWIN_EVENTS_NAME: 'twin-events' }),
    3,
  ],
])('the Event Hub that Berth asks for its partitions is %s', async (_, env, partitions) => {
  expect(await countPartitions(env())).toBe(partitions);
  expect((await partitionEnds(env()))?.size).toBe(partitions);
});

test('nothing is asked where no setting names the Event Hub', async () => {
  expect(await countPartitions({})).toBeUndefined();
});
