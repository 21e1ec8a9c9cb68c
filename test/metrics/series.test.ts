import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { growthOf, type HourSums, withRun } from '../../src/metrics/series.ts';
import { noCounts } from '../../src/metrics/sync-counters.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';

const WEU = hostName('weu.azure-devices.net');
const HOUR = 3_600_000;
const NO_TWINS = { inSync: 0, pending: 0, drifted: 0, rejected: 0, contested: 0, suspended: 0, unknown: 0 };

/** The statistics of the hour before and of an hour. */
const sums = (hour: number, before: number | undefined, reads: number | undefined): readonly HourSums[] =>
  [before, reads].map((number, index) => ({
    hour: epochMs((hour - 1 + index) * HOUR),
    hubs: number === undefined ? {} : { [WEU]: { ...noCounts(), reads: number } },
  }));

describe('the growth of the statistics between two runs', () => {
  test.each<[string, readonly HourSums[] | undefined, readonly HourSums[], number | undefined]>([
    ['grows with the present hour', sums(5, 7, 10), sums(5, 7, 14), 4],
    ['counts what instances have told of the hour before since then', sums(5, 7, 10), sums(5, 9, 10), 2],
    ['goes over the end of an hour', sums(5, 7, 10), sums(6, 12, 3), 5],
    ['is all of an hour that the last run could not see', sums(5, 7, undefined), sums(6, 4, 2), 6],
    ['leaves out an hour that was over before the last run', sums(6, 5, 1), sums(6, 5, 1), 0],
    ['is what a row has that was gone and is there again', sums(5, undefined, 10), sums(5, undefined, 4), 4],
    ['is the present hour where sync has just begun', undefined, sums(5, undefined, 9), 9],
    ['is not known where there is no last run and sync has run before', undefined, sums(5, 7, 9), undefined],
  ])('%s', (_, before, now, reads) => {
    expect(growthOf(before, now)[WEU]?.reads).toBe(reads);
  });
});

describe('a minute or an hour', () => {
  test('adds up what runs have done, and has the twins of the last run', () => {
    const run = (inSync: number, reads: number) =>
      [
        { [WEU]: { twins: { ...NO_TWINS, inSync }, edge: { running: inSync } } },
        { [WEU]: { ...noCounts(), reads } },
      ] as const;

    const first = withRun({}, ...run(3, 5));
    const second = withRun(first, ...run(4, 6));

    expect(second[WEU]).toEqual({
      twins: { ...NO_TWINS, inSync: 4 },
      edge: { running: 4 },
      counts: { ...noCounts(), reads: 11 },
    });
  });

  test('has no hub that is in the fleet no more', () => {
    const first = withRun({}, { [WEU]: { twins: NO_TWINS } }, {});

    expect(withRun(first, {}, { [WEU]: { ...noCounts(), reads: 1 } })).toEqual({});
  });
});
