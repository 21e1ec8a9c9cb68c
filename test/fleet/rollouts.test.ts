import { describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { leastDuration } from '../../src/fleet/rollout.ts';

const HOUR = 3_600_000;
const STAGES = [
  { name: 'lab', where: "tags.ring == 'lab'", atLeast: '30m' },
  { name: 'tenth', share: 0.1, atLeast: '6h', approve: true },
  { name: 'all', share: 1, over: '24h' },
];

function parse(rollout: unknown, policy: object = {}) {
  return parseFleet(
    JSON.stringify({
      hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
      twins: { rollout, policies: [{ name: 'base', desired: { interval: 5 }, ...policy }] },
    }),
  );
}
function problemsOf(rollout: unknown): readonly string[] {
  const parsed = parse(rollout);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
}
function policyOf(rollout: unknown, policy: object = {}) {
  const parsed = parse(rollout, policy);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const [first] = parsed.fleet.twins.policies;
  if (first === undefined) throw new Error('no policy');
  return first;
}

describe('the rollout of a fleet file', () => {
  test('has stages with their shares, times and approvals, and a gate with defaults', () => {
    expect(policyOf({ stages: STAGES }).rollout).toMatchObject({
      isShort: false,
      onFailure: 'pause',
      approvers: [],
      gate: { inSync: 0.95, rejected: 0.05, sample: 20, deadlineMs: 24 * HOUR },
      stages: [
        { name: 'lab', share: 0, atLeastMs: HOUR / 2, overMs: 0, isApproved: false },
        { name: 'tenth', share: 0.1, shareBefore: 0, atLeastMs: 6 * HOUR, isApproved: true },
        { name: 'all', share: 1, shareBefore: 0.1, overMs: 24 * HOUR },
      ],
    });
  });

  test('has one stage in the form with over', () => {
    expect(policyOf({ over: '1h' }).rollout).toMatchObject({
      isShort: true,
      gate: { rejected: 0.05 },
      stages: [{ name: 'all', share: 1, overMs: HOUR }],
    });
  });

  test('takes at least the sum of the least times of its stages', () => {
    const { rollout } = policyOf({ stages: STAGES });

    expect(rollout && leastDuration(rollout)).toBe(30.5 * HOUR);
  });

  test('is the one of the policy if it has its own', () => {
    expect(policyOf({ over: '1h' }, { rollout: { stages: STAGES } }).rollout?.isShort).toBe(false);
    expect(policyOf(undefined, { rollout: { over: '2h' } }).rollout?.stages[0].overMs).toBe(2 * HOUR);
    expect(policyOf(undefined).rollout).toBeUndefined();
  });

  test('is not part of the content of a policy, so that a change of it starts no rollout', () => {
    const { hash } = policyOf(undefined);

    expect(policyOf({ stages: STAGES }).hash).toBe(hash);
    expect(policyOf(undefined, { rollout: { stages: STAGES } }).hash).toBe(hash);
  });

  const all = { name: 'all', share: 1 };
  const window = { from: '01:00', to: '05:00' };
  test.each<[string, unknown, string]>([
    ['neither form', {}, 'twins.rollout has no stages: write over or stages'],
    [
      'both forms',
      { over: '1h', stages: [all] },
      'twins.rollout.over has no effect with stages: remove it, or write over in a stage',
    ],
    [
      'a gate without stages',
      { over: '1h', gate: {} },
      'twins.rollout.gate has no effect without stages: write stages, or remove it',
    ],
    [
      'onFailure without stages',
      { over: '1h', onFailure: 'pause' },
      'twins.rollout.onFailure has no effect without stages: write stages, or remove it',
    ],
    [
      'approvers without stages',
      { over: '1h', approvers: ['ann'] },
      'twins.rollout.approvers has no effect without stages: write stages, or remove it',
    ],
    [
      'pauseWhen with stages',
      { stages: [all], pauseWhen: 0.1 },
      'twins.rollout.pauseWhen has no effect with stages: write gate.rejected instead',
    ],
    [
      'no last stage for all devices',
      { stages: [{ name: 'half', share: 0.5 }] },
      'twins.rollout.stages[0] is the last stage and does not reach all devices: write "share": 1',
    ],
    [
      'a last stage with a condition',
      { stages: [all, { name: 'lab', where: 'true' }] },
      'twins.rollout.stages[1] is the last stage and does not reach all devices: write "share": 1',
    ],
    [
      'a share and a condition',
      { stages: [{ name: 'a', share: 0.1, where: 'true' }, all] },
      'twins.rollout.stages[0] has where and share: write exactly one of them',
    ],
    [
      'neither a share nor a condition',
      { stages: [{ name: 'a' }, all] },
      'twins.rollout.stages[0] has neither where nor share: write exactly one of them',
    ],
    [
      'shares that do not grow',
      { stages: [{ name: 'a', share: 0.5 }, { name: 'b', share: 0.5 }, all] },
      'twins.rollout.stages[1].share is 0.5, and an earlier stage has 0.5: write a larger share, because each stage contains the stages before it',
    ],
    [
      'two stages of one name',
      { stages: [{ name: 'all', share: 0.5 }, all] },
      'twins.rollout.stages[1].name is "all", which is already used: use another name',
    ],
    ['no stage', { stages: [] }, 'twins.rollout.stages is empty: write a value'],
    [
      'a share of zero',
      { stages: [{ name: 'a', share: 0 }, all] },
      'twins.rollout.stages[0].share is 0: write a number above 0',
    ],
    [
      'a limit of rejections that nothing exceeds',
      { stages: [all], gate: { rejected: 1 } },
      'twins.rollout.gate.rejected is 1: write a number below 1',
    ],
    [
      'a condition that is none',
      { stages: [{ name: 'a', where: 'tags.' }, all] },
      'twins.rollout.stages[0].where',
    ],
    [
      'a time of day that is none',
      { over: '1h', window: { ...window, from: '24:00' } },
      'twins.rollout.window.from is "24:00": write a time of day from 00:00 to 23:59, such as 01:00',
    ],
    [
      'a window without a minute',
      { over: '1h', window: { from: '01:00', to: '01:00' } },
      'twins.rollout.window.to is "01:00", like from, so the window is never open: write another time',
    ],
    [
      'an unknown time zone',
      { over: '1h', window: { ...window, timeZone: 'Mars/Olympus' } },
      'twins.rollout.window.timeZone is "Mars/Olympus": write the IANA name of a time zone, such as Europe/Amsterdam or UTC',
    ],
    [
      'another unknown time zone',
      { over: '1h', window: { ...window, else: '+01:00' } },
      'twins.rollout.window.else',
    ],
    [
      'an unknown action',
      { stages: [all], onFailure: 'stop' },
      'twins.rollout.onFailure is "stop": write one of pause, rollback',
    ],
  ])('is refused with %s', (_, rollout, problem) => {
    expect(problemsOf(rollout)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    'UTC',
    'Europe/Amsterdam',
    '=tags.timeZone',
    "=tags.site == 'ams' ? 'Europe/Amsterdam' : 'UTC'",
  ])('accepts the time zone %s of a window', (timeZone) => {
    expect(problemsOf({ over: '1h', window: { ...window, timeZone } })).toEqual([]);
  });

  test.each<[string, unknown, object, string]>([
    [
      'a policy that only observes',
      undefined,
      { mode: 'observe', rollout: { over: '1h' } },
      'has no effect, because the policy only observes: remove it, or choose another mode',
    ],
    [
      'approvers without a stage to approve',
      { stages: [all], approvers: ['ann'] },
      {},
      'are asked only after a stage in which no device takes part',
    ],
    [
      'a stage without a least time',
      { stages: [{ name: 'lab', share: 0.1 }, all] },
      {},
      'has no least time, so the next stage begins as soon as the gate has its results: write atLeast',
    ],
    [
      'a gate that needs few devices in sync',
      { stages: [{ name: 'lab', share: 0.1, atLeast: '1h' }, all], gate: { inSync: 0.2 } },
      {},
      'so a stage may end while most of its devices have not answered',
    ],
    [
      'a condition with a device name of a hub',
      { stages: [{ name: 'lab', where: "hub.host == 'weu.device.azure-devices.net'", atLeast: '1h' }, all] },
      {},
      'which never matches',
    ],
  ])('warns about %s', (_, rollout, policy, message) => {
    const parsed = parse(rollout, policy);

    expect(parsed.ok && parsed.warnings.map((warning) => warning.message)).toEqual([
      expect.stringContaining(message),
    ]);
  });
});
