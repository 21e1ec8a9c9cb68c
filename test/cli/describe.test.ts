import { beforeAll, describe, expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { validFleet } from '../../src/cli/shell/files.ts';
import { changesBetween, type ListingRow } from '../../src/cli/shell/listing.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { NO_HISTORY, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { fleetOf, requestOf } from '../allocation/requests.ts';
import { storageAccount } from '../support/storage-account.ts';
import { snapshotOf } from '../twin/twins.ts';
import { berth, listen, NOW } from './terminals.ts';

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const { file } = fleetOf({
  allocation: {
    rules: [
      { name: 'retired', when: "payload.model == 'x0'", whenUnknown: 'skip', deny: 'model x0 is retired' },
    ],
  },
  twins: {
    redact: ['secret'],
    policies: [
      { name: 'interval', when: "tags.site == 'lab'", desired: { interval: 5 } },
      { name: 'level', mode: 'observe', desired: { level: 'info' } },
    ],
  },
});
const FILE = JSON.stringify({ ...file, $schema: undefined });
const FLEET = validFleet(parseFleet(FILE), 'the file');
const [INTERVAL, LEVEL] = FLEET.twins.policies;
const BEFORE = plus(NOW, -3_600_000);

let env: Readonly<Record<string, string>>;
let state: State;
beforeAll(async () => {
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  await state.revisions.keep(FLEET.revision, FILE, '2026-11-25T00:00:00Z');
  await register('pump', { model: 'p1' });
  await register('old', { model: 'x0' });
  await appear('pump', WEU, {
    tags: { site: 'lab' },
    desired: { interval: 7, level: 'debug', secret: 'hunter2' },
    reported: { interval: 5, level: 'debug' },
    bornAt: instantOf(BEFORE),
    paths: {
      interval: {
        ...NO_HISTORY,
        writes: [
          {
            policy: INTERVAL?.hash ?? '',
            by: 'interval',
            value: 5,
            at: instantOf(plus(BEFORE, 1_000)),
            count: 2,
          },
        ],
        foreign: [instantOf(plus(BEFORE, 2_000))],
      },
    },
    lastReconcile: reconciled('drifted', 'interval differs', {
      [INTERVAL?.id ?? '']: 'drifted',
      [LEVEL?.id ?? '']: 'held',
    }),
  });
  await appear('pump', WEU, { lastReconcile: reconciled('inSync', '') }, 'camera');
  await appear('valve', EUS, { lastReconcile: reconciled('rejected', 'interval the device answered 400') });
}, 60_000);

function reconciled(
  status: Snapshot['lastReconcile']['status'],
  why: string,
  policies: Snapshot['lastReconcile']['policies'] = {},
): Snapshot['lastReconcile'] {
  return { status, since: BEFORE, why, revision: FLEET.revision, policies, isHeld: false };
}

async function register(registrationId: string, payload: object) {
  const request = requestOf({ context: { registrationId, payload }, linkedHubs: [WEU] });
  const input = { request, fleet: FLEET, conditions: await state.conditions.read(NOW), now: NOW };
  await state.receipts.keep(receiptOf(input, decide(input)));
}

async function appear(deviceId: string, host: typeof WEU, parts: Partial<Snapshot>, moduleId?: string) {
  const id = { host, deviceId, moduleId };
  const record = await state.twins.load(id);
  await state.twins.save(record, { kind: 'snapshot', snapshot: snapshotOf({ ...parts, id }) });
}

const json = async (...argv: readonly string[]) => {
  const { cli, out } = listen(env);
  expect(await berth(cli, ...argv, '--json')).toBe(0);
  return JSON.parse(out());
};
const lines = async (...argv: readonly string[]) => {
  const { cli, out } = listen(env);
  expect(await berth(cli, ...argv)).toBe(0);
  return out().split('\n');
};
const cells = (line: string | undefined) => line?.split(/ {2,}/);

describe('berth describe device', () => {
  test('shows hub, reason, every property, modules, tags and history', async () => {
    const said = await lines('describe', 'device', 'pump');

    expect(said.slice(0, 4)).toEqual([
      'Device pump',
      `  hub      ${WEU}`,
      expect.stringMatching(
        /^ {2}decided {2}2026-11-25T12:00:00\.000Z \(0 s ago\), with revision [0-9a-f]{12}$/,
      ),
      '  modules  camera',
    ]);
    expect(said).toContain(`Twin on ${WEU}: drifted`);
    expect(said).toContain(`Module camera on ${WEU}: inSync`);
    expect(said).toContain('  reason  interval differs');
    expect(said.find((line) => line.startsWith('  next'))).toMatch(/writes the patch/);
    const at = said.findIndex((line) => line.startsWith('property'));
    expect(cells(said[at])).toEqual([
      'property',
      'desired',
      'wanted',
      'reported',
      'status',
      'policy',
      'reason',
    ]);
    expect(cells(said[at + 1])?.slice(0, 6)).toEqual(['interval', '7', '5', '5', 'drifted', 'interval']);
    expect(cells(said[at + 2])?.slice(0, 6)).toEqual([
      'level',
      '"debug"',
      '"info"',
      '"debug"',
      'drifted',
      'level (observe)',
    ]);
    expect(said).toContain('Why it is there (last registration)');
    expect(said).toContain(`pump → ${WEU} (placed: first registration)`);
    expect(said.slice(said.indexOf('History')).join('\n')).toMatch(
      /placed on weu[\s\S]*another writer changed interval[\s\S]*interval wrote interval = 5, 2 times[\s\S]*first seen on weu/,
    );
  });

  test('prints the answer of the HTTP function with --json, and the history', async () => {
    const device = await json('describe', 'device', 'pump');

    expect(device).toMatchObject({
      deviceId: 'pump',
      twins: [
        {
          hub: WEU,
          moduleId: null,
          status: 'drifted',
          patch: { interval: 5 },
          paths: [{ path: 'interval' }, { path: 'level' }],
        },
        { moduleId: 'camera', status: 'inSync' },
      ],
      receipts: [{ result: { kind: 'assigned', host: WEU } }],
    });
    const at = device.history.map((moment: { readonly at: string }) => Date.parse(moment.at));
    expect(at).toEqual([...at].sort((one, other) => other - one));
    expect(device.history).toContainEqual({
      kind: 'write',
      hub: WEU,
      moduleId: null,
      at: instantOf(plus(BEFORE, 1_000)),
      path: 'interval',
      policy: 'interval',
      value: 5,
      count: 2,
    });
  });

  test('never shows a redacted value', async () => {
    expect(JSON.stringify(await json('describe', 'device', 'pump'))).not.toContain('hunter2');
    expect((await lines('describe', 'device', 'pump')).join('\n')).not.toContain('hunter2');
  });

  test('says which rule refused a device that has no twin', async () => {
    const said = await lines('describe', 'device', 'old');

    expect(said[1]).toBe('  hub      none');
    expect(said).toContain('Why it was refused (last registration)');
    expect(said.join('\n')).toContain(
      'old → refused: Rule "retired" denies the registration: model x0 is retired. [BERTH_REGISTRATION_DENIED]',
    );
  });

  test('takes the registration id of a device that has another id', async () => {
    expect(await json('describe', 'device', 'valve', '--registration-id', 'pump')).toMatchObject({
      twins: [{ hub: EUS }],
      receipts: [{ inputs: { registrationId: 'pump' } }],
    });
  });

  test('refuses a device that Berth does not know', async () => {
    await expect(berth(listen(env).cli, 'describe', 'device', 'nope')).rejects.toMatchObject({
      code: 'BERTH_DEVICE_UNKNOWN',
    });
  });
});

describe('berth describe', () => {
  test('shows a hub by any of its host names, with share, twins and budget', async () => {
    const said = await lines('describe', 'hub', 'WEU.device.azure-devices.net');

    expect(said[0]).toBe(`Hub ${WEU}`);
    expect(said).toContain('  state    active');
    expect(said).toContain('  events   trusted');
    expect(said.find((line) => line.startsWith('  share '))).toMatch(
      /^ {2}share {4}not counted yet, expected \d+ ± \d+ % by weights, latencies and rules$/,
    );
    expect(await json('describe', 'hub', WEU)).toMatchObject({
      host: WEU,
      state: 'active',
      pause: null,
      audit: null,
    });
  });

  test('shows a policy with its condition, its values and its counts by hub', async () => {
    const said = await lines('describe', 'policy', 'interval');

    expect(said).toContain("  when     tags.site == 'lab'");
    expect(said).toContain('  interval  5');
    expect(await json('describe', 'policy', 'level')).toMatchObject({
      name: 'level',
      place: 2,
      mode: 'observe',
      when: null,
      desired: { level: 'info' },
      hubs: expect.arrayContaining([{ host: WEU, twins: {} }]),
    });
  });

  test('shows the fleet with hubs, twins and policies', async () => {
    const said = await lines('describe', 'fleet');

    expect(said[0]).toBe(`Fleet file: revision ${FLEET.revision.slice(0, 12)}`);
    expect(said).toEqual(expect.arrayContaining(['Hubs', 'Twins', 'Policies']));
    expect(await json('describe', 'fleet')).toMatchObject({
      revision: FLEET.revision,
      hubs: [{ host: WEU }, { host: EUS }, {}],
      policies: [{ name: 'interval' }, { name: 'level' }],
    });
  });

  test.each([
    [['hub', 'wue.azure-devices.net'], 'BERTH_HUB_UNKNOWN', /Did you mean weu\.azure-devices\.net\?/],
    [
      ['policy', 'intervall'],
      'BERTH_POLICY_UNKNOWN',
      /Did you mean interval\? The fleet file in force defines: interval, level/,
    ],
  ])('suggests what is meant by %j', async (argv, code, message) => {
    await expect(berth(listen(env).cli, 'describe', ...argv)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('berth get', () => {
  const namesIn = (list: readonly { readonly deviceId: string; readonly moduleId: string | null }[]) =>
    list.map(({ deviceId, moduleId }) => (moduleId === null ? deviceId : `${deviceId}/${moduleId}`)).sort();

  test.each<[readonly string[], readonly string[]]>([
    [[], ['pump', 'pump/camera', 'valve']],
    [['--hub', 'EUS.azure-devices.net'], ['valve']],
    [['--status', 'drifted'], ['pump']],
    [['--policy', 'level'], ['pump']],
    [['--hub', EUS, '--status', 'drifted'], []],
  ])('devices %j lists %j', async (argv, expected) => {
    expect(namesIn((await json('get', 'devices', ...argv)).devices)).toEqual(expected);
  });

  test('devices has one line for each twin, and says where --limit ends the list', async () => {
    const { cli, out, err } = listen(env);

    expect(await berth(cli, 'get', 'devices', '--limit', '2')).toBe(0);

    const [head, ...rows] = out().trimEnd().split('\n');
    expect(cells(head)).toEqual(['device', 'hub', 'status', 'since', 'reason']);
    expect(rows).toHaveLength(2);
    expect(err()).toContain('Only the first 2 are shown: use --limit.');
    expect((await json('get', 'devices', '--limit', '2')).more).toBe(true);
  });

  test('devices names policies and not their hashes', async () => {
    const { devices } = await json('get', 'devices', '--status', 'drifted');

    expect(devices[0].policies).toEqual({ interval: 'drifted', level: 'held' });
  });

  test('a reason names the property, and then what the device did', async () => {
    const said = [...(await lines('get', 'attention')), ...(await lines('describe', 'device', 'valve'))];

    expect(said.filter((line) => line.includes('answered 400')).length).toBeGreaterThan(1);
    for (const line of said.filter((each) => each.includes('answered 400')))
      expect(line).toContain('interval: the device answered 400');
  });

  test('devices and attention can leave out the twins that are in sync', async () => {
    const all = (await json('get', 'devices')).devices as { status: string }[];
    const { devices } = await json('get', 'devices', '--status', 'notInSync');

    expect(devices.length).toBeGreaterThan(1);
    expect(devices).toEqual(all.filter(({ status }) => status !== 'inSync'));
    expect(await json('get', 'attention', '--status', 'notInSync')).toEqual(await json('get', 'attention'));
  });

  test('attention lists the twins that need a person', async () => {
    expect(await json('get', 'attention', '--status', 'rejected')).toMatchObject({
      attention: [
        { deviceId: 'valve', hub: EUS, status: 'rejected', why: 'interval the device answered 400' },
      ],
      more: false,
    });
    expect(await lines('get', 'attention', '--status', 'suspended')).toEqual(['No twin needs you.', '']);
  });

  test('hubs and policies take filters, and are the same as their short forms without', async () => {
    expect(await json('get', 'hubs')).toEqual(await json('hubs'));
    expect((await json('hubs')).hubs[0].share).toEqual({
      wanted: expect.closeTo(1 / 3),
      expected: expect.any(Number),
      spread: expect.any(Number),
      actual: 0,
    });
    expect((await lines('hubs'))[1]).toMatch(/^weu\.azure-devices\.net +active +1 +33 % +\d+ ± \d+ % +- /);
    expect(await json('get', 'policies')).toEqual(await json('policies'));
    expect((await json('get', 'hubs', '--hub', EUS)).hubs).toMatchObject([{ host: EUS }]);
    expect((await json('get', 'hubs', '--status', 'draining')).hubs).toEqual([]);
    expect((await json('get', 'policies', '--policy', 'level')).policies).toMatchObject([{ name: 'level' }]);
  });

  test('with --watch on a pipe, prints the list once and then only changes', async () => {
    const said = listen(env);
    const ending = new AbortController();
    let waits = 0;
    const wait = async () => {
      waits += 1;
      if (waits === 2) await appear('valve', EUS, { lastReconcile: reconciled('inSync', '') });
      if (waits === 3) ending.abort();
    };
    const cli = { ...said.cli, ending: ending.signal, wait };

    expect(await berth(cli, 'get', 'devices', '--hub', EUS, '--watch')).toBe(0);

    expect(
      said
        .out()
        .trimEnd()
        .split('\n')
        .map((line) => cells(line)?.slice(1, 5)),
    ).toEqual([
      ['added', 'valve', EUS, 'rejected'],
      ['changed', 'valve', EUS, 'inSync'],
    ]);
  });

  test('with --watch on a terminal, clears the screen and shows the whole list each time', async () => {
    const said = listen(env);
    Object.assign(said.cli.terminal.out, { isTTY: true });
    const ending = new AbortController();
    let waits = 0;
    const wait = async () => {
      waits += 1;
      if (waits === 2) ending.abort();
    };

    await berth({ ...said.cli, ending: ending.signal, wait }, 'get', 'hubs', '--watch');

    expect(said.out().split('\u001b[H\u001b[2J')).toHaveLength(3);
    expect(said.out().match(/^weu\.azure-devices\.net/gm)).toHaveLength(2);
  });
});

test('the changes between two readings are additions, changes and removals, without what stays', () => {
  const row = (key: string, value: number): ListingRow => ({ key, cells: [key], item: { value } });

  expect(
    changesBetween([row('a', 1), row('b', 1), row('c', 1)], [row('a', 1), row('b', 2), row('d', 1)]).map(
      ({ change, row: { key } }) => [change, key],
    ),
  ).toEqual([
    ['changed', 'b'],
    ['added', 'd'],
    ['removed', 'c'],
  ]);
});
