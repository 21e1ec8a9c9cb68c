import { describe, expect, test } from '@jest/globals';
import type { Series } from '../../console/api/contract.ts';
import { lastNumber, stacked, timeColumns } from '../../console/charts/series-data.ts';
import { STATUSES } from '../../console/words/statuses.ts';

type HubSeries = Series['hubs'][number];

function hub(
  host: string,
  columns: Partial<Omit<HubSeries, 'twins' | 'host'>>,
  inSync: HubSeries['events'],
): HubSeries {
  const none = inSync.map(() => 0);
  const twins = Object.fromEntries(STATUSES.map((status) => [status, status === 'inSync' ? inSync : none]));
  return {
    host,
    twins: twins as HubSeries['twins'],
    edge: null,
    events: none,
    gaps: none,
    reads: none,
    writes: none,
    failed: none,
    lagMs: inSync.map(() => null),
    ...columns,
  };
}

const SERIES: Series = {
  step: 'minute',
  from: '2026-11-28T20:00:30Z',
  to: '2026-11-28T20:04:10Z',
  at: ['2026-11-28T20:01:00Z', '2026-11-28T20:03:00Z'],
  hubs: [
    hub('a', { events: [10, 0], reads: [1, 0], writes: [2, 3], lagMs: [100, null] }, [5, 6]),
    hub('b', { events: [30, 0], reads: [3, 0], writes: [0, 1], lagMs: [500, null] }, [1, null]),
  ],
};

const NOW = Date.parse('2026-11-28T21:00:00Z');

describe('the series of charts', () => {
  test('times that were not recorded are gaps, and not lines between their neighbours', () => {
    const { at, twins } = timeColumns(SERIES, NOW);

    expect(at.map((time) => new Date(time).toISOString().slice(14, 16))).toEqual(['01', '02', '03', '04']);
    expect(twins.inSync).toEqual([6, null, 6, null]);
    expect(twins.rejected).toEqual([0, null, 0, null]);
  });

  test('hubs are added up: corrections as sums, reads for each event, and lag by the number of events', () => {
    const { corrections, readsPerEvent, lagSeconds } = timeColumns(SERIES, NOW);

    expect(corrections).toEqual([2, null, 4, null]);
    expect(readsPerEvent).toEqual([0.1, null, null, null]);
    expect(lagSeconds).toEqual([0.4, null, null, null]);
  });

  test('a minute that is not over has no sums yet, and its twins are counted', () => {
    const { corrections, twins } = timeColumns(
      { ...SERIES, to: '2026-11-28T20:04:00Z' },
      Date.parse('2026-11-28T20:03:40Z'),
    );

    expect(corrections).toEqual([2, null, null]);
    expect(twins.inSync).toEqual([6, null, 6]);
  });

  test('a series without any record has no last number', () => {
    const { twins } = timeColumns({ ...SERIES, at: [], hubs: [] }, NOW);

    expect(lastNumber(twins.inSync)).toBeUndefined();
    expect(lastNumber([1, 2, null])).toEqual({ value: 2, index: 1 });
  });

  test('stacked columns add up, and stay empty only where all are', () => {
    expect(
      stacked([
        [1, null, null],
        [2, 3, null],
        [4, 0, null],
      ]),
    ).toEqual([
      [1, null, null],
      [3, 3, null],
      [7, 3, null],
    ]);
  });
});
