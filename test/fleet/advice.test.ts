import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { adviceOn } from '../../src/fleet/advice/advice.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';

const hub = (name: string, more: object = {}) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  labels: { residency: 'eu' },
  ...more,
});
const PAIR = [hub('a'), hub('b')];
const CALM = { registrationsPerMinute: 100, partitions: 4 };

function advice(parts: { hubs?: object[]; allocation?: object; twins?: object }, expectations: object = {}) {
  const parsed = parseFleet(JSON.stringify({ hubs: PAIR, ...parts }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return adviceOn(parsed.fleet, { ...CALM, ...expectations }).map(
    ({ path, message }) => `${path} ${message}`,
  );
}
const rules = (...given: object[]) => ({ allocation: { rules: given } });

describe('a fleet file without a problem', () => {
  test.each<[string, Parameters<typeof advice>[0]]>([
    ['only hubs', {}],
    [
      'a residency with two hubs',
      rules({ name: 'eu', when: "oneOf(payload.c, ['DE'], ['US'])", require: { residency: 'eu' } }),
    ],
    [
      'latency with a gradual move',
      {
        allocation: {
          latency: { halfLifeMs: 25 },
          sticky: { moveWhenFasterByMs: 40 },
          moves: { over: '1d' },
        },
      },
    ],
    [
      'two hub rules for different devices',
      rules(
        { name: 'a', when: "registrationId == 'a'", hub: 'a.azure-devices.net' },
        { name: 'b', when: "registrationId == 'b'", hub: 'b.azure-devices.net' },
      ),
    ],
    [
      'a deny rule for some devices',
      rules(
        { name: 'x', when: "payload.m == 'x'", whenUnknown: 'skip', deny: 'no' },
        { name: 'y', when: "oneOf(payload.m, ['y'], ['x'])", whenUnknown: 'apply', deny: 'no' },
      ),
    ],
    [
      'a hub in a region without figures, with latency not in use',
      { hubs: [hub('a', { region: 'usgovvirginia' }), hub('b')] },
    ],
  ])('gets no advice: %s', (_, parts) => {
    expect(advice(parts)).toEqual([]);
  });
});

describe('a fleet file that comes with Berth', () => {
  test.each(['fleet.json', 'infra/fleet.production.json', 'infra/fleet.small.json'])(
    'gets no advice, so it is safe to copy: %s',
    (file) => {
      const parsed = parseFleet(readFileSync(file, 'utf8'));
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));

      expect([...parsed.warnings, ...adviceOn(parsed.fleet, CALM)]).toEqual([]);
    },
  );
});

describe('advice with figures', () => {
  test('names registrations above the limit of the hubs, by their weights', () => {
    const hubs = [hub('a', { weight: 3 }), hub('b', { units: 3 }), hub('c', { tier: 'S3' })];

    expect(advice({ hubs: [hub('a', { tier: 'S2', units: 2 })] }, { registrationsPerMinute: 200 })).toEqual(
      [],
    );
    expect(
      advice({ hubs: [hub('a', { tier: 'S2', units: 2 })] }, { registrationsPerMinute: 201 }),
    ).toHaveLength(1);
    expect(
      advice({ hubs: [hub('a'), hub('b', { state: 'cordoned' })] }, { registrationsPerMinute: 101 }),
    ).toHaveLength(1);
    expect(advice({ hubs }, { registrationsPerMinute: 1_000 })).toEqual([
      'hubs[0].units a.azure-devices.net would get 600 of 1000 registrations a minute by its weight, but its limit is 100 identity operations a minute (S1, 1 unit): devices will wait. Add units or hubs, or use S3',
    ]);
  });

  test('names less than one write a second for each partition, only when the file has policies', () => {
    const hubs = [hub('a', { budget: { rate: 0.1, daily: 0.1 } }), hub('b')];
    const twins = { policies: [{ name: 'p', desired: { a: 1 } }] };

    expect(advice({ hubs, twins })).toEqual([
      expect.stringMatching(
        /^hubs\[0\]\.budget\.rate allows only 0\.88 corrections a second for each of 4 partitions/,
      ),
    ]);
    expect(advice({ hubs })).toEqual([]);
  });

  test.each<[string, Parameters<typeof advice>[0], string | RegExp]>([
    [
      'a residency with one hub',
      { hubs: [hub('a'), hub('b', { labels: {} })], ...rules({ name: 'eu', require: { residency: 'eu' } }) },
      /require only a\.azure-devices\.net has these labels/,
    ],
    [
      'a residency without a hub',
      rules({ name: 'us', require: { residency: 'us' } }),
      /require no hub has these labels/,
    ],
    [
      'a condition that is always false',
      rules({ name: 'r', when: '1 > 2', prefer: { 'a.azure-devices.net': 2 } }),
      'allocation.rules[0] "r" never matches: its condition is always false',
    ],
    [
      'a condition that is always unknown',
      rules({ name: 'r', when: '1 / 0 == 1', deny: 'no' }),
      /its condition is always unknown/,
    ],
    [
      'rules after a rule that denies all devices',
      rules(
        { name: 'r', when: 'payload.a', prefer: { 'a.azure-devices.net': 2 } },
        { name: 'closed', deny: 'closed' },
      ),
      'allocation.rules[0] "r" has no effect: rule "closed" denies every device',
    ],
    [
      'a hub rule before another one that matches all devices',
      rules(
        { name: 'r', when: 'payload.a', hub: 'a.azure-devices.net' },
        { name: 'all', hub: 'b.azure-devices.net' },
      ),
      'allocation.rules[0] "r" has no effect: the last matching hub rule wins, and "all" matches whenever it does',
    ],
    [
      'a hub rule before another one with the same condition',
      rules(
        { name: 'r', when: 'payload.a', hub: 'a.azure-devices.net' },
        { name: 's', when: 'payload.a', hub: 'b.azure-devices.net' },
      ),
      /"s" matches whenever it does/,
    ],
    [
      'a region without figures',
      {
        hubs: [hub('a', { region: 'usgovvirginia' }), hub('b')],
        allocation: { latency: { halfLifeMs: 25 } },
      },
      /hubs\[0\]\.region is "usgovvirginia", a region without known latencies/,
    ],
    [
      'a residency with only one active hub',
      {
        hubs: [hub('a'), hub('b', { state: 'cordoned' })],
        ...rules({ name: 'eu', require: { residency: 'eu' } }),
      },
      /require only a\.azure-devices\.net has these labels and is active/,
    ],
    [
      'a residency without an active hub',
      {
        hubs: [hub('a', { state: 'cordoned' }), hub('b', { labels: {} })],
        ...rules({ name: 'eu', require: { residency: 'eu' } }),
      },
      /require every hub with these labels is cordoned or draining/,
    ],
    [
      'a residency rule that a device can evade',
      rules({ name: 'eu', when: "has(payload.c) && payload.c == 'DE'", require: { residency: 'eu' } }),
      "allocation.rules[0].when \"eu\" does not apply to a device that sends no payload.c, or payload.c = \"\", or payload.c = \"de\": compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']). A value in neither list is unknown, and an unknown require applies",
    ],
    [
      'a deny rule that a device can evade',
      rules({ name: 'x', when: "payload.m == 'x'", deny: 'no' }),
      /allocation\.rules\[0\]\.when "x" does not apply to a device that sends no payload\.m, .*set whenUnknown to skip/,
    ],
    [
      'two residency rules that exclude each other',
      {
        hubs: [...PAIR, hub('c', { labels: { residency: 'us' } }), hub('d', { labels: { residency: 'us' } })],
        ...rules(
          { name: 'eu', when: "oneOf(payload.c, ['DE'], ['US'])", require: { residency: 'eu' } },
          { name: 'us', when: "oneOf(payload.c, ['US'], ['DE'])", require: { residency: 'us' } },
        ),
      },
      /allocation\.rules "eu" and "us" leave no hub for a device that sends nothing/,
    ],
    [
      'a comparison that never matches',
      rules({ name: 'r', when: "registrationId.startsWith('SN-')", deny: 'no' }),
      /allocation\.rules\[0\]\.when compares with "SN-"/,
    ],
    [
      'a date with an offset',
      { twins: { policies: [{ name: 'p', desired: { at: '2026-01-01T00:00:00+02:00' } }] } },
      /twins\.policies\[0\]\.desired\.at sets "2026-01-01T00:00:00\+02:00"/,
    ],
    [
      'a fleet without an active hub',
      { hubs: [hub('a', { state: 'cordoned' }), hub('b', { state: 'cordoned' })] },
      /hubs has no active hub/,
    ],
    [
      'a payload that Node devices cannot read',
      { allocation: { payload: { city: 'Zürich' } } },
      /allocation\.payload contains characters that are not ASCII/,
    ],
    [
      'moves by latency when the weights decide the placement',
      { allocation: { sticky: { moveWhenFasterByMs: 40 }, moves: { over: '1d' } } },
      /allocation\.sticky has little effect without allocation\.latency/,
    ],
    [
      'a drain that moves all devices at once',
      { hubs: [hub('a', { state: 'draining' }), hub('b')] },
      /allocation\.moves\.over is missing/,
    ],
    [
      'moves for a very small gain in latency',
      {
        allocation: { latency: { halfLifeMs: 5 }, sticky: { moveWhenFasterByMs: 1 }, moves: { over: '1d' } },
      },
      /moveWhenFasterByMs is 1, but measurements vary by more/,
    ],
  ])('names %s', (_, parts, message) => {
    expect(advice(parts)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)]);
  });
});
