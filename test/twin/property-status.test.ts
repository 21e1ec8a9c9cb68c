import { describe, expect, test } from '@jest/globals';
import type { JsonValue } from '../../src/json/json.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { reportAt } from '../../src/twin/answers/acknowledgement.ts';
import { type LeafFacts, leafStatus, type PropertyStatus } from '../../src/twin/plan/property-status.ts';
import { NO_HISTORY, type PathHistory, type WriteRecord } from '../../src/twin/snapshot/snapshot.ts';
import { at, T0 } from './twins.ts';

const POLICY: LeafFacts['policy'] = {
  name: 'policy',
  hash: 'p',
  mode: 'enforce',
  tolerance: 0,
  cooldownMs: 60_000,
  attempts: 3,
  deadlineMs: 3_600_000,
  confirm: true,
  acknowledgement: 'pnp',
};
const NOW = plus(T0, 600_000);
const wrote = (seconds: number, count = 1, value: JsonValue = 60): WriteRecord => ({
  policy: 'p',
  by: 'policy',
  value,
  at: at(seconds),
  count,
});

interface Row {
  readonly wanted?: JsonValue;
  readonly desired?: JsonValue | undefined;
  readonly report?: JsonValue;
  readonly history?: Partial<PathHistory>;
  readonly policy?: Partial<LeafFacts['policy']>;
  readonly compare?: LeafFacts['compare'];
  readonly desiredVersion?: number;
  readonly life?: Partial<LeafFacts['life']>;
  readonly now?: EpochMs;
}

function statusOf({ wanted = 60, history, policy, desiredVersion = 4, now = NOW, life, ...row }: Row) {
  const facts: LeafFacts = {
    policy: { ...POLICY, ...policy },
    wanted,
    desired: 'desired' in row ? row.desired : wanted === null ? undefined : wanted,
    report: row.report === undefined ? undefined : reportAt({ it: row.report }, ['it']),
    compare: row.compare ?? 'exact',
    history: { ...NO_HISTORY, ours: 4, before: 'something else', ...history },
    desiredVersion,
    life: { lifeAt: undefined, activity: undefined, ...life },
    fight: { writes: 3, withinMs: 600_000, pauseMs: 3_600_000 },
    now,
  };
  return leafStatus(facts);
}

type Expected = PropertyStatus | `${PropertyStatus}, write` | `${PropertyStatus}, again in ${number} s`;
const rows: readonly (readonly [string, Row, Expected])[] = [
  // what desired says
  ['desired is absent', { desired: undefined }, 'drifted, write'],
  ['desired has another value', { desired: 5 }, 'drifted, write'],
  ['desired has another type', { desired: '60' }, 'drifted, write'],
  ['desired has the same number in another form', { wanted: 1, desired: 1.0, report: 1 }, 'inSync'],
  [
    'desired is within the tolerance of the value, because the tolerance is only for reports',
    { desired: 60.4, policy: { tolerance: 0.5 } },
    'drifted, write',
  ],
  ['the property must be absent and is absent', { wanted: null }, 'inSync'],
  ['the property must be absent and is present', { wanted: null, desired: 5 }, 'drifted, write'],
  // no report
  ['the device has reported nothing', {}, 'pending'],
  ['the device has reported nothing and needs to report nothing', { policy: { confirm: false } }, 'inSync'],
  // plain echoes
  ['the device echoes the value', { report: 60 }, 'inSync'],
  [
    'the device echoes an array',
    { wanted: [1, { a: 2 }], desired: [1, { a: 2 }], report: [1, { a: 2 }] },
    'inSync',
  ],
  ['the device echoes a number within the tolerance', { report: 60.4, policy: { tolerance: 0.5 } }, 'inSync'],
  [
    'the device echoes a number beyond the tolerance',
    { report: 60.6, policy: { tolerance: 0.5 } },
    'pending',
  ],
  [
    'the device still echoes its value from before the write',
    { report: 5, history: { writes: [wrote(500)], oursAt: at(500), reportedAt: at(400) } },
    'pending',
  ],
  [
    'the device echoes another value without a write',
    { report: 5, history: { reportedAt: at(400) } },
    'pending',
  ],
  [
    'the device echoes another value after the write',
    { report: 5, history: { writes: [wrote(400)], oursAt: at(400), reportedAt: at(450) } },
    'pending, write',
  ],
  [
    'the device echoes another value within the cooldown',
    { report: 5, history: { writes: [wrote(590)], oursAt: at(590), reportedAt: at(595) } },
    'pending, again in 50 s',
  ],
  [
    'the device echoes another value after the last attempt',
    { report: 5, history: { writes: [wrote(400, 3)], oursAt: at(400), reportedAt: at(450) } },
    'rejected',
  ],
  // acknowledgements
  ['ac 200 with the value and Berth’s version', { report: { value: 60, ac: 200, av: 4 } }, 'inSync'],
  [
    'ac 200 with the value and a later version',
    { report: { value: 60, ac: 200, av: 6 }, desiredVersion: 7 },
    'inSync',
  ],
  ['ac 200 with the value and no version', { report: { value: 60, ac: 200 } }, 'inSync'],
  [
    'ac 200 with the value and an old version, because a portal edit only raises versions',
    { report: { value: 60, ac: 200, av: 2 } },
    'inSync',
  ],
  [
    'ac 203 with the value that the device has set itself',
    { report: { value: 60, ac: 203, av: 0 } },
    'inSync',
  ],
  ['ac 203 with another value at the first start', { report: { value: 20, ac: 203, av: 0 } }, 'pending'],
  ['ac 200 with another value and an old version', { report: { value: 5, ac: 200, av: 3 } }, 'pending'],
  ['ac 200 with another value and Berth’s version', { report: { value: 5, ac: 200, av: 4 } }, 'rejected'],
  ['ac 200 with a version that the twin never had', { report: { value: 5, ac: 200, av: 9 } }, 'pending'],
  [
    'ac 202, which means in progress',
    { report: { value: 5, ac: 202, av: 4 }, history: { changedAt: at(590) } },
    'pending, again in 3590 s',
  ],
  [
    'ac 202 with the value, which still means in progress',
    { report: { value: 60, ac: 202, av: 4 }, history: { changedAt: at(600) } },
    'pending, again in 3600 s',
  ],
  [
    'ac 202 after the deadline',
    {
      report: { value: 5, ac: 202, av: 4 },
      history: { changedAt: at(0), reportedAt: at(3_599) },
      now: plus(T0, 3_600_000),
    },
    'rejected',
  ],
  ['ac 400 with Berth’s version', { report: { value: 5, ac: 400, av: 4, ad: 'too slow' } }, 'rejected'],
  [
    'ac 400 without a version, newer than the write',
    { report: { value: 5, ac: 400 }, history: { oursAt: at(400), reportedAt: at(410) } },
    'rejected',
  ],
  [
    'ac 400 with an old version, which is about an earlier value',
    { report: { value: 5, ac: 400, av: 3 } },
    'pending',
  ],
  ['ac 400 with the wanted value', { report: { value: 60, ac: 400, av: 4 } }, 'rejected'],
  ['ac 500 without a write by Berth', { report: { value: 5, ac: 500, av: 4 } }, 'pending, write'],
  [
    'ac 500 within the cooldown',
    { report: { value: 5, ac: 500, av: 4 }, history: { writes: [wrote(570)] } },
    'pending, again in 30 s',
  ],
  [
    'ac 500 after the cooldown',
    { report: { value: 5, ac: 500, av: 4 }, history: { writes: [wrote(500)] } },
    'pending, write',
  ],
  [
    'ac 500 after the second attempt, within twice the cooldown',
    { report: { value: 5, ac: 500, av: 4 }, history: { writes: [wrote(500, 2)] } },
    'pending, again in 20 s',
  ],
  [
    'ac 500 after the last attempt',
    { report: { value: 5, ac: 500, av: 4 }, history: { writes: [wrote(500, 3)] } },
    'rejected',
  ],
  ['an unknown code', { report: { value: 5, ac: 301, av: 4 } }, 'pending'],
  // rejected before
  [
    'this value was rejected',
    { report: 5, history: { rejected: [{ policy: 'p', value: 60, why: 'no' }] } },
    'rejected',
  ],
  [
    'this value was rejected, and another writer changed desired',
    { desired: 5, history: { rejected: [{ policy: 'p', value: 60, why: 'no' }] } },
    'rejected',
  ],
  [
    'another value was rejected',
    { desired: 5, history: { rejected: [{ policy: 'p', value: 61, why: 'no' }] } },
    'drifted, write',
  ],
  [
    'another policy’s value was rejected',
    { desired: 5, history: { rejected: [{ policy: 'q', value: 60, why: 'no' }] } },
    'drifted, write',
  ],
  [
    'this value was rejected, and the device reports it now',
    { report: 60, history: { rejected: [{ policy: 'p', value: 60, why: 'no' }] } },
    'inSync',
  ],
  // cooldown and fights
  [
    'desired differs within the cooldown',
    { desired: 5, history: { writes: [wrote(580)] } },
    'drifted, again in 40 s',
  ],
  [
    'desired differs within the cooldown of another value',
    { desired: 5, history: { writes: [wrote(580, 1, 7)] } },
    'drifted, write',
  ],
  [
    'other writers changed the value three times in ten minutes',
    { desired: 5, history: { foreign: [at(590), at(400), at(10)] } },
    'drifted, write',
  ],
  [
    'other writers changed the value four times in ten minutes',
    { desired: 5, history: { foreign: [at(590), at(400), at(300), at(10)] } },
    'contested, again in 3590 s',
  ],
  [
    'other writers changed the value four times long ago',
    { desired: 5, history: { foreign: [at(-10), at(-20), at(-30), at(-40)] } },
    'drifted, write',
  ],
  [
    'the property is still contested',
    { desired: 5, history: { contestedUntil: plus(T0, 700_000) } },
    'contested, again in 100 s',
  ],
  [
    'the pause of a contested property is over',
    {
      desired: 5,
      history: { contestedUntil: plus(T0, 500_000), foreign: [at(590), at(400), at(300), at(10)] },
    },
    'drifted, write',
  ],
  [
    'other writers changed the value back to the wanted one',
    { report: 60, history: { foreign: [at(590), at(400), at(300), at(10)] } },
    'inSync',
  ],
];

describe('the status of one owned property', () => {
  test.each(rows)('is right in this case: %s', (_, row, expected) => {
    const { status, write, nextAt } = statusOf(row);
    const now = row.now ?? NOW;

    const said = write
      ? `${status}, write`
      : nextAt === undefined
        ? status
        : `${status}, again in ${(nextAt - now) / 1_000} s`;
    expect(said).toBe(expected);
  });

  test('a rejection is stored with its policy, value and reason', () => {
    expect(statusOf({ report: { value: 5, ac: 400, av: 4, ad: 'too slow' } }).history.rejected).toEqual([
      { policy: 'p', value: 60, why: 'the device answered 400: too slow' },
    ]);
  });

  test('a rejection is removed when the device reports the value', () => {
    const rejected = [{ policy: 'p', value: 60, why: 'no' }];

    expect(statusOf({ report: 60, history: { rejected } }).history.rejected).toEqual([]);
  });
});
