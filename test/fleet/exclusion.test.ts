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
  return excludingRules(parsed.fleet).map(({ message }) => message.split(': Berth refuses it')[0] ?? '');
}

const EU = { when: "oneOf(payload.country, ['DE'], ['US', 'SG'])", require: { home: 'eu' } };
const US = { when: "oneOf(payload.country, ['US'], ['DE', 'SG'])", require: { home: 'us' } };
const SG = { when: "payload.country == 'SG'", require: { home: 'sg' } };
const GOLD = { when: "payload.grade == 'gold'", require: { grade: 'gold' } };

describe('rules that leave no hub for a device that hides an input', () => {
  test.each<[string, object[], string]>([
    ['two residencies', [EU, US], '"r0" and "r1" leave no hub for a device that sends nothing'],
    ['three residencies', [EU, US, SG], '"r0", "r1" and "r2" leave no hub for a device that sends nothing'],
    [
      'a residency and a grade that only hubs of another residency have',
      [EU, GOLD],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'a residency for all devices and another residency',
      [{ require: { home: 'eu' } }, US],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'two unnamed residencies for all devices',
      [
        { ...EU, when: "!(payload.country in ['US'])" },
        { ...US, when: "!(payload.country in ['DE'])" },
      ],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'two residencies that ask for a key, for a device that sends null',
      [
        { ...EU, when: "has(payload.country) && payload.country == 'DE'" },
        { ...US, when: "has(payload.country) && payload.country == 'US'" },
      ],
      '"r0" and "r1" leave no hub for a device that sends {"country":null}',
    ],
    [
      'one residency by the enrollment and another by the device',
      [{ ...EU, when: "enrollment.id == 'eu'" }, US],
      '"r0" and "r1" leave no hub for a device that sends nothing with enrollment {"kind":"group","id":"eu","iotEdge":false}',
    ],
    [
      'a residency and a hub outside it, both applied when unknown',
      [EU, { when: 'payload.lab', hub: 'eus.azure-devices.net', whenUnknown: 'apply' }],
      '"r0" and "r1" leave no hub for a device that sends nothing',
    ],
    [
      'a residency and a hub outside it, for a device that asks for the hub and hides its country',
      [EU, { when: 'payload.lab', hub: 'eus.azure-devices.net' }],
      '"r0" and "r1" leave no hub for a device that sends {"lab":true}',
    ],
  ])('get a warning: %s', (_, rules, warning) => {
    expect(warningsOf(...rules)).toEqual([warning]);
  });

  test('get one warning that names all three when only all three together exclude each other', () => {
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
      '"p", "q" and "r" leave no hub for a device that sends nothing: Berth refuses it, because an unknown require applies. ' +
        'To give it a clear reason, set whenUnknown to refuse in each rule (docs/fleet-file.md, "Home region or refuse")',
    );
    // A device that sends s may use only one hub, and that hub has no label q.
    expect(messages).toContainEqual(
      expect.stringMatching(/^"q" and "s" leave no hub .* sends \{"x3":true\}:/),
    );
  });
});

describe('rules that leave a hub for every honest device', () => {
  test.each<[string, object[]]>([
    ['one residency', [EU]],
    ['residencies of which only one applies to unknown inputs', [EU, { ...US, whenUnknown: 'skip' }]],
    [
      'residencies that refuse a device with hidden inputs and give a reason',
      [
        { ...EU, whenUnknown: 'refuse' },
        { ...US, whenUnknown: 'refuse' },
      ],
    ],
    ['two residencies of which one refuses such a device', [EU, { ...US, whenUnknown: 'refuse' }]],
    ['labels that one hub has together', [US, GOLD]],
    [
      'residencies that the enrollment decides',
      [
        { ...EU, when: "enrollment.id == 'eu'" },
        { ...US, when: "enrollment.id == 'us'" },
      ],
    ],
    [
      'residencies that would exclude even an honest device',
      [
        { ...EU, when: "enrollment.id == 'eu'" },
        { ...US, when: "registrationId.startsWith('us-')" },
      ],
    ],
    [
      'hub rules, of which the last one wins',
      [{ hub: 'weu.azure-devices.net' }, { hub: 'eus.azure-devices.net' }],
    ],
    ['a label that no hub has, which gets its own warning', [EU, { require: { home: 'nowhere' } }]],
    ['a deny rule that comes first', [EU, US, { when: 'true', deny: 'closed' }]],
  ])('get no warning: %s', (_, rules) => {
    expect(warningsOf(...rules)).toEqual([]);
  });
});
