import type { HubEvent } from '../local/iot-hub/index.ts';
import { hash } from '../src/json/hash.ts';
import { randomNumbers } from './pumps.ts';

/** Faults of the delivery of events. Each value is a share of the events, from 0 to 1. */
export interface Disturbance {
  /** Events that arrive twice in a row. */
  readonly duplicated?: number;
  /** Events after which up to twenty last events of the partition arrive again. */
  readonly replayed?: number;
  /** Events that do not arrive. For a reader, events that the hub has merged look the same. */
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

/** Delivers the events of a hub to a reader, in order in each partition. All events of a device are in one partition. */
export class EventStream {
  delivered = 0;
  lost = 0;
  /** Empty during the set-up of the fleet. */
  disturbance: Disturbance = {};
  readonly #draw = randomNumbers(2);
  readonly #sent: HubEvent[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly #latest: HubEvent[][] = Array.from({ length: PARTITIONS }, () => []);

  put(event: HubEvent): void {
    this.#sent[hash(event.partitionKey, '') % PARTITIONS]?.push(event);
  }

  /** The new events since the last call, in batches. */
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
