import { type AmqpError, stolen, tooManyReaders } from './conditions.ts';

/** Readers without an epoch on one partition of one consumer group (azure-docs, event-hubs-quotas). */
export const MAX_READERS = 5;

/** A client that reads one partition for one consumer group. */
export interface Reader {
  /** What the client calls itself; "nil" when it does not, as in Azure's messages. */
  readonly name: string;
  /** Owner level: the reader wants the partition for itself. */
  readonly epoch: number | undefined;
  /** Sequence number of the event that it is sent next. */
  readonly next: number;
  /** The reader has lost the partition. */
  disconnect(error: AmqpError): void;
}

/**
 * The readers of one partition in one consumer group, and who may be one (azure-docs,
 * event-hubs-event-processor-host, "epoch"; the conditions are as seen in the issues that `conditions.ts`
 * cites): a reader with an epoch throws out all others unless one of them has a higher epoch; a reader
 * without one may come only while nobody has one.
 */
export class Readers {
  readonly #connected = new Set<Reader>();
  #latest: Reader | undefined;

  get connected(): readonly Reader[] {
    return [...this.#connected];
  }

  /** The reader that came last, connected or not: where the consumer group stands. */
  get latest(): Reader | undefined {
    return this.#latest;
  }

  /** Lets the reader in and returns undefined, or says why not. */
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
