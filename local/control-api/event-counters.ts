import type { EventHubs } from '../event-hubs/index.ts';
import { readCheckpoints } from './checkpoints.ts';

/** One partition of an event hub, with the progress of each consumer group. */
export interface PartitionStatus {
  readonly partition: string;
  /** Sequence number of the newest event; -1 if there was no event. */
  readonly last: number;
  readonly consumerGroups: readonly {
    readonly name: string;
    /**
     * Sequence number of the last processed event, from the checkpoint; null before the first.
     */
    readonly checkpoint: number | null;
    readonly unread: number;
  }[];
}

export interface EventStatus {
  readonly eventHub: string;
  /** All events since the partitions were created, deleted ones included. */
  readonly events: number;
  /** Sum over the partitions of the events that the slowest consumer group has not processed yet. */
  readonly unread: number;
  readonly partitions: readonly PartitionStatus[];
}

/** Compares the counters of an event hub with the checkpoints in storage, for these consumer groups. */
export async function eventStatus(
  eventHubs: EventHubs,
  eventHub: string,
  consumerGroups: readonly string[],
  storage: string,
): Promise<EventStatus> {
  // The checkpoints are read before the counters. In the other order, an event that comes between the two reads
  // would be missing from `unread`.
  const checkpoints = await readCheckpoints(storage);
  const partitions = eventHubs.partitions(eventHub).map((partition): PartitionStatus => {
    const { partitionId: id, beginningSequenceNumber, lastSequenceNumber } = partition;
    return {
      partition: id,
      last: lastSequenceNumber,
      consumerGroups: consumerGroups.map((name) => {
        const checkpoint = checkpoints.position(eventHub, name, id);
        const done = checkpoint ?? beginningSequenceNumber - 1;
        return { name, checkpoint: checkpoint ?? null, unread: Math.max(0, lastSequenceNumber - done) };
      }),
    };
  });
  return {
    eventHub,
    events: partitions.reduce((sum, { last }) => sum + last + 1, 0),
    unread: partitions.reduce(
      (sum, { consumerGroups: groups }) =>
        sum + groups.reduce((most, { unread }) => Math.max(most, unread), 0),
      0,
    ),
    partitions,
  };
}
