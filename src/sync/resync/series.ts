import type { HostName } from '../../iot-hub/host-name.ts';
import type { SeriesStore } from '../../store/state/series-store.ts';
import type { SyncStatisticsStore } from '../../store/state/sync-statistics-store.ts';
import { ALL_DEVICES, type TwinStore } from '../../store/twins/twin-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { unlessNewer } from './sparing.ts';

export interface SeriesSources {
  readonly hosts: readonly HostName[];
  readonly twins: Pick<TwinStore, 'counts'>;
  readonly statistics: Pick<SyncStatisticsStore, 'byHour'>;
  readonly series: Pick<SeriesStore, 'record'>;
}

/** Records how many twins have each status, and what sync has done since the last run, by hub. */
export async function recordSeries(
  { hosts, twins, statistics, series }: SeriesSources,
  now: EpochMs,
): Promise<void> {
  const [sums, ...counted] = await Promise.all([
    statistics.byHour(now),
    ...hosts.map((host) => twins.counts(host)),
  ]);
  const known = hosts.flatMap((host, index) => {
    const { statuses, edge } = counted[index] ?? {};
    const devices = edge?.[ALL_DEVICES];
    if (statuses === undefined) return [];
    return [[host, { twins: statuses, ...(devices === undefined ? {} : { edge: devices }) }]];
  });
  await unlessNewer(undefined, () => series.record({ now, counted: Object.fromEntries(known), sums }));
}
