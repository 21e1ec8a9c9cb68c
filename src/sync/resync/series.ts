import type { HostName } from '../../iot-hub/host-name.ts';
import type { SeriesStore } from '../../store/state/series-store.ts';
import type { SyncStatisticsStore } from '../../store/state/sync-statistics-store.ts';
import { ALL_DEVICES, type TwinCountStore } from '../../store/twins/twin-count-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { unlessNewer } from './sparing.ts';

export interface SeriesSources {
  readonly hosts: readonly HostName[];
  readonly twinCounts: Pick<TwinCountStore, 'read'>;
  readonly statistics: Pick<SyncStatisticsStore, 'byHour'>;
  readonly series: Pick<SeriesStore, 'record'>;
}

/** Records how many twins have each status, and what sync has done since the last run, by hub. */
export async function recordSeries(
  { hosts, twinCounts, statistics, series }: SeriesSources,
  now: EpochMs,
): Promise<void> {
  const [sums, counted] = await Promise.all([statistics.byHour(now), twinCounts.read(hosts)]);
  const known = [...counted].map(([host, { statuses, edge }]) => {
    const devices = edge?.[ALL_DEVICES];
    return [host, { twins: statuses, ...(devices === undefined ? {} : { edge: devices }) }] as const;
  });
  await unlessNewer(undefined, () => series.record({ now, counted: Object.fromEntries(known), sums }));
}
