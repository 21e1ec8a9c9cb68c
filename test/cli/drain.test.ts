import { beforeAll, describe, expect, test } from '@jest/globals';
import { validFleet } from '../../src/cli/shell/files.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { type HostName, hostName } from '../../src/iot-hub/host-name.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { NO_HISTORY, type PolicyStatus, type Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import { countAll } from '../support/count-all.ts';
import { storageAccount } from '../support/storage-account.ts';
import { snapshotOf } from '../twin/twins.ts';
import { berth, listen, NOW } from './terminals.ts';

/* `berth hub drain`, and what other commands say of move requests, from stored twins. */

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const HOUR = 3_600_000;
const SINCE = plus(NOW, -10 * HOUR);
const ASKED_AT = plus(NOW, -5 * HOUR);
const FILE = JSON.stringify({
  hubs: [WEU, EUS].map((host) => ({ host, region: 'westeurope', tier: 'S1' })),
  allocation: { moves: { over: '20h', ask: { property: 'berth.leaveHub', silentAfter: '4h' } } },
});
const FLEET = validFleet(parseFleet(FILE), 'the file');
const POLICY = FLEET.twins.moveRequest?.policy.id ?? '';

let env: Readonly<Record<string, string>>;
let state: State;
beforeAll(async () => {
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  await state.revisions.keep(FLEET.revision, FILE, '2026-11-25T00:00:00Z');
  const draining = {
    value: 'draining',
    author: 'ann',
    reason: 'moving out',
    expiresAt: plus(NOW, HOUR),
  } as const;
  await state.conditions.setOverrides(WEU, { state: draining });
  await state.conditions.recordCauses([`drain:${WEU}`], await state.conditions.read(SINCE), SINCE);
  await state.control.update((row) => ({ ...row, drains: { [WEU]: { since: SINCE, changedAt: SINCE } } }));
  await appear('alive', 'inSync', { lifeAt: instantOf(plus(NOW, -HOUR)) });
  await appear('fresh', 'pending');
  await appear('mute-1', 'silent');
  await appear('mute-2', 'silent');
  await appear('later', 'unreached');
  await appear('full', 'rejected', {}, 'berth.leaveHub cannot be written: desired takes 40000 bytes');
  await appear('outside', undefined);
  await store({ host: WEU, deviceId: 'alive', moduleId: 'camera' }, present(undefined));
  await leave('moved', plus(NOW, -2 * HOUR));
  await leave('gone', plus(NOW, -2 * HOUR));
  await leave('before', plus(SINCE, -HOUR));
  await store({ host: EUS, deviceId: 'moved', moduleId: undefined }, present(undefined));
  await store({ host: EUS, deviceId: 'always-there', moduleId: undefined }, present(undefined));
  await countAll(state, [WEU], NOW, instantOf(plus(SINCE, -2 * HOUR)));
}, 60_000);

function present(
  status: PolicyStatus | undefined,
  parts: Partial<Snapshot> = {},
  why = '',
): Exclude<Known, { kind: 'nothing' }> {
  const isSet = status === 'inSync' || status === 'pending' || status === 'silent';
  const policies = status === undefined ? {} : { [POLICY]: status };
  return {
    kind: 'snapshot',
    snapshot: snapshotOf({
      desired: isSet ? { berth: { leaveHub: WEU } } : {},
      paths: isSet ? { 'berth.leaveHub': { ...NO_HISTORY, oursAt: instantOf(ASKED_AT) } } : {},
      lastReconcile: {
        status: 'inSync',
        since: SINCE,
        why,
        revision: FLEET.revision,
        policies,
        isHeld: false,
      },
      ...parts,
    }),
  };
}

async function store(id: Snapshot['id'], known: Exclude<Known, { kind: 'nothing' }>) {
  const stored = known.kind === 'snapshot' ? { ...known, snapshot: { ...known.snapshot, id } } : known;
  expect(await state.twins.save(await state.twins.load(id), stored)).not.toBe('conflict');
}

const appear = (deviceId: string, ...of: Parameters<typeof present>) =>
  store({ host: WEU, deviceId, moduleId: undefined }, present(...of));
const leave = (deviceId: string, at: typeof NOW) =>
  store({ host: WEU, deviceId, moduleId: undefined }, { kind: 'deleted', at: instantOf(at) });

const run = async (...argv: readonly string[]) => {
  const spoken = listen(env);
  expect(await berth(spoken.cli, ...argv)).toBe(0);
  return spoken.out();
};
const json = async (...argv: readonly string[]) => JSON.parse(await run(...argv, '--json'));
const drain = (host: HostName, ...argv: readonly string[]) => run('hub', 'drain', host, ...argv);

describe('berth hub drain', () => {
  test('shows the counts of each state first, without modules and without devices that left before the drain', async () => {
    const said = await drain(WEU);
    const rows = said.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2));

    expect(rows.slice(1, 7)).toEqual([
      ['moved', '1'],
      ['gone', '1'],
      ['asked', '2'],
      ['silent', '2'],
      ['waiting', '1'],
      ['notAsked', '2'],
    ]);
    expect(said).toContain(`Drain of ${WEU}: started 10 h ago, has reached 50 % of the devices.`);
    expect(said).toContain(
      'Devices are asked by the property berth.leaveHub. They are silent after 4 h without life.',
    );
  });

  test.each([
    ['moved', ['moved'], { movedTo: EUS, at: instantOf(plus(NOW, -2 * HOUR)) }],
    ['gone', ['gone'], { movedTo: null, at: instantOf(plus(NOW, -2 * HOUR)) }],
    ['asked', ['alive', 'fresh'], { at: instantOf(ASKED_AT) }],
    ['silent', ['mute-1', 'mute-2'], { at: instantOf(ASKED_AT), lifeAt: null }],
    ['waiting', ['later'], { at: expect.stringMatching(/^2026-11-2\dT/) }],
    ['notAsked', ['full', 'outside'], { at: null }],
  ])('lists the devices that are %s', async (wanted, ids, facts) => {
    const listed = await json('hub', 'drain', WEU, '--list', wanted);

    expect(listed.devices.map(({ deviceId }: { deviceId: string }) => deviceId).sort()).toEqual(ids);
    for (const device of listed.devices) expect(device).toMatchObject({ state: wanted, ...facts });
    expect(listed).toMatchObject({ hub: WEU, state: wanted, more: false, counts: { asked: 2, silent: 2 } });
  });

  test('says why a device is not asked', async () => {
    expect(await drain(WEU, '--list', 'notAsked')).toMatch(/full .*berth\.leaveHub cannot be written/);
  });

  test('shows as many devices as --limit says, and that there are more', async () => {
    const listed = await json('hub', 'drain', WEU, '--list', 'silent', '--limit', '1');

    expect(listed.devices).toHaveLength(1);
    expect(listed).toMatchObject({ more: true, counts: { silent: 2 } });
  });

  test('accepts any name of the hub', async () => {
    expect(await json('hub', 'drain', 'WEU.device.azure-devices.net')).toMatchObject({
      hub: WEU,
      progress: 0.5,
      ask: { property: 'berth.leaveHub', method: null, silentAfterMs: 4 * HOUR },
    });
  });

  test('of a hub that does not drain says how to start a drain', async () => {
    await expect(drain(EUS)).rejects.toMatchObject({
      code: 'BERTH_HUB_NOT_DRAINING',
      message: `${EUS} is active, so it has no drain. Start one with: berth hub set ${EUS} --state draining --reason TEXT --expires 7d`,
    });
  });

  test.each([
    [['hub', 'drain', 'nowhere.azure-devices.net'], 'BERTH_HUB_UNKNOWN'],
    [['hub', 'drain', WEU, '--list', 'silents'], 'BERTH_ARGUMENT_INVALID'],
  ])('refuses %j', async (argv, code) => {
    await expect(run(...argv)).rejects.toMatchObject({ code });
  });
});

describe('move requests in other commands', () => {
  test('berth hubs counts them', async () => {
    expect(await run('hubs')).toContain(
      `Devices of ${WEU}: 2 asked to move, 2 silent, 1 waiting, 1 not asked; "berth hub drain ${WEU}" lists them.`,
    );
  });

  test.each([
    ['alive', /move +asked 5 h ago to leave weu\.azure-devices\.net\n/],
    ['mute-1', /move +asked 5 h ago to leave weu\.azure-devices\.net; it has shown no life since\n/],
    ['full', /move +(is asked to leave|not asked to leave) weu\.azure-devices\.net/],
  ])('berth describe device %s says when the device was asked', async (deviceId, text) => {
    expect(await run('describe', 'device', deviceId)).toMatch(text);
  });

  test('berth describe device says nothing of a hub that does not drain', async () => {
    expect((await json('describe', 'device', 'always-there')).twins[0].moveRequest).toBeNull();
  });
});
