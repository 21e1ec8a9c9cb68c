import { describe, expect, test } from '@jest/globals';
import { type Conditions, type HubConditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type Decision, decide } from '../../src/allocation/decision/decide.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { EPOCH, type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, HOSTS, type RequestOptions, requestOf } from './requests.ts';

const NOW = epochMs(Date.UTC(2026, 10, 23));
const MINUTE = 60_000;
const [WEU, EUS, SEA] = ['weu.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net'];

interface FleetState {
  readonly fleet?: Parameters<typeof fleetOf>[0];
  readonly hubs?: Readonly<Record<string, HubConditions>>;
  readonly causes?: Readonly<Record<string, EpochMs>>;
}

function conditionsOf({ hubs = {}, causes = {} }: FleetState): Conditions {
  return {
    loadedAt: NOW,
    hubs: new Map(
      Object.entries(hubs).map(([name, found]) => [hostName(`${name}.azure-devices.net`), found]),
    ),
    causes: new Map(Object.entries(causes)),
  };
}

function decideIn(state: FleetState, request: RequestOptions = {}): Decision {
  return decide({
    request: requestOf(request),
    fleet: fleetOf(state.fleet),
    conditions: conditionsOf(state),
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
  test('assigns the hub with the highest score, spelt as in linkedHubs', () => {
    const linkedHubs = HOSTS.map((host) => host.toUpperCase());

    const { result } = decideIn({}, { linkedHubs });

    expect(result).toMatchObject({ kind: 'assigned', how: 'placed' });
    expect(linkedHubs).toContain(result.kind === 'assigned' ? result.hub : '');
  });

  test('assigns hubs in proportion to their weights', () => {
    const fleet = fleetOf({ hubs: { weu: { weight: 3 }, eus: { weight: 2 } } });
    const placed = Array.from({ length: 6_000 }, (_, index) => {
      const request = requestOf({ context: { registrationId: `d${index}` } });
      const { result } = decide({ request, fleet, conditions: NO_CONDITIONS, now: NOW });
      return result.kind === 'assigned' ? result.host : '';
    });

    const share = (host: string | undefined) =>
      placed.filter((winner) => winner === host).length / placed.length;
    expect(share(WEU)).toBeCloseTo(3 / 6, 1);
    expect(share(EUS)).toBeCloseTo(2 / 6, 1);
    expect(share(SEA)).toBeCloseTo(1 / 6, 1);
  });

  const excluded: readonly (readonly [string, FleetState, RequestOptions, string])[] = [
    [
      'a hub that the fleet file does not list',
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
      {
        hubs: {
          weu: {
            overrides: { state: { value: 'cordoned', author: 'a', reason: 'r', expiresAt: plus(NOW, 1) } },
          },
        },
      },
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
      'a hub that may have become full since the last count',
      {
        fleet: { hubs: { weu: { capacity: 100_000 } } },
        hubs: { weu: { devices: { count: 98_500, countedAt: plus(NOW, -2 * MINUTE) } } },
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
  test.each(excluded)('never assigns %s', (_, state, request, reason) => {
    const { candidates, result } = decideIn(state, request);
    const excludedHost = reason.split(': ')[0];

    expect(
      candidates
        .filter(({ excluded: why }) => why !== undefined)
        .map(({ host, excluded: why }) => `${host}: ${why}`),
    ).toContain(reason);
    expect(result).not.toMatchObject({ host: excludedHost });
  });

  test.each<[string, FleetState]>([
    ['a missing count', { fleet: { hubs: { weu: { capacity: 1 } } } }],
    ['two failed calls', { hubs: { weu: { failures: 2 } } }],
    [
      'an expired override',
      {
        hubs: {
          weu: { overrides: { state: { value: 'cordoned', author: 'a', reason: 'r', expiresAt: NOW } } },
        },
      },
    ],
  ])('does not exclude a hub because of %s', (_, state) => {
    const { result } = decideIn(state, { linkedHubs: [WEU] as string[] });

    expect(result).toMatchObject({ kind: 'assigned', host: WEU });
  });

  test('does not exclude the last hub because it is unhealthy', () => {
    const state: FleetState = {
      fleet: { hubs: { eus: { state: 'cordoned' }, sea: { state: 'cordoned' } } },
      hubs: { weu: { failures: 9 } },
    };

    expect(decideIn(state).result).toMatchObject({ kind: 'assigned', host: WEU });
  });

  test('does not assign a full hub, even if it is the last one', () => {
    const state: FleetState = {
      fleet: { hubs: { weu: { capacity: 1 }, eus: { state: 'cordoned' }, sea: { state: 'cordoned' } } },
      hubs: { weu: { devices: { count: 1, countedAt: NOW }, failures: 9 } },
    };

    const { result, candidates } = decideIn(state);

    expect(result).toMatchObject({ code: 'BERTH_NO_HUB_NOW' });
    expect(candidates[0]?.excluded).toBe('full');
  });

  test('ignores two failed calls to a hub and excludes the hub after the third', () => {
    const placedWith = (failures: number) =>
      decideIn(
        { hubs: { weu: { failures } } },
        { linkedHubs: [WEU, EUS] as string[], context: { registrationId: 'd3' } },
      );

    expect(placedWith(2).result).toMatchObject({ host: WEU });
    expect(placedWith(3).result).toMatchObject({ host: EUS });
  });

  test.each<[number, number, number, boolean]>([
    [99_999, 0, 100_000, false],
    [100_000, 0, 100_000, true],
    [99_000, MINUTE, 100_000, true],
    [98_999, MINUTE, 100_000, false],
    [98_000, 60 * MINUTE, 100_000, true],
    [97_999, 60 * MINUTE, 100_000, false],
    [99_999, -10 * MINUTE, 100_000, false],
    [9, 0, 10, false],
    [10, 0, 10, true],
  ])(
    'treats a hub that had %i devices %i ms ago, with a capacity of %i, as full: %s',
    (count, ageMs, capacity, isFull) => {
      const state: FleetState = {
        fleet: { hubs: { weu: { capacity } } },
        hubs: { weu: { devices: { count, countedAt: plus(NOW, -ageMs) } } },
      };

      expect(decideIn(state).candidates[0]?.excluded).toBe(isFull ? 'full' : undefined);
    },
  );

  test.each<[string, FleetState, RequestOptions, string]>([
    [
      'all hubs are cordoned, with a code that makes DPS try again',
      {
        fleet: {
          hubs: { weu: { state: 'cordoned' }, eus: { state: 'cordoned' }, sea: { state: 'cordoned' } },
        },
      },
      {},
      'BERTH_NO_HUB_NOW',
    ],
    [
      'the only hub that qualifies is cordoned, with a code that makes DPS try again',
      { fleet: { hubs: { weu: { state: 'cordoned' } }, allocation: require('eu') } },
      { context: { payload: { country: 'DE' } } },
      'BERTH_NO_HUB_NOW',
    ],
    [
      'the linked hubs are all missing from the fleet file, with a final code',
      {},
      { linkedHubs: ['x.example.com', 'not a host'] },
      'BERTH_NO_HUB_QUALIFIES',
    ],
    [
      'no hub has the required label, with a final code',
      { fleet: { allocation: require('antarctica') } },
      { context: { payload: { country: 'DE' } } },
      'BERTH_NO_HUB_QUALIFIES',
    ],
  ])('is refused when %s', (_, state, request, code) => {
    expect(decideIn(state, request).result).toMatchObject({ kind: 'refused', code });
  });
});

describe('the device id that Berth reserves', () => {
  test.each([
    ['as a registration id', 'berth-heartbeat'],
    ['as a registration id in capitals, which DPS takes for the same', 'Berth-Heartbeat'],
  ])('is refused %s', (_, registrationId) => {
    expect(decideIn({}, { context: { registrationId } }).result).toEqual({
      kind: 'refused',
      code: 'BERTH_DEVICE_RESERVED',
      message: expect.stringContaining('"berth-heartbeat" belongs to Berth'),
    });
  });

  test('is refused as the device id of an individual enrollment', () => {
    const request = requestOf();
    const enrollment = { ...request.enrollment, deviceId: 'berth-heartbeat' };

    const { result } = decide({
      request: { ...request, enrollment },
      fleet: fleetOf({}),
      conditions: NO_CONDITIONS,
      now: EPOCH,
    });

    expect(result).toMatchObject({ kind: 'refused', code: 'BERTH_DEVICE_RESERVED' });
  });

  test('does not keep a device with a similar id away', () => {
    expect(decideIn({}, { context: { registrationId: 'berth-heartbeat-2' } }).result.kind).toBe('assigned');
  });
});

describe('rules', () => {
  const withRules = (...rules: object[]): FleetState => ({ fleet: { allocation: { rules } } });

  test('a deny rule wins over all other rules and gives its reason', () => {
    const state = withRules(
      { name: 'lab', hub: WEU },
      { name: 'retired', when: "payload.model == 'x0'", deny: 'model x0 is retired' },
    );

    const { result } = decideIn(state, { context: { payload: { model: 'x0' } } });

    expect(result).toEqual({
      kind: 'refused',
      code: 'BERTH_REGISTRATION_DENIED',
      message: 'Rule "retired" denies the registration: model x0 is retired.',
    });
  });

  test('the last matching hub rule wins, but it never overrides a require rule', () => {
    const two = withRules({ name: 'a', hub: WEU }, { name: 'b', hub: SEA });
    const against = withRules({ name: 'eu', require: { residency: 'eu' } }, { name: 'b', hub: SEA });

    expect(decideIn(two).result).toMatchObject({ host: SEA });
    expect(decideIn(against).result).toMatchObject({ code: 'BERTH_NO_HUB_QUALIFIES' });
  });

  test('a hub must meet every require rule that applies', () => {
    const state: FleetState = {
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

    expect(decideIn(state).result).toMatchObject({ host: WEU });
  });

  test('a prefer rule multiplies the weight of its hubs', () => {
    const state = withRules(
      { name: 'a', prefer: { [WEU ?? '']: 2 } },
      { name: 'b', prefer: { [WEU ?? '']: 3 } },
    );

    expect(decideIn(state).candidates.find(({ host }) => host === WEU)?.scored?.hub.weight).toBe(6);
  });

  test.each([
    ['a require rule applies', { require: { residency: 'eu' } }, { kind: 'assigned', host: WEU }],
    [
      'a require rule with whenUnknown "skip" is skipped',
      { require: { residency: 'nowhere' }, whenUnknown: 'skip' },
      { kind: 'assigned' },
    ],
    ['a deny rule is skipped', { deny: 'no' }, { kind: 'assigned' }],
    [
      'a deny rule with whenUnknown "apply" applies',
      { deny: 'no', whenUnknown: 'apply' },
      { code: 'BERTH_REGISTRATION_DENIED' },
    ],
    [
      'a rule with whenUnknown "refuse" refuses the device',
      { hub: WEU, whenUnknown: 'refuse' },
      { code: 'BERTH_INPUT_MISSING' },
    ],
  ])('when the condition is unknown, %s', (_, effect, result) => {
    const state = withRules({ name: 'r', when: "payload.country == 'DE'", ...effect });

    const decision = decideIn(state);

    expect(decision.result).toMatchObject(result);
    expect(decision.rules).toMatchObject([
      { name: 'r', result: 'unknown', why: 'the key country is missing' },
    ]);
  });
});

describe('a device that registers again', () => {
  test.each<[string, FleetState]>([
    ['by default', {}],
    ['although the hub is cordoned', { fleet: { hubs: { sea: { state: 'cordoned' } } } }],
    [
      'although the hub is full',
      { fleet: { hubs: { sea: { capacity: 1 } } }, hubs: { sea: { devices: { count: 5, countedAt: NOW } } } },
    ],
    ['although the hub is unhealthy', { hubs: { sea: { failures: 9 } } }],
    ['although the weights would place it elsewhere', { fleet: { hubs: { weu: { weight: 1_000_000 } } } }],
    [
      'although the hub drains, until the drain was first seen',
      { fleet: { hubs: { sea: { state: 'draining' } } } },
    ],
    [
      'although the hub drains, before the gradual move reaches the device',
      {
        fleet: { hubs: { sea: { state: 'draining' } }, allocation: { moves: { over: '1h' } } },
        causes: { 'drain:sea.azure-devices.net': NOW },
      },
    ],
    [
      'although the hub drains, while no other hub may receive devices',
      {
        fleet: {
          hubs: { sea: { state: 'draining' }, weu: { state: 'cordoned' }, eus: { state: 'cordoned' } },
        },
        causes: { 'drain:sea.azure-devices.net': EPOCH },
      },
    ],
  ])('stays on its hub %s', (_, state) => {
    expect(decideIn(state, on('sea')).result).toMatchObject({ kind: 'assigned', host: SEA, how: 'stayed' });
  });

  test('stays on a hub that was removed from the fleet file', () => {
    const { result } = decideIn({}, { ...on('old'), linkedHubs: [...HOSTS, 'Old.azure-devices.net'] });

    expect(result).toMatchObject({ kind: 'assigned', hub: 'Old.azure-devices.net', how: 'stayed' });
  });

  test.each<[string, FleetState, RequestOptions]>([
    ['its hub is no longer linked', {}, { ...on('sea'), linkedHubs: [WEU, EUS] as string[] }],
    [
      'the current hub is draining and the gradual move is over',
      {
        fleet: { hubs: { sea: { state: 'draining' } }, allocation: { moves: { over: '1h' } } },
        causes: { 'drain:sea.azure-devices.net': plus(NOW, -3_600_000) },
      },
      on('sea'),
    ],
    [
      'the current hub does not meet a require rule',
      { fleet: { allocation: require('eu') } },
      on('sea', { payload: { country: 'DE' } }),
    ],
    [
      'a hub rule names another hub',
      { fleet: { allocation: { rules: [{ name: 'r', hub: WEU }] } } },
      on('sea'),
    ],
  ])('moves to another hub when %s', (_, state, request) => {
    const { result } = decideIn(state, request);

    expect(result).toMatchObject({ kind: 'assigned', how: 'moved' });
    expect(result).not.toMatchObject({ host: SEA });
  });

  test('keeps its current residency when it sends none of its first inputs', () => {
    const state: FleetState = {
      fleet: { hubs: { weu: { state: 'draining' } }, allocation: require('eu') },
      causes: { 'drain:weu.azure-devices.net': EPOCH },
    };

    const { result, candidates } = decideIn(state, on('eus'));

    expect(result).toMatchObject({ kind: 'assigned', host: EUS, how: 'stayed' });
    expect(candidates.find(({ host }) => host === SEA)?.excluded).toBe('does not meet a require rule');
  });

  test('keeps its hub in any state when the enrollment never reprovisions', () => {
    const never = { updateHubAssignment: false, migrateDeviceData: false };
    const state: FleetState = {
      fleet: { hubs: { sea: { state: 'draining' } } },
      causes: { 'drain:sea.azure-devices.net': EPOCH },
    };

    const { result } = decideIn(state, {
      ...on('sea'),
      linkedHubs: [SEA] as string[],
      group: { reprovisionPolicy: never },
    });

    expect(result).toMatchObject({ host: SEA, how: 'never reprovisioned' });
  });

  test('is refused when its hub breaks a require rule and the enrollment never reprovisions', () => {
    const never = { updateHubAssignment: false, migrateDeviceData: false };

    const { result } = decideIn(
      { fleet: { allocation: require('eu') } },
      {
        ...on('sea', { payload: { country: 'DE' } }),
        linkedHubs: [SEA] as string[],
        group: { reprovisionPolicy: never },
      },
    );

    expect(result).toMatchObject({ code: 'BERTH_NO_HUB_QUALIFIES' });
  });
});

const HOUR = 3_600_000;
/** Under any cause of going to a faster hub. */
const FASTER = (state: FleetState, since: EpochMs): FleetState => {
  const cause = fleetOf(state.fleet).allocation.fasterCause;
  return cause === undefined ? state : { ...state, causes: { ...state.causes, [cause]: since } };
};

describe('latency', () => {
  const measured = (weu: number, eus: number, sea: number, more: object = {}): RequestOptions => ({
    context: { payload: { latency: { westeurope: weu, eastus: eus, southeastasia: sea } }, ...more },
  });
  const weights = (state: FleetState, request: RequestOptions) =>
    Object.fromEntries(
      decideIn(state, request).candidates.map(({ host, scored }) => [host, scored?.hub.weight]),
    );

  test('halves the weight of a hub for each half-life that the hub is slower than the fastest one', () => {
    const state: FleetState = {
      fleet: { hubs: { eus: { weight: 8 } }, allocation: { latency: { halfLifeMs: 25 } } },
    };

    expect(weights(state, measured(10, 60, 35))).toEqual({ [WEU]: 1, [EUS]: 2, [SEA]: 0.5 });
  });

  test('counts as the worst known latency when it is unknown', () => {
    const state: FleetState = { fleet: { allocation: { latency: { halfLifeMs: 25 } } } };
    const request = { context: { payload: { latency: { westeurope: 10, eastus: 35 } } } };

    expect(weights(state, request)).toEqual({ [WEU]: 1, [EUS]: 0.5, [SEA]: 0.5 });
  });

  test('changes no weight when no latency is known', () => {
    const state: FleetState = {
      fleet: { hubs: { weu: { weight: 3 } }, allocation: { latency: { halfLifeMs: 25 } } },
    };

    expect(weights(state, {})).toEqual({ [WEU]: 3, [EUS]: 1, [SEA]: 1 });
  });

  test('leaves only the fastest hub when the half-life is 0, and weights break ties', () => {
    const state: FleetState = {
      fleet: { hubs: { weu: { weight: 1_000_000 } }, allocation: { latency: { halfLifeMs: 0 } } },
    };
    const hosts = new Set(
      Array.from({ length: 200 }, (_, index) => {
        const { result } = decideIn(state, measured(11, 10, 10, { registrationId: `d${index}` }));
        return result.kind === 'assigned' ? result.host : '';
      }),
    );

    expect(hosts).toEqual(new Set([EUS, SEA]));
  });

  test('does not exclude a slow hub when no other hub may receive devices', () => {
    const state: FleetState = {
      fleet: {
        hubs: { weu: { state: 'cordoned' }, eus: { state: 'cordoned' } },
        allocation: { latency: { halfLifeMs: 1 } },
      },
    };

    expect(decideIn(state, measured(1, 1, 60_000)).result).toMatchObject({ host: SEA });
  });

  test('is not read when no setting uses it', () => {
    expect(decideIn({}, measured(1, 1, -1)).latencies).toEqual({ byHost: new Map(), inputs: {}, notes: [] });
  });
});

describe('a move to a faster hub', () => {
  const state = (more: object = {}): FleetState => ({
    fleet: { allocation: { sticky: { moveWhenFasterByMs: 40 }, ...more } },
  });
  /** A device that would go to `weu` if it were new. */
  const from = (name: string, latency: object): RequestOptions =>
    on(name, { registrationId: 'd3', payload: { latency } });

  test('goes to the hub that the device would get if it were new', () => {
    expect(decideIn(state(), { context: { registrationId: 'd3' } }).result).toMatchObject({ host: WEU });
  });

  test.each<[string, FleetState, RequestOptions, object]>([
    [
      'happens at once when the other hub is 40 ms faster',
      FASTER(state(), NOW),
      from('sea', { westeurope: 10, southeastasia: 50 }),
      { host: WEU, how: 'moved', why: 'another hub is faster' },
    ],
    [
      'does not happen when the other hub is 39 ms faster',
      FASTER(state(), NOW),
      from('sea', { westeurope: 11, southeastasia: 50 }),
      { host: SEA, how: 'stayed', why: 'the current hub is suitable' },
    ],
    [
      'does not happen before the cause was first seen',
      state(),
      from('sea', { westeurope: 10, southeastasia: 90 }),
      {
        host: SEA,
        how: 'stayed',
        why: 'another hub is faster, but the gradual move has not reached the device',
      },
    ],
    [
      'does not happen before the gradual move reaches the device',
      FASTER(state({ moves: { over: '1h' } }), plus(NOW, -1)),
      from('sea', { westeurope: 10, southeastasia: 90 }),
      { host: SEA, how: 'stayed' },
    ],
    [
      'happens after the gradual move is over',
      FASTER(state({ moves: { over: '1h' } }), plus(NOW, -HOUR)),
      from('sea', { westeurope: 10, southeastasia: 90 }),
      { host: WEU, how: 'moved' },
    ],
    [
      'does not happen when the two latencies have different sources',
      FASTER(state(), NOW),
      on('sea', { payload: { region: 'westeurope', latency: { southeastasia: 200 } } }),
      { host: SEA, how: 'stayed' },
    ],
    [
      'does not happen when the latency of the current hub is unknown',
      FASTER(state(), NOW),
      from('sea', { westeurope: 1 }),
      { host: SEA, how: 'stayed' },
    ],
    [
      'does not go to a hub that may not receive devices',
      FASTER(
        {
          fleet: { hubs: { weu: { state: 'cordoned' } }, allocation: { sticky: { moveWhenFasterByMs: 40 } } },
        },
        NOW,
      ),
      from('sea', { westeurope: 1, eastus: 80, southeastasia: 90 }),
      { host: SEA, how: 'stayed' },
    ],
    [
      'does not happen when the weights would place the device on a slower hub',
      FASTER(
        {
          fleet: { hubs: { eus: { weight: 1_000_000 } }, allocation: { sticky: { moveWhenFasterByMs: 40 } } },
        },
        NOW,
      ),
      from('sea', { westeurope: 10, eastus: 80, southeastasia: 90 }),
      { host: SEA, how: 'stayed', why: 'the current hub is suitable' },
    ],
    [
      'does not happen when the current hub has the highest score',
      FASTER(
        {
          fleet: { hubs: { sea: { weight: 1_000_000 } }, allocation: { sticky: { moveWhenFasterByMs: 40 } } },
        },
        NOW,
      ),
      from('sea', { westeurope: 10, eastus: 80, southeastasia: 90 }),
      { host: SEA, how: 'stayed', why: 'the current hub is suitable' },
    ],
    [
      'does not go to an unhealthy hub, even if no other hub may receive devices',
      FASTER(
        {
          fleet: { hubs: { eus: { state: 'cordoned' }, sea: { state: 'cordoned' } }, ...state().fleet },
          hubs: { weu: { failures: 3 } },
        },
        NOW,
      ),
      from('sea', { westeurope: 10, southeastasia: 90 }),
      { host: SEA, how: 'stayed', why: 'the current hub is suitable' },
    ],
    [
      'does not happen when no setting asks for it',
      {},
      from('sea', { westeurope: 1, southeastasia: 900 }),
      { host: SEA, how: 'stayed' },
    ],
  ])('%s', (_, given, request, result) => {
    expect(decideIn(given, request).result).toMatchObject(result);
  });

  test('has a cause that changes only with the regions of the hubs, the latency settings and the sticky settings', () => {
    const cause = (hubs: object, allocation: object) =>
      fleetOf({ hubs: { weu: hubs }, allocation }).allocation.fasterCause;
    const sticky = { moveWhenFasterByMs: 40 };
    const base = cause({}, { sticky });

    expect(base).toMatch(/^faster:[0-9a-f]{16}$/);
    expect(cause({ weight: 9, state: 'draining' }, { sticky, load: { epsilon: 1 } })).toBe(base);
    expect(cause({ region: 'northeurope' }, { sticky })).not.toBe(base);
    expect(cause({}, { sticky, latency: { halfLifeMs: 5 } })).not.toBe(base);
    expect(cause({}, { sticky: { moveWhenFasterByMs: 41 } })).not.toBe(base);
    expect(cause({}, {})).toBeUndefined();
  });
});

describe('the load cap', () => {
  const devices = (count: number): HubConditions => ({ devices: { count, countedAt: NOW } });
  const placed = (state: FleetState) =>
    Array.from({ length: 300 }, (_, index) => {
      const { result } = decideIn(state, { context: { registrationId: `d${index}` } });
      return result.kind === 'assigned' ? result.host : '';
    });
  const fleet = { allocation: { load: { epsilon: 0.05 } } };

  test('skips a hub that has more than its share and moves no other device', () => {
    const even = placed({ fleet, hubs: { weu: devices(100), eus: devices(100), sea: devices(100) } });
    const capped = placed({ fleet, hubs: { weu: devices(120), eus: devices(90), sea: devices(90) } });

    expect(capped).not.toContain(WEU);
    expect(capped.filter((host, index) => even[index] !== WEU && host !== even[index])).toEqual([]);
  });

  test('changes only the order: when all hubs are above the cap, the first hub gets the device', () => {
    const state: FleetState = {
      fleet: { hubs: { eus: { state: 'cordoned' }, sea: { state: 'cordoned' } }, ...fleet },
      hubs: { weu: devices(900_000), eus: devices(0), sea: devices(0) },
    };

    expect(new Set(placed(state))).toEqual(new Set([WEU]));
  });

  test('uses the weights that an operator has set', () => {
    const overrides = { weight: { value: 3, author: 'a', reason: 'r', expiresAt: plus(NOW, 1) } };
    const state: FleetState = {
      fleet,
      hubs: { weu: { ...devices(300), overrides }, eus: devices(100), sea: devices(100) },
    };

    expect(placed(state)).toContain(WEU);
  });
});
