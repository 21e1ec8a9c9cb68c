import type { Conditions, HubConditions } from '../../src/allocation/conditions.ts';
import { currentCauses } from '../../src/allocation/moves/moves.ts';
import type { AllocationRequest } from '../../src/allocation/request/request.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { type EpochMs, epochMs, plus } from '../../src/time/epoch-ms.ts';
import { fc } from '../support/properties.ts';
import { requestOf } from './requests.ts';

/** Any fleet, any conditions, any device: for what must always hold. */
export interface AllocationCase {
  readonly fleet: Fleet;
  readonly conditions: Conditions;
  readonly request: AllocationRequest;
  readonly now: EpochMs;
  /** What the device says of its country; undefined: nothing. */
  readonly country: unknown;
}

export const NOW = epochMs(Date.UTC(2026, 10, 25, 12));
const HOUR = 3_600_000;

const NAMES = ['weu', 'neu', 'eus', 'sea'] as const;
const REGIONS = { weu: 'westeurope', neu: 'northeurope', eus: 'eastus', sea: 'southeastasia' } as const;
const RESIDENCIES = { weu: 'eu', neu: 'eu', eus: 'us', sea: 'sg' } as const;
export const hostOf = (name: string) => hostName(`${name}.azure-devices.net`);

/** Rules that a random fleet takes some of, in any order. */
export const RULES = {
  eu: { when: "payload.country in ['DE', 'FR']", require: { residency: 'eu' } },
  us: { when: "payload.country == 'US'", require: { residency: 'us' } },
  lab: { when: "registrationId.startsWith('lab')", hub: hostOf('eus') },
  retired: { when: "payload.model == 'x0'", deny: 'model x0 is retired' },
  near: { when: 'payload.floor > 3', prefer: { [hostOf('sea')]: 3 } },
  edge: { when: 'enrollment.iotEdge && payload.site.name != null', prefer: { [hostOf('weu')]: 2 } },
  whole: { when: 'size(payload) > 3', prefer: { [hostOf('neu')]: 1.5 } },
} as const;

/** Ways to say that a device is in the EU; each is unknown where `eu` above is. */
const IN_EU = [
  RULES.eu.when,
  "payload.country in ['DE'] + ['FR']",
  "payload.country in (enrollment.iotEdge ? ['DE', 'FR'] : ['FR', 'DE'])",
  "payload.country == 'DE' || payload.country == 'FR'",
  "!(payload.country != 'DE' && 'FR' != payload.country)",
  "['DE', 'FR'].exists(country, country == payload.country)",
  "payload['country'] in ['DE'] || {'c': payload.country} == {'c': 'FR'}",
];

const LAYERS = [
  {
    name: 'base',
    tags: { country: '=payload.country', hub: { region: '=hub.region' }, subject: '=attestation.subject' },
    desired: { interval: 5, own: { a: 1 } },
  },
  { name: 'far', when: "hub.region != 'westeurope'", tags: { own: null }, desired: { far: true } },
  {
    name: 'old',
    when: 'payload.floor > 3',
    desired: { own: { b: '=payload.site' }, list: ['=payload.model'] },
  },
];

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
/** Leaves out what is undefined. */
const present = (record: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const hub = (name: (typeof NAMES)[number]) =>
  fc.record({
    host: fc.constant(hostOf(name)),
    region: fc.constant(REGIONS[name]),
    tier: fc.constant('S1'),
    labels: fc.constant({ residency: RESIDENCIES[name] }),
    weight: fc.integer({ min: 1, max: 4 }),
    capacity: fc.constantFrom(100, 1_000_000),
    state: fc.constantFrom('active', 'active', 'active', 'cordoned', 'draining'),
  });

/** Parses a text, and keeps that many of the last fleets: with one seed, all properties get the same first fleets. */
function keepingParsed(atMost: number): (text: string) => Fleet {
  const known = new Map<string, Fleet>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const parsed = parseFleet(text);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    known.set(text, parsed.fleet);
    const [oldest] = known.keys();
    if (known.size > atMost && oldest !== undefined) known.delete(oldest);
    return parsed.fleet;
  };
}

const parsed = keepingParsed(2_000);

const fleet = fc
  .record({
    hubs: fc.tuple(...NAMES.map(hub)),
    latency: optional(fc.record({ halfLifeMs: fc.constantFrom(0, 25) })),
    load: optional(fc.record({ epsilon: fc.constantFrom(0.05, 1) })),
    sticky: optional(fc.record({ moveWhenFasterByMs: fc.constantFrom(0, 40) })),
    moves: optional(fc.record({ over: fc.constantFrom('1h', '24h') })),
    rules: fc.shuffledSubarray(Object.keys(RULES) as (keyof typeof RULES)[]),
    inEu: fc.constantFrom(...IN_EU),
    whenUnknown: optional(fc.constantFrom('apply', 'refuse')),
    layers: fc.subarray(LAYERS),
  })
  .map(({ hubs, latency, load, sticky, moves, rules, inEu, whenUnknown, layers }) =>
    parsed(
      JSON.stringify({
        hubs,
        allocation: {
          latency,
          load,
          sticky,
          moves,
          rules: rules.map((name) => ({
            name,
            ...RULES[name],
            ...(name === 'eu' ? { when: inEu } : {}),
            ...('require' in RULES[name] ? { whenUnknown } : {}),
          })),
          payload: { region: '=hub.region', country: '=payload.country' },
        },
        twins: { initial: layers },
      }),
    ),
  );

const override = <Value>(value: fc.Arbitrary<Value>) =>
  fc.record({
    value,
    author: fc.constant('ann@contoso.com'),
    reason: fc.constant('test'),
    expiresAt: fc.constantFrom(plus(NOW, HOUR), plus(NOW, -HOUR)),
  });

const hubConditions: fc.Arbitrary<HubConditions> = fc
  .record({
    devices: optional(
      fc.record({ count: fc.nat(200), countedAt: fc.constantFrom(NOW, plus(NOW, -5 * HOUR)) }),
    ),
    failures: optional(fc.constantFrom(0, 2, 3)),
    overrides: optional(
      fc
        .record({
          state: optional(
            override(fc.constantFrom('active' as const, 'cordoned' as const, 'draining' as const)),
          ),
          weight: optional(override(fc.integer({ min: 1, max: 9 }))),
        })
        .map(present),
    ),
  })
  .map(present);

/** What devices send: the right thing, the wrong kind, or nothing. */
const COUNTRIES = ['DE', 'DE', 'FR', 'US', 'BR', 5, null, ['DE'], undefined, undefined];
const payload = fc
  .record({
    country: fc.constantFrom(...COUNTRIES),
    model: fc.constantFrom('x0', 'pump', 'pump', 7, undefined),
    floor: fc.constantFrom(2, 5, 'five', undefined),
    site: fc.constantFrom('ams', {}, { name: 'ams' }, { name: null }, 'x'.repeat(600), undefined),
    latency: optional(
      fc.oneof(
        fc.dictionary(
          fc.constantFrom(
            'weu.azure-devices.net',
            'EUS.azure-devices.net',
            'northeurope',
            'South East Asia',
            'x',
          ),
          fc.constantFrom(8, 30, 90, 200, -1, 1e9, 'fast'),
        ),
        fc.constant('fast'),
      ),
    ),
    region: fc.constantFrom('germanywestcentral', 'West US', 'atlantis', 4, undefined),
    location: fc.constantFrom({ lat: 52, lon: 4 }, { lat: 100, lon: 0 }, 'here', undefined),
  })
  .map(present);

const POLICIES = [
  undefined,
  { updateHubAssignment: true, migrateDeviceData: true },
  { updateHubAssignment: true, migrateDeviceData: false },
  { updateHubAssignment: false, migrateDeviceData: false },
];
const OWN_TWIN = { tags: { own: 'secret-tag', site: 'y' }, properties: { desired: { own: { a: 2, c: 3 } } } };

export const anyAllocationCase: fc.Arbitrary<AllocationCase> = fc
  .record({
    fleet,
    hubs: fc.tuple(...NAMES.map(() => optional(hubConditions))),
    loaded: fc.boolean(),
    since: optional(fc.integer({ min: 0, max: 26 * HOUR })),
    payload: fc.oneof({ weight: 9, arbitrary: payload }, { weight: 1, arbitrary: fc.constant('no object') }),
    current: optional(fc.constantFrom(...NAMES, 'old')),
    linked: fc.shuffledSubarray([...NAMES, 'old'], { minLength: 1 }),
    policy: fc.constantFrom(...POLICIES),
    iotEdge: fc.boolean(),
    iotHubs: fc.constantFrom([], [], [], [hostOf('weu'), hostOf('eus')]),
    initialTwin: fc.constantFrom(undefined, OWN_TWIN),
    x509: fc.constantFrom(undefined, { certificateInfo: { subjectName: 'CN=d' } }),
    id: fc.stringMatching(/^(lab)?[a-z0-9]{1,12}$/),
  })
  .map((given): AllocationCase => {
    const hubs = new Map(
      NAMES.flatMap((name, index) => {
        const found = given.hubs[index];
        return found === undefined ? [] : [[hostOf(name), found] as const];
      }),
    );
    const before: Conditions = { loadedAt: NOW, hubs, causes: new Map() };
    const { since } = given;
    const causes = since === undefined ? [] : currentCauses(given.fleet, before, NOW);
    const conditions: Conditions = given.loaded
      ? {
          loadedAt: plus(NOW, -7_000),
          hubs,
          causes: new Map(causes.map((cause) => [cause, plus(NOW, -(since ?? 0))])),
        }
      : { loadedAt: undefined, hubs: new Map(), causes: new Map() };
    const request = requestOf({
      context: {
        registrationId: given.id,
        ...(given.current === undefined ? {} : { currentIotHubHostName: hostOf(given.current) }),
        payload: given.payload,
        ...(given.x509 === undefined ? {} : { symmetricKey: undefined, x509: given.x509 }),
      },
      group: {
        reprovisionPolicy: given.policy,
        capabilities: { iotEdge: given.iotEdge },
        iotHubs: given.iotHubs,
        ...(given.initialTwin === undefined ? {} : { initialTwin: given.initialTwin }),
      },
      linkedHubs: given.linked.map((name) => hostOf(name).toUpperCase()),
    });
    const country = typeof given.payload === 'string' ? undefined : given.payload.country;
    return { fleet: given.fleet, conditions, request, now: NOW, country };
  });
