import { describe, expect, test } from '@jest/globals';
import { deploymentProblems, deploymentWarnings } from '../../src/fleet/advice/deployability.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';

interface HubPart {
  readonly [field: string]: unknown;
}

const hub = (name: string, more: HubPart = {}): HubPart => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  ...more,
});
const OTHER = '91d12660-3dec-467a-be2a-213b5544ddc0';
const PLANT = { subscription: '0dd781aa-f7a9-4f7e-8105-0579ce78f407', resourceGroup: 'plant' };
const many = (count: number) => Array.from({ length: count }, (_, index) => hub(`contoso-${index}`));

/** The problems of a file that is valid for Berth, as `path message`. */
function problemsOf(hubs: readonly HubPart[], dps = 1): readonly string[] {
  const parsed = parseFleet(JSON.stringify({ hubs }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return deploymentProblems(parsed.fleet, dps).map(({ path, message }) => `${path} ${message}`);
}

describe('a fleet file that can be deployed', () => {
  test.each<[string, readonly HubPart[]]>([
    ['fifty hubs', many(50)],
    ['names of three and of fifty characters', [hub('abc'), hub('a'.repeat(50))]],
    ['a device name and a service name', [hub('contoso.device'), hub('contoso-b.service')]],
    ['hubs of another cloud', [{ ...hub('x'), host: 'contoso-a.azure-devices.cn' }]],
    [
      'the largest hubs of each tier',
      [
        hub('contoso-f1', { tier: 'F1', units: 1 }),
        hub('contoso-s1', { units: 200 }),
        hub('contoso-s2', { tier: 'S2', units: 200 }),
        hub('contoso-s3', { tier: 'S3', units: 10 }),
      ],
    ],
    [
      'one free hub in each subscription',
      [
        hub('contoso-a', { tier: 'F1' }),
        hub('contoso-b', { tier: 'F1', azure: PLANT }),
        hub('contoso-c', { tier: 'F1', azure: { ...PLANT, subscription: OTHER } }),
      ],
    ],
    [
      'labels that are no tags of a hub that exists already',
      [hub('contoso-a', { azure: PLANT, labels: { 'a/b': 'x' } })],
    ],
    ['stamps', [hub('contoso-a', { stamp: 'eu' }), hub('contoso-b', { stamp: 'stamp1234567' })]],
    [
      'labels that are tags',
      [
        hub('contoso-a', {
          labels: {
            'cost center': '4711',
            ['k'.repeat(512)]: 'v'.repeat(256),
            ...Object.fromEntries(Array.from({ length: 47 }, (_, index) => [`label${index}`, ''])),
          },
        }),
      ],
    ],
  ])('has no problem with %s', (_, hubs) => {
    expect(problemsOf(hubs)).toEqual([]);
  });

  test('may have fifty hubs for each DPS', () => {
    expect(problemsOf(many(100), 2)).toEqual([]);
    expect(problemsOf(many(101), 2)).toEqual([
      'hubs has 101 hubs, and 2 DPS instances link at most 100: split the fleet into deployments, or use more DPS instances and say so with --dps',
    ]);
  });
});

describe('a fleet file that Azure would refuse', () => {
  test.each<[string, readonly HubPart[], readonly string[]]>([
    [
      'more hubs than one DPS links',
      many(51),
      [
        'hubs has 51 hubs, and one DPS links at most 50: split the fleet into deployments, or use more DPS instances and say so with --dps',
      ],
    ],
    [
      'two free hubs that exist already in one subscription, whatever the case of its id',
      [
        hub('contoso-a', { tier: 'F1', azure: PLANT }),
        hub('contoso-b', { tier: 'F1' }),
        hub('contoso-c', { tier: 'F1', azure: { ...PLANT, subscription: PLANT.subscription.toUpperCase() } }),
      ],
      [
        'hubs[2].tier is F1 as that of hubs[0] is, and a subscription has one free hub: correct the tier or hubs[].azure',
      ],
    ],
    [
      'hub names of two and of 51 characters',
      [hub('ab'), hub('a'.repeat(51))],
      [
        'hubs[0].host has a name of 2 characters, "ab": Azure takes 3 to 50',
        `hubs[1].host has a name of 51 characters, "${'a'.repeat(51)}": Azure takes 3 to 50`,
      ],
    ],
    [
      'hosts that are not IoT hubs',
      [
        { ...hub('x'), host: 'contoso.example.com' },
        { ...hub('x'), host: 'iot.contoso.azure-devices.net' },
      ],
      [
        'hubs[0].host is "contoso.example.com", which is not an IoT hub of Azure: write NAME.azure-devices.net',
        'hubs[1].host is "iot.contoso.azure-devices.net", which is not an IoT hub of Azure: write NAME.azure-devices.net',
      ],
    ],
    [
      'hubs of two clouds',
      [hub('contoso-a'), { ...hub('x'), host: 'contoso-b.azure-devices.us' }],
      [
        'hubs has hubs in different clouds (azure-devices.net, azure-devices.us): write a fleet file for each cloud',
      ],
    ],
    [
      'more units than a tier has',
      [hub('contoso-a', { tier: 'S3', units: 11 }), hub('contoso-b', { tier: 'F1', units: 2 })],
      [
        'hubs[0].units is 11, and S3 has at most 10 units: write fewer, or add a hub',
        'hubs[1].units is 2, and F1 has one unit: write 1, or tier S1',
      ],
    ],
    [
      'three free hubs',
      [hub('contoso-a', { tier: 'F1' }), hub('contoso-b', { tier: 'F1' }), hub('contoso-c', { tier: 'F1' })],
      [
        'hubs[1].tier is F1 as that of hubs[0] is, and a subscription has one free hub: write S1',
        'hubs[2].tier is F1 as that of hubs[0] is, and a subscription has one free hub: write S1',
      ],
    ],
    [
      'stamps that cannot name resources',
      ['EU', 'eu_1', 'eu-1', 'allocator', 'thirteenchars'].map((stamp, index) =>
        hub(`contoso-${index}`, { stamp }),
      ),
      [
        'hubs[0].stamp is "EU", and names of resources contain it: write 1 to 12 lower-case letters and digits',
        'hubs[1].stamp is "eu_1", and names of resources contain it: write 1 to 12 lower-case letters and digits',
        'hubs[2].stamp is "eu-1", and names of resources contain it: write 1 to 12 lower-case letters and digits',
        'hubs[3].stamp is "allocator", which is the stamp of apps that only allocate: write another name',
        'hubs[4].stamp is "thirteenchars", and names of resources contain it: write 1 to 12 lower-case letters and digits',
      ],
    ],
    [
      'a hub without a stamp where others have one',
      [hub('contoso-a'), hub('contoso-b', { stamp: 'eu' })],
      [
        'hubs[0].stamp is missing, and other hubs have one ("eu"), so no deployment would reconcile this hub: write a stamp',
      ],
    ],
    [
      'labels that cannot be tags',
      [
        hub('contoso-a', {
          labels: {
            'a/b': '',
            ' ': '',
            '': '',
            'azure-region': '',
            long: 'x'.repeat(257),
            Site: 'a',
            site: 'b',
            'AZD-env-name': 'c',
            ['k'.repeat(513)]: '',
          },
        }),
      ],
      [
        'hubs[0].labels.a/b cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /',
        'hubs[0].labels.  cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /',
        'hubs[0].labels. cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /',
        'hubs[0].labels.azure-region begins with a word that Azure keeps for its own tags: write another name',
        'hubs[0].labels.long has a value of 257 characters: a tag takes at most 256',
        'hubs[0].labels.site is the name of another tag of the hub, because Azure ignores the case: write another name',
        'hubs[0].labels.AZD-env-name is the name of another tag of the hub, because Azure ignores the case: write another name',
        `hubs[0].labels.${'k'.repeat(513)} cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /`,
      ],
    ],
    [
      'fifty labels',
      [
        hub('contoso-a', {
          labels: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`label${i}`, ''])),
        }),
      ],
      ['hubs[0].labels has 50 labels, which become tags: Azure takes 50 with azd-env-name'],
    ],
  ])('is told of %s', (_, hubs, problems) => {
    expect(problemsOf(hubs)).toEqual(problems);
  });
});

describe('the capacities of a fleet file', () => {
  const warningsOf = (hubs: readonly HubPart[], dps = 1) =>
    deploymentWarnings(JSON.stringify({ hubs }), dps).map(({ path, message }) => `${path} ${message}`);

  test('cause no warning up to what one DPS holds, and where the file does not contain them', () => {
    expect(
      warningsOf([hub('contoso-a', { capacity: 600_000 }), hub('contoso-b', { capacity: 400_000 })]),
    ).toEqual([]);
    expect(warningsOf(many(10))).toEqual([]);
  });

  test('cause a warning above that', () => {
    const hubs = [
      hub('contoso-a', { capacity: 600_000 }),
      hub('contoso-b', { capacity: 400_001 }),
      hub('contoso-c'),
    ];

    expect(warningsOf(hubs)).toEqual([
      'hubs has room for 1000001 devices by its capacities, and one DPS holds at most 1000000 registrations: lower the capacities, or use more DPS instances and say so with --dps',
    ]);
    expect(warningsOf(hubs, 2)).toEqual([]);
  });
});
