import type { EpochMs } from '../../time/epoch-ms.ts';
import { EventCounts } from '../dead-letters/event-counts.ts';
import type { Table } from '../tables/tables.ts';

/** A hub whose events arrive, but which this deployment does not reconcile. */
export interface UnknownHub {
  readonly hubName: string;
  readonly events: number;
  readonly lastAt: string;
}

/** Counts events of unknown hubs, by hub: a hundred hubs, and the others together. */
export class UnknownHubStore {
  readonly #counts: EventCounts<'hubName'>;

  constructor(table: Table) {
    this.#counts = new EventCounts(table, 'unknownHubs', ['hubName']);
  }

  /** Adds to a hub's count. */
  add(hubName: string, events: number, now: EpochMs): Promise<void> {
    return this.#counts.add([{ hubName, events }], { now });
  }

  /** Adds to the counts of several hubs. @param shard the partition of the Event Hub */
  addAll(hubs: ReadonlyMap<string, number>, shard: string, now: EpochMs): Promise<void> {
    const counts = [...hubs].map(([hubName, events]) => ({ hubName, events }));
    return this.#counts.add(counts, { now, shard });
  }

  /** The hubs, those with the most events first. */
  list(): Promise<readonly UnknownHub[]> {
    return this.#counts.list();
  }

  /** Removes hubs whose last event is older than a time, at most 1,000 rows. Returns whether there are more. */
  forget(before: EpochMs): Promise<boolean> {
    return this.#counts.forget(before);
  }
}
