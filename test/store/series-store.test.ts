import { beforeAll, describe, expect, test } from '@jest/globals';

import type { HourSums } from '../../src/metrics/series.ts';
import { noCounts } from '../../src/metrics/sync-counters.ts';
import { SeriesStore } from '../../src/store/state/series-store.ts';
import { SyncStatisticsStore } from '../../src/store/state/sync-statistics-store.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { storageAccount } from '../support/storage-account.ts';
import { ID } from '../twin/twins.ts';

const { host: HOST } = ID;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = epochMs(Date.parse('2026-11-23T12:00:00Z'));
const TWINS = { inSync: 3, pending: 0, drifted: 1, rejected: 0, contested: 0, suspended: 0, unknown: 0 };

let tables: Tables;
beforeAll(async () => {
  tables = openTables({ kind: 'connectionString', connectionString: await storageAccount() });
});

/** A store of its own rows: another run of the same test must not meet them. */
const emptyStore = async (): Promise<SeriesStore> => {
  for (const { rowKey } of await tables.state.list({ partitionKey: 'series', select: [] }))
    await tables.state.delete('series', rowKey);
  return new SeriesStore(tables.state);
};
const sumsAt = (now: EpochMs, reads: number): readonly HourSums[] => {
  const hour = epochMs(Math.floor(now / HOUR) * HOUR);
  return [
    { hour: plus(hour, -HOUR), hubs: {} },
    { hour, hubs: { [HOST]: { ...noCounts(), reads } } },
  ];
};
const record = (store: SeriesStore, time: number, reads: number) => {
  const now = epochMs(time);
  return store.record({
    now,
    counted: { [HOST]: { twins: TWINS, edge: { running: 2, offline: 1 } } },
    sums: sumsAt(now, reads),
  });
};
const rowKeys = async () =>
  (await tables.state.list({ partitionKey: 'series', select: [] })).map(({ rowKey }) => rowKey);

describe('the rows of series', () => {
  test('are one for each minute and one for each hour, which add up the runs of their time', async () => {
    const store = await emptyStore();
    await record(store, NOON, 2);
    await record(store, NOON + 20_000, 5);
    await record(store, NOON + MINUTE, 9);

    const readsOf = (points: Awaited<ReturnType<SeriesStore['list']>>) =>
      points.map(({ at, hubs }) => [at, hubs[HOST]?.counts.reads]);
    expect(readsOf(await store.list('minute', epochMs(NOON), epochMs(NOON + HOUR)))).toEqual([
      [NOON, 5],
      [NOON + MINUTE, 4],
    ]);
    expect(readsOf(await store.list('hour', epochMs(NOON), epochMs(NOON + HOUR)))).toEqual([[NOON, 9]]);
    expect(await rowKeys()).toEqual(['h|2026-11-23T12:00', 'm|2026-11-23T12:00', 'm|2026-11-23T12:01']);
  });

  test('are listed from the minute of a time on, up to another one that is not included', async () => {
    const store = await emptyStore();
    for (const minute of [0, 1, 2, 3]) await record(store, NOON + minute * MINUTE, minute);

    const points = await store.list('minute', epochMs(NOON + MINUTE + 30_000), epochMs(NOON + 3 * MINUTE));

    expect(points.map(({ at }) => at)).toEqual([NOON + MINUTE, NOON + 2 * MINUTE]);
  });

  test('go when they are older than a day of minutes and 90 days of hours', async () => {
    const store = await emptyStore();
    await record(store, NOON - 91 * DAY, 1);
    await record(store, NOON - DAY - MINUTE, 1);
    await record(store, NOON - DAY, 1);
    await record(store, NOON, 1);

    expect(await rowKeys()).toEqual([
      'h|2026-11-22T11:00',
      'h|2026-11-22T12:00',
      'h|2026-11-23T12:00',
      'm|2026-11-22T12:00',
      'm|2026-11-23T12:00',
    ]);
  });

  test('of a newer package are refused, kept and left out of lists', async () => {
    const store = await emptyStore();
    await record(store, NOON, 1);
    await tables.state.put('series', 'm|2026-11-23T12:01', { format: 3 });

    await expect(record(store, NOON + MINUTE, 3)).rejects.toMatchObject({ code: 'BERTH_FORMAT_NEWER' });

    expect((await store.list('minute', epochMs(NOON), epochMs(NOON + HOUR))).map(({ at }) => at)).toEqual([
      NOON,
    ]);
    expect((await tables.state.get('series', 'm|2026-11-23T12:01'))?.properties.format).toBe(3);
  });

  test('that are damaged are replaced', async () => {
    const store = await emptyStore();
    await tables.state.put('series', 'h|2026-11-23T12:00', { format: 1, doc0: new Uint8Array([1]) });

    await record(store, NOON, 7);

    expect((await store.list('hour', epochMs(NOON), epochMs(NOON + HOUR)))[0]?.hubs[HOST]?.counts.reads).toBe(
      7,
    );
  });
});

test('statistics of an hour take milliseconds beyond the numbers of 32 bits, and are listed by hour', async () => {
  const statistics = new SyncStatisticsStore(tables.state);
  const lagMs = 5_000_000_000;
  await statistics.add(HOST, { ...noCounts(), merged: 1, lagMs }, NOON);
  await statistics.add(HOST, { ...noCounts(), lagMs }, NOON);
  await statistics.add(HOST, { ...noCounts(), merged: 3 }, plus(NOON, -HOUR));

  expect(await statistics.byHour(NOON)).toEqual([
    { hour: NOON - HOUR, hubs: { [HOST]: { ...noCounts(), merged: 3 } } },
    { hour: NOON, hubs: { [HOST]: { ...noCounts(), merged: 1, lagMs: 2 * lagMs } } },
  ]);
});
