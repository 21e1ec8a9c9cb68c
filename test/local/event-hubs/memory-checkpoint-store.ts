import type { Checkpoint, CheckpointStore, PartitionOwnership } from '@azure/event-hubs';

/**
 * Keeps who owns which partition, and how far it is read, in memory; optimistic by etag like the real one.
 */
export class MemoryCheckpointStore implements CheckpointStore {
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly #owners = new Map<string, PartitionOwnership>();
  #etag = 0;

  async listOwnership(): Promise<PartitionOwnership[]> {
    return [...this.#owners.values()];
  }

  async claimOwnership(claims: PartitionOwnership[]): Promise<PartitionOwnership[]> {
    const granted: PartitionOwnership[] = [];
    for (const claim of claims) {
      if (this.#owners.get(claim.partitionId)?.etag !== claim.etag) continue;
      this.#etag += 1;
      const ownership = { ...claim, etag: String(this.#etag), lastModifiedTimeInMs: Date.now() };
      this.#owners.set(claim.partitionId, ownership);
      granted.push(ownership);
    }
    return granted;
  }

  async updateCheckpoint(checkpoint: Checkpoint): Promise<void> {
    this.checkpoints.set(checkpoint.partitionId, checkpoint);
  }

  async listCheckpoints(): Promise<Checkpoint[]> {
    return [...this.checkpoints.values()];
  }
}
