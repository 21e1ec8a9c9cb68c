import { describe, expect, test } from '@jest/globals';
import { ExpressionWork, WORK_LIMITS } from '../../src/fleet/expressions/expression-work.ts';
import type { JsonObject } from '../../src/json/json.ts';
import type { Hold } from '../../src/rollout/content-choice.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { adoptTwin, applyEvent, type Known } from '../../src/twin/events/apply-event.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { type Plan, plan } from '../../src/twin/plan/plan.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { at, fleetOf, ID, reports, snapshotOf, T0, twinOf, writes } from './twins.ts';

function planFor(
  twins: object,
  snapshot: Partial<Snapshot>,
  pausedPolicies: readonly string[] = [],
  now: EpochMs = T0,
): Plan {
  const fleet = fleetOf(twins);
  const hub = fleet.hubs[0];
  if (hub === undefined) throw new Error('no hub');
  return plan({
    snapshot: snapshotOf(snapshot),
    hub,
    twins: fleet.twins,
    holdOf: ({ name }) =>
      pausedPolicies.includes(name) ? { why: 'paused by ann: freeze', until: undefined } : undefined,
    now,
  });
}
const policies = (...list: object[]) => ({ policies: list });
const SAVER = { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 } };
const BASE = { name: 'base', desired: { interval: 5 } };

describe('the owner of a property', () => {
  test.each<[string, JsonObject, number]>([
    ['the first policy that matches owns the path', { battery: 10 }, 60],
    ['a policy that does not match owns nothing', { battery: 90 }, 5],
    ['a policy whose condition is unknown owns nothing', {}, 5],
    ['a policy whose condition meets a wrong type owns nothing', { battery: 'low' }, 5],
  ])('follows this rule: %s', (_, reported, interval) => {
    expect(planFor(policies(SAVER, BASE), { reported }).patch).toEqual({ interval });
  });

  test('is chosen for each leaf', () => {
    const { patch, leaves } = planFor(
      policies(
        { name: 'a', desired: { net: { dns: 'a' } } },
        { name: 'b', desired: { net: { dns: 'b', ntp: 'b' } } },
      ),
      {},
    );

    expect(patch).toEqual({ net: { dns: 'a', ntp: 'b' } });
    expect(leaves.map(({ path, policy }) => `${path} ${policy}`)).toEqual(['net.dns a', 'net.ntp b']);
  });

  test('is separate for a device and for its modules', () => {
    const twins = policies({ name: 'module', target: 'module:collector', desired: { level: 1 } }, BASE);

    expect(planFor(twins, {}).patch).toEqual({ interval: 5 });
    expect(planFor(twins, { id: { ...ID, moduleId: 'collector' } }).patch).toEqual({ level: 1 });
  });
});

describe('the patch', () => {
  test('is the smallest one that changes desired to the wanted values', () => {
    const twins = policies({
      name: 'p',
      desired: { a: 1, b: { c: 2, d: 3 }, gone: null, absent: null, list: [1, 2] },
    });

    const { patch } = planFor(twins, { desired: { a: 1, b: { c: 9, d: 3 }, gone: 'x', list: [1] } });

    expect(patch).toEqual({ b: { c: 2 }, gone: null, list: [1, 2] });
  });

  test('contains computed values', () => {
    const twins = policies({
      name: 'p',
      desired: { site: '=hub.labels.site', half: '=reported.rate / 2', none: '=reported.nothing' },
    });

    expect(planFor(twins, { reported: { rate: 9 } }).patch).toEqual({ site: 'ams', half: 4.5 });
  });

  test('never contains a value that is an object or that no twin can hold', () => {
    const twins = policies({ name: 'p', desired: { a: '=reported.object', b: '=reported.text' } });

    const {
      patch,
      leaves,
      status: state,
    } = planFor(twins, {
      reported: { object: { x: 1 }, text: 'x'.repeat(5_000) },
    });

    expect(patch).toEqual({});
    expect(leaves).toMatchObject([
      { path: 'b', status: 'rejected', why: expect.stringMatching(/over 4 KB/) },
    ]);
    expect(state).toBe('rejected');
  });

  test('is empty for a twin outside the scope and for an unknown scope', () => {
    const scoped = (scope: string) => planFor({ scope, ...policies(BASE) }, { tags: { unmanaged: true } });

    expect(scoped("!('unmanaged' in tags)").patch).toEqual({});
    expect(scoped("tags.managed == 'yes'").patch).toEqual({});
    expect(scoped("'unmanaged' in tags").patch).toEqual({ interval: 5 });
  });

  test.each<[string, object, readonly string[]]>([
    ['paused', policies(SAVER, BASE), ['saver']],
    ['in the mode observe', policies({ ...SAVER, mode: 'observe' }, BASE), []],
  ])('is empty when the policy is %s, and the policy still owns its path', (_, twins, paused) => {
    const { patch, leaves } = planFor(twins, { reported: { battery: 5 }, desired: { interval: 7 } }, paused);

    expect(patch).toEqual({});
    expect(leaves).toMatchObject([{ path: 'interval', policy: 'saver', status: 'drifted' }]);
  });
});

describe('the status of a twin', () => {
  const three = policies({ name: 'p', desired: { a: 1, b: 1, c: 1 } });
  const rejected = { ...NO_HISTORY, rejected: [{ policy: '', value: 1, why: '' }] };

  test.each<[string, Partial<Snapshot>, string]>([
    [
      'all properties are in sync',
      { desired: { a: 1, b: 1, c: 1 }, reported: { a: 1, b: 1, c: 1 } },
      'inSync',
    ],
    ['one property has no report', { desired: { a: 1, b: 1, c: 1 }, reported: { a: 1, b: 1 } }, 'pending'],
    ['one property has drifted', { desired: { a: 1, b: 1 }, reported: { a: 1 } }, 'drifted'],
    [
      'one property is rejected',
      { desired: { a: 1, b: 1 }, reported: { a: { value: 0, ac: 400, av: 1 } } },
      'rejected',
    ],
    [
      'one property is contested',
      { desired: { b: 1, c: 2 }, paths: { a: { ...rejected, contestedUntil: plus(T0, 1) } } },
      'contested',
    ],
  ])('is the worst status of its properties: %s', (_, snapshot, state) => {
    expect(planFor(three, snapshot).status).toBe(state);
  });

  test('is in sync without any policy', () => {
    expect(planFor({}, {})).toMatchObject({ status: 'inSync', writes: [], nextAt: undefined });
  });
});

test('a plan is due again at the earliest of its times', () => {
  const twins = policies({ name: 'p', desired: { a: 1, b: 1 }, deadline: '1h' });
  const snapshot: Partial<Snapshot> = {
    desired: { a: 1, b: 2 },
    reported: { a: { value: 0, ac: 202 } },
    paths: { b: { ...NO_HISTORY, contestedUntil: plus(T0, 30_000) } },
  };

  expect(planFor(twins, snapshot).nextAt).toBe(plus(T0, 30_000));
});

describe('a twin that is known from its events', () => {
  const apply = (before: Known, event: TwinEvent): Snapshot => {
    const known = applyEvent(before, event, [['interval']]);
    if (known.kind !== 'snapshot') throw new Error(`there is no snapshot but ${known.kind}`);
    return known.snapshot;
  };
  const next = (snapshot: Snapshot, event: TwinEvent): Snapshot =>
    apply({ kind: 'snapshot', snapshot }, event);
  const HOUR_MS = 3_600_000;

  test('is written again when it was created with the value and its device reports another one', () => {
    const twin = twinOf({ desired: { interval: 5 } });
    const born = apply({ kind: 'nothing' }, { kind: 'create', id: ID, time: at(0), twin });
    const echoed = next(born, reports(born, 10, { interval: 9 }));

    expect(planFor(policies(BASE), echoed, [], plus(T0, HOUR_MS))).toMatchObject({
      status: 'pending',
      patch: { interval: 5 },
      why: 'interval the device reports another value; Berth writes it again',
    });
  });

  test('is corrected after an edit when it was read before a policy owned the path and the device follows the edit', () => {
    // The device was offline when desired became 5, and has answered the version before.
    const twin = twinOf({
      version: 9,
      desiredVersion: 5,
      reportedVersion: 4,
      desired: { interval: 5 },
      desiredMetadata: { interval: { $lastUpdatedVersion: 5 } },
      reported: { interval: { value: 9, ac: 200, av: 3 } },
    });
    const read = adoptTwin(snapshotOf({ version: 0 }), twin, at(0), []);
    const first = planFor(policies(BASE), read);
    const edited = next({ ...read, paths: first.paths }, writes(read, 10, { interval: 7 }));
    const followed = next(edited, reports(edited, 20, { interval: { value: 7, ac: 200, av: 6 } }));

    expect(first.status).toBe('pending');
    expect(planFor(policies(BASE), followed, [], plus(T0, HOUR_MS))).toMatchObject({
      status: 'drifted',
      patch: { interval: 5 },
    });
  });

  test.each([
    ['an answer to the current version counts', 5, 'rejected'],
    ['a late answer to an earlier version does not count', 4, 'pending'],
  ])('handles an answer when it was read before any policy owned the path: %s', (_, version, state) => {
    const twin = twinOf({ version: 9, desiredVersion: 5, desired: { interval: 5 } });
    const read = adoptTwin(snapshotOf({ version: 0 }), twin, at(0), []);
    const first = planFor(policies(BASE), read);
    const edited = next({ ...read, paths: first.paths }, writes(read, 10, { other: 1 }));
    const answered = next(edited, reports(edited, 20, { interval: { value: 9, ac: 200, av: version } }));

    expect(planFor(policies(BASE), answered).status).toBe(state);
  });

  test('gets no second write after an edit when its device refused the value with an echo of that value', () => {
    const twin = twinOf({ version: 6, desiredVersion: 4, desired: { interval: 5 } });
    const read = adoptTwin(snapshotOf({ version: 0 }), twin, at(0), [['interval']]);
    const refused = next(read, reports(read, 1, { interval: { value: 5, ac: 400, av: 4 } }));
    const first = planFor(policies(BASE), refused);
    const edited = next({ ...refused, paths: first.paths }, writes(refused, 2, { interval: 9 }));

    expect(first.status).toBe('rejected');
    expect(planFor(policies(BASE), edited, [], plus(T0, HOUR_MS))).toMatchObject({
      status: 'rejected',
      patch: {},
    });
  });
});

describe('the status of a policy in a twin', () => {
  const SAME: Partial<Snapshot> = { desired: { interval: 5 }, reported: { interval: 5 } };
  const OTHER: Partial<Snapshot> = { desired: { interval: 9 } };
  const REFUSED: Partial<Snapshot> = {
    desired: { interval: 5 },
    reported: { interval: { value: 9, ac: 400, av: 1 } },
  };
  const ROLLOUT = { why: 'not reached', until: plus(T0, 1) };
  const PAUSE = { why: 'paused by ann', until: undefined };

  test.each<[string, Partial<Snapshot>, object, Hold | undefined, string]>([
    ['the value is there', SAME, BASE, undefined, 'inSync'],
    ['the value is written', OTHER, BASE, undefined, 'drifted'],
    ['the device refuses the value', REFUSED, BASE, undefined, 'rejected'],
    ['the value differs and the rollout has not reached the twin', OTHER, BASE, ROLLOUT, 'held'],
    ['the value is there before the rollout reaches the twin', SAME, BASE, ROLLOUT, 'unreached'],
    [
      'the device refuses the same value before the rollout reaches the twin',
      REFUSED,
      BASE,
      ROLLOUT,
      'unreached',
    ],
    ['the value differs and the policy is paused', OTHER, BASE, PAUSE, 'held'],
    ['the value was there before the pause', SAME, BASE, PAUSE, 'inSync'],
    [
      'the policy is in the mode observe, which no rollout holds',
      SAME,
      { ...BASE, mode: 'observe' },
      ROLLOUT,
      'inSync',
    ],
  ])('is right in this case: %s', (_, snapshot, policy, hold, policyStatus) => {
    const fleet = fleetOf(policies(policy));
    const [hub] = fleet.hubs;
    if (hub === undefined) throw new Error('no hub');
    const planned = plan({
      snapshot: snapshotOf(snapshot),
      hub,
      twins: fleet.twins,
      holdOf: () => hold,
      now: T0,
    });

    expect(Object.values(planned.policies)).toEqual([policyStatus]);
  });
});

test('the expressions for one twin take no more steps than allowed, and paths without steps stay unchanged', () => {
  const greedy = 'reported.l.all(x, (x + x + x).size() > 0)';
  const fleet = fleetOf({
    scope: "!('unmanaged' in tags)",
    policies: Array.from({ length: 100 }, (_, index) => ({
      name: `p${index}`,
      when: greedy,
      desired: { [`a${index}`]: '=size(reported.l)' },
    })),
  });
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  const snapshot = snapshotOf({ reported: { l: Array(900).fill('a'.repeat(30)) } });
  const work = new ExpressionWork();

  const { leaves } = plan({ snapshot, hub, twins: fleet.twins, holdOf: () => undefined, now: T0 }, work);

  expect(work.steps).toBeGreaterThan(WORK_LIMITS.request / 2);
  expect(work.steps).toBeLessThanOrEqual(WORK_LIMITS.request + 201 * WORK_LIMITS.own);
  expect(leaves.length).toBeGreaterThan(0);
  expect(leaves.length).toBeLessThan(100);
});
