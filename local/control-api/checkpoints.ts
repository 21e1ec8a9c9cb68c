import { BlobServiceClient } from '@azure/storage-blob';

/** Where the Event Hubs extension and Berth's function host keep how far they have come. */
const CONTAINER = 'azure-webjobs-eventhub';
/**
 * `{namespace}/{event hub}/{consumer group}/checkpoint/{partition}`, all lower case; the data is in the
 * metadata.
 */
const CHECKPOINT = /^[^/]+\/([^/]+)\/([^/]+)\/checkpoint\/([^/]+)$/;

/** Sequence number up to which a consumer group has come in a partition; undefined: it has not begun. */
export interface Checkpoints {
  position(eventHub: string, consumerGroup: string, partition: string): number | undefined;
}

/** Reads all checkpoints of a storage account, whoever wrote them. Empty while there is no container. */
export async function readCheckpoints(connectionString: string): Promise<Checkpoints> {
  const positions = new Map<string, number>();
  // Without keep-alive, so that nothing keeps Azurite from closing.
  const service = BlobServiceClient.fromConnectionString(connectionString, {
    keepAliveOptions: { enable: false },
  });
  try {
    for await (const blob of service.getContainerClient(CONTAINER).listBlobsFlat({ includeMetadata: true })) {
      const [, eventHub, group, partition] = CHECKPOINT.exec(blob.name) ?? [];
      const sequenceNumber = Number(blob.metadata?.sequencenumber);
      if (partition !== undefined && Number.isFinite(sequenceNumber)) {
        positions.set(`${eventHub}/${group}/${partition}`, sequenceNumber);
      }
    }
  } catch (error) {
    if ((error as { readonly statusCode?: unknown } | null)?.statusCode !== 404) throw error;
  }
  return {
    position: (eventHub, group, partition) =>
      positions.get(`${eventHub.toLowerCase()}/${group.toLowerCase()}/${partition}`),
  };
}
