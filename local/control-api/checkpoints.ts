/** Container in which the Event Hubs extension and Berth's function host store their checkpoints. */
const CONTAINER = 'azure-webjobs-eventhub';
/**
 * `{namespace}/{event hub}/{consumer group}/checkpoint/{partition}`, all in lower case. The metadata of the blob
 * contains the position.
 */
const CHECKPOINT = /^[^/]+\/([^/]+)\/([^/]+)\/checkpoint\/([^/]+)$/;

/** Sequence number of the last event that a consumer group has processed in a partition; undefined if none. */
export interface Checkpoints {
  position(eventHub: string, consumerGroup: string, partition: string): number | undefined;
}

/** Reads all checkpoints of a storage account. Empty if the container does not exist. */
export async function readCheckpoints(connectionString: string): Promise<Checkpoints> {
  const positions = new Map<string, number>();
  // Loading the package takes a tenth of a second of the processor, which the start of the stack saves.
  const { BlobServiceClient } = await import('@azure/storage-blob');
  // An open keep-alive connection would keep Azurite from closing.
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
