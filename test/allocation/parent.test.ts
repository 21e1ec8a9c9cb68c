import { describe, expect, test } from '@jest/globals';
import { type Conditions, type HubConditions, NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { type KnownParent, parentNamedFor } from '../../src/allocation/parent/known-parent.ts';
import { expectedShares } from '../../src/allocation/receipt/expected-shares.ts';
import { parentOfReceipt, parentOfTwins, registeredHub } from '../../src/allocation/receipt/locate-parent.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import { readReceipt } from '../../src/allocation/receipt/stored-receipt.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { fleetWarnings } from '../../src/fleet/file/warnings.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { EPOCH, epochMs } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { snapshotOf } from '../twin/twins.ts';
import { fleetOf, type RequestOptions, requestOf } from './requests.ts';

const NOW = epochMs(Date.UTC(2026, 10, 23));
const [WEU, EUS, SEA] = ['weu', 'eus', 'sea'].map((name) => hostName(`${name}.azure-devices.net`)) as [
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
];

const BY_PAYLOAD = { name: 'gateway', parent: '=payload.gateway' };
const EU_ONLY = {
  name: 'eu',
  when: "oneOf(payload.country, ['DE'], ['US'])",
  require: { residency: 'eu' },
};

interface Scene {
  readonly rules?: readonly object[];
  readonly hubs?: Readonly<Record<string, object>>;
  readonly allocation?: object;
  readonly found?: Readonly<Record<string, HubConditions>>;
  readonly drains?: boolean;
  readonly parent?: KnownParent | undefined;
  readonly request?: RequestOptions;
}

const child = (payload: JsonValue, more: object = {}): RequestOptions => ({ context: { payload, ...more } });
const behind = (gateway: JsonValue, more: object = {}) => child({ gateway }, more);
const on = (name: string) => ({
  currentIotHubHostName: `${name}.azure-devices.net`,
  currentDeviceId: 'd',
});
const at = (hub: typeof WEU): KnownParent => ({ deviceId: 'gw', hub });

function inputOf({ rules = [BY_PAYLOAD], hubs, allocation, found = {}, drains, parent, request }: Scene) {
  const conditions: Conditions = {
    loadedAt: NOW,
    hubs: new Map(Object.entries(found).map(([name, each]) => [hostName(`${name}.azure-devices.net`), each])),
    causes: new Map(drains ? [`drain:${WEU}`, `drain:${EUS}`].map((cause) => [cause, EPOCH]) : []),
  };
  return {
    request: requestOf(request),
    fleet: fleetOf({ ...(hubs && { hubs }), allocation: { rules, ...allocation } }),
    conditions,
    parent,
    now: NOW,
  };
}

const resultOf = (scene: Scene) => decide(inputOf(scene)).result;

describe('a device whose rule names a parent', () => {
  const cases: readonly (readonly [string, Scene, object])[] = [
    [
      'goes to the hub of its parent, whatever the scores say',
      { hubs: { eus: { weight: 0.001 } }, parent: at(EUS), request: behind('gw') },
      { kind: 'assigned', host: EUS, how: 'placed', why: 'first registration' },
    ],
    [
      'is answered with "try again" at its first registration while nothing is known of the parent',
      { parent: { deviceId: 'gw', why: 'it has not registered' }, request: behind('gw') },
      {
        kind: 'refused',
        code: 'BERTH_PARENT_UNKNOWN',
        message:
          'The hub of the parent "gw", which rule "gateway" names, is not known: it has not registered. Register the parent first.',
      },
    ],
    [
      'does not use what is known of another parent',
      { parent: { deviceId: 'other', hub: EUS }, request: behind('gw') },
      { kind: 'refused', code: 'BERTH_PARENT_UNKNOWN' },
    ],
    [
      'does not take an id in another case for its parent, because device ids are case-sensitive',
      { parent: { deviceId: 'GW', hub: EUS }, request: behind('gw') },
      { kind: 'refused', code: 'BERTH_PARENT_UNKNOWN' },
    ],
    [
      'never leaves its residency for its parent',
      { rules: [EU_ONLY, BY_PAYLOAD], parent: at(EUS), request: child({ country: 'DE', gateway: 'gw' }) },
      { kind: 'refused', code: 'BERTH_NO_HUB_QUALIFIES' },
    ],
    [
      'is refused for good, and not asked to try again, if no hub meets its residency',
      {
        rules: [{ ...EU_ONLY, require: { residency: 'moon' } }, BY_PAYLOAD],
        parent: { deviceId: 'gw', why: 'it has not registered' },
        request: child({ country: 'DE', gateway: 'gw' }),
      },
      { kind: 'refused', code: 'BERTH_NO_HUB_QUALIFIES' },
    ],
    [
      'is refused if the hub of its parent is not linked',
      { parent: at(EUS), request: { ...behind('gw'), linkedHubs: [WEU, SEA] } },
      { kind: 'refused', code: 'BERTH_NO_HUB_QUALIFIES' },
    ],
    [
      'is refused if the enrollment does not select the hub of its parent',
      { parent: at(EUS), request: { ...behind('gw'), group: { iotHubs: [WEU] } } },
      { kind: 'refused', code: 'BERTH_NO_HUB_QUALIFIES' },
    ],
    [
      'waits while the hub of its parent is cordoned',
      { hubs: { eus: { state: 'cordoned' } }, parent: at(EUS), request: behind('gw') },
      { kind: 'refused', code: 'BERTH_NO_HUB_NOW' },
    ],
    [
      'goes to an unhealthy hub, because its parent is there',
      { found: { eus: { failures: 9 } }, parent: at(EUS), request: behind('gw') },
      { kind: 'assigned', host: EUS },
    ],
    [
      'stays on its hub while nothing is known of the parent',
      { parent: { deviceId: 'gw', why: 'no answer' }, request: behind('gw', on('weu')) },
      { kind: 'assigned', host: WEU, how: 'stayed', why: 'the current hub is suitable' },
    ],
    [
      'stays on its draining hub while nothing is known of the parent',
      {
        hubs: { weu: { state: 'draining' } },
        drains: true,
        parent: { deviceId: 'gw', why: 'no answer' },
        request: behind('gw', on('weu')),
      },
      { kind: 'assigned', host: WEU, how: 'stayed' },
    ],
    [
      'follows its parent to another hub',
      { parent: at(EUS), request: behind('gw', on('weu')) },
      { kind: 'assigned', host: EUS, how: 'moved', why: 'the parent is on another hub' },
    ],
    [
      'does not follow its parent against its residency',
      {
        rules: [EU_ONLY, BY_PAYLOAD],
        parent: at(EUS),
        request: child({ country: 'DE', gateway: 'gw' }, on('weu')),
      },
      {
        kind: 'assigned',
        host: WEU,
        how: 'stayed',
        why: 'the parent is on another hub, but that hub may not receive the device',
      },
    ],
    [
      'does not follow its parent to a cordoned hub',
      { hubs: { eus: { state: 'cordoned' } }, parent: at(EUS), request: behind('gw', on('weu')) },
      { kind: 'assigned', host: WEU, how: 'stayed' },
    ],
    [
      'leaves a draining hub only after its parent',
      {
        hubs: { weu: { state: 'draining' } },
        drains: true,
        parent: at(WEU),
        request: behind('gw', on('weu')),
      },
      {
        kind: 'assigned',
        host: WEU,
        how: 'stayed',
        why: 'the current hub is draining, but no other hub may receive the device',
      },
    ],
    [
      'does not leave its parent for a faster hub',
      {
        allocation: { sticky: { moveWhenFasterByMs: 1 } },
        parent: at(WEU),
        request: child({ gateway: 'gw', latency: { eastus: 1, westeurope: 900 } }, on('weu')),
      },
      { kind: 'assigned', host: WEU, how: 'stayed' },
    ],
    [
      'keeps its hub if its enrollment never reprovisions',
      {
        parent: at(EUS),
        request: {
          ...behind('gw', on('weu')),
          group: { reprovisionPolicy: { updateHubAssignment: false } },
          linkedHubs: [WEU],
        },
      },
      { kind: 'assigned', host: WEU, how: 'never reprovisioned' },
    ],
    [
      'is refused if a hub rule names another hub than that of its parent',
      {
        rules: [{ name: 'only', hub: WEU }, BY_PAYLOAD],
        parent: at(EUS),
        request: behind('gw'),
      },
      { kind: 'refused', code: 'BERTH_NO_HUB_QUALIFIES' },
    ],
  ];

  test.each(cases)('%s', (_, scene, expected) => {
    expect(resultOf(scene)).toMatchObject(expected);
  });

  test.each(cases)('has a receipt from which the decision is made again: %s', (_, scene) => {
    const input = inputOf(scene);
    const stored = JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as unknown;
    const receipt = readReceipt(stored) as Receipt;

    expect(recompute(receipt, input.fleet)).toMatchObject({ differences: [], notKept: [] });
  });
});

describe('the parent that a rule names', () => {
  const named = (rules: readonly object[], request: RequestOptions) =>
    parentNamedFor(requestOf(request), fleetOf({ allocation: { rules } }));

  const GROUP_TAG = { initialTwin: { tags: { gateway: 'gw-of-group' }, properties: { desired: {} } } };
  const names: readonly (readonly [string, readonly object[], RequestOptions, string | undefined])[] = [
    ['comes from the payload', [BY_PAYLOAD], behind('gw'), 'gw'],
    [
      'comes from a tag of the enrollment',
      [{ name: 'tag', parent: '=enrollment.initialTwin.tags.gateway' }],
      { group: GROUP_TAG },
      'gw-of-group',
    ],
    [
      'comes from an expression over the registration id',
      [{ name: 'id', parent: "=registrationId.split('-')[0] + '-gw'" }],
      { context: { registrationId: 'Plant7-pump' } },
      'plant7-gw',
    ],
    ['is a fixed device id', [{ name: 'one', parent: 'gw-1' }], {}, 'gw-1'],
    [
      'may depend on whether the device is an IoT Edge device',
      [{ name: 'edge', when: 'enrollment.iotEdge', parent: 'top' }],
      { group: { capabilities: { iotEdge: true } } },
      'top',
    ],
    [
      'is that of the last rule that matches',
      [{ name: 'one', parent: 'gw-1' }, { ...BY_PAYLOAD }],
      behind('gw'),
      'gw',
    ],
    [
      'is that of an earlier rule if a later one cannot be computed',
      [{ name: 'one', parent: 'gw-1' }, { ...BY_PAYLOAD }],
      child({}),
      'gw-1',
    ],
    ['is none without the value', [BY_PAYLOAD], child({}), undefined],
    ['is none without a payload', [BY_PAYLOAD], {}, undefined],
    ...([null, '', 7, true, ['gw'], { id: 'gw' }, 'a b', 'g\u0000', 'x'.repeat(129)] as JsonValue[]).map(
      (value) =>
        [
          `is none for a value that is not a device id: ${JSON.stringify(value).slice(0, 20)}`,
          [BY_PAYLOAD],
          behind(value),
          undefined,
        ] as const,
    ),
    [
      'is none for a device that names itself',
      [BY_PAYLOAD],
      behind('PUMP', { registrationId: 'pump' }),
      undefined,
    ],
    ['is none if the condition does not hold', [{ ...BY_PAYLOAD, when: 'false' }], behind('gw'), undefined],
    [
      'is none if the condition is unknown',
      [{ ...BY_PAYLOAD, when: "payload.kind == 'leaf'" }],
      behind('gw'),
      undefined,
    ],
  ];

  test.each(names)('%s', (_, rules, request, expected) => {
    expect(named(rules, request)).toBe(expected);
  });

  test('refuses a device without it where the rule says refuse', () => {
    const scene = { rules: [{ ...BY_PAYLOAD, whenUnknown: 'refuse' }], request: child({}) };

    expect(resultOf(scene)).toMatchObject({ kind: 'refused', code: 'BERTH_INPUT_MISSING' });
  });

  test('is none, so that the device is placed as every other, where the rule does not apply', () => {
    expect(resultOf({ request: child({}) })).toMatchObject({ kind: 'assigned', how: 'placed' });
  });

  test('does not repeat a value of the device in the trace of the rule', () => {
    const { rules } = decide(inputOf({ request: behind('not an id') }));

    expect(rules).toEqual([
      { name: 'gateway', result: 'unknown', applied: false, why: 'the parent is not the id of a device' },
    ]);
  });
});

describe('a fleet file', () => {
  const problemsOf = (rule: object, allocation: object = {}) => {
    const file = {
      hubs: [{ host: WEU, region: 'westeurope', tier: 'S1' }],
      allocation: { rules: [{ name: 'gateway', ...rule }], ...allocation },
    };
    const parsed = parseFleet(JSON.stringify(file));
    return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
  };

  test.each([
    [{ parent: 'gw-1' }, undefined],
    [{ parent: '=payload.gateway', whenUnknown: 'refuse' }, undefined],
    [{ parent: '' }, 'is "", which is not a device id'],
    [{ parent: 'a b' }, 'is "a b", which is not a device id'],
    [{ parent: '=payload.' }, 'is not a usable CEL expression'],
    [{ parent: '=hub.host' }, 'is not a usable CEL expression'],
    [{ parent: 'gw', deny: 'no' }, 'has 2 effects'],
    [{ parent: '=payload.gateway', whenUnknown: 'apply' }, 'an unknown parent cannot be applied'],
  ])('with the rule %j has the problem %s', (rule, problem) => {
    const found = problemsOf(rule);

    if (problem === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(problem)]);
  });
});

test('setScopes without a rule that names parents is a warning', () => {
  const warningsOf = (allocation: object) => fleetWarnings(fleetOf({ allocation }).file);

  expect(warningsOf({ setScopes: true })).toEqual([
    { path: 'allocation.setScopes', message: expect.stringContaining('no rule names a parent') },
  ]);
  expect(warningsOf({ setScopes: true, rules: [BY_PAYLOAD] })).toEqual([]);
});

describe('the hub of a parent', () => {
  const receipt = (host: typeof WEU, minutes: number, more: object = {}): Receipt => {
    const input = inputOf({
      rules: [],
      request: { context: { registrationId: 'gw' }, group: { capabilities: { iotEdge: true } } },
    });
    const made = receiptOf({ ...input, now: epochMs(NOW + minutes * 60_000) }, decide(input));
    return {
      ...made,
      result: { kind: 'assigned', hub: host, host, how: 'placed', why: 'first registration' },
      inputs: { ...made.inputs, ...more },
    };
  };
  const twin = (minutes: number, isEdge?: boolean): Known => ({
    kind: 'snapshot',
    snapshot: {
      ...snapshotOf({}),
      bornAt: instantOf(epochMs(NOW + minutes * 60_000)),
      ...(isEdge === undefined ? {} : { isEdge }),
    },
  });
  const deleted = (minutes: number): Known => ({
    kind: 'deleted',
    at: instantOf(epochMs(NOW + minutes * 60_000)),
  });
  const NONE: Known = { kind: 'nothing' };

  test('is that of its newest registration, also before its twin is known', () => {
    const found = registeredHub('GW', [receipt(EUS, 5), receipt(WEU, 0)]) as Receipt;

    expect(parentOfReceipt('gw', found, { host: EUS, known: NONE })).toEqual({ deviceId: 'gw', hub: EUS });
  });

  test('is not that of a registration which gave the device another id', () => {
    expect(registeredHub('gw', [receipt(EUS, 5, { deviceId: 'other' })])).toBeUndefined();
  });

  test('is not known from a registration after which the device was deleted', () => {
    const known = (at: Known) => parentOfReceipt('gw', receipt(EUS, 5), { host: EUS, known: at });

    expect(known(deleted(6))).toBeUndefined();
    expect(known(deleted(4))).toEqual({ deviceId: 'gw', hub: EUS });
  });

  test('is that of its newest twin if no registration is known', () => {
    const twins = [
      { host: WEU, known: twin(0, true) },
      { host: EUS, known: twin(9) },
      { host: SEA, known: deleted(99) },
    ];

    expect(parentOfTwins('gw', twins)).toEqual({ deviceId: 'gw', hub: EUS });
    expect(parentOfTwins('gw', [])).toMatchObject({ why: expect.stringContaining('has not registered') });
  });

  test('does not count for a device that is not an IoT Edge device', () => {
    const plain = { deviceId: 'gw', why: 'it is not an IoT Edge device' };

    expect(parentOfTwins('gw', [{ host: WEU, known: twin(0, false) }])).toEqual(plain);
    expect(parentOfReceipt('gw', receipt(EUS, 0), { host: EUS, known: twin(0, false) })).toEqual(plain);
  });
});

test('the expected shares count a child on the hub of its parent', () => {
  const input = inputOf({ parent: at(EUS), request: behind('gw') });
  const { inputs } = receiptOf(input, decide(input));

  const shares = expectedShares([inputs], input.fleet, NO_CONDITIONS, NOW);

  expect(shares?.get(EUS)?.expected).toBe(1);
});
