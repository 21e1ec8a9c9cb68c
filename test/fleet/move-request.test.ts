import { describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { withPrevious } from '../../src/fleet/file/previous.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';

const HUB = { host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' };
const AT = 'allocation.moves.ask';
const parse = (ask: unknown, twins: object = {}) =>
  parseFleet(JSON.stringify({ hubs: [HUB], allocation: { moves: { ask } }, twins }));
const problemsOf = (ask: unknown, twins: object = {}) => {
  const parsed = parse(ask, twins);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
};
const fleetOf = (ask: unknown, twins: object = {}): Fleet => {
  const parsed = parse(ask, twins);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
};
const named = (desired: object, name = 'p') => ({ policies: [{ name, desired }] });

describe('allocation.moves.ask', () => {
  test('is not there by default, so no device is asked', () => {
    const parsed = parseFleet(JSON.stringify({ hubs: [HUB], allocation: { moves: { over: '2d' } } }));

    expect(parsed).toMatchObject({
      ok: true,
      fleet: { twins: { moveRequest: undefined, trackedPaths: [] } },
    });
  });

  test('needs only a property, and a device is silent after a day', () => {
    const { twins, allocation } = fleetOf({ property: 'berth.leaveHub' });

    expect(twins.moveRequest).toMatchObject({
      leaf: { path: ['berth', 'leaveHub'], key: 'berth.leaveHub' },
      method: undefined,
      silentAfterMs: 24 * 3_600_000,
      policy: { name: 'move request', confirm: false },
    });
    expect(twins.trackedPaths).toEqual([['berth', 'leaveHub']]);
    expect(allocation.movesOverMs).toBe(0);
  });

  test('keeps its status in twins when only the method or the time changes, and not when the property changes', () => {
    const idOf = (ask: object) => fleetOf(ask).twins.moveRequest?.policy.id;
    const id = idOf({ property: 'leave' });

    expect(idOf({ property: 'leave', method: 'leaveHub', silentAfter: '2h' })).toBe(id);
    expect(idOf({ property: 'leaveHub' })).not.toBe(id);
  });

  test.each([
    ['without a property', {}, `${AT}.property is missing: write a text`],
    ['an empty property', { property: '' }, `${AT}.property is empty`],
    ['an empty key', { property: 'berth..leave' }, `${AT}.property has an empty key`],
    [
      'a key of Azure',
      { property: '$version' },
      `${AT}.property has a control character, ".", "$" or a space`,
    ],
    ['a space in a key', { property: 'leave hub' }, `${AT}.property has a control character`],
    ['a control character in a key', { property: 'leave\u0007' }, `${AT}.property has a control character`],
    ['a key over 1 KB', { property: 'k'.repeat(1_025) }, `${AT}.property has a key longer than 1 KB`],
    [
      'too many levels',
      { property: Array.from({ length: 12 }, () => 'a').join('.') },
      `${AT}.property is nested deeper than 10 levels`,
    ],
    ['the marker of a component', { property: 'pump.__t' }, `${AT}.property has the key "__t"`],
    ['a number as a property', { property: 5 }, `${AT}.property is 5: write a text`],
    ['an empty method', { property: 'leave', method: '' }, `${AT}.method is "": write the name of a direct`],
    ['a method with a slash', { property: 'leave', method: 'a/b' }, `${AT}.method is "a/b"`],
    ['a method with a space', { property: 'leave', method: 'leave hub' }, `${AT}.method is "leave hub"`],
    ['a method of 129 letters', { property: 'leave', method: 'm'.repeat(129) }, `${AT}.method is`],
    ['a time without a unit', { property: 'leave', silentAfter: '5' }, `${AT}.silentAfter is "5"`],
    ['an unknown field', { property: 'leave', methods: 'x' }, `${AT} contains the unknown field "methods"`],
  ])('refuses %s', (_, ask, problem) => {
    expect(problemsOf(ask)).toContainEqual(expect.stringContaining(problem));
  });

  test('allows ten levels of objects, as IoT Hub does', () => {
    expect(problemsOf({ property: Array.from({ length: 11 }, () => 'a').join('.') })).toEqual([]);
  });

  test.each([
    ['the name of a command of a component', 'pump*leaveHub'],
    ['a name with digits', 'leave_hub-2'],
    ['128 letters', 'm'.repeat(128)],
  ])('allows %s as a method', (_, method) => {
    expect(problemsOf({ property: 'leave', method })).toEqual([]);
  });

  test.each([
    ['sets the same property', named({ berth: { leaveHub: 'x' } }), 'berth.leaveHub of policy "p"'],
    [
      'sets an object in its place',
      named({ berth: { leaveHub: { a: 1 } } }),
      'berth.leaveHub.a of policy "p"',
    ],
    ['sets a value above it', named({ berth: 'x' }), 'berth of policy "p"'],
    ['removes it', named({ berth: { leaveHub: null } }), 'berth.leaveHub of policy "p"'],
  ])('refuses a policy that %s', (_, twins, found) => {
    expect(problemsOf({ property: 'berth.leaveHub' }, twins)).toEqual([
      `${AT}.property is "berth.leaveHub", which meets ${found}: write a property that only Berth sets`,
    ]);
  });

  test('refuses a layer of the initial twin that sets the property, because each registration would set it again', () => {
    const twins = { initial: [{ name: 'base', desired: { berth: { leaveHub: 'x' } } }] };

    expect(problemsOf({ property: 'berth.leaveHub' }, twins)).toEqual([
      expect.stringContaining('which meets berth.leaveHub of layer "base"'),
    ]);
  });

  test.each([['berth'], ['berth.leaveHub'], ['berth.leaveHub.x']])(
    'refuses the property if %s is redacted, because a hash is not the name of a hub',
    (redacted) => {
      expect(problemsOf({ property: 'berth.leaveHub' }, { redact: [redacted] })).toEqual([
        expect.stringContaining(`which "${redacted}" of twins.redact redacts`),
      ]);
    },
  );

  test.each([
    ['sets another property of the same object', named({ berth: { interval: 5 } })],
    [
      'sets the same property of a module',
      { policies: [{ name: 'p', target: 'module:m', desired: { berth: { leaveHub: 1 } } }] },
    ],
    ['has the name "move-request"', named({ a: 1 }, 'move-request')],
  ])('allows a policy that %s', (_, twins) => {
    expect(problemsOf({ property: 'berth.leaveHub' }, twins)).toEqual([]);
  });

  test('an earlier content of a policy does not write the property during its rollout', () => {
    const before = fleetOf({ property: 'other' }, named({ berth: { leaveHub: 'x', interval: 5 } }));
    const now = fleetOf({ property: 'berth.leaveHub' }, named({ berth: { interval: 9 } }));

    const { previous } = withPrevious(now, before.twins.policies).twins;

    expect([...previous.values()].flatMap(({ leaves }) => leaves.map(({ key }) => key))).toEqual([
      'berth.interval',
    ]);
  });
});

test('allocation.moves must say something', () => {
  const parsed = parseFleet(JSON.stringify({ hubs: [HUB], allocation: { moves: {} } }));

  expect(parsed).toMatchObject({
    ok: false,
    problems: [{ path: 'allocation.moves', message: expect.stringContaining('is empty') }],
  });
});
