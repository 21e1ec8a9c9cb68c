import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { CONTROL_FORMAT, type Control } from '../../src/control/control.ts';
import { withPause } from '../../src/control/pauses.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import { presentFormat } from '../../src/json/document-format.ts';
import { sha256Hex } from '../../src/json/hash.ts';
import { canonicalJson, type JsonValue } from '../../src/json/json.ts';
import type { Environment } from '../../src/settings/settings.ts';
import {
  type ExportedDocument,
  exportText,
  readExport,
  type StateExport,
  stateExport,
} from '../../src/store/export/state-export.ts';
import { openTables, type Tables } from '../../src/store/tables/tables.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { fleetOf } from '../allocation/requests.ts';
import { disabledDevice } from '../silent-devices/disabled-devices.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen, NOW } from './terminals.ts';

const WEU = hostName('weu.azure-devices.net');
const EUS = hostName('eus.azure-devices.net');
const FILE = JSON.stringify({ ...fleetOf().file, $schema: undefined });
const { revision: REVISION } = fleetOf();
const BUILD = '2026-11-25T00:00:00Z';
const PAUSE = { author: 'ada@contoso.com', reason: 'devices reboot', at: NOW };

let folder: string;
let number = 0;
beforeAll(() => {
  folder = temporaryFolder('state-file');
});
const newFile = () => join(folder, `state-${number++}.json`);

/** The state tables of a deployment, and an empty account to restore into. */
interface Scene {
  readonly env: Environment;
  readonly state: State;
  readonly tables: Tables;
}
let from: Scene;
let to: Scene;
beforeEach(async () => {
  [from, to] = await Promise.all([openScene(), openScene()]);
  await fill(from.state);
});

async function openScene(): Promise<Scene> {
  const AzureWebJobsStorage = await storageAccount();
  const tables = openTables({ kind: 'connectionString', connectionString: AzureWebJobsStorage });
  return { env: { AzureWebJobsStorage }, state: openState({ AzureWebJobsStorage }), tables };
}

/** Everything that people make: pauses, a rollout with an approval, fleet files, overrides, causes, a kept-out device. */
/** A device that a command has disabled, and not enabled yet. */
const DISABLED = disabledDevice({ host: WEU });

async function fill({
  control,
  revisions,
  conditions,
  keptOut,
  disabledDevices,
  redactionKey,
}: State): Promise<void> {
  await redactionKey.get();
  await control.update((row) => ({
    ...withPause(withPause(row, { kind: 'hub', host: WEU }, PAUSE), { kind: 'policy', name: 'base' }, PAUSE),
    newestBuild: BUILD,
    generation: 4,
    changedAt: NOW,
    seen: { abc: { name: 'base', since: NOW, revision: REVISION, isStaged: true } },
    rollouts: {
      abc: {
        stage: { name: 'one', since: NOW },
        done: ['lab'],
        approvals: [{ ...PAUSE, stage: 'one' }],
        accepted: [],
      },
    },
  }));
  await revisions.keep('0123', FILE.replace('weu', 'neu'), '2026-11-24T00:00:00Z');
  await revisions.keep(REVISION, FILE, BUILD, { 'dtmi:com:example:Pump;1': ['{}'] }, 'ada@contoso.com');
  await conditions.setOverrides(WEU, {
    state: { value: 'cordoned', author: 'ada', reason: 'certificate', expiresAt: plus(NOW, 3_600_000) },
    weight: { value: 2.5, author: 'ada', reason: 'larger', expiresAt: plus(NOW, 7_200_000) },
  });
  await conditions.recordCauses(['drain|weu.azure-devices.net'], await conditions.read(NOW), NOW);
  await conditions.recordCount(WEU, 300, NOW);
  await keptOut.add('pump-7', 'ada', NOW);
  await disabledDevices.begin(DISABLED);
}

async function exported(scene = from): Promise<string> {
  const file = newFile();
  await berth(listen(scene.env).cli, 'state', 'export', '--out', file);
  return file;
}

const documentOf = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as StateExport;

/** The file with another content and a checksum that matches it. */
function forged(file: string, change: (document: StateExport) => object): string {
  const { sha256: _, ...content } = change(documentOf(file)) as StateExport;
  const name = newFile();
  writeFileSync(name, JSON.stringify({ ...content, sha256: sha256Hex(canonicalJson(content as JsonValue)) }));
  return name;
}

const importOf = (scene: Scene, file: string, ...flags: readonly string[]) =>
  berth(listen(scene.env).cli, 'state', 'import', file, ...flags);

async function everythingIn({ control, revisions, conditions, keptOut, disabledDevices }: State) {
  const { hubs, causes } = await conditions.read(NOW);
  return {
    control: await control.read(),
    lastGood: await revisions.lastGood(),
    earlier: await revisions.get('0123'),
    overrides: [...hubs].flatMap(([host, { overrides }]) =>
      overrides === undefined ? [] : [[host, overrides]],
    ),
    causes: [...causes],
    keptOut: [await keptOut.has('pump-7'), await keptOut.has('pump-8')],
    disabled: (await disabledDevices.list()).devices,
  };
}

describe('berth state export and import', () => {
  test('restore pauses, rollouts, approvals, fleet files, overrides, first-seen times, kept-out and disabled devices', async () => {
    const before = await everythingIn(from.state);
    const { cli, err, out } = listen(to.env);

    await berth(cli, 'state', 'import', await exported());

    expect(await everythingIn(to.state)).toEqual(before);
    expect(before.control).toMatchObject({ hubs: { [WEU]: PAUSE }, rollouts: { abc: { done: ['lab'] } } });
    expect(before.overrides).toHaveLength(1);
    expect(before.causes).toHaveLength(1);
    expect(before.keptOut).toEqual([true, false]);
    expect(before.disabled).toEqual([DISABLED]);
    expect(err()).toContain(
      'Written: 1 kept-out device, 2 fleet files, 1 control row, 1 note of the fleet file in force, 2 overrides of hubs, 1 first-seen time of a gradual move, 1 device disabled by a drain.\n',
    );
    expect(out()).toBe(
      ['weu', 'eus', 'sea']
        .map((name) => `berth resync --hub ${name}.azure-devices.net --reason "state imported"\n`)
        .join(''),
    );
  });

  test('leave out device counts and the redaction key, and say that the key is another one', async () => {
    const file = await exported();
    const key = Buffer.from(await from.state.redactionKey.get());
    const { cli, err } = listen(to.env);

    await berth(cli, 'state', 'import', file);

    const text = readFileSync(file, 'utf8');
    for (const form of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(key.toString(form));
    expect(text).not.toContain('300');
    expect(err()).toContain('The redaction key is another one than before');
    expect((await to.state.conditions.read(NOW)).hubs.get(WEU)?.devices).toBeUndefined();
  });

  test('write the same document to standard output, and count what is in it with --json', async () => {
    const plain = listen(from.env);
    await berth(plain.cli, 'state', 'export');
    const withJson = listen(from.env);
    const file = newFile();
    await berth(withJson.cli, 'state', 'export', '--out', file, '--json');

    expect(plain.out()).toBe(readFileSync(file, 'utf8'));
    expect(JSON.parse(withJson.out())).toEqual({
      file,
      documents: {
        keptOut: 1,
        control: 1,
        revisions: 2,
        revisionInForce: 1,
        overrides: 2,
        firstSeen: 1,
        disabledDevices: 1,
      },
      damaged: [],
    });
    await expect(berth(listen(from.env).cli, 'state', 'export', '--out', file)).rejects.toMatchObject({
      code: 'BERTH_FILE_UNREADABLE',
    });
  });

  test('export an empty state, and import it', async () => {
    const file = await exported(to);

    await importOf(to, file);

    expect(Object.values(documentOf(file).parts).flat()).toEqual([]);
  });

  test('name a damaged fleet file that is left out, and refuse a damaged control row', async () => {
    await from.tables.state.put('revisions', '0123', { format: 3, doc0: Buffer.from('x') });
    const { cli, err } = listen(from.env);

    await berth(cli, 'state', 'export');
    expect(err()).toContain('Not exported, because it is damaged: the row revisions/0123 of berthstate.');

    await from.tables.state.put('control', 'control', { format: 2, doc0: Buffer.from('x') });
    await expect(exported()).rejects.toMatchObject({ code: 'BERTH_STORE_UNAVAILABLE' });
  });

  test('refuse to export a document of a newer package', async () => {
    await from.tables.state.put('conditions', `override|state|${EUS}`, { format: 99 });

    await expect(exported()).rejects.toMatchObject({ code: 'BERTH_FORMAT_NEWER' });
  });
});

describe('berth state import', () => {
  test('run again changes nothing, and says so', async () => {
    const file = await exported();
    await importOf(to, file);
    const before = await rowsOf(to);
    const { cli, err } = listen(to.env);

    await berth(cli, 'state', 'import', file);

    expect(await rowsOf(to)).toEqual(before);
    expect(err()).not.toContain('Written');
    expect(err()).toContain(
      'Unchanged, because they are equal: 1 kept-out device, 2 fleet files, 1 control row',
    );
  });

  test('refuses tables that hold something else, names each difference, and writes nothing', async () => {
    const file = await exported();
    await to.state.control.update((row) => withPause(row, { kind: 'fleet' }, PAUSE));
    await to.state.conditions.setOverrides(EUS, {
      weight: { value: 3, author: 'bo', reason: 'x', expiresAt: plus(NOW, 1) },
    });
    await to.state.revisions.keep('ffff', FILE, '2026-11-20T00:00:00Z');
    const before = await rowsOf(to);

    await expect(importOf(to, file)).rejects.toMatchObject({
      code: 'BERTH_STATE_NOT_EMPTY',
      message: expect.stringContaining('add --replace: 1 control row, '),
      details: [
        { path: 'revisions.ffff', message: expect.stringContaining('would stay') },
        { path: 'control.control', message: expect.stringContaining('would be replaced') },
        { path: 'revisionInForce.last-good', message: expect.stringContaining('would be replaced') },
        { path: `overrides.override|weight|${EUS}`, message: expect.stringContaining('would be removed') },
      ],
    });
    expect(await rowsOf(to)).toEqual(before);
  });

  test('with --replace restores the exported state, keeps other fleet files and kept-out devices, and plans every twin again', async () => {
    const file = await exported();
    await to.state.control.update((row) => ({
      ...withPause(row, { kind: 'fleet' }, PAUSE),
      generation: 9,
      newestBuild: '2026-11-30T00:00:00Z',
    }));
    await to.state.conditions.setOverrides(EUS, {
      weight: { value: 3, author: 'bo', reason: 'x', expiresAt: plus(NOW, 1) },
    });
    await to.state.revisions.keep('ffff', FILE, '2026-11-20T00:00:00Z');
    await to.state.keptOut.add('pump-8', 'bo', NOW);

    await importOf(to, file, '--replace');
    const first = await everythingIn(to.state);
    await importOf(to, file, '--replace');

    expect(await everythingIn(to.state)).toEqual(first);
    expect(first.control).toEqual({
      ...(await from.state.control.read()),
      newestBuild: '2026-11-30T00:00:00Z',
      generation: 10,
      changedAt: NOW,
    } satisfies Control);
    expect(first.overrides.map(([host]) => host)).toEqual([WEU]);
    expect(first.keptOut).toEqual([true, true]);
    expect(await to.state.revisions.get('ffff')).toBeDefined();
  });

  test('with --replace keeps the record of a device that is disabled now, whatever the export says of it', async () => {
    await from.state.disabledDevices.change(DISABLED, { phase: 'lost' });
    const file = await exported();
    const present = disabledDevice({ host: WEU, etag: 'newer' });
    await to.state.disabledDevices.begin(present);

    await importOf(to, file, '--replace');

    expect((await to.state.disabledDevices.list()).devices).toEqual([present]);
    await to.state.disabledDevices.change(present, { phase: 'cameBack' });
    await importOf(to, file, '--replace');
    expect((await to.state.disabledDevices.list()).devices).toMatchObject([{ phase: 'lost' }]);
  });

  test('refuses the export of another stamp, unless it is told to take it', async () => {
    const file = await exported({ ...from, env: { ...from.env, BERTH_STAMP: 'eu' } });

    await expect(importOf(to, file)).rejects.toMatchObject({
      code: 'BERTH_STATE_OTHER_STAMP',
      message: expect.stringContaining('with the stamp "eu", and BERTH_STAMP names no stamp'),
    });
    const us = { ...to, env: { ...to.env, BERTH_STAMP: 'us' } };
    await expect(importOf(us, file)).rejects.toMatchObject({ code: 'BERTH_STATE_OTHER_STAMP' });
    expect(await rowsOf(to)).toEqual([]);
    expect(await importOf(us, file, '--other-stamp')).toBe(0);
  });

  test('stops if another writer changes a row after the plan, and finishes when it is run again', async () => {
    const read = readExport(documentOf(await exported()), 'state.json');
    const { exporter, control } = to.state;
    const plan = await exporter.plan(read, NOW);
    await control.update((row) => withPause(row, { kind: 'fleet' }, PAUSE));

    await expect(exporter.write(plan)).rejects.toMatchObject({ code: 'BERTH_STATE_CHANGED' });
    expect((await control.read()).fleet).toEqual(PAUSE);
    await exporter.write(await exporter.plan(read, NOW));

    expect((await control.read()).fleet).toBeUndefined();
    expect((await to.state.revisions.lastGood())?.text).toBe(FILE);
  });

  test.each<[string, (document: StateExport) => object, string]>([
    ['a newer version', (document) => ({ ...document, version: 2 }), 'BERTH_FORMAT_NEWER'],
    [
      'a newer document',
      (document) => withControl(document, ({ format, ...row }) => ({ ...row, format: format + 1 })),
      'BERTH_FORMAT_NEWER',
    ],
    [
      'a part that this package does not know',
      (document) => ({ ...document, parts: { ...document.parts, later: [] } }),
      'BERTH_FORMAT_NEWER',
    ],
    ['another kind of file', (document) => ({ ...document, format: 'x' }), 'BERTH_EXPORT_INVALID'],
    ['no parts', ({ parts: _, ...document }) => document, 'BERTH_EXPORT_INVALID'],
    [
      'a damaged document',
      (document) => withControl(document, (row) => ({ ...row, document: { hubs: [] } })),
      'BERTH_EXPORT_INVALID',
    ],
    [
      'a document without a format',
      (document) => withControl(document, ({ format: _, ...row }) => row),
      'BERTH_EXPORT_INVALID',
    ],
    [
      'a key that is not of its part',
      (document) => withControl(document, (row) => ({ ...row, key: 'other' })),
      'BERTH_EXPORT_INVALID',
    ],
    [
      'a document twice',
      (document) => ({
        ...document,
        parts: {
          ...document.parts,
          control: [...(document.parts.control ?? []), ...(document.parts.control ?? [])],
        },
      }),
      'BERTH_EXPORT_INVALID',
    ],
  ])('refuses a file with %s, and writes nothing', async (_, change, code) => {
    await expect(importOf(to, forged(await exported(), change))).rejects.toMatchObject({ code });
    expect(await rowsOf(to)).toEqual([]);
  });

  test('refuses a file that was changed or cut off after the export', async () => {
    const text = readFileSync(await exported(), 'utf8');
    const [changed, cut, list] = [newFile(), newFile(), newFile()];
    writeFileSync(changed, text.replace('devices reboot', 'devices rebooT'));
    writeFileSync(cut, text.slice(0, -100));
    writeFileSync(list, '[]');

    await expect(importOf(to, changed)).rejects.toMatchObject({
      code: 'BERTH_EXPORT_INVALID',
      message: expect.stringContaining('its checksum does not match'),
    });
    await expect(importOf(to, cut)).rejects.toMatchObject({ code: 'BERTH_FILE_UNREADABLE' });
    await expect(importOf(to, list)).rejects.toMatchObject({ code: 'BERTH_EXPORT_INVALID' });
    expect(await rowsOf(to)).toEqual([]);
  });

  test('takes the export of an older package, and upgrades its documents', async () => {
    const old = stateExport({
      exportedAt: '2026-11-01T00:00:00.000Z',
      from: 'old',
      stamp: null,
      redactionKey: null,
      parts: { control: [{ key: 'control', format: 1, document: { fleet: PAUSE } as unknown as JsonValue }] },
    });
    const file = newFile();
    writeFileSync(file, exportText(old));

    await importOf(to, file);

    const row = await to.tables.state.get('control', 'control');
    expect(row?.properties.format).toBe(presentFormat(CONTROL_FORMAT));
    expect((await to.state.control.read()).fleet).toEqual(PAUSE);
  });
});

function withControl(document: StateExport, change: (row: ExportedDocument) => object): object {
  const rows = document.parts.control ?? [];
  return { ...document, parts: { ...document.parts, control: rows.map((row) => change(row)) } };
}

/** Every row that an import may write, with its etag. */
async function rowsOf({ tables: { state } }: Scene) {
  const partitions = ['kept-out', 'control', 'revisions', 'conditions'];
  return (await Promise.all(partitions.map((partitionKey) => state.list({ partitionKey })))).flat();
}
