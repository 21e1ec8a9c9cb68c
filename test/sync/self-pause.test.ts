import { expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import type { PolicyStatusCounts } from '../../src/store/twins/twin-count-store.ts';
import { policyProgressOf, whyPause } from '../../src/sync/resync/self-pause.ts';
import { fleetOf, T0 } from '../twin/twins.ts';

const { policies } = fleetOf({
  rollout: { over: '1h', pauseWhen: 0.05 },
  policies: [{ name: 'base', desired: { interval: 5 } }],
}).twins;
const POLICY = policies[0] as Policy;
const RUNNING = controlSchema.parse({});
const PAUSED: Control = { ...RUNNING, policies: { base: { author: 'ann', reason: 'freeze', at: T0 } } };

test.each<[string, PolicyStatusCounts, Control, string | undefined]>([
  [
    'more devices reject it than allowed',
    { inSync: 18, rejected: 2 },
    RUNNING,
    '2 of the 20 devices that it has reached reject it',
  ],
  ['as many devices reject it as allowed', { inSync: 19, rejected: 1 }, RUNNING, undefined],
  ['too few devices give a result', { rejected: 19 }, RUNNING, undefined],
  [
    'the rollout has not reached all twins, which do not hide the rejections',
    { unreached: 1_000, held: 1_000, rejected: 24, pending: 1 },
    RUNNING,
    '24 of the 25 devices that it has reached reject it',
  ],
  ['it is paused already', { rejected: 20 }, PAUSED, undefined],
])('the decision whether a policy pauses itself is right when %s', (_, counts, control, why) => {
  expect(whyPause(POLICY, policyProgressOf(counts), 0.05, control)).toBe(why);
});
