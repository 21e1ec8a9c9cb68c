import { beforeEach, expect, test } from '@jest/globals';
import { NewerFormats } from '../../src/instance/newer-formats.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { T0 } from '../twin/twins.ts';

const MINUTE_MS = 60_000;
const SNAPSHOT = { document: 'snapshot', format: 2, known: 1, of: 'weu.azure-devices.net|pump' };

let time: EpochMs;
let lines: unknown[];
let formats: NewerFormats;
beforeEach(() => {
  time = T0;
  lines = [];
  formats = new NewerFormats({
    now: () => time,
    log: (level, event, facts) => void lines.push([level, event, facts.of, facts.times]),
  });
});

test('lists and logs nothing before a newer format is met', () => {
  expect([formats.list(), lines]).toEqual([[], []]);
});

test('counts each format of each document separately, from the time when it was first met', () => {
  formats.met(SNAPSHOT);
  time = plus(time, 5_000);
  formats.met({ ...SNAPSHOT, of: 'weu.azure-devices.net|other' });
  formats.met({ ...SNAPSHOT, format: 3 });
  formats.met({ document: 'control row', format: 2, known: 1, of: 'the deployment' });

  expect(formats.list()).toEqual([
    { document: 'snapshot', format: 2, known: 1, times: 2, since: T0, lastAt: plus(T0, 5_000) },
    { document: 'snapshot', format: 3, known: 1, times: 1, since: plus(T0, 5_000), lastAt: plus(T0, 5_000) },
    {
      document: 'control row',
      format: 2,
      known: 1,
      times: 1,
      since: plus(T0, 5_000),
      lastAt: plus(T0, 5_000),
    },
  ]);
});

test('logs the first meeting at once, and later ones once a minute with their number', () => {
  formats.met(SNAPSHOT);
  for (let times = 0; times < 10; times += 1) {
    time = plus(time, 20_000);
    formats.met(SNAPSHOT);
  }

  expect(lines).toEqual([
    ['error', 'newerFormat', SNAPSHOT.of, 1],
    ['error', 'newerFormat', SNAPSHOT.of, 3],
    ['error', 'newerFormat', SNAPSHOT.of, 3],
    ['error', 'newerFormat', SNAPSHOT.of, 3],
  ]);
});

test('forgets a format after ten minutes without it, and starts to count again later', () => {
  formats.met(SNAPSHOT);
  time = plus(time, 10 * MINUTE_MS);
  expect(formats.list()).toHaveLength(1);
  time = plus(time, 1);
  expect(formats.list()).toEqual([]);

  formats.met(SNAPSHOT);

  expect(formats.list()).toMatchObject([{ times: 1, since: time }]);
  expect(lines).toHaveLength(2);
});
