import { beforeEach, describe, expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { withRollout } from '../../src/control/rollout-state.ts';
import { partitionsOf } from '../../src/store/tables/keys.ts';
import {
  type CountedTwins,
  type PolicyStatusCounts,
  stageKey,
} from '../../src/store/twins/twin-count-store.ts';
import { advanceGates } from '../../src/sync/resync/rollout-gates.ts';
import { rolloutOverviews } from '../../src/sync/resync/rollout-overview.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { TWIN_STATUSES } from '../../src/twin/snapshot/snapshot.ts';
import { fleetOf, ID, T0 } from '../twin/twins.ts';
import { MemoryHub } from './memory-hub.ts';
import { MemoryTwinStore } from './memory-store.ts';
import { memoryProgress, resyncContextOf } from './sync-context.ts';

const HOUR = 3_600_000;
const FLEET = fleetOf({
  policies: [{ name: 'base', desired: { interval: 60 } }],
  rollout: {
    stages: [
      { name: 'lab', where: "tags.ring == 'lab'", atLeast: '1h' },
      { name: 'all', share: 1, atLeast: '2h' },
    ],
    gate: { rejected: 0.1 },
  },
});
const [POLICY] = FLEET.twins.policies;
if (POLICY === undefined) throw new Error('no policy');

let control: Control;
let now: EpochMs;
let counts: Readonly<Record<string, PolicyStatusCounts>>;
let countedAt: EpochMs | undefined;
let warnings: { message: string; code: unknown }[];
const progress = new Map();
beforeEach(() => {
  control = withPackage(controlSchema.parse({}), '2026', FLEET.twins.policies, T0, FLEET.revision);
  now = plus(T0, HOUR);
  counts = { [stageKey(POLICY.id, 'lab')]: { inSync: 10 } };
  countedAt = now;
  warnings = [];
  progress.clear();
  planned(plus(T0, 1_000));
});

/** Every twin was planned with the present row. */
function planned(doneAt: EpochMs, generation = control.generation): void {
  const about = `${FLEET.revision} ${generation}`;
  progress.set('resync', { about, place: partitionsOf(ID.host).length, after: '', doneAt });
}
const counted = (): CountedTwins => ({
  statuses: Object.fromEntries(TWIN_STATUSES.map((status) => [status, 0])) as CountedTwins['statuses'],
  policies: counts,
  countedAt,
});
async function advance(): Promise<void> {
  const context = resyncContextOf({
    fleet: FLEET,
    hubs: new MemoryHub(() => now),
    twins: new MemoryTwinStore(),
    twinCounts: { count: async () => 16, read: async () => new Map([[ID.host, counted()]]) },
    now: () => now,
    progress: memoryProgress(progress),
    control: {
      read: async () => control,
      update: async (change) => {
        control = change(control);
        return control;
      },
    },
    warn: (message, { code }) => void warnings.push({ message, code }),
  });
  await advanceGates(context);
}
const stage = () => control.rollouts[POLICY.hash]?.stage?.name;

describe('resyncFleet', () => {
  test('begins the next stage of a rollout when the counts of all twins pass its gate', async () => {
    await advance();

    expect(stage()).toBe('all');
    expect(control.generation).toBe(1);
  });

  test.each<[string, () => void]>([
    [
      'some twins are not counted yet',
      () => {
        countedAt = undefined;
      },
    ],
    [
      'the counts are older than the plans of the twins',
      () => {
        planned(now);
      },
    ],
    [
      'the twins are not all planned with the present row',
      () => {
        planned(plus(T0, 1_000), 7);
      },
    ],
  ])('decides nothing while %s', async (_, make) => {
    make();
    await advance();

    expect(stage()).toBe('lab');
  });

  test('pauses a rollout whose gate fails, and logs it with its code', async () => {
    counts = { [stageKey(POLICY.id, 'lab')]: { inSync: 8, lost: 2 } };
    await advance();

    expect(control.rollouts[POLICY.hash]?.pause).toMatchObject({ author: 'Berth', stage: 'lab' });
    expect(warnings).toEqual([
      {
        code: 'BERTH_ROLLOUT_FAILED',
        message:
          'The rollout of the policy base has failed in stage lab: 2 of 10 devices with a result reject it or are lost (2).',
      },
    ]);
  });

  test('logs once that a rollout needs an approval', async () => {
    counts = {};
    await advance();
    await advance();

    expect(warnings.map(({ code }) => code)).toEqual(['BERTH_ROLLOUT_NEEDS_APPROVAL']);
  });
});

describe('the overview of a rollout', () => {
  const overview = () => rolloutOverviews(FLEET, control, new Map([[ID.host, counted()]]), now)[0];

  test('has the counts of each stage, and when its least time is over', () => {
    counts = {
      [stageKey(POLICY.id, 'lab')]: { inSync: 7, pending: 1, rejected: 1, lost: 1, silent: 2, held: 3 },
      [stageKey(POLICY.id, 'all')]: { unreached: 90 },
    };
    now = plus(T0, HOUR / 2);

    expect(overview()).toMatchObject({
      policy: 'base',
      status: 'running',
      stage: { name: 'lab', since: T0 },
      stages: [
        {
          name: 'lab',
          status: 'running',
          reached: 12,
          inSync: 7,
          pending: 1,
          rejected: 1,
          lost: 1,
          silent: 2,
          waiting: 3,
          endsAt: plus(T0, HOUR),
        },
        { name: 'all', status: 'later', reached: 0, waiting: 90, endsAt: plus(T0, 3 * HOUR) },
      ],
    });
  });

  test.each(['aborted', 'rolledBack'] as const)(
    'has no running stage and no end in the future after the rollout was %s',
    (kind) => {
      const end = { kind, author: 'ann', reason: 'broken', at: now };
      control = withRollout(control, POLICY.hash, { done: [], approvals: [], accepted: [], end }, now);

      expect(overview()?.stages.map(({ status, endsAt }) => [status, endsAt])).toEqual([
        ['ended', undefined],
        ['ended', undefined],
      ]);
    },
  );

  test('says that the rollout is complete after the last stage', async () => {
    await advance();
    now = plus(now, 3 * HOUR);
    planned(plus(now, -HOUR));
    countedAt = now;
    counts = { ...counts, [stageKey(POLICY.id, 'all')]: { inSync: 90 } };
    await advance();

    expect(overview()).toMatchObject({
      status: 'complete',
      stages: [{ status: 'done' }, { status: 'done' }],
    });
  });
});
