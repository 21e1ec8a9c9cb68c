import { describe, expect, test } from '@jest/globals';
import { excludingRules } from '../../src/fleet/advice/exclusion.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';

const hub = (name: string, labels: object) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  labels,
});
const HUBS = [
  hub('weu', { home: 'eu' }),
  hub('eus', { home: 'us', grade: 'gold' }),
  hub('sea', { home: 'sg' }),
];

/** What is said of these rules; `r0`, `r1`, … are their names where they have none. */
function warningsOf(...rules: object[]): readonly string[] {
  const parsed = parseFleet(
    JSON.stringify({
      hubs: HUBS,
      allocation: { rules: rules.map((rule, index) => ({ name: `r${index}`, ...rule })) },
    }),
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return excludingRules(parsed.fleet).map(({ message }) => message.split(': it is refused')[0] ?? '');
}

const EU = { when: "oneOf(payload.country, ['DE'], ['US', 'SG'])", require: { home: 'eu' } };
const US = { when: "oneOf(payload.country, ['US'], ['DE', 'SG'])", require: { home: 'us' } };
const SG = { when: "payload.country == 'SG'", require: { home: 'sg' } };
const GOLD = { when: "payload.grade == 'gold'", require: { grade: 'gold' } };

describe('rules that leave no hub for a device that hides something', () => {
  test.each<[string, object[], string]>([
    ['two homes', [EU, US], '"r0" and "r1" leave no hub for a device that sends nothing'],
    ['three homes', [EU, US, SG], '"r0", "r1" and "r2" leave no hub for a device that sends nothing'],
    [
      'a home and a grade that only another home has',
      [EU, GOLD],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'a home for all, and another',
      [{ require: { home: 'eu' } }, US],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'two homes for all that are not named',
      [
        { ...EU, when: "!(payload.country in ['US'])" },
        { ...US, when: "!(payload.country in ['DE'])" },
      ],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'two homes that ask for a key, for a device that sends null',
      [
        { ...EU, when: "has(payload.country) && payload.country == 'DE'" },
        { ...US, when: "has(payload.country) && payload.country == 'US'" },
      ],
      '"r0" and "r1" leave no hub for a device that sends {"country":null}',
    ],
    [
      'a home by the enrollment, and another by the device',
      [{ ...EU, when: "enrollment.id == 'eu'" }, US],
      '"r0" and "r1" leave no hub for a device that sends nothing with enrollment {"kind":"group","id":"eu","iotEdge":false}',
    ],
    [
      'a home, and a hub outside of it where unknown applies',
      [EU, { when: 'payload.lab', hub: 'eus.azure-devices.net', whenUnknown: 'apply' }],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'a home, and a hub outside of it for who says so and hides its country',
      [EU, { when: 'payload.lab', hub: 'eus.azure-devices.net' }],
      '"r0" and "r1" leave no hub for a device that sends {"lab":true}',
    ],
  ])('%s', (_, rules, warning) => {
    expect(warningsOf(...rules)).toEqual([warning]);
  });

  test('three that exclude each other only together are named together', () => {
    const require = (label: string, index: number) => ({
      when: `payload.x${index}`,
      require: { [label]: 'y' },
    });
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [
          hub('a', { p: 'y', q: 'y' }),
          hub('b', { q: 'y', r: 'y' }),
          hub('c', { p: 'y', r: 'y', s: 'y' }),
        ],
        allocation: {
          rules: ['p', 'q', 'r', 's'].map((label, index) => ({
            name: label,
            ...require(label, index),
            ...(label === 's' && { whenUnknown: 'skip' }),
          })),
        },
      }),
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));

    const messages = excludingRules(parsed.fleet).map(({ message }) => message);

    expect(messages).toContainEqual(
      '"p", "q" and "r" leave no hub for a device that sends nothing: it is refused, because what is unknown applies a require; ' +
        'to say so to the device, set whenUnknown: refuse in each (docs/fleet-file.md, "Home region or refuse")',
    );
    // And a device that says s has only one hub, which has no q.
    expect(messages).toContainEqual(
      expect.stringMatching(/^"q" and "s" leave no hub .* sends \{"x3":true\}:/),
    );
  });
});

describe('nothing is said', () => {
  test.each<[string, object[]]>([
    ['of one home', [EU]],
    ['of homes of which one applies where nothing is known', [EU, { ...US, whenUnknown: 'skip' }]],
    [
      'where a device that hides something is refused with a reason',
      [
        { ...EU, whenUnknown: 'refuse' },
        { ...US, whenUnknown: 'refuse' },
      ],
    ],
    ['where one of the two refuses it', [EU, { ...US, whenUnknown: 'refuse' }]],
    ['of labels that one hub has together', [US, GOLD]],
    [
      'of homes that the enrollment decides',
      [
        { ...EU, when: "enrollment.id == 'eu'" },
        { ...US, when: "enrollment.id == 'us'" },
      ],
    ],
    [
      'of homes that an honest device would have to have both',
      [
        { ...EU, when: "enrollment.id == 'eu'" },
        { ...US, when: "registrationId.startsWith('us-')" },
      ],
    ],
    [
      'of hub rules, of which the last wins',
      [{ hub: 'weu.azure-devices.net' }, { hub: 'eus.azure-devices.net' }],
    ],
    ['of a label that no hub has, which has a warning of its own', [EU, { require: { home: 'nowhere' } }]],
    ['where a deny rule says no first', [EU, US, { when: 'true', deny: 'closed' }]],
  ])('%s', (_, rules) => {
    expect(warningsOf(...rules)).toEqual([]);
  });
});
