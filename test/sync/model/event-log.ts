import { partitionOfKey } from '../../../local/event-hubs/partition-key.ts';
import { coalesce } from '../../../local/iot-hub/hub/coalesce.ts';
import type { HubEvent } from '../../../local/iot-hub/hub/event-sink.ts';
import type { BatchEvent } from '../../../src/sync/events/batch.ts';
import { parseInstant } from '../../../src/time/instant.ts';
import type { Random } from './random.ts';

/** How often what happens to an event. */
export interface EventFaults {
  readonly duplicate: number;
  readonly replay: number;
  readonly coalesce: number;
  readonly drop: number;
}

export const NO_EVENT_FAULTS: EventFaults = { duplicate: 0, replay: 0, coalesce: 0, drop: 0 };

/** The Event Hub: partitions by device, at least once, in order for each device but for runs that come again. */
export class EventLog {
  readonly partitions: readonly HubEvent[][];
  faults: EventFaults = NO_EVENT_FAULTS;
  /** Whether the routes of the hub let an event through. */
  route: (event: HubEvent) => boolean = () => true;
  dropped = 0;
  readonly #random: Random;
  readonly #read: number[];
  readonly #fresh: (HubEvent | undefined)[] = [];

  constructor(partitions: number, random: Random) {
    this.partitions = Array.from({ length: partitions }, () => []);
    this.#read = Array.from({ length: partitions }, () => 0);
    this.#random = random;
  }

  append(event: HubEvent): void {
    if (!this.route(event)) return;
    const { faults } = this;
    const index = partitionOfKey(event.partitionKey, this.partitions.length);
    const log = this.partitions[index] as HubEvent[];
    if (this.#random.chance(faults.drop)) {
      this.dropped += 1;
      return;
    }
    const last = log.at(-1);
    const isUnread = log.length > (this.#read[index] as number);
    // A hub merges what follows each other, never what it has sent again.
    if (
      last !== undefined &&
      last === this.#fresh[index] &&
      isUnread &&
      this.#random.chance(faults.coalesce)
    ) {
      const merged = areUpdatesOfOne(last, event) ? coalesce(last, event) : undefined;
      if (merged !== undefined) {
        log[log.length - 1] = merged;
        this.#fresh[index] = merged;
        return;
      }
    }
    log.push(event);
    this.#fresh[index] = event;
    if (this.#random.chance(faults.duplicate)) log.push({ ...event });
    if (this.#random.chance(faults.replay)) {
      const own = log.filter(({ partitionKey }) => partitionKey === event.partitionKey);
      log.push(...own.slice(-this.#random.between(1, 5)).map((each) => ({ ...each })));
    }
  }

  /** The next events of a partition from a position on. */
  read(partition: number, from: number, limit: number): readonly BatchEvent[] {
    const log = this.partitions[partition] as HubEvent[];
    const events = log.slice(from, from + limit);
    this.#read[partition] = Math.max(this.#read[partition] as number, from + events.length);
    return events.map(({ body, properties, annotations }, offset) => ({
      body,
      properties,
      systemProperties: annotations,
      partition: String(partition),
      sequenceNumber: from + offset,
      // A hub's events take a moment to arrive.
      enqueuedAt: parseInstant(properties.operationTimestamp) ?? '2026-11-23T12:00:00.000Z',
    }));
  }
}

function areUpdatesOfOne(one: HubEvent, other: HubEvent): boolean {
  return [one, other].every(
    ({ partitionKey, properties }) =>
      partitionKey === one.partitionKey &&
      properties.moduleId === one.properties.moduleId &&
      properties.opType === 'updateTwin',
  );
}
