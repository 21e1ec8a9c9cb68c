import type { HostName } from '../iot-hub/host-name.ts';

/** What happened to the events of a hub, and what it was asked for. */
export const SYNC_COUNTS = [
  /** Events that were merged into a snapshot. */
  'merged',
  /** Events that told nothing new. */
  'replayed',
  /** Events that did not follow what was known, and cost a read. */
  'gaps',
  /** GETs of twins. */
  'reads',
  /** PATCHes of twins. */
  'writes',
  /** Pages of queries. */
  'queries',
  /** Calls that failed, for whatever reason. */
  'failed',
  /** Twins of the audit that were compared with what the hub has. */
  'sampled',
  /** Those of them that were not the same. */
  'mismatched',
  /** How long events waited in the Event Hub, in ms, all of them together. */
  'lagMs',
] as const;

export type SyncCount = (typeof SYNC_COUNTS)[number];
export type HubCounts = Readonly<Record<SyncCount, number>>;

/** Counts since they were last taken. */
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

  /** The counts, which begin at zero again. */
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
