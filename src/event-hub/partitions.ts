import type { EventHubProducerClient } from '@azure/event-hubs';
import { type Environment, twinEvents } from '../settings/settings.ts';

/** The newest event of a partition. */
export interface PartitionEnd {
  /** Its sequence number. `-1`: there was never an event. */
  readonly last: number;
  /** The partition holds no event now. */
  readonly isEmpty: boolean;
}

/** Asks the Event Hub of the settings for its partitions. Undefined: the settings name no Event Hub. */
export async function countPartitions(env: Environment): Promise<number | undefined> {
  return withEventHub(env, async (client) => (await client.getPartitionIds()).length);
}

/** The ends of all partitions, by their ids. Undefined: the settings name no Event Hub. */
export async function partitionEnds(
  env: Environment,
): Promise<ReadonlyMap<string, PartitionEnd> | undefined> {
  return withEventHub(env, async (client) => {
    const ids = await client.getPartitionIds();
    const ends = await Promise.all(
      ids.map(async (id) => {
        const { lastEnqueuedSequenceNumber: last, isEmpty } = await client.getPartitionProperties(id);
        return [id, { last, isEmpty }] as const;
      }),
    );
    return new Map(ends);
  });
}

/** Opens the Event Hub for one piece of work. Its errors are those of the SDK, and may quote a connection string. */
async function withEventHub<Result>(
  env: Environment,
  ask: (client: EventHubProducerClient) => Promise<Result>,
): Promise<Result | undefined> {
  const place = twinEvents(env);
  if (place === undefined) return undefined;
  const { EventHubProducerClient: Client } = await import('@azure/event-hubs');
  const options = { retryOptions: { maxRetries: 1, timeoutInMs: 10_000 } };
  let client: EventHubProducerClient;
  if (place.kind === 'connectionString') {
    client = new Client(place.connectionString, place.name, options);
  } else {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
    const credential =
      place.clientId === undefined
        ? new DefaultAzureCredential()
        : new ManagedIdentityCredential({ clientId: place.clientId });
    client = new Client(place.namespace, place.name, credential, options);
  }
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
}
