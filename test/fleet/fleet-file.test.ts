import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { fleetJsonSchema } from '../../src/fleet/schema.ts';

const HUB = { host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' };
const parse = (file: unknown) => parseFleet(JSON.stringify(file));
const problemsOf = (file: unknown) => {
  const parsed = parse(file);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
};
const fleetOf = (file: unknown) => {
  const parsed = parse(file);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
};

describe('the committed fleet file', () => {
  test('fleet.json is valid and all of its settings take effect', () => {
    const parsed = parseFleet(readFileSync('fleet.json', 'utf8'));

    expect(parsed).toMatchObject({ ok: true, warnings: [] });
  });

  test('fleet.schema.json matches the schema (npm run schema)', () => {
    const committed: unknown = JSON.parse(readFileSync('schemas/fleet.schema.json', 'utf8'));

    expect(committed).toEqual(JSON.parse(JSON.stringify(fleetJsonSchema())));
  });
});

describe('a fleet file without optional fields', () => {
  test('sets the defaults of a hub', () => {
    const fleet = fleetOf({ hubs: [HUB] });

    expect(fleet.hubs[0]).toMatchObject({
      host: 'weu.azure-devices.net',
      weight: 1,
      units: 1,
      capacity: 1_000_000,
      state: 'active',
      labels: {},
      budget: { rate: 0.5, daily: 0.2 },
    });
  });

  test.each([
    ['a policy without a condition', undefined, 0],
    ['a policy whose condition reads reported properties', 'reported.battery < 20', 60_000],
    ['a policy whose condition reads only tags', "tags.site == 'ams'", 0],
  ])('sets the defaults of a policy, with the cooldown for %s', (_, when, cooldownMs) => {
    const fleet = fleetOf({ hubs: [HUB], twins: { policies: [{ name: 'p', when, desired: { a: 1 } }] } });

    expect(fleet.twins.policies[0]).toMatchObject({
      cooldownMs,
      mode: 'enforce',
      tolerance: 0,
      attempts: 3,
      deadlineMs: 3_600_000,
      confirm: true,
    });
    expect(fleet.twins.fight).toEqual({ writes: 3, withinMs: 600_000, pauseMs: 3_600_000 });
  });
});

describe('the comparison of values', () => {
  const policyOf = (more: object) =>
    fleetOf({ hubs: [HUB], twins: { policies: [{ name: 'p', desired: { a: 1, b: { c: '2' } }, ...more }] } })
      .twins.policies[0];

  test.each([
    ['by default', {}, ['exact', 'exact']],
    ['by one word for all properties', { compare: 'number' }, ['number', 'number']],
    ['by one word for one property', { compare: { 'b.c': 'text' } }, ['exact', 'text']],
    ['with a tolerance too', { compare: 'text', tolerance: 1 }, ['text', 'text']],
  ])('is set for each property %s', (_, more, expected) => {
    expect(policyOf(more)?.leaves.map(({ compare }) => compare)).toEqual(expected);
  });

  test.each([
    ['an expression', { desired: { a: '=reported.a' }, compare: { a: 'instant' } }],
    ['a list with an expression', { desired: { a: ['=reported.a'] }, compare: { a: 'number' } }],
    ['a list of texts', { desired: { a: ['1', 'x'] }, compare: { a: 'number' } }],
    ['null', { desired: { a: null }, compare: { a: 'number' } }],
    [
      'an adopted property, whose value the device decides',
      { mode: 'adopt', desired: { a: 'x' }, compare: { a: 'number' } },
    ],
  ])('is accepted for %s', (_, more) => {
    expect(() => policyOf(more)).not.toThrow();
  });

  test('changes the content of a policy only if the file sets it', () => {
    const { hash } = policyOf({}) ?? {};

    expect(hash).toBe('822bb5041fae3a282753e4e646a1eb508c36540103471e72a452b5ec818f163b');
    expect(policyOf({ compare: 'number' })?.hash).not.toBe(hash);
    expect(policyOf({ acknowledgement: 'central' })?.hash).not.toBe(hash);
  });
});

describe('the revision', () => {
  test('does not depend on spaces, the order of keys or $schema', () => {
    const one = parseFleet(`{"hubs":[${JSON.stringify(HUB)}]}`);
    const other = parseFleet(
      `{ "$schema": "x", "hubs": [ { "tier": "S1", "region": "westeurope", "host": "weu.azure-devices.net" } ] }\n`,
    );

    expect(one.ok && other.ok && one.fleet.revision).toBe(other.ok && other.fleet.revision);
  });

  test('changes with every value', () => {
    expect(fleetOf({ hubs: [HUB] }).revision).not.toBe(fleetOf({ hubs: [{ ...HUB, weight: 2 }] }).revision);
  });
});

describe('a problem in a fleet file', () => {
  const rules = (...list: unknown[]) => ({ hubs: [HUB], allocation: { rules: list } });
  const policies = (...list: unknown[]) => ({ hubs: [HUB], twins: { policies: list } });
  const table: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['a value that is not an object', [], [' is []: write an object']],
    ['a file without hubs', {}, ['hubs is missing: write a list']],
    ['an empty list of hubs', { hubs: [] }, ['hubs write at least one hub']],
    ['a missing field', { hubs: [{ host: 'a.b', tier: 'S1' }] }, ['hubs[0].region is missing: write a text']],
    [
      'a misspelt field',
      { hubs: [{ ...HUB, wieght: 2 }] },
      [
        'hubs[0] contains the unknown field "wieght": did you mean "weight"? Correct the spelling or remove it',
      ],
    ],
    [
      'a short host name',
      { hubs: [{ ...HUB, host: 'weu' }] },
      ['hubs[0].host is "weu": write the full host name, such as contoso-weu.azure-devices.net'],
    ],
    [
      'a region as the portal shows it',
      { hubs: [{ ...HUB, region: 'West Europe' }] },
      [
        'hubs[0].region is "West Europe": write the Azure region name in lower case without spaces, such as westeurope',
      ],
    ],
    [
      'a basic tier',
      { hubs: [{ ...HUB, tier: 'B1' }] },
      ['hubs[0].tier is "B1": basic tiers have no device twins; write F1, S1, S2 or S3'],
    ],
    ['a weight of 0', { hubs: [{ ...HUB, weight: 0 }] }, ['hubs[0].weight is 0: write a number above 0']],
    [
      'an unknown state',
      { hubs: [{ ...HUB, state: 'off' }] },
      ['hubs[0].state is "off": write one of active, cordoned, draining'],
    ],
    [
      'a host that is listed twice in another case',
      { hubs: [HUB, { ...HUB, host: 'WEU.azure-devices.net' }] },
      ['hubs[1].host is "weu.azure-devices.net", which is listed twice: remove one'],
    ],
    [
      'two hosts that events could not tell apart',
      { hubs: [HUB, { ...HUB, host: 'weu.azure-devices.cn' }] },
      [
        'hubs[1].host starts with "weu" like weu.azure-devices.net: events contain only this part of the name, so Berth cannot distinguish the hubs. Use a hub with another name',
      ],
    ],
    [
      'a duration in words',
      { hubs: [HUB], allocation: { moves: { over: '1 day' } } },
      [
        'allocation.moves.over is "1 day": write a number and s, m, h or d, such as 30s or 5m, of at most 3650d',
      ],
    ],
    [
      'a rule without an effect',
      rules({ name: 'r' }),
      ['allocation.rules[0] has no effect: write exactly one of require, hub, deny, prefer, parent'],
    ],
    [
      'a rule with two effects',
      rules({ name: 'r', deny: 'no', require: { a: 'b' } }),
      ['allocation.rules[0] has 2 effects: write exactly one of require, hub, deny, prefer, parent'],
    ],
    [
      'rules of the same name',
      rules({ name: 'r', deny: 'x' }, { name: 'r', deny: 'y' }),
      ['allocation.rules[1].name is "r", which is already used: use another name'],
    ],
    [
      'an expression that does not parse',
      rules({ name: 'r', when: 'payload.a ==', deny: 'x' }),
      [
        'allocation.rules[0].when is not a usable CEL expression: Unexpected token: EOF. The expression ends too early\npayload.a ==\n            ^',
      ],
    ],
    [
      'an expression about something unknown',
      rules({ name: 'r', when: 'device.a == 1', deny: 'x' }),
      [
        'allocation.rules[0].when is not a usable CEL expression: Unknown variable: device. Known names: registrationId, enrollment, attestation, payload, current\ndevice.a == 1\n^',
      ],
    ],
    [
      'a policy that sets nothing',
      policies({ name: 'p', desired: { a: {} } }),
      ['twins.policies[0].desired.a sets nothing: write at least one property'],
    ],
    [
      'an unknown comparison',
      policies({ name: 'p', desired: { a: 1 }, compare: 'fuzzy' }),
      [
        'twins.policies[0].compare is "fuzzy": write one of exact, number, text, ignoreCase, instant, set, or an object from the dotted path of a property to one of them',
      ],
    ],
    [
      'an unknown comparison of one property',
      policies({ name: 'p', desired: { a: 1 }, compare: { a: 'fuzzy' } }),
      [
        'twins.policies[0].compare is {"a":"fuzzy"}: write one of exact, number, text, ignoreCase, instant, set, or an object from the dotted path of a property to one of them',
      ],
    ],
    [
      'a comparison of a property that the policy does not set',
      policies({
        name: 'p',
        desired: { a: 1, b: { c: 2 } },
        compare: { 'b.c': 'number', b: 'number', x: 'set' },
      }),
      [
        'twins.policies[0].compare.b is not a property that the policy sets: write one of a, b.c',
        'twins.policies[0].compare.x is not a property that the policy sets: write one of a, b.c',
      ],
    ],
    [
      'a comparison of a property whose value it never fits',
      policies({
        name: 'p',
        desired: { since: '2026-06-01', name: 'eco', list: 5 },
        compare: { since: 'instant', name: 'number', list: 'set' },
      }),
      [
        'twins.policies[0].compare.since is "instant", which needs a date with a time and a zone, but the policy has no such value for this property: write another comparison',
        'twins.policies[0].compare.name is "number", which needs a number, or a text that contains one, but the policy has no such value for this property: write another comparison',
        'twins.policies[0].compare.list is "set", which needs a list, but the policy has no such value for this property: write another comparison',
      ],
    ],
    [
      'a comparison that fits no property of the policy',
      policies({ name: 'p', desired: { a: 'eco', b: true }, compare: 'number' }),
      [
        'twins.policies[0].compare is "number", which needs a number, or a text that contains one, but the policy has no such value for any of its properties: write another comparison',
      ],
    ],
    [
      'an unknown convention of acknowledgements',
      policies({ name: 'p', desired: { a: 1 }, acknowledgement: 'ac' }),
      ['twins.policies[0].acknowledgement is "ac": write one of pnp, central, echo'],
    ],
    [
      'policies that own a path and one above it',
      policies({ name: 'p', desired: { a: { b: 1 } } }, { name: 'q', desired: { a: 2 } }),
      [
        'twins.policies[1].desired.a is above or below a.b, which policy "p" sets: set the same properties in both policies',
      ],
    ],
    [
      'a policy on a redacted path',
      {
        hubs: [HUB],
        twins: { redact: ['wifi'], policies: [{ name: 'p', desired: { wifi: { psk: 'x' } } }] },
      },
      [
        'twins.policies[0].desired.wifi.psk is redacted by "wifi", so a policy cannot own it: remove it here or from twins.redact',
      ],
    ],
    [
      'a value that no twin can hold',
      policies({ name: 'p', desired: { a: [null] } }),
      ['twins.policies[0].desired.a.0 is null inside an array, which IoT Hub refuses (400004)'],
    ],
  ];

  test.each(table)('is reported with path, value and correction: %s', (_, file, expected) => {
    expect(problemsOf(file)).toEqual(expected);
  });

  test('is reported together with all others, both of shape and between parts', () => {
    const problems = problemsOf({
      hubs: [{ ...HUB, weight: -1 }, HUB],
      allocation: { rules: [{ name: 'r', when: '(', deny: 'x' }] },
      twins: {
        policies: [
          { name: 'p', desired: {} },
          { name: 'p', desired: { a: 1 } },
        ],
      },
    });

    expect(problems.map((text) => text.split(' ', 1)[0])).toEqual([
      'hubs[0].weight',
      'allocation.rules[0].when',
      'twins.policies[0].desired',
      'hubs[1].host',
      'twins.policies[1].name',
    ]);
  });

  test('is reported without repeating a connection string', () => {
    const secret = 'HostName=x;SharedAccessKeyName=iothubowner;SharedAccessKey=c2VjcmV0';

    const problems = problemsOf({ hubs: [{ ...HUB, connection: secret }] });

    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('c2VjcmV0');
  });
});

describe('loading a fleet file', () => {
  test.each(['', '{', 'null', '1', '"x"', '[[[[', '{"hubs":{"a":1}}', '{"__proto__":{"hubs":[]}}', '\u0000'])(
    'refuses %j with a reason and does not throw',
    (text) => {
      const parsed = parseFleet(text);

      expect(parsed.ok).toBe(false);
      expect(parsed.ok ? [] : parsed.problems).not.toEqual([]);
    },
  );

  test('accepts a byte order mark', () => {
    expect(parseFleet(`\uFEFF${JSON.stringify({ hubs: [HUB] })}`).ok).toBe(true);
  });

  test.each([
    ['{\n  "hubs": [],\n}', 'is not JSON: line 3, column 1: remove the comma before this "}"'],
    ['\uFEFF{ // hubs\n}', 'is not JSON: line 1, column 3: JSON has no comments: remove this one'],
    [
      '{"hubs": [{"weight": 1e999}]}',
      'is not JSON: line 1, column 22: this number is too large: at most about 1.8e308',
    ],
  ])('says where %j is not JSON', (text, message) => {
    expect(parseFleet(text)).toEqual({ ok: false, problems: [{ path: '', message }] });
  });
});

describe('a key that is written twice', () => {
  const twice = (key: string, one: string, other: string) => `"${key}": ${one}, "${key}": ${other}`;
  const RULE = '{"name": "a", "when": "true", "require": {"x": "1"}}';
  const hubs = `"hubs": [${JSON.stringify(HUB)}]`;

  test.each([
    ['allocation', `{${hubs}, ${twice('allocation', `{"rules": [${RULE}]}`, '{}')}}`],
    ['allocation.rules', `{${hubs}, "allocation": {${twice('rules', `[${RULE}]`, '[]')}}}`],
    [
      'allocation.rules[0].when',
      `{${hubs}, "allocation": {"rules": [{${twice('when', '"true"', '"false"')}, "name": "a", "require": {"x": "1"}}]}}`,
    ],
    [
      'allocation.rules[0].require',
      `{${hubs}, "allocation": {"rules": [{${twice('require', '{"x": "1"}', '{"y": "1"}')}, "name": "a"}]}}`,
    ],
    [
      'twins.policies[0].desired.a.b',
      `{${hubs}, "twins": {"policies": [{"name": "p", "desired": {"a": {"b": 1, "\\u0062": 2}}}]}}`,
    ],
    ['hubs[0].labels.residency', `{"hubs": [{"labels": {${twice('residency', '"eu"', '"us"')}}}]}`],
    ['hubs', `{${hubs}, ${hubs}}`],
  ])('is refused: %s', (path, text) => {
    const parsed = parseFleet(text);

    expect(parsed.ok ? [] : parsed.problems).toEqual([
      {
        path,
        message: expect.stringMatching(
          /^is written twice, at line 1, column \d+ and at line 1, column \d+: remove or rename one/,
        ),
      },
    ]);
  });
});

describe('the marker of a component in a fleet file', () => {
  const warningsOf = (twins: object) => {
    const parsed = parse({ hubs: [HUB], twins });
    return parsed.ok ? parsed.warnings.map(({ path, message }) => `${path} ${message}`) : parsed.problems;
  };
  const policies = (desired: object) => ({ policies: [{ name: 'p', desired }] });

  test.each([['c'], [null], ['=reported.kind']])('may be %j', (__t) => {
    expect(warningsOf(policies({ t1: { __t, target: 21 } }))).toEqual([]);
  });

  test('gets a warning when it has another value', () => {
    expect(warningsOf(policies({ t1: { __t: 'C' } }))).toEqual([
      'twins.policies[0].desired.t1.__t is "C", which does not mark a component: write "c"',
    ]);
  });

  test('gets a warning at the top level or too deep', () => {
    const stray =
      'does not mark a component: write components at the top level of desired, as in {"thermostat1": {"__t": "c"}}';

    expect(warningsOf(policies({ __t: 'c', t1: { fan: { __t: 'c' } } }))).toEqual([
      `twins.policies[0].desired.__t ${stray}`,
      `twins.policies[0].desired.t1.fan.__t ${stray}`,
    ]);
  });

  test('gets a warning in a layer too', () => {
    const initial = [{ name: 'base', desired: { t1: { __t: true, target: 21 } } }];

    expect(warningsOf({ initial })).toEqual([
      'twins.initial[0].desired.t1.__t is true, which does not mark a component: write "c"',
    ]);
  });
});

describe('a large fleet file', () => {
  const many = (name: string, count: number, value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, value]));

  // How the time grows with the file is a figure of `npm run bench`.
  test('is loaded with the most policies and all of their leaves', () => {
    const names = Array.from({ length: 200 }, (_, index) => `p${index}`);
    const { twins } = fleetOf({
      hubs: [HUB],
      twins: { policies: names.map((name, index) => ({ name, desired: many('leaf', 60, index) })) },
    });

    expect(twins.policies.map(({ name }) => name)).toEqual(names);
    expect(twins.policies.every(({ leaves }) => leaves.length === 60)).toBe(true);
  });

  test('is loaded with many redacted paths, and as many leaves that are compared with them', () => {
    const redact = Array.from({ length: 1_600 }, (_, index) => `hidden${index}.a`);
    const { twins } = fleetOf({
      hubs: [HUB],
      twins: {
        redact,
        policies: [{ name: 'p', desired: many('leaf', 1_600, 1) }],
        initial: [{ name: 'l', desired: many('leaf', 1_600, '=payload.a') }],
      },
    });

    expect(twins.redact).toHaveLength(1_600);
    expect(twins.policies[0]?.leaves).toHaveLength(1_600);
    const [layer] = twins.layers;
    expect(layer?.desired.kind === 'object' && layer.desired.members.length).toBe(1_600);
  });
});
