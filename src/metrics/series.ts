import type { HostName } from '../iot-hub/host-name.ts';
import { type EpochMs, epochMs } from '../time/epoch-ms.ts';
import type { EdgeDeviceStatus } from '../twin/snapshot/edge-device-status.ts';
import type { TwinStatus } from '../twin/snapshot/snapshot.ts';
import { addCounts, type HubCounts, noCounts, SYNC_COUNTS } from './sync-counters.ts';

/*
 * Counts over time: one row for each minute and one for each hour. The statistics of an hour are sums that only grow. A row holds
 * their growth since the last run of `resyncFleet`. Pure.
 */

/** A day of minutes and 90 days of hours are kept. */
export const SERIES_KEPT = { minute: 24 * 60, hour: 90 * 24 } as const;
export const STEP_MS = { minute: 60_000, hour: 3_600_000 } as const;
export type SeriesStep = keyof typeof STEP_MS;

/** The beginning of the minute or hour that a time lies in. */
export function beginningOf(time: EpochMs, step: SeriesStep): EpochMs {
  return epochMs(Math.floor(time / STEP_MS[step]) * STEP_MS[step]);
}

/** What a minute or an hour has of one hub. */
export interface SeriesHub {
  /** As last counted. */
  readonly twins: Readonly<Record<TwinStatus, number>>;
  /** IoT Edge devices by status, as last counted. Undefined: none were counted. */
  readonly edge?: Readonly<Partial<Record<EdgeDeviceStatus, number>>> | undefined;
  /** What sync did in this time. */
  readonly counts: HubCounts;
}

export type SeriesHubs = Readonly<Record<HostName, SeriesHub>>;

/** The statistics of one hour, as far as they have grown. */
export interface HourSums {
  /** Its beginning. */
  readonly hour: EpochMs;
  readonly hubs: Readonly<Record<HostName, HubCounts>>;
}

/**
 * The growth of the statistics since the last run. Each run reads the statistics of its hour and of the hour before. An hour that
 * the last run could not read counts as a whole.
 *
 * @param before what the last run read. Undefined: there was no run in this hour and the hour before. Then all of this hour counts,
 *   if the hour before has no statistics: sync has just begun. Else the growth is unknown, and nothing counts.
 * @param now the hour before, and this hour.
 */
export function growthOf(
  before: readonly HourSums[] | undefined,
  now: readonly HourSums[],
): Readonly<Record<HostName, HubCounts>> {
  if (before === undefined) return Object.keys(now[0]?.hubs ?? {}).length === 0 ? (now[1]?.hubs ?? {}) : {};
  const growth: Record<HostName, HubCounts> = {};
  const oldest = Math.min(...before.map(({ hour }) => hour));
  for (const { hour, hubs } of now) {
    // The last run did not read older hours. They cannot grow any more.
    if (hour < oldest) continue;
    const seen = before.find((each) => each.hour === hour)?.hubs ?? {};
    for (const [host, counts] of Object.entries(hubs) as [HostName, HubCounts][]) {
      const grown = lessCounts(counts, seen[host] ?? noCounts());
      growth[host] = addCounts(growth[host] ?? noCounts(), grown);
    }
  }
  return growth;
}

/** The twins of one hub, as one run has counted them. */
export type CountedHub = Omit<SeriesHub, 'counts'>;

/** A minute or an hour with what one run adds to it. */
export function withRun(
  before: SeriesHubs,
  counted: Readonly<Record<HostName, CountedHub>>,
  growth: Readonly<Record<HostName, HubCounts>>,
): SeriesHubs {
  const hosts = Object.keys(counted) as HostName[];
  return Object.fromEntries(
    hosts.map((host) => {
      const counts = addCounts(before[host]?.counts ?? noCounts(), growth[host] ?? noCounts());
      return [host, { ...counted[host], counts }];
    }),
  ) as SeriesHubs;
}

/** A row that has less than before was deleted in between: all that it has is growth. */
function lessCounts(counts: HubCounts, seen: HubCounts): HubCounts {
  return Object.fromEntries(
    SYNC_COUNTS.map((name) => [name, counts[name] >= seen[name] ? counts[name] - seen[name] : counts[name]]),
  ) as HubCounts;
}
