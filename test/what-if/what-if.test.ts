import { describe, expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { epochMs } from '../../src/time/epoch-ms.ts';
import { DeviceTemplates } from '../../src/what-if/device-templates.ts';
import { type Job, openTrial } from '../../src/what-if/job.ts';
import { type KnownDevice, readKnownDevice, writeKnownDevice } from '../../src/what-if/known-device.ts';
import { knownDevices } from '../../src/what-if/known-devices.ts';
import { type PlacementReport, reportOf } from '../../src/what-if/report.ts';
import { addUp, NO_TALLY, type Tally } from '../../src/what-if/tally.ts';
import { type DeviceBatch, tryDevices } from '../../src/what-if/try-devices.ts';
import { anyAllocationCase } from '../allocation/allocation-cases.ts';
import { fc } from '../support/properties.ts';

const NOW = epochMs(Date.UTC(2026, 10, 25));
const hub = (name: string, more: object = {}) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  labels: { residency: name === 'weu' || name === 'neu' ? 'eu' : 'us' },
  ...more,
});
const fleetText = (hubs: readonly object[], allocation: object = {}) => JSON.stringify({ hubs, allocation });
const TWO = [hub('weu'), hub('eus')];

function ask(
  job: Partial<Job> & Pick<Job, 'fleet'>,
  part: DeviceBatch,
): { tally: Tally; report: PlacementReport } {
  const trial = openTrial(
    { against: undefined, payloads: [], isSynthetic: part.kind === 'numbers', ...job },
    NOW,
  );
  const result = tryDevices(part, trial);
  if (!result.ok) throw new Error(`line ${result.line}`);
  return { tally: result.tally, report: reportOf(result.tally, trial.tried.fleet, trial.leftOut) };
}
const numbers = (to: number, from = 0): DeviceBatch => ({ kind: 'numbers', from, to });
const lines = (...devices: readonly KnownDevice[]): DeviceBatch => ({
  kind: 'lines',
  lines: devices.map(writeKnownDevice),
});
const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const inputs = (
  registrationId: string,
  read: Receipt['inputs']['read'] = {},
  more: object = {},
): Receipt['inputs'] => ({
  registrationId,
  linkedHubs: [WEU, EUS],
  enrollment: {
    kind: 'group',
    id: 'g',
    iotEdge: false,
    reprovisionPolicy: 'migrate',
    iotHubs: [],
    initialTwin: 'none',
  },
  attestation: 'symmetricKey',
  read,
  notKept: {},
  ...more,
});
const known = (
  deviceId: string,
  at: string | undefined,
  read: Receipt['inputs']['read'] = {},
  more: object = {},
): KnownDevice => ({
  deviceId,
  hub: at === undefined ? undefined : hostName(`${at}.azure-devices.net`),
  inputs: inputs(deviceId, read, more),
});

describe('synthetic devices', () => {
  test('are placed by the weights', () => {
    const { report } = ask({ fleet: fleetText([hub('weu', { weight: 3 }), hub('eus')]) }, numbers(20_000));

    expect(report.hubs.map(({ wanted }) => wanted)).toEqual([0.75, 0.25]);
    expect(Math.abs((report.hubs[0]?.fresh ?? 0) / 20_000 - 0.75)).toBeLessThan(0.02);
    expect(report.moves.count).toBe(0);
  });

  test('that are compared with another file stay on their hub while they may, and a new hub moves no device that registers again', () => {
    const { report } = ask(
      { fleet: fleetText([...TWO, hub('neu')]), against: fleetText(TWO) },
      numbers(1_000),
    );

    expect(report.moves.count).toBe(0);
    expect(report.hubs[2]).toMatchObject({ before: 0, after: 0 });
    expect(report.hubs[2]?.fresh).toBeGreaterThan(280);
  });

  test('that are compared with another file all leave a draining hub, with the hours that this takes', () => {
    const { report } = ask(
      {
        fleet: fleetText([hub('weu'), hub('eus', { state: 'draining' })], { moves: { over: '1h' } }),
        against: fleetText(TWO),
      },
      numbers(30_000),
    );
    const before = report.hubs[1]?.before ?? 0;

    expect(report.moves).toMatchObject({ count: before, slowest: WEU, overHours: 1 });
    expect(report.moves.groups).toEqual([
      { from: EUS, to: WEU, why: 'the current hub is draining', count: before, examples: expect.any(Array) },
    ]);
    // 100 identity operations a minute on S1 with a unit.
    expect(report.moves.hours).toBeCloseTo(before / 100 / 60);
    expect(report.hubs).toMatchObject([
      { wanted: 1, after: 30_000 },
      { wanted: 0, after: 0 },
    ]);
    expect(report.warnings).toEqual([
      expect.stringContaining('but moves.over is 1 h: raise moves.over, or DPS is throttled'),
    ]);
  });

  test('send no payload, and rules that read it are left out and named', () => {
    const eu = { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } };
    const lab = { name: 'lab', when: "registrationId.startsWith('lab')", hub: WEU };

    const { report } = ask({ fleet: fleetText(TWO, { rules: [eu, lab] }) }, numbers(100));

    expect(report.rules).toEqual([{ name: 'lab', matched: 0, unknown: 0 }]);
    expect(report.warnings).toEqual([expect.stringContaining('so these rules are left out: eu.')]);
  });

  test('send the given payloads in rotation', () => {
    const eu = { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } };
    const payloads = [{ country: 'DE' }, { country: 'US' }, {}, {}];

    const { report } = ask({ fleet: fleetText(TWO, { rules: [eu] }), payloads }, numbers(400));

    expect(report.rules).toEqual([{ name: 'eu', matched: 100, unknown: 200 }]);
    expect(report.hubs[0]?.after).toBeGreaterThan(300);
  });
});

describe('known devices', () => {
  test('stay on their hub for any weights', () => {
    const { report } = ask(
      { fleet: fleetText([hub('weu', { weight: 100 }), hub('eus')]) },
      lines(known('a', 'eus'), known('b', 'weu')),
    );

    expect(report).toMatchObject({
      devices: 2,
      moves: { count: 0 },
      hubs: [
        { before: 1, after: 1 },
        { before: 1, after: 1 },
      ],
    });
  });

  test('move for reasons that are counted and shown with examples', () => {
    const rule = { name: 'eu', when: "payload.country == 'DE'", require: { residency: 'eu' } };
    const { report } = ask(
      { fleet: fleetText(TWO, { rules: [rule] }) },
      lines(
        ...Array.from({ length: 7 }, (_, index) => known(`de-${index}`, 'eus', { 'payload.country': 'DE' })),
        known('us', 'eus', { 'payload.country': 'US' }),
        known('hidden', 'eus'),
      ),
    );

    expect(report.moves.groups).toEqual([
      {
        from: EUS,
        to: WEU,
        why: 'the current hub does not meet a require rule',
        count: 7,
        examples: ['de-0', 'de-1', 'de-2', 'de-3', 'de-4'],
      },
    ]);
    expect(report.rules).toEqual([{ name: 'eu', matched: 7, unknown: 1 }]);
  });

  test('that can no longer be placed are counted with the reason', () => {
    const rule = { name: 'x0', when: "payload.model == 'x0'", deny: 'retired' };
    const { report } = ask(
      { fleet: fleetText(TWO, { rules: [rule] }) },
      lines(known('a', 'weu', { 'payload.model': 'x0' }), known('b', 'weu')),
    );

    expect(report.refused).toEqual({
      count: 1,
      asBefore: 0,
      groups: [
        {
          code: 'BERTH_REGISTRATION_DENIED',
          message: 'Rule "x0" denies the registration: retired.',
          count: 1,
          examples: ['a'],
        },
      ],
    });
  });

  test('that the other file refuses too are not reported', () => {
    const rules = [{ name: 'x0', when: "payload.model == 'x0'", deny: 'retired' }];
    const { report } = ask(
      { fleet: fleetText(TWO, { rules }), against: fleetText(TWO, { rules }) },
      lines(known('a', undefined, { 'payload.model': 'x0' })),
    );

    expect(report.refused).toEqual({ count: 0, asBefore: 1, groups: [] });
  });

  test('on a linked hub that was removed from the file stay there', () => {
    const { report } = ask({ fleet: fleetText(TWO) }, lines(known('a', 'old')));

    expect(report.hubs[2]).toMatchObject({
      host: 'old.azure-devices.net',
      weight: undefined,
      before: 1,
      after: 1,
    });
  });

  test('move to faster hubs by their measured latencies', () => {
    const allocation = {
      latency: { halfLifeMs: 25 },
      sticky: { moveWhenFasterByMs: 40 },
      moves: { over: '30d' },
    };
    const latency = { latency: { latency: { [WEU]: 10, [EUS]: 90 } } };
    const { report } = ask(
      { fleet: fleetText(TWO, allocation) },
      lines(known('a', 'eus', {}, latency), known('b', 'eus')),
    );

    expect(report.moves.groups).toMatchObject([{ why: 'another hub is faster', count: 1, examples: ['a'] }]);
  });

  test('cause a warning when they exceed the capacity of a hub or when little is known of them', () => {
    const { report } = ask(
      { fleet: fleetText([hub('weu', { capacity: 1 })]) },
      lines({ deviceId: 'a', hub: WEU, inputs: undefined }, { deviceId: 'b', hub: WEU, inputs: undefined }),
    );

    expect(report.warnings).toEqual([
      `${WEU} would have 2 devices, more than its capacity of 1`,
      'the registrations of 2 devices are not stored: rules about their inputs are unknown',
    ]);
  });

  test('are found on a hub by any of its names, also when they registered with another name', () => {
    const job = { fleet: fleetText(TWO), against: undefined };
    const device = { ...known('a', 'weu', {}, { linkedHubs: ['weu.device.azure-devices.net', EUS] }) };
    const line = writeKnownDevice(device).replace(`"hub":"${WEU}"`, '"hub":"WEU.device.azure-devices.net"');

    const { tally } = ask(job, { kind: 'lines', lines: [line] });

    expect(tally).toEqual(ask(job, lines(known('a', 'weu'))).tally);
  });

  test('in invalid lines are reported by their line', () => {
    const trial = openTrial(
      { fleet: fleetText(TWO), against: undefined, payloads: [], isSynthetic: false },
      NOW,
    );
    const line = writeKnownDevice(known('a', 'weu'));

    for (const wrong of [
      'nope',
      '{}',
      '[]',
      '{"deviceId":5}',
      '{"deviceId":"a","hub":7}',
      '{"deviceId":"a","hub":"HostName=weu.azure-devices.net;SharedAccessKey=x"}',
      '{"deviceId":"a","hub":null,"inputs":{}}',
    ]) {
      expect(tryDevices({ kind: 'lines', lines: [line, '', wrong] }, trial)).toEqual({ ok: false, line: 2 });
    }
  });
});

test('the sums of parts equal the sum of the whole', () => {
  const job = { fleet: fleetText([hub('weu'), hub('eus', { state: 'draining' })]), against: fleetText(TWO) };
  const whole = ask(job, numbers(900)).tally;
  const parts = [numbers(300), numbers(500, 300), numbers(900, 500)].map((part) => ask(job, part).tally);

  expect(parts.reduce(addUp, NO_TALLY)).toEqual(whole);
});

test('a name that every object has as a member is counted like other names', () => {
  const names = ['constructor', 'toString', 'valueOf'];
  const rules = names.map((name) => ({ name, when: `payload.odd == '${name}'`, deny: name }));
  const part = lines(...names.map((name) => known(name, 'weu', { 'payload.odd': name })));

  const { report, tally } = ask({ fleet: fleetText(TWO, { rules }) }, part);

  expect(report.rules).toEqual(names.map((name) => ({ name, matched: 1, unknown: 0 })));
  expect(report.refused.groups.map(({ examples }) => examples)).toEqual(names.map((name) => [name]));
  expect(addUp(tally, tally)).toMatchObject({ devices: 6 });
});

test('the examples are the same for any division of the devices', () => {
  const job = { fleet: fleetText([hub('weu'), hub('eus', { state: 'draining' })]), against: fleetText(TWO) };
  const examples = (...tallies: readonly Tally[]) => {
    const trial = openTrial({ payloads: [], isSynthetic: true, ...job }, NOW);
    return reportOf(tallies.reduce(addUp, NO_TALLY), trial.tried.fleet, []).moves.groups[0]?.examples;
  };
  const [first, last] = [ask(job, numbers(100)).tally, ask(job, numbers(200, 100)).tally];

  expect(examples(first, last)).toHaveLength(5);
  expect(examples(last, first)).toEqual(examples(first, last));
});

test('a device goes to the hub in its receipt under the file of that receipt', () => {
  fc.assert(
    fc.property(anyAllocationCase, (drawn) => {
      const file = { ...drawn.fleet.file, $schema: undefined };
      const input = { ...drawn, conditions: { loadedAt: undefined, hubs: new Map(), causes: new Map() } };
      const { result, inputs: given } = receiptOf(input, decide(input));
      const usesRollouts = drawn.request.current !== undefined;
      const isLinkedAsTheFile = given.linkedHubs.length === 5;
      if (result.kind === 'refused' || usesRollouts || !isLinkedAsTheFile) return;

      const line = writeKnownDevice({ deviceId: given.registrationId, hub: undefined, inputs: given });
      const { tally } = ask({ fleet: JSON.stringify(file) }, { kind: 'lines', lines: [line] });

      expect(tally.fresh).toEqual({ [result.host]: 1 });
    }),
    { numRuns: 2_000 },
  );
});

test('devices whose lines differ only in their ids go to the hubs that each of them gets alone', () => {
  fc.assert(
    fc.property(anyAllocationCase, (drawn) => {
      const file = { ...drawn.fleet.file, $schema: undefined };
      const { current } = drawn.request;
      const none = { loadedAt: undefined, hubs: new Map(), causes: new Map() };
      const { inputs: given } = receiptOf(drawn, decide({ ...drawn, conditions: none }));
      if (current !== undefined || given.linkedHubs.length !== 5 || given.deviceId !== undefined) return;
      const ids = [given.registrationId, 'lab-7', 'zone-8', 'pump-9'];
      const expected: Record<string, number> = {};
      for (const registrationId of ids) {
        const request = { ...drawn.request, registrationId };
        const { result } = decide({ ...drawn, request, conditions: none });
        if (result.kind === 'assigned') expected[result.host] = (expected[result.host] ?? 0) + 1;
      }

      const devices = ids.map((registrationId) =>
        writeKnownDevice({
          deviceId: registrationId,
          hub: undefined,
          inputs: { ...given, registrationId },
        }),
      );
      const { tally } = ask({ fleet: JSON.stringify(file) }, { kind: 'lines', lines: devices });

      expect(tally.fresh).toEqual(expected);
      expect(tally.devices).toBe(ids.length);
    }),
    { numRuns: 2_000 },
  );
});

test('a line that holds the id of its device in another place is read by itself', () => {
  const line = (deviceId: string) => JSON.stringify({ deviceId, hub: null, note: deviceId });
  const templates = new DeviceTemplates();

  expect(templates.read(line('a'))).toMatchObject({ deviceId: 'a', template: undefined });
  expect(templates.read(JSON.stringify({ deviceId: 'hub', hub: null }))?.template).toBeUndefined();
  expect(templates.read('{"deviceId":"b","hub":null}')?.template).toBeDefined();
  expect(templates.read('{"deviceId":"c","hub":null}')?.template).toBe(
    templates.read('{"deviceId":"d","hub":null}')?.template,
  );
});

describe('the list of devices from the state tables', () => {
  async function* from<Item>(items: readonly Item[]): AsyncGenerator<Item> {
    yield* items;
  }
  const snapshot = (deviceId: string, host: typeof WEU, isDeleted = false) => ({
    id: { host, deviceId, moduleId: undefined },
    isDeleted,
  });
  const receipt = (registrationId: string, host: typeof WEU | undefined): Receipt =>
    ({
      inputs: inputs(registrationId),
      result: host === undefined ? { kind: 'refused' } : { kind: 'assigned', host },
    }) as unknown as Receipt;
  const devices = async (
    snapshots: readonly ReturnType<typeof snapshot>[],
    receipts: readonly (readonly Receipt[])[],
  ) => {
    const all: KnownDevice[] = [];
    for await (const device of knownDevices(from(snapshots), from(receipts))) all.push(device);
    return all.map(({ deviceId, hub: at, inputs: given }) => [deviceId, at, given !== undefined]);
  };

  test.each<[string, Parameters<typeof devices>, readonly unknown[]]>([
    ['that has a snapshot and a receipt', [[snapshot('a', WEU)], [[receipt('a', WEU)]]], [['a', WEU, true]]],
    ['that has only a receipt', [[], [[receipt('a', WEU)]]], [['a', WEU, true]]],
    ['that has only a snapshot', [[snapshot('a', EUS)], []], [['a', EUS, false]]],
    [
      'on the hub of its snapshot when the two differ',
      [[snapshot('a', EUS)], [[receipt('a', WEU)]]],
      [['a', EUS, true]],
    ],
    [
      'on the hub of its receipt when there are snapshots on both hubs',
      [[snapshot('a', EUS), snapshot('a', WEU)], [[receipt('a', WEU)]]],
      [['a', WEU, true]],
    ],
    [
      'with its last registration and its hub from before',
      [[], [[receipt('a', undefined), receipt('a', EUS)]]],
      [['a', EUS, true]],
    ],
    ['without a hub when it was refused', [[], [[receipt('a', undefined)]]], [['a', undefined, true]]],
    ['no longer when its twin was deleted', [[snapshot('a', WEU, true)], [[receipt('a', WEU)]]], []],
    [
      'on its new hub when its twin on the old hub was deleted',
      [[snapshot('a', WEU, true), snapshot('a', EUS)], [[receipt('a', EUS)]]],
      [['a', EUS, true]],
    ],
  ])('has a device %s', async (_, given, expected) => {
    expect(await devices(...given)).toEqual(expected);
  });

  test('is the same after it is written and parsed', () => {
    for (const device of [
      known('a', 'weu', { 'payload.x': [1, { y: null }] }),
      known('b', undefined),
      { deviceId: 'c', hub: EUS, inputs: undefined },
    ]) {
      expect(readKnownDevice(writeKnownDevice(device))).toEqual(device);
    }
  });
});

describe('children of a gateway', () => {
  const PARENT = { name: 'gateway', parent: '=payload.gateway' };
  const gateway = (deviceId: string, at: string, read: Receipt['inputs']['read'] = {}) => {
    const device = known(deviceId, at, read);
    const { enrollment } = device.inputs as Receipt['inputs'];
    return {
      ...device,
      inputs: { ...(device.inputs as Receipt['inputs']), enrollment: { ...enrollment, iotEdge: true } },
    };
  };
  const pump = (deviceId: string, at: string | undefined, above: string) =>
    known(deviceId, at, { 'payload.gateway': above });

  test('follow a gateway that another rule moves, through nested gateways too', () => {
    const rules = [{ name: 'move', when: "registrationId == 'top'", hub: 'eus.azure-devices.net' }, PARENT];
    const devices = [
      pump('p1', 'weu', 'lower'),
      gateway('lower', 'weu', { 'payload.gateway': 'top' }),
      gateway('top', 'weu'),
    ];

    const { report } = ask(
      { fleet: fleetText(TWO, { rules }), parents: devices.map(writeKnownDevice) },
      lines(...devices),
    );

    expect(report.moves).toMatchObject({ count: 3 });
  });

  test('that are new go to the present hub of their gateway', () => {
    const devices = [pump('p1', undefined, 'top'), gateway('top', 'eus')];

    const { tally } = ask(
      { fleet: fleetText(TWO, { rules: [PARENT] }), parents: devices.map(writeKnownDevice) },
      lines(...devices),
    );

    expect(tally.after).toEqual({ [EUS]: 2 });
  });

  test('of an unknown gateway stay where they are, and new ones get no hub', () => {
    const { report, tally } = ask(
      { fleet: fleetText(TWO, { rules: [PARENT] }) },
      lines(pump('p1', 'weu', 'gone'), pump('p2', undefined, 'gone')),
    );

    expect(tally.after).toEqual({ [WEU]: 1 });
    expect([report.moves.count, report.refused.count, tally.refusedAsBefore]).toEqual([0, 0, 1]);
  });

  test('are left out of a run with synthetic devices, which have no gateways', () => {
    const { report } = ask(
      { fleet: fleetText(TWO, { rules: [PARENT] }), payloads: [{ gateway: 'gw' }] },
      numbers(10),
    );

    expect([report.refused.count, report.warnings.join()]).toEqual([
      0,
      expect.stringContaining('these rules are left out: gateway'),
    ]);
  });
});

describe('values that the stored registrations do not have', () => {
  const deny = (when: string) => ({ rules: [{ name: 'recalled', when, deny: 'recalled' }] });

  test.each(["has(payload.batch) && payload.batch == 'X7'", "'batch' in payload", 'has(payload.batch)'])(
    'make a rule that reads them unknown, and a warning names them: %s',
    (when) => {
      const { report } = ask(
        { fleet: fleetText(TWO, deny(when)) },
        lines(known('a', 'weu', { 'payload.country': 'SG' }), known('b', 'eus', { payload: {} })),
      );

      expect(report.rules).toEqual([{ name: 'recalled', matched: 0, unknown: 1 }]);
      expect(report.undecided).toBe(1);
      expect(report.warnings).toContainEqual(
        expect.stringMatching(
          /^the last registrations of 1 devices do not have all values .*: payload\.batch\. /,
        ),
      );
    },
  );

  test('include latencies, if the file of the registrations did not use them', () => {
    const { report } = ask(
      { fleet: fleetText(TWO, { latency: { halfLifeMs: 25 } }) },
      lines(known('a', 'weu'), known('b', 'weu', {}, { latency: {} })),
    );

    expect(report.undecided).toBe(1);
    expect(report.warnings).toContainEqual(
      expect.stringContaining('payload.latency, payload.location, payload.region'),
    );
  });

  test('are none if the file reads nothing new', () => {
    const { report } = ask(
      { fleet: fleetText(TWO, deny('has(payload.batch)')) },
      lines(known('a', 'weu', {}, { missing: ['payload.batch'] })),
    );

    expect(report).toMatchObject({ undecided: 0, warnings: [], rules: [{ matched: 0, unknown: 0 }] });
  });
});
