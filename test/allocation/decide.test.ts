import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Conditions, type HubConditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type Decision, decide } from '../../src/allocation/decide.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/fleet/host-name.ts';
import { fleetOf, HOSTS, type RequestOptions, requestOf } from './requests.ts';

const NOW = Date.UTC(2026, 10, 23);
const MINUTE = 60_000;
const [WEU, EUS, SEA] = ['weu.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net'];

interface World {
  readonly fleet?: Parameters<typeof fleetOf>[0];
  readonly hubs?: Readonly<Record<string, HubConditions>>;
  readonly causes?: Readonly<Record<string, number>>;
}

function conditionsOf({ hubs = {}, causes = {} }: World): Conditions {
  return {
    loadedAt: NOW,
    hubs: new Map(
      Object.entries(hubs).map(([name, found]) => [hostName(`${name}.azure-devices.net`), found]),
    ),
    causes: new Map(Object.entries(causes)),
  };
}

function decideIn(world: World, request: RequestOptions = {}): Decision {
  return decide({
    request: requestOf(request),
    fleet: fleetOf(world.fleet),
    conditions: conditionsOf(world),
    now: NOW,
  });
}

const on = (name: string, more: object = {}): RequestOptions => ({
  context: { currentIotHubHostName: `${name}.azure-devices.net`, currentDeviceId: 'd', ...more },
});
const require = (residency: string, more: object = {}) => ({
  rules: [{ name: 'residency', when: "payload.country == 'DE'", require: { residency }, ...more }],
});

describe('a first registration', () => {
  test('goes to the hub that wins the draw, as it was spelt in linkedHubs', () => {
    const linkedHubs = HOSTS.map((host) => host.toUpperCase());

    const { outcome } = decideIn({}, { linkedHubs });

    expect(outcome).toMatchObject({ kind: 'assigned', how: 'placed' });
    expect(linkedHubs).toContain(outcome.kind === 'assigned' ? outcome.hub : '');
  });

  test('goes to a hub by its weight', () => {
    const fleet = fleetOf({ hubs: { weu: { weight: 3 }, eus: { weight: 2 } } });
    const placed = Array.from({ length: 6_000 }, (_, index) => {
      const request = requestOf({ context: { registrationId: `d${index}` } });
      const { outcome } = decide({ request, fleet, conditions: NO_CONDITIONS, now: NOW });
      return outcome.kind === 'assigned' ? outcome.host : '';
    });

    const share = (host: string | undefined) =>
      placed.filter((winner) => winner === host).length / placed.length;
    expect(share(WEU)).toBeCloseTo(3 / 6, 1);
    expect(share(EUS)).toBeCloseTo(2 / 6, 1);
    expect(share(SEA)).toBeCloseTo(1 / 6, 1);
  });

  const excluded: readonly (readonly [string, World, RequestOptions, string])[] = [
    [
      'a stranger',
      {},
      { linkedHubs: [...HOSTS, 'evil.example.com'] },
      'evil.example.com: not in the fleet file',
    ],
    [
      'a hub that the enrollment leaves out',
      {},
      { group: { iotHubs: [EUS, SEA] } },
      `${WEU}: not selected by the enrollment`,
    ],
    ['a cordoned hub', { fleet: { hubs: { weu: { state: 'cordoned' } } } }, {}, `${WEU}: cordoned`],
    ['a draining hub', { fleet: { hubs: { weu: { state: 'draining' } } } }, {}, `${WEU}: draining`],
    [
      'a hub that an operator cordoned',
      { hubs: { weu: { override: { state: 'cordoned', author: 'a', reason: 'r', expiresAt: NOW + 1 } } } },
      {},
      `${WEU}: cordoned`,
    ],
    [
      'a full hub',
      {
        fleet: { hubs: { weu: { capacity: 100 } } },
        hubs: { weu: { devices: { count: 100, countedAt: NOW } } },
      },
      {},
      `${WEU}: full`,
    ],
    [
      'a hub that may be full by now',
      {
        fleet: { hubs: { weu: { capacity: 100_000 } } },
        hubs: { weu: { devices: { count: 98_500, countedAt: NOW - 2 * MINUTE } } },
      },
      {},
      `${WEU}: full`,
    ],
    ['an unhealthy hub', { hubs: { weu: { failures: 3 } } }, {}, `${WEU}: unhealthy`],
    [
      'a hub without a required label',
      { fleet: { allocation: require('us') } },
      { context: { payload: { country: 'DE' } } },
      `${WEU}: does not meet a require rule`,
    ],
  ];
  test.each(excluded)('never goes to %s', (_, world, request, reason) => {
    const { candidates, outcome } = decideIn(world, request);
    const excludedHost = reason.split(': ')[0];

    expect(
      candidates
        .filter(({ excluded: why }) => why !== undefined)
        .map(({ host, excluded: why }) => `${host}: ${why}`),
    ).toContain(reason);
    expect(outcome).not.toMatchObject({ host: excludedHost });
  });

  test.each<[string, World]>([
    ['a count that is missing', { fleet: { hubs: { weu: { capacity: 1 } } } }],
    ['two failed calls', { hubs: { weu: { failures: 2 } } }],
    [
      'an override that has expired',
      { hubs: { weu: { override: { state: 'cordoned', author: 'a', reason: 'r', expiresAt: NOW } } } },
    ],
  ])('is not kept away by %s', (_, world) => {
    const { outcome } = decideIn(world, { linkedHubs: [WEU] as string[] });

    expect(outcome).toMatchObject({ kind: 'assigned', host: WEU });
  });

  test('health never excludes the last hub', () => {
    const world: World = {
      fleet: { hubs: { eus: { state: 'cordoned' }, sea: { state: 'cordoned' } } },
      hubs: { weu: { failures: 9 } },
    };

    expect(decideIn(world).outcome).toMatchObject({ kind: 'assigned', host: WEU });
  });

  test.each<[string, World, RequestOptions, string]>([
    [
      'all are cordoned: later',
      {
        fleet: {
          hubs: { weu: { state: 'cordoned' }, eus: { state: 'cordoned' }, sea: { state: 'cordoned' } },
        },
      },
      {},
      'BERTH_NO_HUB_NOW',
    ],
    [
      'the only one that qualifies is cordoned: later',
      { fleet: { hubs: { weu: { state: 'cordoned' } }, allocation: require('eu') } },
      { context: { payload: { country: 'DE' } } },
      'BERTH_NO_HUB_NOW',
    ],
    [
      'only strangers are linked: never',
      {},
      { linkedHubs: ['x.example.com', 'not a host'] },
      'BERTH_NO_HUB_QUALIFIES',
    ],
    [
      'none has the label: never',
      { fleet: { allocation: require('antarctica') } },
      { context: { payload: { country: 'DE' } } },
      'BERTH_NO_HUB_QUALIFIES',
    ],
  ])('is refused where %s', (_, world, request, code) => {
    expect(decideIn(world, request).outcome).toMatchObject({ kind: 'refused', code });
  });
});

describe('rules', () => {
  const withRules = (...rules: object[]): World => ({ fleet: { allocation: { rules } } });

  test('a deny wins over everything, with its reason', () => {
    const world = withRules(
      { name: 'lab', hub: WEU },
      { name: 'retired', when: "payload.model == 'x0'", deny: 'model x0 is retired' },
    );

    const { outcome } = decideIn(world, { context: { payload: { model: 'x0' } } });

    expect(outcome).toEqual({
      kind: 'refused',
      code: 'BERTH_REGISTRATION_DENIED',
      message: 'Rule "retired" denies it: model x0 is retired.',
    });
  });

  test('the last hub rule wins, but never over a require', () => {
    const two = withRules({ name: 'a', hub: WEU }, { name: 'b', hub: SEA });
    const against = withRules({ name: 'eu', require: { residency: 'eu' } }, { name: 'b', hub: SEA });

    expect(decideIn(two).outcome).toMatchObject({ host: SEA });
    expect(decideIn(against).outcome).toMatchObject({ code: 'BERTH_NO_HUB_QUALIFIES' });
  });

  test('requires intersect', () => {
    const world: World = {
      fleet: {
        hubs: { weu: { labels: { residency: 'eu', tier: 'gold' } } },
        allocation: {
          rules: [
            { name: 'a', require: { residency: 'eu' } },
            { name: 'b', require: { tier: 'gold' } },
          ],
        },
      },
    };

    expect(decideIn(world).outcome).toMatchObject({ host: WEU });
  });

  test('prefers multiply into the weight', () => {
    const world = withRules(
      { name: 'a', prefer: { [WEU ?? '']: 2 } },
      { name: 'b', prefer: { [WEU ?? '']: 3 } },
    );

    expect(decideIn(world).candidates.find(({ host }) => host === WEU)?.weight).toBe(6);
  });

  test.each([
    ['a require applies', { require: { residency: 'eu' } }, { kind: 'assigned', host: WEU }],
    [
      'a require skips where it says so',
      { require: { residency: 'nowhere' }, whenUnknown: 'skip' },
      { kind: 'assigned' },
    ],
    ['a deny is skipped', { deny: 'no' }, { kind: 'assigned' }],
    [
      'a deny applies where it says so',
      { deny: 'no', whenUnknown: 'apply' },
      { code: 'BERTH_REGISTRATION_DENIED' },
    ],
    ['a rule may refuse', { hub: WEU, whenUnknown: 'refuse' }, { code: 'BERTH_INPUT_MISSING' }],
  ])('when the condition is unknown, %s', (_, effect, outcome) => {
    const world = withRules({ name: 'r', when: "payload.country == 'DE'", ...effect });

    const decision = decideIn(world);

    expect(decision.outcome).toMatchObject(outcome);
    expect(decision.rules).toMatchObject([
      { name: 'r', result: 'unknown', why: 'the key country is missing' },
    ]);
  });
});

describe('a registration again', () => {
  test.each<[string, World]>([
    ['as a rule', {}],
    ['though the hub is cordoned', { fleet: { hubs: { sea: { state: 'cordoned' } } } }],
    [
      'though the hub is full',
      { fleet: { hubs: { sea: { capacity: 1 } } }, hubs: { sea: { devices: { count: 5, countedAt: NOW } } } },
    ],
    ['though the hub is unhealthy', { hubs: { sea: { failures: 9 } } }],
    ['though the weights would place it elsewhere', { fleet: { hubs: { weu: { weight: 1_000_000 } } } }],
    ['though the hub drains, until that was first seen', { fleet: { hubs: { sea: { state: 'draining' } } } }],
    [
      'though the hub drains, before the ramp reaches it',
      {
        fleet: { hubs: { sea: { state: 'draining' } }, allocation: { moves: { over: '1h' } } },
        causes: { 'drain:sea.azure-devices.net': NOW },
      },
    ],
    [
      'though the hub drains, while no other may receive',
      {
        fleet: {
          hubs: { sea: { state: 'draining' }, weu: { state: 'cordoned' }, eus: { state: 'cordoned' } },
        },
        causes: { 'drain:sea.azure-devices.net': 0 },
      },
    ],
  ])('stays %s', (_, world) => {
    expect(decideIn(world, on('sea')).outcome).toMatchObject({ kind: 'assigned', host: SEA, how: 'stayed' });
  });

  test('stays on a hub that left the fleet file', () => {
    const { outcome } = decideIn({}, { ...on('old'), linkedHubs: [...HOSTS, 'Old.azure-devices.net'] });

    expect(outcome).toMatchObject({ kind: 'assigned', hub: 'Old.azure-devices.net', how: 'stayed' });
  });

  test.each<[string, World, RequestOptions]>([
    ['the hub is not linked any more', {}, { ...on('sea'), linkedHubs: [WEU, EUS] as string[] }],
    [
      'the hub drains and the ramp is over',
      {
        fleet: { hubs: { sea: { state: 'draining' } }, allocation: { moves: { over: '1h' } } },
        causes: { 'drain:sea.azure-devices.net': NOW - 3_600_000 },
      },
      on('sea'),
    ],
    [
      'the hub breaks a require',
      { fleet: { allocation: require('eu') } },
      on('sea', { payload: { country: 'DE' } }),
    ],
    ['a hub rule names another', { fleet: { allocation: { rules: [{ name: 'r', hub: WEU }] } } }, on('sea')],
  ])('moves where %s', (_, world, request) => {
    const { outcome } = decideIn(world, request);

    expect(outcome).toMatchObject({ kind: 'assigned', how: 'moved' });
    expect(outcome).not.toMatchObject({ host: SEA });
  });

  test('without the inputs of the first time keeps the residency that the device has', () => {
    const world: World = {
      fleet: { hubs: { weu: { state: 'draining' } }, allocation: require('eu') },
      causes: { 'drain:weu.azure-devices.net': 0 },
    };

    const { outcome, candidates } = decideIn(world, on('eus'));

    expect(outcome).toMatchObject({ kind: 'assigned', host: EUS, how: 'stayed' });
    expect(candidates.find(({ host }) => host === SEA)?.excluded).toBe('does not meet a require rule');
  });

  test('never reprovisioned keeps its hub whatever its state', () => {
    const never = { updateHubAssignment: false, migrateDeviceData: false };
    const world: World = {
      fleet: { hubs: { sea: { state: 'draining' } } },
      causes: { 'drain:sea.azure-devices.net': 0 },
    };

    const { outcome } = decideIn(world, {
      ...on('sea'),
      linkedHubs: [SEA] as string[],
      group: { reprovisionPolicy: never },
    });

    expect(outcome).toMatchObject({ host: SEA, how: 'never reprovisioned' });
  });

  test('never reprovisioned is refused where the hub breaks a require', () => {
    const never = { updateHubAssignment: false, migrateDeviceData: false };

    const { outcome } = decideIn(
      { fleet: { allocation: require('eu') } },
      {
        ...on('sea', { payload: { country: 'DE' } }),
        linkedHubs: [SEA] as string[],
        group: { reprovisionPolicy: never },
      },
    );

    expect(outcome).toMatchObject({ code: 'BERTH_NO_HUB_QUALIFIES' });
  });
});

describe('what must always hold', () => {
  const hubState = fc.constantFrom('active', 'cordoned', 'draining');
  const anyWorld = fc.record({
    states: fc.tuple(hubState, hubState, hubState),
    failures: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5)),
    since: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
    country: fc.constantFrom('DE', 'US', undefined),
    current: fc.constantFrom('weu', 'eus', 'sea', 'old', undefined),
    linked: fc.subarray([...HOSTS, 'old.azure-devices.net'], { minLength: 1 }),
    policy: fc.constantFrom(
      undefined,
      { updateHubAssignment: false },
      { updateHubAssignment: true, migrateDeviceData: false },
    ),
    id: fc.stringMatching(/^[a-z0-9]{1,20}$/),
  });
  type AnyWorld = typeof anyWorld extends fc.Arbitrary<infer T> ? T : never;

  const rules = [
    { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } },
    { name: 'near', when: "registrationId < 'k'", prefer: { [SEA ?? '']: 3 } },
    { name: 'lab', when: "registrationId.startsWith('lab')", hub: EUS },
  ];
  const build = (world: AnyWorld): { fleet: Fleet; conditions: Conditions; request: RequestOptions } => ({
    fleet: fleetOf({
      hubs: {
        weu: { state: world.states[0] },
        eus: { state: world.states[1] },
        sea: { state: world.states[2] },
      },
      allocation: { rules },
    }),
    conditions: conditionsOf({
      hubs: {
        weu: { failures: world.failures[0] },
        eus: { failures: world.failures[1] },
        sea: { failures: world.failures[2] },
      },
      causes:
        world.since === undefined
          ? {}
          : Object.fromEntries(HOSTS.map((host) => [`drain:${host}`, world.since as number])),
    }),
    request: {
      context: {
        registrationId: world.id,
        ...(world.current === undefined
          ? {}
          : { currentIotHubHostName: `${world.current}.azure-devices.net` }),
        ...(world.country === undefined ? {} : { payload: { country: world.country } }),
      },
      group: { reprovisionPolicy: world.policy, iotHubs: [] },
      linkedHubs: world.linked,
    },
  });

  test('a German device is never outside the EU, and one that hides its country never leaves its residency', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const { fleet, conditions, request } = build(world);
        const { outcome } = decide({ request: requestOf(request), fleet, conditions, now: NOW });
        if (outcome.kind === 'refused') return;
        const residency = fleet.hubByHost.get(outcome.host)?.labels.residency;

        if (world.country === 'DE') expect(residency).toBe('eu');
        if (world.country === undefined) {
          const known = fleet.hubByHost.get(hostName(`${world.current}.azure-devices.net`))?.labels.residency;
          expect(residency).toBe(known ?? 'eu');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('the answer is always one of the linked hubs, and a refusal always has a code', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const { fleet, conditions, request } = build(world);
        const { outcome } = decide({ request: requestOf(request), fleet, conditions, now: NOW });

        if (outcome.kind === 'assigned') expect(world.linked).toContain(outcome.hub);
        else expect(outcome.code).toMatch(/^BERTH_/);
      }),
      { numRuns: 1_000 },
    );
  });

  test('two instances with the same file and conditions decide alike', () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const one = build(world);
        const other = build(world);

        expect(decide({ ...one, request: requestOf(one.request), now: NOW })).toEqual(
          decide({ ...other, request: requestOf(other.request), now: NOW }),
        );
      }),
    );
  });
});
