import { beforeEach, describe, expect, test } from '@jest/globals';
import { pauseRollout, type RolloutPolicy, rollBack } from '../../src/control/rollout-actions.ts';
import { contentOf } from '../../src/control/rollouts.ts';
import { withPrevious } from '../../src/fleet/file/previous.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { adoptOwnWrite, applyEvent } from '../../src/twin/events/apply-event.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { mergePatch } from '../../src/twin/snapshot/merge.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { ID, snapshotOf, T0, twinOf } from '../twin/twins.ts';
import { DAY, Deployment, HOUR, MINUTE, STAGED } from './rollouts.ts';

/* What one twin gets while a rollout in stages runs: the plan, from the control row and the fleet files. */

let on: Deployment;
let previous: Policy[];
let twin: Snapshot;
beforeEach(() => {
  on = new Deployment();
  previous = [];
  twin = snapshotOf({ tags: { ring: 'prod' }, desired: { interval: 5 } });
});

function deploy(...policies: readonly object[]): void {
  previous.push(...on.fleet.twins.policies);
  on.deploy({ policies });
}
function planned(now: EpochMs = on.now): Plan {
  const fleet = withPrevious(on.fleet, previous);
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  return plan({
    snapshot: twin,
    hub,
    twins: fleet.twins,
    holdOf: () => undefined,
    contentOf: (policy, device) => contentOf(on.control, policy, device, fleet.twins.previous, now),
    now,
  });
}
const tracked = () => withPrevious(on.fleet, previous).twins.trackedPaths;
/** Another change of the twin, by its next versions. */
function change(parts: { desired?: JsonObject; reported?: JsonObject }): void {
  const { desired, reported } = parts;
  const event = {
    kind: 'update',
    id: ID,
    time: instantOf(on.pass(1_000).now),
    change: {
      version: twin.version + 1,
      tags: undefined,
      desired: desired && { values: desired, version: twin.desiredVersion + 1, metadata: {} },
      reported: reported && { values: reported, version: twin.reportedVersion + 1, metadata: {} },
    },
  } as const;
  const known = applyEvent({ kind: 'snapshot', snapshot: twin }, event, tracked());
  if (known.kind !== 'snapshot') throw new Error('no twin');
  twin = known.snapshot;
}
const reports = (reported: JsonObject) => change({ reported });
const somebodyWrites = (desired: JsonObject) => change({ desired });
/** Writes what the plan says, if anything. */
function write(): JsonObject {
  const { writes, patch, paths } = planned();
  if (writes.length === 0) return {};
  on.pass(1_000);
  const desired = mergePatch(twin.desired, patch);
  const answer = twinOf({
    version: twin.version + 1,
    desiredVersion: twin.desiredVersion + 1,
    reportedVersion: twin.reportedVersion,
    desired,
    reported: twin.reported,
    lastUpdated: instantOf(on.now),
  });
  twin = adoptOwnWrite({ ...twin, paths }, answer, writes, tracked());
  const { policies, stages } = planned();
  twin = { ...twin, lastReconcile: { ...twin.lastReconcile, policies, stages } };
  return patch;
}
const ALL = { stages: [{ name: 'all', share: 1, atLeast: '1h' }], gate: { deadline: '24h' } };
const OLD = { name: 'base', desired: { interval: 5 } };
const NEW = { name: 'base', desired: { interval: 60 }, rollout: STAGED };
const toAll = (policy: object) => ({ ...policy, rollout: ALL });
const lab = () => {
  twin = { ...twin, tags: { ring: 'lab' } };
};

describe('a device that a rollout has not reached', () => {
  test('keeps the earlier value, and its drift from it is corrected', () => {
    deploy(OLD);
    deploy(NEW);
    expect(write()).toEqual({});
    somebodyWrites({ interval: 7 });

    expect(write()).toEqual({ interval: 5 });
  });

  test('is counted in its stage as not reached', () => {
    deploy(OLD);
    deploy(NEW);
    const { policies, stages, rollouts } = planned();
    const { id } = on.policy;

    expect(policies[id]).toBe('unreached');
    expect(['tenth', 'all']).toContain(stages[id]);
    expect(rollouts).toEqual([
      expect.objectContaining({
        policy: 'base',
        gets: 'previous',
        why: expect.stringContaining('has not begun'),
      }),
    ]);
  });

  test('keeps properties that only the earlier content has, and gets none that only the new one has', () => {
    deploy({ name: 'base', desired: { interval: 5, unit: 'C' } });
    deploy({ name: 'base', desired: { interval: 60, mode: 'eco' }, rollout: STAGED });

    expect(write()).toEqual({ unit: 'C' });
  });

  test('gets nothing of a new policy, and its drift is held', () => {
    deploy({ ...NEW, desired: { interval: 60 } });

    expect(planned()).toMatchObject({ writes: [], isHeld: true, status: 'drifted' });
  });

  test('is not counted if the policy does not match it', () => {
    deploy({ ...OLD, when: "tags.ring == 'lab'" });
    deploy({ ...NEW, when: "tags.ring == 'lab'" });

    expect(planned().policies).toEqual({});
  });

  test('has no property of the earlier content that lies above one of another policy', () => {
    deploy({ name: 'base', desired: { wifi: { channel: 5 } } });
    deploy(
      { name: 'base', desired: { interval: 60 }, rollout: STAGED },
      { name: 'other', desired: { wifi: 'on' } },
    );

    expect(write()).toEqual({ wifi: 'on' });
  });
});

describe('a device that a rollout has reached', () => {
  test('gets the new value, and keeps it when it leaves the stage', () => {
    deploy(OLD);
    deploy(NEW);
    lab();
    expect(write()).toEqual({ interval: 60 });
    twin = { ...twin, tags: { ring: 'prod' } };

    expect(write()).toEqual({});
    somebodyWrites({ interval: 7 });
    expect(write()).toEqual({ interval: 60 });
  });

  test('stores the value that the first write replaced, and no later one', () => {
    deploy(OLD);
    deploy(NEW);
    lab();
    write();
    somebodyWrites({ interval: 7 });
    write();

    expect(twin.paths.interval?.replaced).toMatchObject({ policy: on.policy.hash, value: 5 });
  });
});

describe('a device in a paused stage', () => {
  test('does not get the content because its value was contested', () => {
    deploy(OLD);
    deploy(NEW);
    lab();
    twin = { ...twin, lastReconcile: { ...twin.lastReconcile, policies: { [on.policy.id]: 'contested' } } };
    const by = { author: 'ann', reason: 'test', at: on.now };
    const paused = pauseRollout(on.control, on.policy as RolloutPolicy, by);
    if (paused.kind === 'refused') throw new Error(paused.why);
    on.control = paused.control;

    expect(write()).toEqual({});
  });
});

describe('a device that waits for its maintenance window', () => {
  test('is planned again when the window opens, also if nothing differs', () => {
    twin = { ...twin, desired: { interval: 60 }, tags: { ring: 'lab' } };
    deploy({ ...NEW, rollout: { ...STAGED, window: { from: '13:00', to: '14:00' } } });

    expect(planned().nextAt).toBe(plus(T0, HOUR));
  });
});

describe('a device that has a content with a maintenance window', () => {
  /** T0 is noon, so the window closes an hour later. */
  const inWindow = (policy: object) => ({
    ...policy,
    rollout: { ...ALL, window: { from: '12:00', to: '13:00' } },
  });
  const FIRST = { name: 'base', desired: { interval: 60 } };
  const rollBackTo = () => {
    const by = { author: 'ann', reason: 'test', at: on.now };
    const result = rollBack(on.control, on.policy as RolloutPolicy, by, false);
    if (result.kind === 'refused') throw new Error(result.why);
    on.control = result.control;
  };
  const refuses = () => {
    reports({ interval: { value: 5, ac: 400, av: twin.desiredVersion } });
    twin = { ...twin, paths: planned().paths };
  };

  test('keeps it after the window, also if it refuses the value and another content wrote in between', () => {
    deploy(inWindow(FIRST));
    write();
    refuses();
    deploy(inWindow({ ...FIRST, desired: { interval: null }, onLeave: 'remove' }));
    expect(write()).toEqual({ interval: null });
    rollBackTo();
    const before = planned();
    expect(before).toMatchObject({ status: 'rejected', writes: [], leaves: [{ wanted: 60 }] });

    const after = planned(plus(T0, 2 * HOUR));

    expect(after).toMatchObject({ status: 'rejected', writes: [], leaves: [{ wanted: 60 }] });
  });

  test('is planned again when the window closes, if the content has written nothing', () => {
    deploy(inWindow(FIRST));
    write();
    refuses();
    deploy(inWindow({ name: 'base', desired: { interval: 70 } }));
    const { interval } = twin.paths;
    if (interval === undefined) throw new Error('no history');
    const refused = { policy: on.policy.hash, value: 70, why: 'the device answered 400' };
    twin = { ...twin, paths: { interval: { ...interval, rejected: [...interval.rejected, refused] } } };

    expect(planned()).toMatchObject({ status: 'rejected', writes: [], nextAt: plus(T0, HOUR) });
  });

  test('is not planned again at the end of the window, if it is in sync', () => {
    deploy(inWindow(FIRST));
    write();
    reports({ interval: 60 });

    expect(planned()).toMatchObject({ status: 'inSync', nextAt: undefined });
  });
});

describe('the life of a device after its first write', () => {
  const status = () => planned().policies[on.policy.id];
  const begin = (policy: object = OLD) => {
    deploy(toAll({ ...policy, desired: { interval: 60 } }));
    write();
  };

  test('is in sync when it reports the value', () => {
    reports({ interval: 5 });
    begin();
    expect(status()).toBe('pending');
    reports({ interval: 60 });

    expect(status()).toBe('inSync');
  });

  test('is lost if it showed life before the write and none within the deadline, and the hub was asked', () => {
    reports({ interval: 5 });
    begin();
    on.pass(DAY);
    expect(planned()).toMatchObject({ policies: { [on.policy.id]: 'pending' } });
    expect(planned().askAt).toBeLessThanOrEqual(on.now);
    twin = { ...twin, activity: { askedAt: on.now, asks: 5, isConnected: false } };

    expect(status()).toBe('lost');
  });

  test('is lost after one more hour if the hub cannot be asked', () => {
    reports({ interval: 5 });
    begin();
    on.pass(DAY + HOUR - MINUTE);
    expect(status()).toBe('pending');
    on.pass(MINUTE);

    expect(status()).toBe('lost');
  });

  test('is not lost if the hub saw it after the write, and its event of the write is no life', () => {
    reports({ interval: 5 });
    begin();
    somebodyWrites({ other: 1 });
    on.pass(DAY + 2 * HOUR);
    expect(status()).toBe('lost');
    twin = { ...twin, lifeAt: instantOf(plus(on.now, -HOUR)) };

    expect(status()).toBe('pending');
  });

  test('is lost too if the value needs no report, because such a value would look in sync', () => {
    reports({ interval: 5 });
    begin({ ...OLD, confirm: false });
    expect(status()).toBe('pending');
    on.pass(DAY + 2 * HOUR);

    expect(status()).toBe('lost');
  });

  test.each([
    ['no life at all', undefined],
    ['no life in the last 24 hours', 25 * HOUR],
  ])('is silent if the device showed %s before the write', (_, before) => {
    on.pass(2 * DAY);
    if (before !== undefined) twin = { ...twin, lifeAt: instantOf(plus(on.now, -before)) };
    begin();
    on.pass(2 * DAY);

    expect(status()).toBe('silent');
  });

  test('does not matter in a rollout without stages', () => {
    reports({ interval: 5 });
    deploy({ name: 'base', desired: { interval: 60 }, rollout: { over: '1h' } });
    on.pass(HOUR);
    write();
    on.pass(DAY + 2 * HOUR);

    expect(status()).toBe('pending');
  });
});

describe('a rollback', () => {
  const back = () => {
    const by = { author: 'ann', reason: 'test', at: on.now };
    const result = rollBack(on.control, on.policy as RolloutPolicy, by, false);
    if (result.kind === 'refused') throw new Error(result.why);
    on.control = result.control;
  };

  test('gives back the value of the earlier content, and corrects drift from it after that', () => {
    deploy(OLD);
    deploy(toAll({ ...OLD, desired: { interval: 60 } }));
    write();
    back();
    expect(write()).toEqual({ interval: 5 });
    reports({ interval: 5 });
    somebodyWrites({ interval: 7 });

    expect(write()).toEqual({ interval: 5 });
  });

  test('gives back the value from before the first write if there was no earlier content', () => {
    twin = { ...twin, desired: { interval: 42 } };
    deploy(toAll({ name: 'base', desired: { interval: 60, mode: 'eco' } }));
    expect(write()).toEqual({ interval: 60, mode: 'eco' });
    somebodyWrites({ other: 1 });
    back();

    expect(write()).toEqual({ interval: 42, mode: null });
    expect(write()).toEqual({});
  });

  test('gives a value back once where the earlier content does not apply and removes what it wrote', () => {
    twin = { ...twin, desired: { interval: 42 }, reported: { battery: 90 } };
    deploy({ ...OLD, when: 'reported.battery < 20', onLeave: 'remove' });
    deploy(toAll({ ...OLD, desired: { interval: 60 } }));
    expect(write()).toEqual({ interval: 60 });
    back();

    expect(write()).toEqual({ interval: 42 });
    expect([write(), write(), write()]).toEqual([{}, {}, {}]);
  });

  test('gives a late joiner nothing of what was rolled back', () => {
    twin = { ...twin, desired: {} };
    deploy(toAll({ name: 'base', desired: { interval: 60 } }));
    back();

    expect(write()).toEqual({});
    expect(planned().leaves).toEqual([]);
  });

  test.each([
    ['the earlier content', true],
    ['the first write', false],
  ])(
    'leaves a value that another writer has changed since, and reports it: with the value of %s',
    (_, hasOld) => {
      if (hasOld) deploy(OLD);
      deploy(toAll({ name: 'base', desired: { interval: 60 } }));
      write();
      somebodyWrites({ interval: 77 });
      back();

      expect(write()).toEqual({});
      expect(planned()).toMatchObject({
        status: 'contested',
        why: 'interval was changed by another writer after the rollout that was rolled back, so Berth leaves it',
      });
    },
  );

  test('does not own a value any more after it was given back', () => {
    twin = { ...twin, desired: { interval: 42 } };
    deploy(toAll({ name: 'base', desired: { interval: 60 } }));
    write();
    back();
    write();
    somebodyWrites({ interval: 77 });

    expect(planned()).toMatchObject({ leaves: [], writes: [], status: 'inSync' });
  });

  test('reports a value that cannot go back, because it is redacted', () => {
    deploy(toAll({ name: 'base', desired: { interval: 60 } }));
    write();
    const { interval } = twin.paths;
    const replaced = interval?.replaced && { ...interval.replaced, value: '(redacted:0123456789abcdef)' };
    if (interval === undefined || replaced === undefined) throw new Error('no history');
    twin = { ...twin, paths: { interval: { ...interval, replaced } } };
    back();

    expect(planned().leaves).toMatchObject([{ path: 'interval', status: 'contested' }]);
    expect(write()).toEqual({});
  });
});
