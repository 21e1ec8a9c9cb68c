import { expect, test } from '@jest/globals';
import { startEventHubs } from '../../../local/event-hubs/index.ts';
import { partitionOfKey } from '../../../local/event-hubs/partition-key.ts';
import { connectRaw } from './raw-client.ts';

test('a placement key chooses the partition as a key does, and the event does not contain it', async () => {
  const eventHubs = await startEventHubs({
    port: 0,
    hubs: [{ name: 'hub', partitionCount: 4, consumerGroups: [] }],
  });
  for (const deviceId of ['dev-1', 'dev-2', 'dev-3']) {
    const partitionId = String(partitionOfKey(deviceId, 4));
    const keyed = eventHubs.append('hub', { body: Buffer.from('x'), partitionKey: deviceId });
    const placed = eventHubs.append('hub', { body: Buffer.from('x'), placementKey: deviceId });
    expect([keyed.partitionId, placed.partitionId]).toEqual([partitionId, partitionId]);
  }
  const client = await connectRaw(eventHubs.port);
  const partition = partitionOfKey('dev-1', 4);
  const reader = await client.receiver(`hub/ConsumerGroups/$default/Partitions/${partition}`);

  const [keyed, placed] = await reader.take(2);

  expect(keyed?.message_annotations).toMatchObject({ 'x-opt-partition-key': 'dev-1' });
  expect(placed?.message_annotations).not.toHaveProperty('x-opt-partition-key');
  expect(placed?.message_annotations).toHaveProperty('x-opt-sequence-number');
  client.destroy();
  await eventHubs.close();
});
