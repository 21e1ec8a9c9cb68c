import { describe, expect, test } from '@jest/globals';
import { type Control, controlSchema, type Pause, type Scope, SELF } from '../../src/control/control.ts';
import { elapsedOf } from '../../src/control/elapsed.ts';
import { withPackage } from '../../src/control/packages.ts';
import { isTrusted, pauseFor, pauseOf, withoutPause, withPause } from '../../src/control/pauses.ts';
import { contentOf, holdOf } from '../../src/control/rollouts.ts';
import { withEventsTrusted } from '../../src/control/trusted-hubs.ts';
import { compileRollout } from '../../src/fleet/file/compile-rollout.ts';
import type { Policy } from '../../src/fleet/fleet.ts';
import type { Rollout } from '../../src/fleet/rollout.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { EPOCH, type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fc } from '../support/properties.ts';
import { T0 } from './twins.ts';

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const FLEET: Scope = { kind: 'fleet' };
const hubScope = (host = WEU): Scope => ({ kind: 'hub', host });
const policyScope = (name = 'interval'): Scope => ({ kind: 'policy', name });
const SCOPES: readonly (readonly [string, Scope])[] = [
  ['the fleet', FLEET],
  ['a hub', hubScope()],
  ['a policy', policyScope()],
];

const NEW: Control = controlSchema.parse({});
const POLICY = { name: 'interval', hash: 'a'.repeat(64), module: undefined };
const CHANGED = { name: 'interval', hash: 'b'.repeat(64), module: undefined };
const OVER_MS = 10 * HOUR;
const ROLLOUT = compileRollout({ over: '10h' });
/** Why the rollout has not reached a device. Undefined: it has. */
const unreached = (
  control: Control,
  policy: typeof POLICY,
  place: { readonly host: typeof WEU; readonly deviceId: string },
  rollout: Rollout | undefined,
  now: EpochMs,
) => {
  const device = {
    ...place,
    matches: () => false,
    timeZone: () => undefined,
    hasContent: () => false,
    wasReached: () => false,
  };
  const choice = contentOf(
    control,
    { ...policy, mode: 'enforce', rollout } as unknown as Policy,
    device,
    new Map(),
    now,
  );
  return choice.kind === 'nothing' ? choice.hold : undefined;
};

const by = (at: EpochMs, author = 'ann'): Pause => ({ author, reason: 'freeze', at });
const seenAt = (at: EpochMs, ...policies: readonly (typeof POLICY)[]) =>
  withPackage(NEW, '2026-11-23T00:00:00Z', policies.length > 0 ? policies : [POLICY], at);
/** As it comes back from the table. */
const stored = (control: Control): Control => controlSchema.parse(JSON.parse(JSON.stringify(control)));
const elapsed = (control: Control, now: EpochMs, host = WEU) => elapsedOf(control, POLICY, host, now);
const isHeld = (control: Control, deviceId: string, now: EpochMs, host = WEU) =>
  unreached(control, POLICY, { host, deviceId }, ROLLOUT, now) !== undefined;
const DEVICES = Array.from({ length: 2_000 }, (_, index) => `device-${index}`);
const reached = (control: Control, now: EpochMs, host = WEU) =>
  DEVICES.filter((deviceId) => !isHeld(control, deviceId, now, host));

describe('a pause', () => {
  test.each(SCOPES)('of %s stays until it is resumed, and a second pause does not replace it', (_, scope) => {
    const paused = withPause(NEW, scope, by(T0));

    expect(pauseFor(stored(paused), scope)).toEqual(by(T0));
    expect(withPause(paused, scope, by(plus(T0, 1), 'bob'))).toBe(paused);
    expect(pauseFor(stored(withoutPause(paused, scope, by(plus(T0, HOUR)))), scope)).toBeUndefined();
  });

  test.each(SCOPES)('of %s cannot be ended when it does not exist', (_, scope) => {
    expect(withoutPause(NEW, scope, by(T0))).toBe(NEW);
  });

  test.each(SCOPES)(
    'of %s is stored with the person who started it and the person who ended it',
    (_, scope) => {
      const resumed = withoutPause(withPause(NEW, scope, by(T0)), scope, {
        author: 'bob',
        reason: 'it is over',
        at: plus(T0, HOUR),
      });

      expect(stored(resumed).pastPauses).toEqual([
        expect.objectContaining({
          from: T0,
          to: plus(T0, HOUR),
          author: 'ann',
          reason: 'freeze',
          resumed: { author: 'bob', reason: 'it is over' },
        }),
      ]);
    },
  );

  test('of the fleet stops every hub, of a hub stops that hub, and of a policy stops no hub', () => {
    const closed = (control: Control) => [WEU, EUS].filter((host) => pauseOf(control, host) !== undefined);

    expect(closed(withPause(NEW, FLEET, by(T0)))).toEqual([WEU, EUS]);
    expect(closed(withPause(NEW, hubScope(), by(T0)))).toEqual([WEU]);
    expect(closed(withPause(NEW, policyScope(), by(T0)))).toEqual([]);
  });

  test('of a policy holds it on all hubs without an end, during or after its rollout, and holds no other policy', () => {
    const control = withPause(seenAt(T0), policyScope(), by(plus(T0, 20 * HOUR)));

    expect(holdOf(control, POLICY)).toEqual({
      why: 'the policy is paused by ann: freeze',
      until: undefined,
    });
    expect(holdOf(control, { name: 'other' })).toBeUndefined();
  });

  test('of a policy that ends makes Berth compare every twin again, because its held corrections have no work item', () => {
    const resumed = withoutPause(withPause(NEW, policyScope(), by(T0)), policyScope(), by(plus(T0, HOUR)));

    expect(resumed.generation).toBe(1);
    for (const scope of [FLEET, hubScope()]) {
      expect(withoutPause(withPause(NEW, scope, by(T0)), scope, by(plus(T0, HOUR))).generation).toBe(0);
    }
  });

  test.each(['constructor', 'toString'])(
    'of a policy or hub named %s affects only that policy or hub',
    (name) => {
      for (const scope of [policyScope(name), hubScope(hostName(name))]) {
        expect(pauseFor(NEW, scope)).toBeUndefined();
        expect(pauseFor(withPause(NEW, scope, by(T0)), scope)).toEqual(by(T0));
      }
      expect(pauseOf(NEW, hostName(name))).toBeUndefined();
    },
  );
});

describe('the elapsed time of a rollout', () => {
  test('has not begun for content that was never seen', () => {
    expect(elapsed(NEW, T0)).toBeUndefined();
    expect(elapsedOf(seenAt(T0), CHANGED, WEU, plus(T0, HOUR))).toBeUndefined();
  });

  test('starts when the content was first seen and never goes back', () => {
    expect(elapsed(seenAt(T0), T0)).toBe(0);
    expect(elapsed(seenAt(T0), plus(T0, 3 * HOUR))).toBe(3 * HOUR);
    // The clock of another instance.
    expect(elapsed(seenAt(T0), plus(T0, -5_000))).toBe(0);
  });

  test.each(SCOPES)('stops while %s is paused and continues afterwards', (_, scope) => {
    const paused = withPause(seenAt(T0), scope, by(plus(T0, 2 * HOUR)));
    const resumed = stored(withoutPause(paused, scope, by(plus(T0, 5 * HOUR))));

    expect(elapsed(paused, plus(T0, 2 * HOUR))).toBe(2 * HOUR);
    expect(elapsed(paused, plus(T0, 5 * HOUR))).toBe(2 * HOUR);
    expect(elapsed(resumed, plus(T0, 5 * HOUR))).toBe(2 * HOUR);
    expect(elapsed(resumed, plus(T0, 6 * HOUR))).toBe(3 * HOUR);
  });

  test('continues on other hubs and for other policies while one hub or policy is paused', () => {
    const control = withPause(
      withPause(seenAt(T0), hubScope(), by(plus(T0, HOUR))),
      policyScope('other'),
      by(plus(T0, HOUR)),
    );

    expect(elapsed(control, plus(T0, 4 * HOUR), WEU)).toBe(HOUR);
    expect(elapsed(control, plus(T0, 4 * HOUR), EUS)).toBe(4 * HOUR);
    expect(elapsedOf(control, POLICY, undefined, plus(T0, 4 * HOUR))).toBe(4 * HOUR);
  });

  test('excludes the part of an earlier pause that overlaps it, and nothing of a pause that ended before', () => {
    const before = withoutPause(
      withPause(NEW, FLEET, by(plus(T0, -9 * HOUR))),
      FLEET,
      by(plus(T0, -8 * HOUR)),
    );
    const paused = withPause(before, hubScope(), by(plus(T0, -HOUR)));
    const begun = withPackage(paused, '2026-11-23T00:00:00Z', [POLICY], T0);
    const resumed = withoutPause(begun, hubScope(), by(plus(T0, HOUR)));

    expect(elapsed(resumed, plus(T0, 3 * HOUR))).toBe(2 * HOUR);
  });

  test('equals the minutes without a pause that concerns it, for any pauses and resumes', () => {
    const MINUTE = 60_000;
    const step = fc.record({
      minutes: fc.nat(90),
      scope: fc.constantFrom(FLEET, hubScope(WEU), hubScope(EUS), policyScope(), policyScope('other')),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(90), (steps, rest) => {
        let control = seenAt(T0);
        let now = T0;
        const expected = { weu: 0, eus: 0 };
        const pass = (minutes: number) => {
          const stands = (...scopes: readonly Scope[]) => scopes.some((scope) => pauseFor(control, scope));
          if (!stands(FLEET, policyScope(), hubScope(WEU))) expected.weu += minutes * MINUTE;
          if (!stands(FLEET, policyScope(), hubScope(EUS))) expected.eus += minutes * MINUTE;
          now = plus(now, minutes * MINUTE);
        };
        for (const { minutes, scope } of steps) {
          pass(minutes);
          const change = pauseFor(control, scope) === undefined ? withPause : withoutPause;
          control = stored(change(control, scope, by(now)));
        }
        pass(rest);

        expect(elapsed(control, now, WEU)).toBe(expected.weu);
        expect(elapsed(control, now, EUS)).toBe(expected.eus);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a rollout', () => {
  test('reaches a share of the devices that equals its share of the time', () => {
    const control = seenAt(T0);
    for (const share of [0.01, 0.1, 0.25, 0.5, 0.75, 0.9]) {
      const found = reached(control, plus(T0, share * OVER_MS)).length / DEVICES.length;
      const sigma = Math.sqrt((share * (1 - share)) / DEVICES.length);
      expect(Math.abs(found - share)).toBeLessThan(4 * sigma);
    }
    expect(reached(control, T0)).toEqual([]);
    expect(reached(control, plus(T0, OVER_MS))).toEqual(DEVICES);
  });

  test('never loses a device that it has reached, for any pauses and resumes', () => {
    const step = fc.record({
      ms: fc.nat(2 * HOUR),
      scope: fc.constantFrom(FLEET, hubScope(WEU), policyScope('other')),
    });
    const devices = DEVICES.slice(0, 50);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
        let control = seenAt(T0);
        let now = T0;
        let before: readonly string[] = [];
        for (const { ms, scope } of steps) {
          now = plus(now, ms);
          const change = pauseFor(control, scope) === undefined ? withPause : withoutPause;
          control = change(control, scope, by(now));
          const after = devices.filter((deviceId) => !isHeld(control, deviceId, now));
          expect(after).toEqual(expect.arrayContaining([...before]));
          before = after;
        }
      }),
    );
  });

  test('is the same for two readers of the row and has another order for other content', () => {
    const control = withPackage(seenAt(T0), '2026-11-24T00:00:00Z', [CHANGED], T0);
    const now = plus(T0, OVER_MS / 2);
    const one = reached(seenAt(T0), now);

    expect(reached(stored(seenAt(T0)), now)).toEqual(one);
    const other = DEVICES.filter(
      (deviceId) => unreached(control, CHANGED, { host: WEU, deviceId }, ROLLOUT, now) === undefined,
    );
    const both = one.filter((deviceId) => other.includes(deviceId)).length / DEVICES.length;
    expect(both).toBeGreaterThan(0.2);
    expect(both).toBeLessThan(0.3);
  });

  test('stops only on a paused hub and continues there after the hub is resumed', () => {
    const paused = withPause(seenAt(T0), hubScope(WEU), by(plus(T0, 2 * HOUR)));
    const resumed = withoutPause(paused, hubScope(WEU), by(plus(T0, 5 * HOUR)));
    const share = (control: Control, now: EpochMs, host: typeof WEU) =>
      reached(control, now, host).length / DEVICES.length;

    expect(reached(paused, plus(T0, 5 * HOUR), WEU)).toEqual(reached(seenAt(T0), plus(T0, 2 * HOUR), WEU));
    expect(share(paused, plus(T0, 5 * HOUR), EUS)).toBeCloseTo(0.5, 1);
    expect(reached(resumed, plus(T0, 7 * HOUR), WEU)).toEqual(reached(seenAt(T0), plus(T0, 4 * HOUR), WEU));
  });

  test('gives the exact millisecond at which it reaches a device', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(OVER_MS - 1), fc.nat(5 * HOUR), (deviceId, ms, pausedMs) => {
        const paused = withPause(seenAt(T0), FLEET, by(T0));
        const control = withoutPause(paused, FLEET, by(plus(T0, pausedMs)));
        const hold = unreached(control, POLICY, { host: WEU, deviceId }, ROLLOUT, plus(T0, pausedMs + ms));
        fc.pre(hold !== undefined);
        const until = hold?.until ?? EPOCH;

        expect(isHeld(control, deviceId, plus(until, -1))).toBe(true);
        expect(isHeld(control, deviceId, until)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  test('holds unseen content for a minute, and holds nothing when the policy has no rollout', () => {
    const place = { host: WEU, deviceId: 'pump-1' };

    expect(unreached(NEW, POLICY, place, ROLLOUT, T0)).toEqual({
      why: 'the policy is new, and its rollout has not begun',
      until: plus(T0, 60_000),
    });
    expect(unreached(NEW, POLICY, place, undefined, T0)).toBeUndefined();
    expect(unreached(NEW, POLICY, place, compileRollout({ over: '0s' }), T0)).toBeUndefined();
  });
});

describe('a package', () => {
  const BUILD = '2026-11-23T00:00:00Z';
  const LATER = '2026-11-24T00:00:00Z';

  test('of an older build changes nothing', () => {
    const control = withPackage(NEW, LATER, [POLICY], T0);

    expect(withPackage(control, BUILD, [CHANGED], plus(T0, HOUR))).toBe(control);
    expect(withPackage(control, BUILD, undefined, plus(T0, HOUR))).toBe(control);
  });

  test('that starts again changes nothing', () => {
    const control = withPackage(NEW, BUILD, [POLICY], T0);

    expect(withPackage(control, BUILD, [POLICY], plus(T0, HOUR))).toBe(control);
  });

  test('without a valid fleet file keeps the content that was seen', () => {
    const control = withPackage(seenAt(T0), LATER, undefined, plus(T0, HOUR));

    expect(control).toEqual({ ...seenAt(T0), newestBuild: LATER, changedAt: plus(T0, HOUR) });
  });

  test('starts the rollout of changed content and continues the other rollouts', () => {
    const other = { name: 'other', hash: 'c'.repeat(64), module: undefined };
    const control = withPackage(seenAt(T0, POLICY, other), LATER, [CHANGED, other], plus(T0, HOUR));

    expect(elapsedOf(control, CHANGED, WEU, plus(T0, 2 * HOUR))).toBe(HOUR);
    expect(elapsedOf(control, other, WEU, plus(T0, 2 * HOUR))).toBe(2 * HOUR);
  });

  describe('whose policy comes back', () => {
    const leftAt = (at: EpochMs) => withPackage(seenAt(T0), LATER, [CHANGED], at);
    const backAt = (control: Control, at: EpochMs) =>
      withPackage(stored(control), '2026-11-30T00:00:00Z', [POLICY], at);

    test('within seven days continues its rollout, so a rollback makes no device wait again', () => {
      const done = backAt(leftAt(plus(T0, 12 * HOUR)), plus(T0, 12 * HOUR + 7 * DAY));
      const partly = backAt(leftAt(plus(T0, 2 * HOUR)), plus(T0, 2 * DAY));

      expect(reached(done, plus(T0, 12 * HOUR + 7 * DAY))).toEqual(DEVICES);
      expect(elapsed(partly, plus(T0, 2 * DAY))).toBe(2 * HOUR);
      expect(elapsed(partly, plus(T0, 2 * DAY + HOUR))).toBe(3 * HOUR);
    });

    test('several times continues its rollout, with pauses while the policy exists and while it is absent', () => {
      const paused = withPause(leftAt(plus(T0, 2 * HOUR)), FLEET, by(plus(T0, 3 * HOUR)));
      const back = backAt(paused, plus(T0, 5 * HOUR));
      const resumed = withoutPause(back, FLEET, by(plus(T0, 6 * HOUR)));
      const leftAgain = withPackage(resumed, '2026-12-01T00:00:00Z', [CHANGED], plus(T0, 7 * HOUR));
      const backAgain = withPackage(leftAgain, '2026-12-02T00:00:00Z', [POLICY], plus(T0, 9 * HOUR));

      expect(elapsed(leftAgain, plus(T0, 8 * HOUR))).toBe(3 * HOUR);
      expect(elapsed(stored(backAgain), plus(T0, 10 * HOUR))).toBe(4 * HOUR);
    });

    test('after more than seven days starts its rollout again, even if no package has started in between', () => {
      const back = plus(T0, HOUR + 7 * DAY + 1);
      const untouched = leftAt(plus(T0, HOUR));
      const swept = withPackage(untouched, '2026-11-29T00:00:00Z', [CHANGED], back);

      expect(swept.seen[POLICY.hash]).toBeUndefined();
      expect(elapsed(backAt(swept, back), back)).toBe(0);
      expect(elapsed(backAt(untouched, back), back)).toBe(0);
    });
  });
});

describe('a policy that paused itself', () => {
  const pausedItself = (control = seenAt(T0)): Control =>
    withPause(control, policyScope(), { ...by(plus(T0, HOUR), SELF), content: POLICY.hash });
  const resumed = (control: Control) => stored(withoutPause(control, policyScope(), by(plus(T0, 2 * HOUR))));

  test('is trusted after a person has resumed it, also after a rollback', () => {
    const control = resumed(pausedItself());
    const away = withPackage(control, '2026-11-24T00:00:00Z', [CHANGED], plus(T0, 3 * HOUR));
    const back = withPackage(away, '2026-11-25T00:00:00Z', [POLICY], plus(T0, 4 * HOUR));

    expect(isTrusted(pausedItself(), POLICY)).toBe(false);
    expect(isTrusted(control, POLICY)).toBe(true);
    expect(isTrusted(back, POLICY)).toBe(true);
  });

  test('is not trusted with other content, after a resume or because of a later resume', () => {
    const changedAfter = withPackage(
      resumed(pausedItself()),
      '2026-11-24T00:00:00Z',
      [CHANGED],
      plus(T0, DAY),
    );
    const changedBefore = resumed(
      withPackage(pausedItself(), '2026-11-24T00:00:00Z', [CHANGED], plus(T0, 90 * 60_000)),
    );

    expect(isTrusted(changedAfter, CHANGED)).toBe(false);
    expect(isTrusted(changedBefore, CHANGED)).toBe(false);
    expect(isTrusted(changedBefore, POLICY)).toBe(false);
  });

  test('is not trusted because of a resumed manual pause', () => {
    expect(isTrusted(resumed(withPause(seenAt(T0), policyScope(), by(plus(T0, HOUR)))), POLICY)).toBe(false);
  });
});

describe('a hub whose events are not trusted', () => {
  test('is trusted again when a person says so, and other hubs do not change', () => {
    const why = { since: T0, why: '5 of 100 snapshots' };
    const control: Control = { ...NEW, untrusted: { [WEU]: why, [EUS]: why } };

    expect(withEventsTrusted(control, WEU).untrusted).toEqual({ [EUS]: why });
    expect(withEventsTrusted(NEW, WEU)).toBe(NEW);
  });
});
