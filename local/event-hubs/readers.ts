import type { AmqpError } from '../amqp/index.ts';
import { stolen, tooManyReaders } from './conditions.ts';

/** Readers without an epoch on one partition of one consumer group (azure-docs, event-hubs-quotas). */
export const MAX_READERS = 5;

/** A client that reads one partition for one consumer group. */
export interface Reader {
  /** Name that the client gives; "nil" if it gives none, as in Azure's messages. */
  readonly name: string;
  /** Owner level; undefined if the reader shares the partition. */
  readonly epoch: number | undefined;
  /** Sequence number of the next event for this reader. */
  readonly next: number;
  /** Ends the reader, because another one has taken the partition. */
  disconnect(error: AmqpError): void;
}

/**
 * The readers of one partition in one consumer group. A reader with an epoch disconnects all others, unless one of
 * them has a higher epoch. A reader without an epoch is refused while a reader with an epoch is connected.
 * Sources: azure-docs, event-hubs-event-processor-host, "epoch", and the issues in `conditions.ts`.
 */
export class Readers {
  readonly #connected = new Set<Reader>();
  #latest: Reader | undefined;

  get connected(): readonly Reader[] {
    return [...this.#connected];
  }

  /** The latest reader, connected or not. Its position is the progress of the consumer group. */
  get latest(): Reader | undefined {
    return this.#latest;
  }

  /** Adds the reader and returns undefined, or returns the reason of the refusal. */
  admit(reader: Reader): AmqpError | undefined {
    const holder = this.#highest();
    const { epoch } = reader;
    if (epoch === undefined) {
      if (holder !== undefined) return stolen.byHolder(holder);
      if (this.#connected.size >= MAX_READERS) return tooManyReaders(this.connected, MAX_READERS);
    } else {
      if (holder !== undefined && holder.epoch > epoch)
        return stolen.byHigherEpoch(reader.name, epoch, holder);
      for (const other of this.#connected) {
        this.#connected.delete(other);
        other.disconnect(stolen.byNewcomer(other, reader.name, epoch));
      }
    }
    this.#connected.add(reader);
    this.#latest = reader;
    return undefined;
  }

  remove(reader: Reader): void {
    this.#connected.delete(reader);
  }

  #highest(): { name: string; epoch: number } | undefined {
    let highest: { name: string; epoch: number } | undefined;
    for (const { name, epoch } of this.#connected) {
      if (epoch !== undefined && epoch >= (highest?.epoch ?? epoch)) highest = { name, epoch };
    }
    return highest;
  }
}
