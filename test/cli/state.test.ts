import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decision/decide.ts';
import { receiptOf } from '../../src/allocation/receipt/receipt.ts';
import type { Cli } from '../../src/cli/shell/cli.ts';
import { validFleet } from '../../src/cli/shell/files.ts';
import { openState } from '../../src/cli/shell/state.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { readKnownDevice } from '../../src/what-if/known-device.ts';
import { fleetOf, requestOf } from '../allocation/requests.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { snapshotOf } from '../twin/twins.ts';
import { berth, type Flags, flags, listen, NOW } from './terminals.ts';

const WEU = 'weu.azure-devices.net';
const FILE = JSON.stringify({ ...fleetOf().file, $schema: undefined });
const FLEET = validFleet(parseFleet(FILE), 'the file');

let folder: string;
let env: Readonly<Record<string, string>>;
beforeAll(() => {
  folder = temporaryFolder('cli');
});
beforeEach(async () => {
  env = { AzureWebJobsStorage: await storageAccount() };
  await openState(env).revisions.keep(FLEET.revision, FILE, '2026-11-25T00:00:00Z');
});

const conditions = () => openState(env).conditions.read(NOW);
const OPTIONS: Flags = { state: 'cordoned', reason: ' certificate roll ', expires: '8h' };
const setOverride = (cli: Cli, host: string, options: Flags) =>
  berth(cli, 'hub', 'set', host, ...flags(options));
const clearOverride = (cli: Cli, host: string) => berth(cli, 'hub', 'clear', host);
const hubs = (cli: Cli, options: Flags = {}) => berth(cli, 'hubs', ...flags(options));

describe('berth hub set', () => {
  test('stores a state or a weight with author, reason and expiry for every instance', async () => {
    const { cli, err } = listen(env);

    expect(await setOverride(cli, 'WEU.device.azure-devices.net', { ...OPTIONS, weight: '2.5' })).toBe(0);

    const set = {
      author: expect.stringMatching(/^.+@.+ \(by account key\)$/),
      reason: 'certificate roll',
      expiresAt: plus(NOW, 8 * 3_600_000),
    };
    expect((await conditions()).hubs.get(hostName(WEU))?.overrides).toEqual({
      state: { value: 'cordoned', ...set },
      weight: { value: 2.5, ...set },
    });
    expect(err()).toContain(`${WEU} is cordoned until 2026-11-25T20:00Z, by `);
    expect(err()).toContain(`${WEU} is of weight 2.5 until 2026-11-25T20:00Z, by `);
  });

  test('changes decisions until the override expires', async () => {
    await setOverride(listen(env).cli, WEU, OPTIONS);
    const known = await conditions();
    const request = requestOf({ linkedHubs: [WEU] });

    expect(decide({ request, fleet: FLEET, conditions: known, now: NOW }).result).toMatchObject({
      code: 'BERTH_NO_HUB_NOW',
    });
    expect(
      decide({ request, fleet: FLEET, conditions: known, now: plus(NOW, 9 * 3_600_000) }).result,
    ).toMatchObject({ host: WEU });
  });

  test('says which override it replaces, and keeps the field that is not given', async () => {
    await setOverride(listen(env).cli, WEU, { ...OPTIONS, weight: '2' });
    const { cli, err } = listen(env);

    await setOverride(cli, WEU, { weight: '3', reason: 'more', expires: '2026-11-30T18:00Z' });

    expect(err()).toMatch(/^Replaced: of weight 2 until 2026-11-25T20:00Z, by .*: certificate roll\.\n/);
    expect(err()).toMatch(/is cordoned until 2026-11-25T20:00Z, by .*: certificate roll\.\n/);
    expect((await conditions()).hubs.get(hostName(WEU))?.overrides).toMatchObject({
      state: { value: 'cordoned', reason: 'certificate roll', expiresAt: plus(NOW, 8 * 3_600_000) },
      weight: { value: 3, reason: 'more', expiresAt: Date.UTC(2026, 10, 30, 18) },
    });
  });

  test.each<[string, string, Flags, string, RegExp]>([
    ['nothing to set', WEU, { state: undefined }, 'BERTH_ARGUMENT_INVALID', /give --state, --weight or both/],
    [
      'a value that is not a state',
      WEU,
      { state: 'closed' },
      'BERTH_ARGUMENT_INVALID',
      /write one of active, cordoned, draining/,
    ],
    [
      'a weight of 0',
      WEU,
      { weight: '0' },
      'BERTH_ARGUMENT_INVALID',
      /for no new devices use --state cordoned/,
    ],
    ['a weight in words', WEU, { weight: 'more' }, 'BERTH_ARGUMENT_INVALID', /--weight is "more"/],
    ['an empty reason', WEU, { reason: '  ' }, 'BERTH_ARGUMENT_INVALID', /--reason has 0 characters/],
    [
      'a value that is not a time',
      WEU,
      { expires: 'soon' },
      'BERTH_ARGUMENT_INVALID',
      /write a duration such as 30m/,
    ],
    ['a time in the past', WEU, { expires: '2020-01-01' }, 'BERTH_ARGUMENT_INVALID', /which is in the past/],
    [
      'a time without a zone',
      WEU,
      { expires: '2026-11-30T18:00' },
      'BERTH_ARGUMENT_INVALID',
      /or a time such as 2026-11-30T18:00Z/,
    ],
    ['a time in words', WEU, { expires: '1 December 2026' }, 'BERTH_ARGUMENT_INVALID', /write a duration/],
    [
      'a time more than ten years ahead',
      WEU,
      { expires: '2036-12-01' },
      'BERTH_ARGUMENT_INVALID',
      /write a duration/,
    ],
    ['a reason of two lines', WEU, { reason: 'a\nb' }, 'BERTH_ARGUMENT_INVALID', /a line break or another/],
    [
      'a hub that the fleet file does not list',
      'x.azure-devices.net',
      {},
      'BERTH_HUB_UNKNOWN',
      /defines: weu\.azure-devices\.net, eus/,
    ],
  ])('refuses %s', async (_, host, options, code, message) => {
    await expect(setOverride(listen(env).cli, host, { ...OPTIONS, ...options })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect((await conditions()).hubs.size).toBe(0);
  });
});

describe('berth hub clear', () => {
  test('removes the override and says which one it was', async () => {
    await setOverride(listen(env).cli, WEU, OPTIONS);
    const { cli, err } = listen(env);

    expect(await clearOverride(cli, WEU)).toBe(0);

    expect((await conditions()).hubs.get(hostName(WEU))?.overrides).toBeUndefined();
    expect(err()).toMatch(/it was cordoned until .*: certificate roll\./);
  });

  test('reports a hub that has no override, and refuses an unknown hub', async () => {
    const { cli, err } = listen(env);

    expect(await clearOverride(cli, WEU)).toBe(0);
    expect(err()).toContain('it had no override');
    await expect(clearOverride(cli, 'nope')).rejects.toMatchObject({ code: 'BERTH_HUB_UNKNOWN' });
  });
});

describe('berth hubs', () => {
  test('shows weights, shares, counts, health, overrides and gradual moves', async () => {
    const { conditions: store } = openState(env);
    await store.recordCount(hostName(WEU), 300, plus(NOW, -90_000));
    await store.recordCount(hostName('eus.azure-devices.net'), 100, plus(NOW, -10_000));
    for (let call = 0; call < 3; call += 1) await store.recordFailure(hostName('eus.azure-devices.net'));
    await setOverride(listen(env).cli, 'sea.azure-devices.net', {
      state: 'draining',
      reason: 'move out',
      expires: '2d',
    });
    const { cli, out, err } = listen(env);

    expect(await hubs(cli)).toBe(0);

    expect(err()).toContain(`Fleet file: revision ${FLEET.revision.slice(0, 12)}`);
    const rows = out()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual([
      'hub',
      'state',
      'weight',
      'wanted',
      'expected',
      'actual',
      'devices',
      'counted',
      'health',
      'events',
      'override',
    ]);
    expect(rows[1]).toEqual([WEU, 'active', '1', '50 %', '-', '75 %', '300', '2 min ago', 'healthy', 'late']);
    expect(rows[2]).toEqual([
      'eus.azure-devices.net',
      'active',
      '1',
      '50 %',
      '-',
      '25 %',
      '100',
      '10 s ago',
      'unhealthy, 3 failed calls',
      'late',
    ]);
    expect(rows[3]?.slice(0, 4)).toEqual(['sea.azure-devices.net', 'draining', '1', '0 %']);
    expect(rows[3]?.at(-1)).toMatch(/^draining for 2 d more, by .*: move out$/);
    expect(out()).toContain('Drain of sea.azure-devices.net: not started yet');

    await store.recordCauses(['drain:sea.azure-devices.net'], await store.read(NOW), plus(NOW, -60_000));
    const later = listen(env);
    await hubs(later.cli, { json: true });
    expect(JSON.parse(later.out())).toMatchObject({
      revision: FLEET.revision,
      hubs: [
        { host: WEU, devices: 300 },
        { isHealthy: false },
        { overrides: { state: { value: 'draining' } } },
      ],
      moves: [{ cause: 'drain:sea.azure-devices.net', since: plus(NOW, -60_000), progress: 1 }],
    });
  });

  test('says what to run where the local stack does not run', async () => {
    const storage = `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${Buffer.from('k').toString('base64')};TableEndpoint=http://127.0.0.1:9/a;`;

    await expect(hubs(listen({ AzureWebJobsStorage: storage }).cli)).rejects.toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
      message: 'Nothing answers at 127.0.0.1:9: run npm start.',
    });
  });

  test('says that the fleet file or the state is missing', async () => {
    const empty = { AzureWebJobsStorage: await storageAccount() };

    await expect(hubs(listen(empty).cli)).rejects.toMatchObject({
      code: 'BERTH_FLEET_INVALID',
    });
    await expect(hubs(listen({}).cli)).rejects.toMatchObject({
      code: 'BERTH_SETTING_INVALID',
    });
  });
});

describe('the berth commands, where a newer package has stored the state', () => {
  const NEWER = {
    code: 'BERTH_FORMAT_NEWER',
    message: expect.stringMatching(/has format 99, and this package/),
  };
  const tables = () =>
    openTables({ kind: 'connectionString', connectionString: String(env.AzureWebJobsStorage) });

  test.each<[string, keyof Tables, string, string, readonly string[]]>([
    ['export', 'receipts', 'pump', '0', ['export']],
    ['pause', 'state', 'control', 'control', ['pause', '--reason', 'freeze']],
    ['hubs', 'state', 'control', 'control', ['hubs']],
    ['hub set', 'state', 'conditions', `override|state|${WEU}`, ['hub', 'set', WEU, ...flags(OPTIONS)]],
    ['hub clear', 'state', 'conditions', `override|state|${WEU}`, ['hub', 'clear', WEU]],
  ])('berth %s ends with a coded error and changes nothing', async (_, table, partition, row, command) => {
    await tables()[table].put(partition, row, { format: 99, news: 'kept' });
    const before = await tables()[table].get(partition, row);

    await expect(berth(listen(env).cli, ...command)).rejects.toMatchObject(NEWER);

    expect(await tables()[table].get(partition, row)).toEqual(before);
  });
});

describe('berth export', () => {
  async function register(registrationId: string, now = NOW, linkedHubs?: readonly string[]) {
    const context = { registrationId, payload: { secret: 's3cret' } };
    const request = requestOf({ context, ...(linkedHubs === undefined ? {} : { linkedHubs }) });
    const input = { request, fleet: FLEET, conditions: await conditions(), now };
    await openState(env).receipts.keep(receiptOf(input, decide(input)));
  }
  async function appear(deviceId: string, host: string, isDeleted = false) {
    const { twins } = openState(env);
    const id = { host: hostName(host), deviceId, moduleId: undefined };
    const record = await twins.load(id);
    const saved = await twins.save(record, { kind: 'snapshot', snapshot: snapshotOf({ id }) });
    if (isDeleted && saved !== 'conflict')
      await twins.save(saved, { kind: 'deleted', at: snapshotOf({ id }).asOf });
  }

  test('writes every known device once, with its hub and its registration data', async () => {
    for (let index = 0; index < 30; index += 1) await register(`device-${index}`);
    for (let again = 1; again < 4; again += 1) await register('device-7', plus(NOW, again * 60_000));
    await appear('device-3', 'sea.azure-devices.net');
    await appear('twin#only', WEU);
    await appear('gone', WEU, true);
    await register('gone', NOW, [WEU]);
    const { cli, out, err } = listen(env);

    expect(await berth(cli, 'export')).toBe(0);

    const devices = out().trimEnd().split('\n').map(readKnownDevice);
    expect(devices).toHaveLength(31);
    expect(out()).not.toContain('gone');
    expect(devices.find((device) => device?.deviceId === 'device-3')).toMatchObject({
      hub: 'sea.azure-devices.net',
    });
    expect(devices.find((device) => device?.deviceId === 'twin#only')).toEqual({
      deviceId: 'twin#only',
      hub: WEU,
      inputs: undefined,
    });
    expect(new Set(devices.map((device) => device?.deviceId)).size).toBe(devices.length);
    expect(out()).not.toContain('s3cret');
    expect(err()).toMatch(/^31 devices from 127\.0\.0\.1:\d+ written\.\n$/);
  });

  test('writes the devices into a file with --out', async () => {
    await register('a');
    const file = join(folder, 'devices.jsonl');
    const { cli, err } = listen(env);

    await berth(cli, 'export', '--out', file);

    expect(readFileSync(file, 'utf8').split('\n').map(readKnownDevice)).toMatchObject([
      { deviceId: 'a' },
      undefined,
    ]);
    expect(err()).toContain(`to ${file}`);
    await expect(berth(cli, 'export', '--out', join(folder, 'no', 'such', 'folder'))).rejects.toMatchObject({
      code: 'BERTH_FILE_UNREADABLE',
    });
    writeFileSync(file, '');
  });

  test('replaces an earlier export and an empty file with --out, and nothing else', async () => {
    await register('a');
    const [file, other] = [join(folder, 'again.jsonl'), join(folder, 'other.json')];
    writeFileSync(file, '');
    for (const _ of ['an empty file', 'an earlier export'])
      expect(await berth(listen(env).cli, 'export', '--out', file)).toBe(0);

    for (const text of ['{"hubs":[]}', 'not json', '{"deviceId":']) {
      writeFileSync(other, text);
      await expect(berth(listen(env).cli, 'export', '--out', other)).rejects.toMatchObject({
        code: 'BERTH_FILE_UNREADABLE',
        message: `${other} exists and is not an export of devices, so it is not overwritten: choose another name.`,
      });
      expect(readFileSync(other, 'utf8')).toBe(text);
    }
  });
});
