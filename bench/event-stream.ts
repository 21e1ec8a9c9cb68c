import type { HubEvent } from '../local/iot-hub/index.ts';
import { hash } from '../src/json/hash.ts';
import { randomNumbers } from './pumps.ts';

/** What an Event Hub does to events on their way, each from 0 to 1 of the events. */
export interface Disturbance {
  /** Comes twice in a row. */
  readonly duplicated?: number;
  /** Is followed by the partition's last events once more, up to twenty of them. */
  readonly replayed?: number;
  /** Does not come: to a reader, events that the hub has merged into one look the same. */
  readonly lost?: number;
}

/** One batch of a partition. */
export interface Batch {
  readonly partition: number;
  readonly events: readonly HubEvent[];
}

const PARTITIONS = 4;
const LONGEST_RUN = 20;
/** `maxEventBatchSize` in host.json. */
const BATCH = 200;

/** The events of a hub on their way to a reader: in order in each partition, by device. */
export class EventStream {
  delivered = 0;
  lost = 0;
  /** None while the fleet is set up. */
  disturbance: Disturbance = {};
  readonly #draw = randomNumbers(2);
  readonly #sent: HubEvent[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly #latest: HubEvent[][] = Array.from({ length: PARTITIONS }, () => []);

  put(event: HubEvent): void {
    this.#sent[hash(event.partitionKey, '') % PARTITIONS]?.push(event);
  }

  /** What has come since, in batches. */
  take(): readonly Batch[] {
    return this.#sent.flatMap((sent, partition) => {
      const events = sent.splice(0).flatMap((event) => this.#delivered(event, this.#latest[partition] ?? []));
      this.delivered += events.length;
      return Array.from({ length: Math.ceil(events.length / BATCH) }, (_, index) => ({
        partition,
        events: events.slice(index * BATCH, (index + 1) * BATCH),
      }));
    });
  }

  #delivered(event: HubEvent, latest: HubEvent[]): readonly HubEvent[] {
    const { duplicated = 0, replayed = 0, lost = 0 } = this.disturbance;
    if (this.#draw() < lost) {
      this.lost += 1;
      return [];
    }
    latest.push(event);
    if (latest.length > LONGEST_RUN) latest.shift();
    if (this.#draw() < replayed) return [event, ...latest.slice(-1 - Math.floor(this.#draw() * LONGEST_RUN))];
    return this.#draw() < duplicated ? [event, event] : [event];
  }
}
