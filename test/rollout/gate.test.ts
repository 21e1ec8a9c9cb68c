import { describe, expect, test } from '@jest/globals';
import { compileRollout } from '../../src/fleet/file/compile-rollout.ts';
import { decideGate, type GateInput, NO_DEVICES, type StageCounts } from '../../src/rollout/gate.ts';

const HOUR = 3_600_000;

const { stages, gate } = compileRollout({
  stages: [
    { name: 'lab', share: 0.1, atLeast: '2h', over: '0s', approve: false },
    { name: 'all', share: 1, atLeast: '0s', over: '0s', approve: false },
  ],
  gate: { inSync: 0.9, rejected: 0.05, sample: 20, deadline: '24h' },
});
const NEXT = { name: 'all', isApproved: false };
const APPROVED = { name: 'all', isApproved: true };

interface Given extends Partial<Omit<GateInput, 'own' | 'all'>> {
  readonly own?: Partial<StageCounts>;
  /** Default: as `own`. */
  readonly all?: Partial<StageCounts>;
}

function decide({ own = {}, all = own, ...rest }: Given) {
  return decideGate({
    stage: stages[0],
    next: NEXT,
    gate,
    elapsedMs: 3 * HOUR,
    isApproved: false,
    isAccepted: false,
    ...rest,
    own: { ...NO_DEVICES, ...own },
    all: { ...NO_DEVICES, ...all },
  });
}

/* The specification of the gate: least 90 % in sync, most 5 % rejected, 20 results, at least two hours. */
describe('the gate of a stage', () => {
  test.each<[string, Given, ReturnType<typeof decideGate>]>([
    ['passes with all devices in sync', { own: { inSync: 100 } }, { kind: 'pass' }],
    ['passes with exactly the least share in sync', { own: { inSync: 90, pending: 10 } }, { kind: 'pass' }],
    [
      'waits with less than the least share in sync',
      { own: { inSync: 89, pending: 11 } },
      { kind: 'wait', why: '89 of the 100 devices that take part are in sync' },
    ],
    [
      'waits for devices that are not written yet, however many are in sync',
      { own: { inSync: 50, waiting: 950 } },
      { kind: 'wait', why: '50 of the 1000 devices that take part are in sync' },
    ],
    [
      'waits for the least time of the stage',
      { own: { inSync: 100 }, elapsedMs: 2 * HOUR - 1 },
      { kind: 'wait', why: 'the least time of the stage is not over' },
    ],
    [
      'passes with exactly the greatest share of rejections',
      { own: { inSync: 95, rejected: 5 } },
      { kind: 'pass' },
    ],
    [
      'fails with more rejections, also before the least time',
      { own: { inSync: 94, rejected: 6 }, elapsedMs: 0 },
      { kind: 'fail', why: '6 of 100 devices with a result reject it' },
    ],
    [
      'fails if devices are lost, because a value that ends devices must not pass',
      { own: { inSync: 94, lost: 6 } },
      { kind: 'fail', why: '6 of 100 devices with a result reject it or are lost (6)' },
    ],
    [
      'adds lost and rejected devices',
      { own: { inSync: 94, lost: 3, rejected: 3 } },
      { kind: 'fail', why: '6 of 100 devices with a result reject it or are lost (3)' },
    ],
    [
      'does not fail before the sample is complete',
      { own: { rejected: 19, pending: 81 } },
      { kind: 'wait', why: '19 of 20 results are there' },
    ],
    [
      'fails as soon as the sample is complete, however many devices have not answered',
      { own: { rejected: 20, waiting: 980 } },
      { kind: 'fail', why: '20 of 20 devices with a result reject it' },
    ],
    [
      'needs no more results than devices take part in a small stage',
      { own: { inSync: 3 } },
      { kind: 'pass' },
    ],
    [
      'fails in a stage of one device that rejects',
      { own: { rejected: 1 } },
      { kind: 'fail', why: '1 of 1 devices with a result reject it' },
    ],
    ['leaves out devices that were silent before', { own: { inSync: 3, silent: 1_000 } }, { kind: 'pass' }],
    [
      'asks for an approval if no device takes part',
      { own: { silent: 10 } },
      { kind: 'needsApproval', stage: 'all', why: 'no device takes part in the stage' },
    ],
    ['passes an empty stage after the approval', { own: {}, isApproved: true }, { kind: 'pass' }],
    [
      'waits for the least time of an empty stage too, also with an approval',
      { own: {}, isApproved: true, elapsedMs: HOUR },
      { kind: 'wait', why: 'the least time of the stage is not over' },
    ],
    ['ends an empty last stage without an approval', { own: {}, next: undefined }, { kind: 'pass' }],
    [
      'asks for an approval if the next stage needs one',
      { own: { inSync: 9 }, next: APPROVED },
      { kind: 'needsApproval', stage: 'all', why: 'the next stage begins only after an approval' },
    ],
    ['passes with the approval', { own: { inSync: 9 }, next: APPROVED, isApproved: true }, { kind: 'pass' }],
    [
      'does not pass with an approval alone',
      { own: { inSync: 1, pending: 8 }, next: APPROVED, isApproved: true },
      { kind: 'wait', why: '1 of 9 results are there' },
    ],
    [
      'fails at the devices of earlier stages too',
      { own: { inSync: 5 }, all: { inSync: 40, lost: 10 } },
      { kind: 'fail', why: '10 of 50 devices with a result reject it or are lost (10)' },
    ],
    [
      'fails if too few devices are in sync and none can follow',
      { own: { inSync: 80, contested: 20 } },
      {
        kind: 'fail',
        why: 'only 80 of the 100 devices that take part are in sync, and the others will not be',
      },
    ],
    [
      'waits for answers until the deadline is over',
      { own: { inSync: 80, pending: 20 }, elapsedMs: 26 * HOUR - 1 },
      { kind: 'wait', why: '80 of the 100 devices that take part are in sync' },
    ],
    [
      'fails after the deadline if devices are alive and do not answer',
      { own: { inSync: 80, pending: 20 }, elapsedMs: 26 * HOUR },
      {
        kind: 'fail',
        why: 'only 80 of the 100 devices that take part are in sync, and the others will not be',
      },
    ],
    [
      'fails after the deadline if a device shows life and never answers, also without a single result',
      { own: { pending: 1 }, elapsedMs: 26 * HOUR },
      {
        kind: 'fail',
        why: 'only 0 of the 1 devices that take part are in sync, and the others will not be',
      },
    ],
    [
      'waits after the deadline while devices are not written, because a budget may be used up',
      { own: { inSync: 80, waiting: 20 }, elapsedMs: 100 * HOUR },
      { kind: 'wait', why: '80 of the 100 devices that take part are in sync' },
    ],
    [
      'asks for an approval after an operator has resumed a failed stage',
      { own: { inSync: 50, rejected: 50 }, isAccepted: true },
      { kind: 'needsApproval', stage: 'all', why: 'the rollout failed in the stage, and it was resumed' },
    ],
  ])('%s', (_, given, expected) => {
    expect(decide(given)).toEqual(expected);
  });
});
