import { expect, test } from '@jest/globals';
import { type Control, controlSchema } from '../../src/control/control.ts';
import type { Policy, Rollout } from '../../src/fleet/fleet.ts';
import type { StandingCounts } from '../../src/store/twins/twin-store.ts';
import { receptionOf, whyPause } from '../../src/sync/resync/self-pause.ts';
import { fleetOf, T0 } from '../twin/twins.ts';

const { policies, rollout } = fleetOf({
  rollout: { over: '1h', pauseWhen: 0.05 },
  policies: [{ name: 'base', desired: { interval: 5 } }],
}).twins;
const POLICY = policies[0] as Policy;
const ROLLOUT = rollout as Rollout;
const RUNNING = controlSchema.parse({});
const PAUSED: Control = { ...RUNNING, policies: { base: { author: 'ann', reason: 'freeze', at: T0 } } };

test.each<[string, StandingCounts, Control, string | undefined]>([
  [
    'more devices reject it than may',
    { inSync: 18, rejected: 2 },
    RUNNING,
    '2 of the 20 devices that it has reached reject it',
  ],
  ['as many as may', { inSync: 19, rejected: 1 }, RUNNING, undefined],
  ['too few devices to say', { rejected: 19 }, RUNNING, undefined],
  [
    'twins that the ramp has not reached do not hide those that reject it',
    { unreached: 1_000, held: 1_000, rejected: 24, pending: 1 },
    RUNNING,
    '24 of the 25 devices that it has reached reject it',
  ],
  ['it is paused already', { rejected: 20 }, PAUSED, undefined],
])('whether a policy pauses itself: %s', (_, counts, control, why) => {
  expect(whyPause(POLICY, receptionOf(counts), ROLLOUT, control)).toBe(why);
});
