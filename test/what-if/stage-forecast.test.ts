import { describe, expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { approveStage, type RolloutPolicy } from '../../src/control/rollout-actions.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { RolloutDevice } from '../../src/rollout/content-choice.ts';
import { rolloutPlace } from '../../src/rollout/stages.ts';
import { epochMs, plus } from '../../src/time/epoch-ms.ts';
import { stageForecast } from '../../src/what-if/stage-forecast.ts';

const NOW = epochMs(Date.UTC(2026, 10, 28, 12));
const [MINUTE, HOUR] = [60_000, 3_600_000] as const;
const EMPTY = controlSchema.parse({});

function policyWith(rollout: object | undefined): Policy & RolloutPolicy {
  const parsed = parseFleet(
    JSON.stringify({
      hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }],
      twins: { policies: [{ name: 'base', desired: { interval: 5 }, rollout }] },
    }),
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return parsed.fleet.twins.policies[0] as Policy & RolloutPolicy;
}

const STAGED = policyWith({
  stages: [
    { name: 'lab', where: "tags.ring == 'lab'", atLeast: '1h' },
    { name: 'half', share: 0.5, atLeast: '6h', approve: true },
    { name: 'all', share: 1, over: '10h' },
  ],
});

/** A device with a place in the first or in the second half of the order of a rollout. */
function device(half: 'first' | 'second', isLab = false, policy: Policy = STAGED): RolloutDevice {
  const ids = Array.from({ length: 40 }, (_, index) => `device-${index}`);
  const deviceId = ids.find((id) => rolloutPlace(id, policy.hash) < 0.5 === (half === 'first')) ?? '';
  return {
    host: hostName('weu.azure-devices.net'),
    deviceId,
    matches: () => isLab,
    timeZone: () => 'UTC',
    hasContent: () => false,
    wasReached: () => false,
  };
}

/** The control row after the rollout began so long ago, in this stage. */
function inStage(name: string, agoMs: number): Control {
  const row = withPackage(EMPTY, '2026', [STAGED], plus(NOW, -agoMs), 'r');
  const names = STAGED.rollout.stages.map((stage) => stage.name);
  const done = names.slice(0, names.indexOf(name));
  const state = { stage: { name, since: plus(NOW, -agoMs) }, done, approvals: [], accepted: [] };
  return controlSchema.parse({
    ...JSON.parse(JSON.stringify(row)),
    rollouts: { [STAGED.hash]: state },
  });
}
const placeIn = (policy: Policy, { deviceId }: RolloutDevice) => rolloutPlace(deviceId, policy.hash);

describe('when a rollout reaches a device', () => {
  test.each([
    ['a device of the first stage: at once', device('first', true), 'lab', 0, false],
    [
      'a device of the second stage: after the first one and an approval',
      device('first'),
      'half',
      HOUR,
      true,
    ],
  ])('before it begins, %s', (_, which, stage, afterMs, needsApproval) => {
    expect(stageForecast(undefined, STAGED, which, NOW)).toEqual({
      stage,
      afterMs,
      needsApproval,
      hasWindow: false,
    });
    expect(stageForecast(EMPTY, STAGED, which, NOW)).toMatchObject({ stage, afterMs });
  });

  test('a device of a stage with "over" is reached at its place in the order', () => {
    const last = device('second');
    const own = ((placeIn(STAGED, last) - 0.5) / 0.5) * 10 * HOUR;

    expect(stageForecast(undefined, STAGED, last, NOW)?.afterMs).toBeCloseTo(7 * HOUR + own);
    expect(stageForecast(inStage('all', HOUR), STAGED, last, NOW)?.afterMs).toBeCloseTo(
      Math.max(0, own - HOUR),
    );
  });

  test('while it runs, the time that the present stage has run counts', () => {
    expect(stageForecast(inStage('lab', 20 * MINUTE), STAGED, device('first'), NOW)).toMatchObject({
      stage: 'half',
      afterMs: 40 * MINUTE,
      needsApproval: true,
    });
  });

  test('a present stage that has run too long does not shorten the stages after it', () => {
    const last = device('second');
    const own = ((placeIn(STAGED, last) - 0.5) / 0.5) * 10 * HOUR;

    expect(stageForecast(inStage('lab', 30 * HOUR), STAGED, last, NOW)?.afterMs).toBeCloseTo(6 * HOUR + own);
  });

  test('an approval that is there is not needed again, and a stage that is past needs none', () => {
    const running = inStage('lab', 0);
    const approved = approveStage(running, STAGED, { author: 'ann', reason: 'ok', at: NOW });
    if (approved.kind === 'refused') throw new Error(approved.why);

    expect(stageForecast(approved.control, STAGED, device('first'), NOW)?.needsApproval).toBe(false);
    expect(stageForecast(inStage('all', 0), STAGED, device('first'), NOW)).toMatchObject({
      stage: 'half',
      afterMs: 0,
      needsApproval: false,
    });
  });

  test('a rollout with "over" has no stages, only a time', () => {
    const spread = policyWith({ over: '2h' });
    const which = device('second', false, spread);

    expect(stageForecast(undefined, spread, which, NOW)).toMatchObject({ stage: undefined });
    expect(stageForecast(undefined, spread, which, NOW)?.afterMs).toBeCloseTo(
      placeIn(spread, which) * 2 * HOUR,
    );
  });

  test.each([
    ['without a rollout', policyWith(undefined), undefined],
    ['with "over": "0s"', policyWith({ over: '0s' }), undefined],
    [
      'after the rollout is complete',
      STAGED,
      controlSchema.parse({
        ...JSON.parse(JSON.stringify(inStage('all', HOUR))),
        rollouts: { [STAGED.hash]: { done: [], approvals: [], accepted: [], completedAt: NOW } },
      }),
    ],
  ])('there is no forecast %s', (_, policy, control) => {
    expect(stageForecast(control, policy, device('first', false, policy), NOW)).toBeUndefined();
  });
});
