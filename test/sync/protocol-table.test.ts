import { describe, expect, test } from '@jest/globals';
import type { JsonObject } from '../../src/json/json.ts';
import {
  type Failure,
  firstStep,
  intentOf,
  type Next,
  nextStep,
  type ReconcileState,
  type ReconcileStep,
  type StepAnswer,
  stepOfOlderPackage,
  stepWithoutHub,
  workOn,
} from '../../src/sync/reconcile/protocol.ts';
import type { Gate } from '../../src/sync/reconcile/write-gate.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { OPEN_GATE } from '../support/open-gate.ts';
import { at, fleetOf, snapshotOf, T0, twinOf } from '../twin/twins.ts';

/*
 * The specification of the protocol of one twin. A row has the snapshot, the answers to the steps in order, and the
 * expected steps. A policy wants `interval` 5 and `mode` "eco" on every device. Fields that a row leaves out have
 * ordinary values.
 */

const FLEET = fleetOf({ policies: [{ name: 'base', desired: { interval: 5, mode: 'eco' } }] });
const HUB = FLEET.hubs[0];
const SURROUNDINGS = { fleet: FLEET, now: T0 };
const IN_SYNC: JsonObject = { interval: 5, mode: 'eco' };
const DRIFTED: JsonObject = { interval: 9, mode: 'eco' };

const snapshot = (parts: Partial<Snapshot> = {}): Snapshot =>
  snapshotOf({ desired: DRIFTED, reported: IN_SYNC, etag: 'one', ...parts });
const CLOSED: Gate = { ...OPEN_GATE, closedFor: () => 'paused by ann: test' };
const DISTRUSTFUL: Gate = { ...OPEN_GATE, readsFirst: () => true };

const failure = (parts: Partial<Failure>): Failure => ({
  code: 'BERTH_HUB_UNAVAILABLE',
  message: 'the hub is down',
  hubCode: '503',
  mayHaveApplied: false,
  answeredAt: undefined,
  backOffMs: 5_000,
  ...parts,
});

/** An answer as a row words it; a write's plan is the one of the step before. */
type Said =
  | { readonly twin: JsonObject }
  | { readonly written: JsonObject }
  | { readonly fails: Partial<Failure> }
  | { readonly noPermit: number; readonly isQuota?: boolean }
  | { readonly gate: Gate }
  | { readonly status: 'enabled' | 'disabled' | 'missing' };

interface Row {
  readonly name: string;
  readonly given?: Partial<Snapshot>;
  readonly gate?: Gate;
  readonly answers?: readonly Said[];
  /** The steps in order, the last one with what is stored. */
  readonly steps: readonly string[];
}

const INTENT: Partial<Snapshot> = {
  writing: [{ path: ['interval'], policy: 'p', by: 'base', value: 5 }],
  workItem: { priority: 'drift', at: plus(T0, 20_000), why: 'a correction is being written', tries: 0 },
};
const UNREAD: Partial<Snapshot> = { unread: { since: at(0), why: 'events are missing' } };

const rows: readonly Row[] = [
  { name: 'a twin in sync settles at once', given: { desired: IN_SYNC }, steps: ['settle: inSync'] },
  {
    name: 'a twin that has drifted is written once',
    answers: [{ written: IN_SYNC }],
    steps: ['write {"interval":5}', 'settle, corrected: inSync'],
  },
  {
    name: 'an unknown twin is read first',
    given: UNREAD,
    answers: [{ twin: IN_SYNC }],
    steps: ['read', 'settle: inSync'],
  },
  {
    name: 'an unknown twin that has drifted is written after the read',
    given: UNREAD,
    answers: [{ twin: DRIFTED }, { written: IN_SYNC }],
    steps: ['read', 'write {"interval":5}', 'settle, corrected: inSync'],
  },
  {
    name: 'a twin of an untrusted hub is read before each decision',
    gate: DISTRUSTFUL,
    given: { desired: IN_SYNC },
    answers: [{ twin: IN_SYNC }],
    steps: ['read', 'settle: inSync'],
  },
  {
    name: 'an unknown etag costs a read before the write',
    given: { etag: undefined },
    answers: [{ twin: DRIFTED }, { written: IN_SYNC }],
    steps: ['read', 'write {"interval":5}', 'settle, corrected: inSync'],
  },
  // another instance
  {
    name: 'a twin that another instance writes is stored and not written',
    given: INTENT,
    steps: ['settle, writing: drifted'],
  },
  {
    name: 'a write of an instance that died is followed by a read before any other write',
    given: {
      ...INTENT,
      workItem: { priority: 'drift', at: plus(T0, -1), why: 'a correction is being written', tries: 0 },
    },
    answers: [{ twin: IN_SYNC }],
    steps: ['read', 'settle: inSync'],
  },
  // 412
  {
    name: 'a write that another writer overtook is followed by a read and a new plan',
    answers: [{ fails: { code: 'BERTH_HUB_PRECONDITION_FAILED' } }, { twin: DRIFTED }, { written: IN_SYNC }],
    steps: ['write {"interval":5}', 'read', 'write {"interval":5}', 'settle, corrected: inSync'],
  },
  {
    name: 'a write that other writers overtake three times is given up for now',
    answers: [
      { fails: { code: 'BERTH_HUB_PRECONDITION_FAILED' } },
      { twin: DRIFTED },
      { fails: { code: 'BERTH_HUB_PRECONDITION_FAILED' } },
      { twin: DRIFTED },
      { fails: { code: 'BERTH_HUB_PRECONDITION_FAILED' } },
    ],
    steps: [
      'write {"interval":5}',
      'read',
      'write {"interval":5}',
      'read',
      'write {"interval":5}',
      'requeue in 30 s: drifted, other writers keep changing the twin',
    ],
  },
  // refused values
  {
    name: 'a value that the hub refuses is rejected and not sent again',
    given: { reported: { interval: 9, mode: 'eco' } },
    answers: [{ fails: { code: 'BERTH_HUB_REFUSED', hubCode: 'ArgumentInvalid' } }],
    steps: ['write {"interval":5}', 'settle: rejected'],
  },
  {
    name: 'a value that the hub refuses is rejected even if the device reports it',
    answers: [{ fails: { code: 'BERTH_HUB_REFUSED', hubCode: 'ArgumentInvalid' } }],
    steps: ['write {"interval":5}', 'settle: rejected'],
  },
  {
    name: 'several values that the hub refuses together are written one by one',
    given: { desired: {}, reported: {} },
    answers: [{ fails: { code: 'BERTH_HUB_REFUSED' } }, { written: { interval: 5 } }],
    steps: ['write {"interval":5,"mode":"eco"}', 'write {"interval":5}', 'settle, corrected: drifted'],
  },
  // trouble
  {
    name: 'a write that failed before it was applied is tried again later',
    answers: [{ fails: {} }],
    steps: ['write {"interval":5}', 'requeue in 5 s: drifted, the hub is down'],
  },
  {
    name: 'a write that may have been applied is followed by a read in a later run',
    answers: [{ fails: { mayHaveApplied: true } }],
    steps: ['write {"interval":5}', 'requeue in 5 s: unknown, the hub is down, unread'],
  },
  {
    name: 'a read that failed is tried again later',
    given: UNREAD,
    answers: [{ fails: { code: 'BERTH_HUB_TIMEOUT', message: 'no answer' } }],
    steps: ['read', 'requeue in 5 s: unknown, no answer, unread'],
  },
  {
    name: 'a spent quota suspends the twin until the next day',
    given: UNREAD,
    answers: [
      { fails: { code: 'BERTH_HUB_QUOTA_EXCEEDED', message: 'the quota is spent', backOffMs: 3_600_000 } },
    ],
    steps: ['read', 'requeue in 3600 s: suspended, the quota is spent, unread'],
  },
  // permits and the gate
  {
    name: 'a read without a permit is tried again later',
    given: UNREAD,
    answers: [{ noPermit: 10 }],
    steps: ['read', 'requeue in 10 s: unknown, no permit, unread'],
  },
  {
    name: 'a write without a permit is tried again later and is not a rejection',
    answers: [{ noPermit: 10 }],
    steps: ['write {"interval":5}', 'requeue in 10 s: drifted, no permit'],
  },
  {
    name: 'a daily quota that is used up suspends the twin',
    answers: [{ noPermit: 3_600, isQuota: true }],
    steps: ['write {"interval":5}', 'requeue in 3600 s: suspended, no permit'],
  },
  {
    name: 'a paused hub gets no write',
    gate: CLOSED,
    steps: ['requeue in 0 s: drifted, paused by ann: test'],
  },
  {
    name: 'a pause that starts while a write waits for its permit stops the write',
    answers: [{ gate: CLOSED }],
    steps: ['write {"interval":5}', 'requeue in 0 s: drifted, paused by ann: test'],
  },
  // 404
  {
    name: 'a twin that is gone is removed',
    given: UNREAD,
    answers: [{ fails: { code: 'BERTH_HUB_NOT_FOUND' } }, { status: 'missing' }],
    steps: ['read', 'askStatus', 'forget'],
  },
  {
    name: 'a disabled device is suspended for an hour',
    given: UNREAD,
    answers: [{ fails: { code: 'BERTH_HUB_NOT_FOUND' } }, { status: 'disabled' }],
    steps: ['read', 'askStatus', 'requeue in 3600 s: suspended, the device is disabled, unread'],
  },
  {
    name: 'an identity without a twin is suspended',
    given: UNREAD,
    answers: [{ fails: { code: 'BERTH_HUB_NOT_FOUND' } }, { status: 'enabled' }],
    steps: [
      'read',
      'askStatus',
      'requeue in 3600 s: suspended, the hub has the device but not its twin, unread',
    ],
  },
  {
    name: 'a registry that does not answer is asked again later',
    given: UNREAD,
    answers: [{ fails: { code: 'BERTH_HUB_NOT_FOUND' } }, { fails: {} }],
    steps: ['read', 'askStatus', 'requeue in 5 s: unknown, the hub is down, unread'],
  },
];

describe('the steps of reconciling one twin', () => {
  test.each(rows)('$name', ({ given, gate = OPEN_GATE, answers = [], steps }) => {
    const work = workOn(snapshot(given), { hub: hub(), priority: 'drift', gate, now: T0 });

    expect(audit(firstStep(work, SURROUNDINGS), answers)).toEqual(steps);
  });
});

describe('a run that may not ask the hub', () => {
  const work = (given: Partial<Snapshot>): ReconcileState =>
    workOn(snapshot(given), { hub: hub(), priority: 'resync', gate: OPEN_GATE, now: T0 });

  test.each<[string, Partial<Snapshot>, string]>([
    ['a twin in sync settles', { desired: IN_SYNC }, 'settle: inSync'],
    ['a twin that has drifted becomes due at once', {}, 'requeue in 0 s: drifted'],
    ['a twin that must be read stays unchanged', UNREAD, 'settle: unknown, unread'],
    ['a twin with a write in progress stays unchanged', INTENT, 'settle, writing: unknown'],
    [
      'a twin that waits after a failure continues to wait',
      { workItem: { priority: 'drift', at: plus(T0, 60_000), why: 'trouble', tries: 3 } },
      'requeue in 60 s: drifted',
    ],
  ])('gives this step: %s', (_, given, step) => {
    expect(worded(stepWithoutHub(work(given), SURROUNDINGS).step)).toBe(step);
  });

  test('an older package leaves the decision to a newer package', () => {
    expect(worded(stepOfOlderPackage(work({}), SURROUNDINGS).step)).toBe('requeue in 0 s: unknown');
  });
});

function hub() {
  if (HUB === undefined) throw new Error('no hub');
  return HUB;
}

/** The steps, each with the answer that a row gives to it. */
function audit(first: Next, answers: readonly Said[]): readonly string[] {
  let next = first;
  const steps = [worded(next.step)];
  for (const said of answers) {
    const { step } = next;
    // As the executor does: what is about to be written is stored first.
    const isSent = step.kind === 'write' && !('noPermit' in said) && !('gate' in said);
    const work = isSent ? intentOf(next.work, step.plan, SURROUNDINGS) : next.work;
    next = nextStep(work, answerOf(said, step), SURROUNDINGS);
    steps.push(worded(next.step));
  }
  return steps;
}

function answerOf(said: Said, step: ReconcileStep): StepAnswer {
  const plan = step.kind === 'write' ? { plan: step.plan } : {};
  if ('twin' in said) return { kind: 'twin', twin: twinAs(said.twin) };
  if ('written' in said && step.kind === 'write') {
    return { kind: 'written', twin: twinAs(said.written), plan: step.plan };
  }
  if ('gate' in said) return { kind: 'gateChanged', gate: said.gate };
  if ('status' in said) return { kind: 'status', status: said.status };
  if ('noPermit' in said) {
    const { noPermit, isQuota = false } = said;
    return { kind: 'noPermit', at: plus(T0, noPermit * 1_000), why: 'no permit', isQuota, ...plan };
  }
  if ('fails' in said) return { kind: 'failed', failure: failure(said.fails), ...plan };
  throw new Error('an answer to no write');
}

function twinAs(desired: JsonObject) {
  return twinOf({ version: 3, desired, desiredVersion: 2, reported: IN_SYNC, etag: 'two' });
}

function worded(step: ReconcileStep): string {
  switch (step.kind) {
    case 'write':
      return `write ${JSON.stringify(step.plan.patch)}`;
    case 'settle':
    case 'requeue': {
      const { lastReconcile, workItem, unread, writing } = step.snapshot;
      const end = unread === undefined ? '' : ', unread';
      if (step.kind === 'settle') {
        const flags = `${step.isCorrected ? ', corrected' : ''}${writing === undefined ? '' : ', writing'}`;
        return `settle${flags}: ${lastReconcile.status}${end}`;
      }
      const seconds = ((workItem?.at ?? Number.NaN) - T0) / 1_000;
      const why = lastReconcile.why.includes('; ') ? lastReconcile.why.split('; ').at(-1) : lastReconcile.why;
      const isHubs = why !== undefined && why !== '' && !why.includes('is not what the policy wants');
      return `requeue in ${seconds} s: ${lastReconcile.status}${isHubs ? `, ${why}` : ''}${end}`;
    }
    default:
      return step.kind;
  }
}
