import type { EventHubs } from '../event-hubs/index.ts';
import { readCheckpoints } from './checkpoints.ts';

/** One partition of an event hub, and how far each consumer group has come in it. */
export interface PartitionStatus {
  readonly partition: string;
  /** Sequence number of the newest event, -1 while there has been none. */
  readonly last: number;
  readonly consumerGroups: readonly {
    readonly name: string;
    /**
     * Sequence number of the last event that has been worked on, by the checkpoint; null before the first.
     */
    readonly checkpoint: number | null;
    readonly unread: number;
  }[];
}

export interface EventStatus {
  readonly eventHub: string;
  /** Events that have ever been appended. */
  readonly events: number;
  /** Events that some consumer group has not worked on yet. */
  readonly unread: number;
  readonly partitions: readonly PartitionStatus[];
}

/** The counters of an event hub against the checkpoints in storage, for these consumer groups. */
export async function eventStatus(
  eventHubs: EventHubs,
  eventHub: string,
  consumerGroups: readonly string[],
  storage: string,
): Promise<EventStatus> {
  // Read before the counters: the other way round, an event that comes in between would look unread before
  // its time.
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
