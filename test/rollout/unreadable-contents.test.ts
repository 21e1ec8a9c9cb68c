import { beforeEach, expect, test } from '@jest/globals';
import { contentOf } from '../../src/control/rollouts.ts';
import type { RolloutDevice } from '../../src/rollout/content-choice.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { DAY, Deployment, WEU } from './rollouts.ts';

/* What a device gets that a rollout has not reached, if its earlier content is not there. */

let on: Deployment;
beforeEach(() => {
  on = new Deployment();
  on.deployValue(5, null).pass(DAY).deployValue(60);
});
const choice = (isUnreadable: boolean, device: Partial<RolloutDevice> = {}) =>
  contentOf(
    on.control,
    on.policy,
    {
      host: WEU,
      deviceId: 'pump-1',
      matches: () => false,
      timeZone: () => undefined,
      hasContent: () => false,
      wasReached: () => false,
      ...device,
    },
    { get: () => undefined, isUnreadable: () => isUnreadable },
    on.now,
  );

test('a content that is not read yet is awaited, so the device is looked at again after a minute', () => {
  expect(choice(false)).toMatchObject({ kind: 'nothing', hold: { until: plus(on.now, 60_000) } });
});

test('a content that cannot be read is not awaited, and the device is left as it is', () => {
  expect(choice(true)).toEqual({
    kind: 'nothing',
    stage: expect.stringMatching(/tenth|all/),
    hold: {
      why: expect.stringMatching(
        /^stage (tenth|all) of the rollout has not begun; the present stage is lab; the earlier content cannot be read$/,
      ),
      until: undefined,
    },
  });
});

test('a device that the rollout has reached keeps its content', () => {
  expect(choice(true, { hasContent: () => true })).toMatchObject({ kind: 'new' });
  expect(choice(true, { matches: () => true })).toMatchObject({ kind: 'new' });
});
