import type { CheckpointStore, EventHubConsumerClient } from '@azure/event-hubs';
import type { ContainerClient } from '@azure/storage-blob';
import { SettingProblem } from '../settings.ts';
import type { EventHubSource } from './source.ts';

/**
 * Container in which the Event Hubs extension stores ownership and checkpoints: azure-sdk-for-net
 * `EventHubOptions.LeaseContainerName`.
 */
const CONTAINER = 'azure-webjobs-eventhub';

/**
 * The partitions of a killed host are free only after its ownership expires. Azure waits a minute or two. On one
 * machine a restart takes seconds, so this time is shorter here.
 */
const OWNERSHIP_EXPIRES_MS = 10_000;
/** Each time, the client lists the ownerships and writes one blob for each partition. Shorter than the time after which a reader is lost. */
const LOAD_BALANCING_INTERVAL_MS = 2_000;

/** Few retries, because the caller tries again. */
const AMQP_RETRIES = { maxRetries: 2, retryDelayInMs: 500, timeoutInMs: 10_000 };
const STORAGE_RETRIES = {
  maxTries: 2,
  retryDelayInMs: 200,
  maxRetryDelayInMs: 1_000,
  tryTimeoutInMs: 10_000,
};

/** A consumer that has not connected yet, and the container that it needs. */
export interface Consumer {
  readonly client: EventHubConsumerClient;
  readonly checkpoints: ContainerClient;
}

/**
 * Creates a consumer of `source` that shares partitions and checkpoints through the storage account. It loads the
 * SDKs on the first call, so that an app without events does not wait for them.
 *
 * @param onReached Called about every two seconds, after the consumer has reached both Event Hubs and the storage.
 * @throws SettingProblem if a connection string is not valid. The message does not quote it.
 */
export async function openConsumer(
  source: EventHubSource,
  storage: string,
  onReached: () => void,
): Promise<Consumer> {
  const [{ EventHubConsumerClient }, { BlobServiceClient }, { BlobCheckpointStore }] = await Promise.all([
    import('@azure/event-hubs'),
    import('@azure/storage-blob'),
    import('@azure/eventhubs-checkpointstore-blob'),
  ]);
  const checkpoints = readable('AzureWebJobsStorage', () =>
    BlobServiceClient.fromConnectionString(storage, { retryOptions: STORAGE_RETRIES }),
  ).getContainerClient(CONTAINER);
  const store = new BlobCheckpointStore(checkpoints);
  const { consumerGroup, connectionString, eventHubName } = source;
  const options = {
    retryOptions: AMQP_RETRIES,
    loadBalancingOptions: {
      strategy: 'greedy',
      updateIntervalInMs: LOAD_BALANCING_INTERVAL_MS,
      partitionOwnershipExpirationIntervalInMs: OWNERSHIP_EXPIRES_MS,
    },
  } as const;
  const client = readable(
    'its connection',
    () =>
      new EventHubConsumerClient(
        consumerGroup,
        connectionString,
        eventHubName,
        watched(store, onReached),
        options,
      ),
  );
  return { client, checkpoints };
}

/** Calls `onReached` after each list of ownerships: the client reads the partitions from Event Hubs before it. */
function watched(store: CheckpointStore, onReached: () => void): CheckpointStore {
  return {
    claimOwnership: (...args) => store.claimOwnership(...args),
    listCheckpoints: (...args) => store.listCheckpoints(...args),
    updateCheckpoint: (...args) => store.updateCheckpoint(...args),
    async listOwnership(...args) {
      const ownerships = await store.listOwnership(...args);
      onReached();
      return ownerships;
    },
  };
}

/** The SDKs quote the whole connection string in some of their errors. */
function readable<Client>(setting: string, open: () => Client): Client {
  try {
    return open();
  } catch {
    throw new SettingProblem(`the connection string in ${setting} is not valid`);
  }
}
