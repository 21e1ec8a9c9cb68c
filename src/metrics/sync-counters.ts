import type { HostName } from '../iot-hub/host-name.ts';

/** What sync counts for each hub: events and calls. */
export const SYNC_COUNTS = [
  /** Events that were merged into a snapshot. */
  'merged',
  /** Events that were applied before. */
  'replayed',
  /** Events that do not follow the snapshot; each costs a read. */
  'gaps',
  /** GETs of twins. */
  'reads',
  /** PATCHes of twins. */
  'writes',
  /** Pages of queries. */
  'queries',
  /** Calls that failed, for any reason. */
  'failed',
  /** Twins that the audit compared in full with the hub's. */
  'sampled',
  /** Compared twins that differed. */
  'mismatched',
  /** How long events waited in the Event Hub, in ms, all of them together. */
  'lagMs',
] as const;

export type SyncCount = (typeof SYNC_COUNTS)[number];
export type HubCounts = Readonly<Record<SyncCount, number>>;

/** Counts since the last `take`. */
export class SyncCounters {
  #hubs = new Map<HostName, Record<SyncCount, number>>();

  add(host: HostName, count: SyncCount, number = 1): void {
    let counts = this.#hubs.get(host);
    if (counts === undefined) {
      counts = noCounts();
      this.#hubs.set(host, counts);
    }
    counts[count] += number;
  }

  /** Returns the counts and starts again from zero. */
  take(): ReadonlyMap<HostName, HubCounts> {
    const taken = this.#hubs;
    this.#hubs = new Map();
    return taken;
  }
}

export function noCounts(): Record<SyncCount, number> {
  return Object.fromEntries(SYNC_COUNTS.map((name) => [name, 0])) as Record<SyncCount, number>;
}

export function addCounts(one: HubCounts, other: HubCounts): HubCounts {
  return Object.fromEntries(SYNC_COUNTS.map((name) => [name, one[name] + other[name]])) as HubCounts;
}
