import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  type ActionResult,
  abortRollout,
  approveStage,
  pauseRollout,
  type RolloutPolicy,
  resumeRollout,
  rollBack,
} from '../../src/control/rollout-actions.ts';
import { rolloutPlace } from '../../src/rollout/stages.ts';
import { DAY, Deployment, HOUR, MINUTE, STAGED } from './rollouts.ts';

let on: Deployment;
beforeEach(() => {
  on = new Deployment();
});

const LAB = { matches: () => true };
const FULL = { inSync: 50 };
const by = () => ({ author: 'ann@contoso.com', reason: 'test', at: on.now });
const rolloutPolicy = () => on.policy as RolloutPolicy;
function act(result: ActionResult): void {
  if (result.kind === 'refused') throw new Error(result.why);
  on.control = result.control;
}
/** A device of the present content in a part of the places. */
function deviceIn(from: number, to: number) {
  for (let index = 0; index < 100_000; index += 1) {
    const deviceId = `device-${index}`;
    const place = rolloutPlace(deviceId, on.policy.hash);
    if (place >= from && place < to) return { deviceId };
  }
  throw new Error('no device');
}
const present = () => on.control.rollouts[on.policy.hash]?.stage?.name ?? 'lab';

/** A new content with stages, after one that every device has. */
function begin(): void {
  on.deployValue(5, null).pass(DAY).deployValue(60);
}

describe('a rollout in stages', () => {
  test('gives the new content to the first stage, and the earlier one to all other devices', () => {
    begin();

    expect(on.value(LAB)).toBe(60);
    expect(on.value(deviceIn(0, 0.1))).toBe(5);
    expect(on.value(deviceIn(0.1, 1))).toBe(5);
  });

  test('gives nothing to the devices that it has not reached if there is no earlier content', () => {
    on.deployValue(60);

    expect(on.choice(deviceIn(0, 0.1))).toEqual({
      kind: 'nothing',
      stage: 'tenth',
      hold: { why: 'stage tenth of the rollout has not begun; the present stage is lab', until: undefined },
    });
  });

  test('begins the next stage when the gate passes, and is complete after the last one', () => {
    begin();
    expect(on.pass(29 * MINUTE).advance({ lab: FULL })).toEqual([]);
    expect(on.pass(MINUTE).advance({ lab: FULL })).toMatchObject([{ kind: 'begins', stage: 'tenth' }]);
    expect(on.value(deviceIn(0, 0.1))).toBe(60);
    expect(on.value(deviceIn(0.1, 1))).toBe(5);
    on.pass(2 * HOUR).advance({ lab: FULL, tenth: FULL });

    expect(present()).toBe('all');
    on.pass(5 * HOUR);
    expect([on.value(deviceIn(0.1, 0.5)), on.value(deviceIn(0.6, 1))]).toEqual([60, 5]);
    on.pass(5 * HOUR);
    expect(on.value(deviceIn(0.6, 1))).toBe(60);
    expect(on.advance({ lab: FULL, tenth: FULL, all: FULL })).toMatchObject([{ kind: 'complete' }]);
    expect(on.choice(deviceIn(0.6, 1))).toEqual({ kind: 'new', stage: undefined });
  });

  test('makes every twin be planned again when a stage begins, because no event would cause it', () => {
    begin();
    const { generation } = on.control;
    on.pass(HOUR).advance({ lab: FULL });

    expect(on.control.generation).toBe(generation + 1);
    on.advance({ lab: FULL });
    expect(on.control.generation).toBe(generation + 1);
  });

  test('decides nothing by counts from before the stage began, or without counts', () => {
    begin();
    const began = on.now;
    on.pass(HOUR);

    expect(on.advance({ lab: FULL }, { countedAt: undefined })).toEqual([]);
    expect(on.advance({ lab: FULL }, { countedAt: began })).toEqual([]);
    expect(on.advance({ lab: FULL })).toHaveLength(1);
  });

  test('tells when a stage with a duration reaches a device', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    on.pass(2 * HOUR).advance({ lab: FULL, tenth: FULL });
    const device = deviceIn(0.5, 0.6);
    const choice = on.choice(device);
    const until = choice.kind === 'previous' ? choice.hold.until : undefined;
    if (until === undefined) throw new Error('no time');

    on.now = until;
    expect(on.value(device)).toBe(60);
    on.pass(-1);
    expect(on.value(device)).toBe(5);
  });

  test('keeps a device that has the content, also if it no longer matches the stage', () => {
    begin();

    expect(on.value({ ...deviceIn(0.5, 1), hasContent: () => true })).toBe(60);
  });

  test('keeps a stage that is done across deployments of other policies', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    const other = { name: 'other', desired: { level: 1 } };

    on.pass(HOUR).deployValue(60, STAGED, [other]);
    on.pass(HOUR).deployValue(60, STAGED);

    expect(present()).toBe('tenth');
    expect(on.value(deviceIn(0, 0.1))).toBe(60);
  });

  test('keeps the present stage by its name when the file gets another stage after it', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    const [lab, tenth, all] = STAGED.stages;
    const more = { ...STAGED, stages: [lab, tenth, { name: 'half', share: 0.5 }, all] };
    on.deployValue(60, more);

    expect(on.value(deviceIn(0.05, 0.1))).toBe(60);
    expect(on.value(deviceIn(0.1, 1))).toBe(5);
  });

  test('continues with the first stage that is not done if the present stage is no longer in the file', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    const stages = [STAGED.stages[0], { name: 'half', share: 0.5 }, STAGED.stages[2]];
    on.deployValue(60, { ...STAGED, stages }).advance({ lab: FULL });

    expect(present()).toBe('half');
    expect(on.value(deviceIn(0.1, 0.5))).toBe(60);
    expect(on.value(deviceIn(0.5, 1))).toBe(5);
  });

  test('does not begin again for content that has run without stages', () => {
    on.deployValue(5, null).pass(DAY).deployValue(5, STAGED);

    expect(on.choice(deviceIn(0.5, 1))).toEqual({ kind: 'new', stage: undefined });
  });

  test('stops while the policy or the fleet is paused, and its time does not count', () => {
    begin();
    on.control = { ...on.control, fleet: by() };
    on.pass(DAY);

    expect(on.advance({ lab: FULL })).toEqual([]);
    expect(present()).toBe('lab');
  });

  test('gives a device the content that it has of a chain of rollouts that are not complete', () => {
    on.deployValue(5, null).pass(DAY).deployValue(60);
    const labOfSecond = on.value(LAB);
    on.pass(HOUR).deployValue(90);

    // The second content had reached the lab only.
    expect(labOfSecond).toBe(60);
    expect(on.value({ ...deviceIn(0.5, 1) })).toBe(5);
    expect(on.value(LAB)).toBe(90);
  });

  test('takes effect at once when the old file comes back', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    on.deployValue(5, STAGED);

    expect([on.value(LAB), on.value(deviceIn(0, 0.1)), on.value(deviceIn(0.5, 1))]).toEqual([5, 5, 5]);
  });
});

describe('a stage that needs an approval', () => {
  const stages = [
    { name: 'tenth', share: 0.1, approve: true },
    { name: 'all', share: 1, approve: true },
  ];
  const begun = () =>
    on
      .deployValue(5, null)
      .pass(DAY)
      .deployValue(60, { ...STAGED, stages });

  test('does not begin before the approval, and begins after it', () => {
    begun();
    expect(on.advance()).toMatchObject([{ kind: 'needsApproval', stage: 'tenth' }]);
    expect(on.advance()).toEqual([]);
    expect(on.value(deviceIn(0, 0.1))).toBe(5);

    act(approveStage(on.control, rolloutPolicy(), by()));
    expect(on.advance()).toMatchObject([{ kind: 'begins', stage: 'tenth' }]);

    expect(on.value(deviceIn(0, 0.1))).toBe(60);
    expect(on.pass(HOUR).advance({ tenth: FULL })).toMatchObject([{ kind: 'needsApproval', stage: 'all' }]);
    act(approveStage(on.control, rolloutPolicy(), by()));
    expect(on.advance({ tenth: FULL })).toMatchObject([{ kind: 'begins', stage: 'all' }]);
  });

  test('keeps who approved it, and refuses a second approval', () => {
    begun();
    act(approveStage(on.control, rolloutPolicy(), by()));

    expect(on.control.rollouts[on.policy.hash]?.approvals).toEqual([{ ...by(), stage: 'tenth' }]);
    expect(approveStage(on.control, rolloutPolicy(), by())).toMatchObject({ kind: 'refused' });
  });

  test('is every stage after one in which no device takes part', () => {
    begin();
    expect(on.pass(29 * MINUTE).advance({ lab: { silent: 4 } })).toEqual([]);
    expect(on.pass(MINUTE).advance({ lab: { silent: 4 } })).toMatchObject([
      { kind: 'needsApproval', stage: 'tenth' },
    ]);
    expect(on.control.rollouts[on.policy.hash]?.waitsFor).toEqual({
      stage: 'tenth',
      why: 'no device takes part in the stage',
    });
  });
});

describe('a rollout whose gate fails', () => {
  const fail = () => on.pass(HOUR).advance({ lab: { inSync: 40, lost: 10 } });

  test('is paused: no further device gets the content, and devices that have it keep it', () => {
    begin();
    expect(fail()).toMatchObject([{ kind: 'failed', stage: 'lab' }]);

    expect(on.choice(LAB)).toMatchObject({ kind: 'previous', hold: { until: undefined } });
    expect(on.value(LAB)).toBe(5);
    expect(on.value({ ...LAB, hasContent: () => true })).toBe(60);
    expect(on.pass(DAY).advance({ lab: FULL })).toEqual([]);
  });

  test('continues after it is resumed, and asks for an approval of the next stage', () => {
    begin();
    fail();
    act(resumeRollout(on.control, rolloutPolicy(), by()));

    expect(on.value(LAB)).toBe(60);
    expect(on.pass(HOUR).advance({ lab: { inSync: 40, lost: 10 } })).toMatchObject([
      { kind: 'needsApproval' },
    ]);
    act(approveStage(on.control, rolloutPolicy(), by()));
    on.advance({ lab: { inSync: 40, lost: 10 } });
    expect(present()).toBe('tenth');
    // What was accepted does not fail the next stage.
    expect(on.pass(HOUR).advance({ lab: { inSync: 40, lost: 10 }, tenth: FULL })).toEqual([]);
    expect(on.control.rollouts[on.policy.hash]?.pause).toBeUndefined();
  });

  test('is rolled back if the file says so, for late joiners too, until the file has another content', () => {
    on.deployValue(5, null)
      .pass(DAY)
      .deployValue(60, { ...STAGED, onFailure: 'rollback' });
    fail();

    expect(on.choice(LAB)).toMatchObject({ kind: 'back', policy: { hash: expect.any(String) } });
    expect([on.value(LAB), on.value({ ...LAB, hasContent: () => true })]).toEqual([5, 5]);
    const other = { name: 'other', desired: { level: 1 } };
    on.pass(30 * DAY).deployValue(60, STAGED, [other]);
    expect(on.value(LAB)).toBe(5);
    on.deployValue(70);
    expect(on.value(LAB)).toBe(70);
    on.pass(HOUR).deployValue(60);
    expect(on.value(LAB)).toBe(60);
  });
});

describe('an operator', () => {
  test('pauses a rollout: only devices with the content keep it, and the time does not count', () => {
    begin();
    act(pauseRollout(on.control, rolloutPolicy(), by()));
    on.pass(DAY);

    expect([on.value(LAB), on.value({ ...LAB, hasContent: () => true })]).toEqual([5, 60]);
    expect(pauseRollout(on.control, rolloutPolicy(), by())).toMatchObject({ kind: 'refused' });
    act(resumeRollout(on.control, rolloutPolicy(), by()));
    expect(on.pass(29 * MINUTE).advance({ lab: FULL })).toEqual([]);
    expect(on.pass(MINUTE).advance({ lab: FULL })).toHaveLength(1);
  });

  test('aborts a rollout: it never goes on', () => {
    begin();
    act(abortRollout(on.control, rolloutPolicy(), by()));

    expect(on.pass(DAY).advance({ lab: FULL })).toEqual([]);
    expect([on.value(LAB), on.value({ ...LAB, hasContent: () => true })]).toEqual([5, 60]);
    expect(resumeRollout(on.control, rolloutPolicy(), by())).toMatchObject({ kind: 'refused' });
  });

  test('rolls a rollout back in its stages', () => {
    begin();
    on.pass(HOUR).advance({ lab: FULL });
    const reached = { ...deviceIn(0, 0.1), hasContent: () => true };
    act(rollBack(on.control, rolloutPolicy(), by(), true));

    expect(on.choice({ ...LAB, hasContent: () => true })).toMatchObject({ kind: 'back' });
    expect(on.choice(reached)).toMatchObject({ kind: 'nothing' });
    on.pass(30 * MINUTE).advance();
    expect(on.choice(reached)).toMatchObject({ kind: 'back' });
  });

  test('rolls a complete rollout back', () => {
    begin();
    for (const counts of [{ lab: FULL }, { lab: FULL, tenth: FULL }, { lab: FULL, tenth: FULL, all: FULL }]) {
      on.pass(11 * HOUR).advance(counts);
    }
    expect(on.choice(LAB)).toEqual({ kind: 'new', stage: undefined });
    act(rollBack(on.control, rolloutPolicy(), by(), false));

    expect(on.value({ ...LAB, hasContent: () => true })).toBe(5);
  });
});
