import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Control } from '../../src/control/control.ts';
import { withPause } from '../../src/control/pauses.ts';
import {
  type ActionResult,
  abortRollout,
  pauseRollout,
  type RolloutPolicy,
  rollBack,
} from '../../src/control/rollout-actions.ts';
import { contentOf } from '../../src/control/rollouts.ts';
import { withPrevious } from '../../src/fleet/file/previous.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { rolloutPlace } from '../../src/rollout/stages.ts';
import { withStatus } from '../../src/sync/reconcile/last-reconcile.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { adoptOwnWrite } from '../../src/twin/events/apply-event.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { mergePatch } from '../../src/twin/snapshot/merge.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { SNAPSHOT_FORMAT, snapshotIn } from '../../src/twin/snapshot/stored-snapshot.ts';
import { ID, snapshotOf, T0, twinOf } from '../twin/twins.ts';
import { Deployment, HOUR, STAGED } from './rollouts.ts';

/* Contents that a rollout has brought to a twin and that set nothing there, and when such a twin is planned again. */

let on: Deployment;
let previous: Policy[];
let twin: Snapshot;
beforeEach(() => {
  on = new Deployment();
  previous = [];
  twin = snapshotOf({ tags: { ring: 'prod' }, desired: { mode: 'eco' } });
});

function deploy(...policies: readonly object[]): void {
  previous.push(...on.fleet.twins.policies);
  on.deploy({ policies });
}
const fleet = () => withPrevious(on.fleet, previous);
function planned(now: EpochMs = on.now): Plan {
  const { hubs, twins } = fleet();
  const [hub] = hubs;
  if (hub === undefined) throw new Error('no hub');
  return plan({
    snapshot: twin,
    hub,
    twins,
    holdOf: () => undefined,
    contentOf: (policy, device) => contentOf(on.control, policy, device, twins.previous, now),
    now,
  });
}
/** Plans the twin, writes what the plan says, and stores the result as JSON. */
function reconcile(): JsonObject {
  const { writes, patch, paths } = planned();
  if (writes.length > 0) {
    on.pass(1_000);
    const answer = twinOf({
      version: twin.version + 1,
      desiredVersion: twin.desiredVersion + 1,
      reportedVersion: twin.reportedVersion,
      tags: twin.tags,
      desired: mergePatch(twin.desired, patch),
      reported: twin.reported,
      lastUpdated: instantOf(on.now),
    });
    twin = adoptOwnWrite({ ...twin, paths }, answer, writes, fleet().twins.trackedPaths);
  }
  const after = { ...twin, ...withStatus(twin, planned(), { fleet: fleet(), now: on.now }) };
  twin = snapshotIn(ID, SNAPSHOT_FORMAT.read(JSON.parse(JSON.stringify(after))));
  return patch;
}
const by = () => ({ author: 'ann', reason: 'test', at: on.now });
function act(change: (control: Control, policy: RolloutPolicy) => ActionResult): void {
  const result = change(on.control, on.policy as RolloutPolicy);
  if (result.kind === 'refused') throw new Error(result.why);
  on.control = result.control;
}

const ALL = { stages: [{ name: 'all', share: 1, atLeast: '1h' }] };
/** T0 is noon. The window closes an hour later. */
const OPEN = { from: '12:00', to: '13:00' };
const LATER = { from: '13:00', to: '14:00' };
const WIDE = { name: 'base', desired: { mode: 'boost' } };
const NARROW = { ...WIDE, when: "tags.ring == 'lab'" };
const DEFAULT = { name: 'default', desired: { mode: 'eco' } };
const inWindow = (policy: object, window: object = OPEN) => ({ ...policy, rollout: { ...ALL, window } });

describe('a content that has reached a twin and sets nothing there', () => {
  const reach = (narrow: object) => {
    deploy(WIDE, DEFAULT);
    expect(reconcile()).toEqual({ mode: 'boost' });
    deploy(narrow, DEFAULT);
    expect(reconcile()).toEqual({ mode: 'eco' });
  };

  test.each<[string, object]>([
    ['its condition is not met', NARROW],
    ['it adopts a value that is not reported', { name: 'base', mode: 'adopt', desired: { mode: 'x' } }],
    ['its value is unknown', { name: 'base', desired: { mode: '=reported.wanted' } }],
  ])('stays after the end of the maintenance window, because %s', (_, narrow) => {
    reach(inWindow(narrow));

    expect(planned().nextAt).toBeUndefined();
    on.pass(2 * HOUR);
    expect(planned()).toMatchObject({ writes: [], leaves: [{ policy: 'default', wanted: 'eco' }] });
  });

  test.each<[string, typeof pauseRollout]>([
    ['paused', pauseRollout],
    ['aborted', abortRollout],
  ])('stays while its rollout is %s', (_, change) => {
    reach({ ...NARROW, rollout: ALL });
    act((control, policy) => change(control, policy, by()));

    expect([reconcile(), reconcile()]).toEqual([{}, {}]);
    expect(planned().leaves).toMatchObject([{ policy: 'default' }]);
  });

  test('stays if the twin was in sync with it and then leaves its condition', () => {
    twin = { ...twin, tags: { ring: 'lab' } };
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy(inWindow(NARROW), DEFAULT);
    expect(reconcile()).toEqual({});
    on.pass(2 * HOUR);
    twin = { ...twin, tags: { ring: 'prod' } };

    expect([reconcile(), reconcile()]).toEqual([{ mode: 'eco' }, {}]);
  });

  test('gives its first value only in the window, also if the twin matches it before', () => {
    reach(inWindow({ ...NARROW, desired: { mode: 'lab' } }));
    on.pass(2 * HOUR);
    twin = { ...twin, tags: { ring: 'lab' } };

    expect(reconcile()).toEqual({ mode: 'boost' });
    on.pass(22 * HOUR);
    expect(reconcile()).toEqual({ mode: 'lab' });
  });

  test('stays below a rollout that was rolled back', () => {
    reach(inWindow(NARROW));
    deploy(inWindow({ name: 'base', desired: { mode: 'new' } }), DEFAULT);
    expect(reconcile()).toEqual({ mode: 'new' });
    act((control, policy) => rollBack(control, policy, by(), false));
    expect(reconcile()).toEqual({ mode: 'eco' });
    on.pass(2 * HOUR);

    expect(reconcile()).toEqual({});
  });

  test('leaves its properties to other policies, also while the next content waits', () => {
    deploy(inWindow(NARROW), DEFAULT);
    reconcile();
    deploy({ name: 'base', desired: { mode: 'new' }, rollout: STAGED }, DEFAULT);
    reconcile();
    on.pass(2 * HOUR);
    twin = { ...twin, desired: { mode: 'x' } };

    expect(reconcile()).toEqual({ mode: 'eco' });
  });

  test('is not remembered if there is no content before it', () => {
    deploy(inWindow(NARROW), DEFAULT);
    reconcile();

    expect(twin.lastReconcile.reached).toBeUndefined();
  });
});

describe('a twin that the new content does not match', () => {
  test('keeps the earlier content until the window opens, and is planned again then', () => {
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy(inWindow(NARROW, LATER), DEFAULT);

    expect(planned()).toMatchObject({ writes: [], nextAt: plus(T0, HOUR), policies: expect.anything() });
    expect(planned().stages).toEqual({});
    on.pass(HOUR);
    expect(reconcile()).toEqual({ mode: 'eco' });
  });

  test('is planned again when a rollout without stages reaches it', () => {
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy({ ...NARROW, rollout: { over: '10h' } }, DEFAULT);

    const reachedAt = rolloutPlace(ID.deviceId, on.policy.hash) * 10 * HOUR;
    expect(planned().nextAt).toBe(plus(on.now, Math.floor(reachedAt) + 1));
  });

  test('is not planned again for an earlier content whose rollout has ended with its fleet file', () => {
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy({ ...WIDE, desired: { mode: 'slow' }, rollout: { over: '10h' } }, DEFAULT);
    expect(planned().nextAt).toBeDefined();
    deploy({ ...WIDE, desired: { mode: 'new' }, rollout: STAGED }, DEFAULT);

    expect(planned()).toMatchObject({ writes: [], leaves: [{ wanted: 'boost' }], nextAt: undefined });
  });

  test('is not planned again while the policy of a rollout without stages is paused', () => {
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy({ ...WIDE, desired: { mode: 'slow' }, rollout: { over: '10h' } }, DEFAULT);
    on.control = withPause(on.control, { kind: 'policy', name: 'base' }, by());

    expect(planned().nextAt).toBeUndefined();
  });

  test('is not planned again if the earlier content does not match it either', () => {
    deploy({ ...WIDE, when: "tags.ring == 'shop'" }, DEFAULT);
    reconcile();
    deploy(inWindow(NARROW, LATER), DEFAULT);

    expect(planned().nextAt).toBeUndefined();
  });
});

describe('a twin after a rollback', () => {
  /** The content before the one that was rolled back has not reached the twin: its window is closed. */
  const rollBackToClosed = (closed: object) => {
    deploy(WIDE, DEFAULT);
    reconcile();
    deploy(inWindow(closed, LATER), DEFAULT);
    deploy({ name: 'base', desired: { mode: 'new' }, rollout: ALL }, DEFAULT);
    expect(reconcile()).toEqual({ mode: 'new' });
    act((control, policy) => rollBack(control, policy, by(), false));
    expect(reconcile()).toEqual({ mode: 'boost' });
  };

  test.each<[string, object, object]>([
    ['it matches', { name: 'base', desired: { mode: 'old' } }, { mode: 'old' }],
    ['it does not match', NARROW, { mode: 'eco' }],
  ])('is planned again when the window of a content opens that %s', (_, closed, patch) => {
    rollBackToClosed(closed);

    expect(planned().nextAt).toBe(plus(T0, HOUR));
    on.pass(HOUR);
    expect(reconcile()).toEqual(patch);
  });

  describe('that the next content has not reached', () => {
    const NEXT = { name: 'base', desired: { unit: 'C' } };
    beforeEach(() => {
      twin = { ...twin, desired: { mode: 'eco', level: 7 } };
      deploy(WIDE);
      reconcile();
      deploy({ name: 'base', desired: { mode: 'new', level: 9 }, rollout: ALL });
      expect(reconcile()).toEqual({ mode: 'new', level: 9 });
      act((control, policy) => rollBack(control, policy, by(), false));
    });

    test('counts as not reached in its stage', () => {
      deploy({ ...NEXT, rollout: STAGED });

      const { policies, stages, rollouts } = planned();
      expect(policies[on.policy.id]).toBe('unreached');
      expect(['tenth', 'all']).toContain(stages[on.policy.id]);
      expect(rollouts).toMatchObject([{ gets: 'back', why: expect.stringContaining('has not begun') }]);
    });

    test('gets back all values from before the rollback, and the next content in its window', () => {
      deploy(inWindow(NEXT, LATER));

      expect(reconcile()).toEqual({ mode: 'boost', level: 7 });
      expect(planned().nextAt).toBe(plus(T0, HOUR));
      on.pass(HOUR);
      expect(reconcile()).toEqual({ unit: 'C' });
    });
  });
});
