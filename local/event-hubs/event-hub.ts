import { join } from 'node:path';
import { LocalError } from '../errors.ts';
import type { EventHubPolicy } from './access-key.ts';
import type { AppendedPosition, ProducedEvent } from './event.ts';
import { DEFAULT_CONSUMER_GROUP, type EventHubOptions, isDefaultGroup } from './options.ts';
import { Partition, type Retention } from './partition.ts';
import { partitionOfKey } from './partition-key.ts';
import { Readers } from './readers.ts';

/** Counters of one partition, for the control API. */
export interface PartitionCounters {
  readonly partitionId: string;
  /** Of the oldest stored event; if no event is stored, of the next event. */
  readonly beginningSequenceNumber: number;
  /** -1 before the first event. */
  readonly lastSequenceNumber: number;
  readonly lastOffset: number;
  /** Milliseconds since the epoch; 0 before the first event. */
  readonly lastEnqueuedTime: number;
  readonly consumerGroups: readonly ConsumerGroupCounters[];
}

export interface ConsumerGroupCounters {
  readonly name: string;
  /** The connected readers. */
  readonly readers: readonly ReaderCounters[];
  /**
   * Sequence number of the last event that was sent to the latest reader, or the one before its start. Null if there
   * was no reader since the start of this process. Clients prefetch events, so a sent event may not be processed yet.
   */
  readonly deliveredSequenceNumber: number | null;
  /** Stored events after `deliveredSequenceNumber`; all stored events if it is null. */
  readonly unread: number;
}

export interface ReaderCounters {
  readonly name: string;
  /** Owner level; null for a reader that shares the partition with others. */
  readonly epoch: number | null;
  readonly deliveredSequenceNumber: number;
}

/** One event hub: its partitions, and their readers in each consumer group. */
export class EventHub {
  readonly name: string;
  readonly partitions: readonly Partition[];
  /** Its policies, besides the one of the namespace. */
  readonly policies: readonly EventHubPolicy[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The readers of each partition, by the name of the consumer group in lower case. */
  readonly #groups: ReadonlyMap<string, { readonly name: string; readonly readers: readonly Readers[] }>;
  #nextPartition = 0;

  /**
   * @throws LocalError `BERTH_LOCAL_EVENT_LOG_UNREADABLE` if the journal of a partition is damaged,
   *   `BERTH_LOCAL_STATE_UNUSABLE`
   */
  constructor(
    options: EventHubOptions,
    directory: string | undefined,
    retention: Retention,
    now: () => number,
  ) {
    this.name = options.name;
    this.policies = options.policies ?? [];
    this.createdAt = now();
    const ids = Array.from({ length: options.partitionCount }, (_, index) => String(index));
    this.partitions = ids.map((id) => openPartition(options.name, id, directory, retention, now));
    const groups = [
      DEFAULT_CONSUMER_GROUP,
      ...options.consumerGroups.filter((name) => !isDefaultGroup(name)),
    ];
    this.#groups = new Map(
      groups.map((name) => [name.toLowerCase(), { name, readers: ids.map(() => new Readers()) }]),
    );
  }

  partition(id: string): Partition | undefined {
    return this.partitions.find((partition) => partition.id === id);
  }

  /** Names of consumer groups are not case-sensitive. Undefined for an unknown group. */
  readers(consumerGroup: string, partition: Partition): Readers | undefined {
    return this.#groups.get(consumerGroup.toLowerCase())?.readers[this.partitions.indexOf(partition)];
  }

  /**
   * Appends the events of one message or batch to one partition: the given one, or the one of their key. Without both,
   * the partitions are used one after the other.
   */
  append(events: readonly ProducedEvent[], partition?: Partition): readonly AppendedPosition[] {
    return (partition ?? this.#choose(events[0]?.partitionKey))?.append(events) ?? [];
  }

  counters(): PartitionCounters[] {
    return this.partitions.map((partition, index) => ({
      partitionId: partition.id,
      beginningSequenceNumber: partition.beginning,
      lastSequenceNumber: partition.last.sequenceNumber,
      lastOffset: partition.last.offset,
      lastEnqueuedTime: partition.last.enqueuedTime,
      consumerGroups: [...this.#groups.values()].map(({ name, readers }) =>
        groupCounters(name, readers[index], partition),
      ),
    }));
  }

  close(): void {
    for (const partition of this.partitions) partition.close();
  }

  /** The partition of a key, as Azure chooses it. */
  partitionOfKey(key: string): Partition | undefined {
    return this.partitions[partitionOfKey(key, this.partitions.length)];
  }

  #choose(partitionKey: string | undefined): Partition | undefined {
    const count = this.partitions.length;
    if (partitionKey !== undefined) return this.partitionOfKey(partitionKey);
    this.#nextPartition = (this.#nextPartition + 1) % count;
    return this.partitions[this.#nextPartition];
  }
}

function groupCounters(
  name: string,
  readers: Readers | undefined,
  partition: Partition,
): ConsumerGroupCounters {
  const next = readers?.latest?.next;
  return {
    name,
    readers: (readers?.connected ?? []).map((reader) => ({
      name: reader.name,
      epoch: reader.epoch ?? null,
      deliveredSequenceNumber: reader.next - 1,
    })),
    deliveredSequenceNumber: next === undefined ? null : next - 1,
    unread: partition.last.sequenceNumber + 1 - Math.max(next ?? 0, partition.beginning),
  };
}

function openPartition(
  hub: string,
  id: string,
  directory: string | undefined,
  retention: Retention,
  now: () => number,
): Partition {
  const file = directory === undefined ? undefined : join(directory, hub.toLowerCase(), `${id}.jsonl`);
  try {
    return new Partition(id, file, retention, now);
  } catch (error) {
    if (!(error instanceof LocalError) || error.code !== 'BERTH_LOCAL_STATE_DAMAGED') throw error;
    throw new LocalError(
      'BERTH_LOCAL_EVENT_LOG_UNREADABLE',
      `The stored events of partition ${id} of the event hub "${hub}" cannot be read. ${error.message}`,
      { cause: error },
    );
  }
}
