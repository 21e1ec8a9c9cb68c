import { describe, expect, test } from '@jest/globals';
import type { RolloutStage, StagedRollout } from '../../console/api/contract.ts';
import { rolloutChanges } from '../../console/commands/rollout-changes.ts';
import {
  gateRules,
  needsPerson,
  rolloutTotals,
  rolloutWaits,
  stageHolds,
} from '../../console/words/rollouts.ts';

const STAGE: RolloutStage = {
  name: 'lab',
  status: 'running',
  where: "tags.ring == 'lab'",
  share: 0,
  leastMs: 1_800_000,
  isApproved: false,
  takePart: 9,
  reached: 8,
  waiting: 2,
  pending: 1,
  inSync: 5,
  rejected: 1,
  contested: 0,
  lost: 0,
  silent: 1,
  endsAt: '2026-11-28T14:20:00Z',
};
const ROLLOUT: StagedRollout = {
  policy: 'interval',
  status: 'running',
  stage: { name: 'lab', since: '2026-11-28T13:50:00Z' },
  waitsFor: null,
  gateWaits: '3 of 20 results are there',
  approvable: 'all',
  gate: { inSync: 0.95, rejected: 0.05, sample: 20, deadlineMs: 86_400_000 },
  onFailure: 'pause',
  approvers: [],
  pause: null,
  end: null,
  approvals: [],
  stages: [STAGE, { ...STAGE, name: 'all', status: 'later', where: null, share: 1, reached: 0, inSync: 0 }],
};
const BY = { author: 'ann', reason: 'sensor reads low', at: '2026-11-28T14:00:00Z' };
const changed = (change: Partial<StagedRollout>): StagedRollout => ({ ...ROLLOUT, ...change });

describe('the words of a rollout', () => {
  test.each([
    [{ where: "tags.ring == 'lab'", share: 0 }, "tags.ring == 'lab'"],
    [{ where: null, share: 0.1 }, '10 % of the devices'],
    [{ where: null, share: 0.005 }, '0.5 % of the devices'],
    [{ where: null, share: 1 }, 'all devices'],
  ])('a stage with %j says which devices it holds', (stage, text) => {
    expect(stageHolds(stage)).toBe(text);
  });

  test.each([
    ['while its gate waits', {}, 'Stage lab is not done: 3 of 20 results are there.'],
    ['when its gate passes', { gateWaits: null }, /next stage begins within two minutes/],
    [
      'while it needs an approval',
      { status: 'needs approval', waitsFor: { stage: 'all', why: 'no device takes part in the stage' } },
      'Stage all needs an approval: no device takes part in the stage.',
    ],
    ['while it is paused', { status: 'paused', pause: BY }, 'Paused by ann: sensor reads low'],
    [
      'after it was rolled back, although it was paused before',
      { status: 'rolled back', pause: BY, end: { ...BY, kind: 'rolledBack', reason: 'devices run hot' } },
      'By ann: devices run hot',
    ],
    ['when it is complete', { status: 'complete', stage: null, gateWaits: null }, /^$/],
  ] as const)('it says what the rollout waits for %s', (_, change, text) => {
    expect(rolloutWaits(changed(change as Partial<StagedRollout>))).toEqual(
      typeof text === 'string' ? text : expect.stringMatching(text),
    );
  });

  test('the rules of the gate have its numbers, and what a failure does', () => {
    expect(gateRules(ROLLOUT).join(' ')).toMatch(/20 results .* 95 % .* 5 % .* it pauses\. .* for 24 h/);
    expect(gateRules({ ...ROLLOUT, onFailure: 'rollback' }).join(' ')).toContain('Then it rolls back.');
  });

  test('the totals are the devices of all stages, reached or not', () => {
    expect(rolloutTotals(ROLLOUT)).toEqual({ all: 12, reached: 8, inSync: 5 });
  });

  test('only a paused rollout and one that needs an approval wait for a person', () => {
    const statuses = ['running', 'paused', 'needs approval', 'complete', 'rolling back'] as const;

    expect(statuses.filter((status) => needsPerson({ status }))).toEqual(['paused', 'needs approval']);
  });
});

describe('the changes of a rollout', () => {
  test.each([
    ['a running one', {}, ['pause', 'rollback', 'rollbackInStages', 'abort']],
    ['a paused one', { status: 'paused', pause: BY }, ['resume', 'rollback', 'rollbackInStages', 'abort']],
    ['one that has not begun', { status: 'not begun' }, []],
    ['a complete one', { status: 'complete' }, ['rollback', 'rollbackInStages']],
    [
      'an aborted one',
      { status: 'aborted', end: { ...BY, kind: 'aborted' } },
      ['rollback', 'rollbackInStages'],
    ],
    ['one that is rolled back', { status: 'rolled back', end: { ...BY, kind: 'rolledBack' } }, []],
  ] as const)('%s offers exactly what berth rollouts accepts', (_, change, actions) => {
    const offered = rolloutChanges(changed(change as Partial<StagedRollout>));

    expect(offered).toEqual(actions.map((action) => ({ kind: 'rollout', action, policy: 'interval' })));
  });
});
