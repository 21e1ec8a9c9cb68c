import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Act } from '../../src/control/control.ts';
import {
  approvableStage,
  approveStage,
  pauseRollout,
  type RolloutPolicy,
  resumeRollout,
  rollBack,
} from '../../src/control/rollout-actions.ts';
import { rolloutShare } from '../../src/control/rollout-share.ts';
import { NOT_BEGUN } from '../../src/control/rollout-state.ts';
import { rolloutPlace } from '../../src/rollout/stages.ts';
import { rolloutOverviews } from '../../src/sync/resync/rollout-overview.ts';
import { DAY, Deployment, HOUR, MINUTE } from './rollouts.ts';

const LAB = { name: 'lab', where: "tags.ring == 'lab'", atLeast: '30m' };
const ONE = { name: 'one', share: 0.01, atLeast: '1h' };
const TENTH = { name: 'tenth', share: 0.1, atLeast: '24h' };
const ALL = { name: 'all', share: 1, over: '24h', approve: true };
const FULL = { inSync: 50 };

let on: Deployment;
beforeEach(() => {
  on = new Deployment();
});

const by = (): Act => ({ author: 'ann@contoso.com', reason: 'test', at: on.now });
const content = () => on.policy as RolloutPolicy;
const stage = () => on.control.rollouts[on.policy.hash]?.stage;
const place = (deviceId: string) => rolloutPlace(deviceId, on.policy.hash);
/** How many of 1000 devices get the new content now. None has it yet. */
const reached = (device: object = {}) =>
  Array.from({ length: 1_000 }, (_, index) => `device-${index}`).filter(
    (deviceId) => on.choice({ deviceId, ...device }).kind === 'new',
  ).length;
const deploy = (...stages: readonly object[]) => on.deployValue(60, { stages });
function approve(): void {
  const result = approveStage(on.control, content(), by());
  if (result.kind === 'refused') throw new Error(result.why);
  on.control = result.control;
}

/** The rollout is in its stage `tenth` for 20 hours. */
function runTenth(...stages: readonly object[]): void {
  on.deployValue(5, null).pass(HOUR);
  deploy(...(stages.length === 0 ? [LAB, ONE, TENTH, ALL] : stages));
  on.pass(HOUR).advance({ lab: FULL });
  on.pass(HOUR).advance({ lab: FULL, one: FULL });
  expect(stage()?.name).toBe('tenth');
  on.pass(20 * HOUR);
}

describe('the file no longer has the stage that runs', () => {
  test('the next stage waits for its approval, and keeps the stages that are done', () => {
    runTenth();
    deploy(LAB, ONE, ALL);

    expect(reached({ matches: () => true })).toBe(1_000);
    expect(reached()).toBeLessThan(30);
    expect(on.choice({ deviceId: 'device-1', hasContent: () => true }).kind).toBe('new');
    expect(on.advance()).toEqual([
      {
        kind: 'needsApproval',
        policy: 'base',
        stage: 'all',
        why: 'the stage begins only after an approval',
      },
    ]);
    expect(on.pass(100 * HOUR).advance({ lab: FULL, one: FULL })).toEqual([]);
    expect(reached()).toBeLessThan(30);
    expect(approvableStage(on.control, content())).toBe('all');
  });

  test('the time of the next stage begins when the stage begins', () => {
    runTenth();
    deploy(LAB, ONE, ALL);
    on.advance();
    approve();
    const before = reached();
    on.pass(HOUR).advance();

    expect(stage()).toEqual({ name: 'all', since: on.now });
    expect(reached()).toBe(before);
    on.pass(12 * HOUR);
    expect(reached()).toBeGreaterThan(450);
    expect(reached()).toBeLessThan(550);
  });

  test('a next stage without an approval begins with the next run of resyncFleet, and makes every twin be planned', () => {
    runTenth();
    deploy(LAB, ONE, { ...ALL, approve: false });
    const { generation } = on.control;

    expect(reached()).toBeLessThan(30);
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
    expect(on.control.generation).toBe(generation + 1);
    expect(stage()?.since).toBe(on.now);
    expect(reached()).toBeLessThan(30);
  });

  test('the next stage does not begin while the rollout is paused', () => {
    runTenth();
    const paused = pauseRollout(on.control, content(), by());
    if (paused.kind === 'changed') on.control = paused.control;
    deploy(LAB, ONE, { ...ALL, approve: false });

    expect(on.advance()).toEqual([]);
    const resumed = resumeRollout(on.control, content(), by());
    if (resumed.kind === 'changed') on.control = resumed.control;
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
  });

  test('a stage after one that failed still needs an approval', () => {
    runTenth();
    on.advance({ tenth: { inSync: 40, lost: 20 } });
    deploy(LAB, ONE, { ...ALL, approve: false });
    const resumed = resumeRollout(on.control, content(), by());
    if (resumed.kind === 'changed') on.control = resumed.control;

    expect(on.advance()).toMatchObject([
      {
        kind: 'needsApproval',
        stage: 'all',
        why: 'the rollout failed in the stage before, and it was resumed',
      },
    ]);
    approve();
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
  });

  test('a stage after one in which no device takes part still needs an approval', () => {
    runTenth(LAB, ONE, TENTH, { ...ALL, approve: false });
    on.pass(4 * HOUR).advance({ tenth: { silent: 4 } });
    deploy(LAB, ONE, { ...ALL, approve: false });

    expect(on.advance()).toEqual([]);
    expect(on.control.rollouts[on.policy.hash]?.waitsFor).toEqual({
      stage: 'all',
      why: 'no device takes part in the stage',
    });
    expect(reached()).toBeLessThan(30);
    approve();
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
  });

  test.each([
    { what: 'the next one too, and has another last one', stages: [{ name: 'everything', share: 1 }] },
    { what: 'but a new one before the next one', stages: [{ name: 'half', share: 0.5 }, ALL] },
  ])(
    'an approval is needed after a stage in which no device takes part: the file removes it, $what',
    ({ stages }) => {
      runTenth(LAB, ONE, TENTH, { ...ALL, approve: false });
      on.pass(4 * HOUR).advance({ tenth: { silent: 4 } });
      deploy(LAB, ONE, ...stages);
      const [next] = stages;

      expect(on.advance()).toEqual([
        {
          kind: 'needsApproval',
          policy: 'base',
          stage: next?.name,
          why: 'no device takes part in the stage',
        },
      ]);
      expect(reached()).toBeLessThan(30);
      expect(on.advance()).toEqual([]);
      approve();
      expect(on.advance()).toMatchObject([{ kind: 'begins', stage: next?.name }]);
    },
  );

  test('the file decides whether the next stage needs an approval if nothing else does', () => {
    runTenth();
    on.pass(4 * HOUR).advance({ lab: FULL, one: FULL, tenth: FULL });
    expect(on.control.rollouts[on.policy.hash]?.waitsFor?.stage).toBe('all');
    deploy(LAB, ONE, { ...ALL, approve: false });

    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
  });

  test('a stage that has another name now begins again', () => {
    runTenth();
    deploy(LAB, ONE, { ...TENTH, name: 'ten', approve: true }, ALL);

    expect(on.advance()).toMatchObject([{ kind: 'needsApproval', stage: 'ten' }]);
    approve();
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'ten' }]);
    expect(stage()?.since).toBe(on.now);
  });

  test('a last stage that was done as an earlier one runs for the devices that it holds now', () => {
    on.deployValue(5, null).pass(HOUR);
    deploy(LAB, { ...ONE, over: '1h' }, { ...ALL, approve: false });
    on.pass(HOUR).advance({ lab: FULL });
    on.pass(HOUR).advance({ lab: FULL, one: FULL });
    on.pass(12 * HOUR);
    deploy(LAB, { ...ONE, share: 1, over: '10h' });

    expect(reached()).toBe(0);
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'one' }]);
    on.pass(5 * HOUR);
    expect(reached()).toBeGreaterThan(450);
    expect(reached()).toBeLessThan(550);
    expect(on.pass(5 * HOUR).advance({ lab: FULL, one: FULL })).toMatchObject([
      { kind: 'complete', stage: 'one' },
    ]);
  });

  test.each([
    { what: 'done', inForce: 'tenth' },
    { what: 'interrupted by the new file', inForce: 'one' },
  ])(
    'an approval of a stage is not one for a larger last stage with its name: the stage is $what',
    ({ inForce }) => {
      on.deployValue(5, null).pass(HOUR);
      const one = { ...ONE, approve: true };
      deploy(LAB, one, TENTH, ALL);
      on.pass(HOUR).advance({ lab: FULL });
      approve();
      on.advance({ lab: FULL });
      if (inForce === 'tenth') on.pass(HOUR).advance({ lab: FULL, one: FULL });
      expect(stage()?.name).toBe(inForce);
      deploy(LAB, TENTH, { ...one, share: 1 });
      on.advance({ lab: FULL });

      expect(on.pass(DAY).advance({ lab: FULL, tenth: FULL })).toMatchObject([
        { kind: 'needsApproval', stage: 'one' },
      ]);
      expect(reached()).toBeLessThan(150);
      expect(approvableStage(on.control, content())).toBe('one');
      approve();
      expect(approvableStage(on.control, content())).toBeUndefined();
      expect(on.advance({ lab: FULL, tenth: FULL })).toMatchObject([{ kind: 'begins', stage: 'one' }]);
      expect(rolloutOverviews(on.fleet, on.control, new Map(), on.now)).toMatchObject([
        { approvals: [{ stage: 'one' }, { stage: 'one' }] },
      ]);
    },
  );

  test('a rollout that has one time only now begins this time then', () => {
    runTenth();
    on.deployValue(60, { over: '24h' });

    expect(reached()).toBe(0);
    expect(on.advance()).toMatchObject([{ kind: 'begins' }]);
    on.pass(12 * HOUR);
    expect(reached()).toBeGreaterThan(450);
    expect(reached()).toBeLessThan(550);
    on.pass(12 * HOUR).advance();
    expect(on.control.rollouts[on.policy.hash]?.completedAt).toBe(on.now);
  });

  test('a rollback goes on from the first stage, and not with all devices at once', () => {
    runTenth();
    const back = rollBack(on.control, content(), by(), true);
    if (back.kind === 'changed') on.control = back.control;
    on.pass(HOUR).advance();
    expect(on.control.rollouts[on.policy.hash]?.end?.stage?.name).toBe('one');
    deploy(LAB, TENTH, ALL);
    const held = () => on.choice({ deviceId: 'device-1', hasContent: () => true }).kind;

    expect(held()).toBe('nothing');
    on.advance();
    expect(on.control.rollouts[on.policy.hash]?.end?.stage).toEqual({ name: 'lab', since: on.now });
    expect(held()).toBe('nothing');
  });
});

describe('the file changes other stages than the one that runs', () => {
  test('a stage that is new before the present one runs first, after its approval', () => {
    runTenth();
    on.pass(4 * HOUR).advance({ lab: FULL, one: FULL, tenth: FULL });
    approve();
    on.advance({ lab: FULL, one: FULL, tenth: FULL });
    expect(stage()?.name).toBe('all');
    on.pass(2 * HOUR);
    const all = reached();
    deploy(LAB, ONE, TENTH, { name: 'half', share: 0.5, over: '10h', approve: true }, ALL);

    expect(reached()).toBeLessThan(all);
    expect(on.choice({ deviceId: 'device-1', hasContent: () => true }).kind).toBe('new');
    expect(on.advance()).toMatchObject([{ kind: 'needsApproval', stage: 'half' }]);
    approve();
    on.advance();
    on.pass(5 * HOUR);
    expect(reached()).toBeGreaterThan(250);
    expect(reached()).toBeLessThan(350);
    expect(on.pass(5 * HOUR).advance({ lab: FULL, one: FULL, tenth: FULL, half: FULL })).toMatchObject([
      { kind: 'needsApproval', stage: 'all' },
    ]);
    approve();
    on.advance({ lab: FULL, one: FULL, tenth: FULL, half: FULL });
    expect(stage()).toEqual({ name: 'all', since: on.now });
  });

  test('a stage that is new after the present one follows it', () => {
    runTenth();
    deploy(LAB, ONE, TENTH, { name: 'half', share: 0.5, approve: true }, ALL);

    expect(stage()?.name).toBe('tenth');
    expect(on.pass(4 * HOUR).advance({ lab: FULL, one: FULL, tenth: FULL })).toMatchObject([
      { kind: 'needsApproval', stage: 'half' },
    ]);
  });

  test('a stage that is done is not run again when the file has it after the present one', () => {
    runTenth(LAB, ONE, TENTH, { ...ALL, approve: false });
    deploy(ONE, TENTH, LAB, { ...ALL, approve: false });

    expect(reached({ matches: () => true })).toBe(1_000);
    expect(on.pass(4 * HOUR).advance({ lab: FULL, one: FULL, tenth: FULL })).toMatchObject([
      { kind: 'begins', stage: 'all' },
    ]);
  });

  test('an approval that the present stage gets later does not stop it', () => {
    runTenth();
    const before = reached();
    deploy(LAB, ONE, { ...TENTH, approve: true }, ALL);

    expect(on.advance({ lab: FULL, one: FULL })).toEqual([]);
    expect(reached()).toBe(before);
  });
});

describe('the file changes the first stage', () => {
  const FIRST = { name: 'few', share: 0.01, over: '10h' };

  test('a first stage that waited for an approval begins without the time of its wait when the file removes the approval', () => {
    on.deployValue(5, null).pass(HOUR);
    deploy({ ...ALL });
    on.advance();
    on.pass(20 * HOUR);
    deploy({ ...ALL, approve: false });

    expect(reached()).toBe(0);
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'all' }]);
    expect(reached()).toBe(0);
  });

  test('a new first stage begins without the time in which the first stage before waited for an approval', () => {
    on.deployValue(5, null).pass(HOUR);
    deploy({ ...ONE, approve: true }, ALL);
    on.advance();
    on.pass(72 * HOUR);
    deploy({ name: 'pre', share: 0.5, over: '48h' }, { ...ONE, share: 0.6, approve: true }, ALL);

    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'pre' }]);
    expect(stage()).toEqual({ name: 'pre', since: on.now });
    expect(reached()).toBe(0);
  });

  test('a first stage that runs goes on when the file gives it an approval', () => {
    on.deployValue(5, null).pass(HOUR);
    deploy(ONE, ALL);
    on.advance();
    const before = reached();
    deploy({ ...ONE, approve: true }, ALL);

    expect(before).toBeGreaterThan(0);
    expect(on.advance()).toEqual([]);
    expect(reached()).toBe(before);
  });

  test('a first stage goes on when a row without its name shows that the next one waits for an approval', () => {
    on.deployValue(5, null).pass(HOUR);
    deploy(FIRST, ALL);
    on.pass(10 * HOUR).advance({ few: FULL });
    expect(on.control.rollouts[on.policy.hash]?.waitsFor?.stage).toBe('all');
    const { stage: _, ...older } = on.control.rollouts[on.policy.hash] ?? NOT_BEGUN;
    const before = reached();
    on.control = { ...on.control, rollouts: { [on.policy.hash]: older } };

    expect(before).toBeGreaterThan(0);
    expect(reached()).toBe(before);
    expect(on.advance({ few: FULL })).toEqual([]);
    expect(stage()?.name).toBe('few');
  });

  test.each([
    { what: 'has another name', stages: [{ ...FIRST, name: 'many', share: 0.9 }] },
    {
      what: 'has another one before it',
      stages: [
        { ...FIRST, name: 'many', share: 0.9 },
        { ...FIRST, share: 0.95 },
      ],
    },
  ])('the time of a new first stage begins when the stage begins: the first stage $what', ({ stages }) => {
    on.deployValue(5, null).pass(HOUR);
    deploy(FIRST, ALL);
    on.pass(MINUTE).advance();
    on.pass(9 * HOUR);
    deploy(...stages, ALL);

    expect(reached()).toBe(0);
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'many' }]);
    expect(reached()).toBe(0);
    on.pass(5 * HOUR);
    expect(reached()).toBeGreaterThan(400);
    expect(reached()).toBeLessThan(500);
  });
});

test('operators see which stages are done, and which share the rollout has reached, while the next stage waits', () => {
  runTenth();
  deploy(LAB, ONE, ALL);
  on.advance();
  const [overview] = rolloutOverviews(on.fleet, on.control, new Map(), on.now);

  expect(overview).toMatchObject({ status: 'needs approval', stage: undefined, approvable: 'all' });
  expect(overview?.stages.map(({ name, status }) => [name, status])).toEqual([
    ['lab', 'done'],
    ['one', 'done'],
    ['all', 'later'],
  ]);
  expect(rolloutShare(on.control, on.policy, on.now)).toBe(0.01);
  expect(on.choice({ deviceId: 'device-1' })).toMatchObject({
    kind: 'previous',
    hold: { why: 'the rollout waits for the approval of stage all', until: undefined },
  });
  expect(place('device-1')).toBeGreaterThan(0.01);
});
