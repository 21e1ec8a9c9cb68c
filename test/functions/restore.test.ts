import { writeFileSync } from 'node:fs';
import { TableServiceClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Instance } from '../../src/instance/instance.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import { TABLES } from '../../src/store/tables/tables.ts';
import { berth, listen } from '../cli/terminals.ts';
import { eventually } from '../support/eventually.ts';
import { FunctionApp } from '../support/function-app.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* The restore drill of docs/operations.md: the state is lost and restored, with real functions, tables, blobs and hubs. */

const MINUTE_MS = 60_000;
const LOG = { name: 'log', desired: { level: 1 } };
const OLD = { name: 'base', desired: { interval: 5 } };
const STAGED = {
  name: 'base',
  desired: { interval: 60 },
  rollout: {
    stages: [
      { name: 'lab', where: "tags.ring == 'lab'", atLeast: '30d' },
      { name: 'all', share: 1, approve: true },
    ],
  },
};
const DEVICES = ['lab-1', 'pump-1', 'pump-2'];

let app: FunctionApp;
beforeEach(async () => {
  app = await FunctionApp.open({ policies: [OLD, LOG], hubs: [{}, {}] });
});
afterEach(() => app.close());

/** An instance of the package with the present fleet file, after it has announced itself. */
async function start(): Promise<Instance> {
  const instance = app.instance();
  instance.start();
  await instance.fleet.synchronise();
  await announced(instance);
  return instance;
}

async function announced(instance: Instance): Promise<void> {
  const { policies } = instance.fleet.current().twins;
  await eventually(async () => {
    const { seen } = await instance.stores.control.read();
    return policies.every(({ hash }) => seen[hash] !== undefined);
  });
}

async function run(instance: Instance, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    app.pass(MINUTE_MS + 1_000);
    await app.resync(instance);
    await app.deliver(instance);
  }
}

const command = async (...argv: readonly string[]) => {
  const { cli, out } = listen(app.env, app.clock.now);
  expect(await berth(cli, ...argv)).toBe(0);
  return out();
};

const desired = (deviceId: string, name: string, host?: HostName) => {
  const properties = app.hub(host).twin(deviceId)?.properties as { desired: Record<string, unknown> };
  return properties.desired[name];
};
const levels = () => DEVICES.map((deviceId) => desired(deviceId, 'level'));
const intervals = () => DEVICES.map((deviceId) => desired(deviceId, 'interval'));

/** What people made, without the members that each import and each package may change. */
async function madeByPeople({ stores }: Instance) {
  const { newestBuild: _, generation: __, changedAt: ___, ...control } = await stores.control.read();
  const { hubs, causes } = await stores.conditions.read(app.now);
  const overrides = [...hubs].flatMap(([host, each]) => (each.overrides ? [[host, each.overrides]] : []));
  return { control, overrides, causes: [...causes], isKeptOut: await stores.keptOut.has('secret-1') };
}

async function lose(): Promise<void> {
  const service = TableServiceClient.fromConnectionString(app.env.AzureWebJobsStorage, {
    allowInsecureConnection: true,
  });
  for (const table of Object.values(TABLES)) await service.deleteTable(table);
}

/** The newest daily export, as a file. */
async function newestExport(): Promise<string> {
  const container = BlobServiceClient.fromConnectionString(app.env.AzureWebJobsStorage).getContainerClient(
    'berth-exports',
  );
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat()) names.push(name);
  const newest = container.getBlobClient(names.sort().at(-1) ?? '');
  const file = `${temporaryFolder('restore')}/state.json`;
  writeFileSync(file, await newest.downloadToBuffer());
  return file;
}

/** A fleet in the middle of a rollout, with a paused policy, a paused hub, an override and a kept-out device. */
async function fleetInUse(): Promise<Instance> {
  const [, other] = app.hosts;
  const first = await start();
  for (const deviceId of DEVICES) app.create(deviceId, { interval: 99, level: 9 });
  app.create('far-1', { interval: 99, level: 9 }, other);
  app.hub().edit('lab-1', { tags: { ring: 'lab' } }, 'portal');
  await app.deliver(first);
  await run(first, 1);
  app.writeFleet([STAGED, LOG]);
  const second = await start();
  await run(second, 3);
  expect([intervals(), levels()]).toEqual([
    [60, 5, 5],
    [1, 1, 1],
  ]);

  await command('pause', '--policy', 'log', '--reason', 'sensor reads low');
  await command('pause', '--hub', String(other), '--reason', 'portal import');
  await command('hub', 'set', app.host, '--weight', '2', '--reason', 'larger', '--expires', '30d');
  await second.stores.keptOut.add('secret-1', 'ada', app.now);
  // Every instance knows of a pause after 30 s.
  app.pass(MINUTE_MS);
  app.hub().edit('pump-2', { properties: { desired: { level: 7 } } }, 'portal');
  await app.deliver(second);
  // The next day, the export holds all of this.
  app.pass(24 * 60 * MINUTE_MS);
  await run(second, 1);
  return second;
}

test('after a loss of all tables, the newest export and one resync of each hub bring everything back', async () => {
  const before = await fleetInUse();
  const people = await madeByPeople(before);
  const counted = (await before.stores.twinCounts.of(app.host)).statuses;
  expect(people.control).toMatchObject({
    policies: { log: { reason: 'sensor reads low' } },
    hubs: { [String(app.hosts[1])]: { reason: 'portal import' } },
  });
  const file = await newestExport();
  await app.end(before);
  await lose();

  const commands = await command('state', 'import', file);
  const after = await start();
  for (const line of commands.trim().split('\n')) {
    const [, ...argv] = line.replaceAll('"', '').split(/ (?!imported)/);
    await command(...argv);
  }
  app.calls.length = 0;
  await run(after, 3);

  expect(await madeByPeople(after)).toEqual(people);
  expect((await after.stores.twinCounts.of(app.host)).statuses).toEqual(counted);
  // Nothing was written: the stage keeps its devices, and the paused policy keeps the edited value.
  expect(app.patches()).toBe(0);
  expect([intervals(), levels()]).toEqual([
    [60, 5, 5],
    [1, 1, 7],
  ]);
  app.hub().edit('pump-1', { properties: { desired: { interval: 8 } } }, 'portal');
  await app.deliver(after);
  await command('resume', '--policy', 'log', '--reason', 'ok');
  await command('resume', '--hub', String(app.hosts[1]), '--reason', 'ok');
  await run(after, 3);

  expect([intervals(), levels()]).toEqual([
    [60, 5, 5],
    [1, 1, 1],
  ]);
  expect((await after.stores.twins.load(app.id('far-1', undefined, app.hosts[1]))).known.kind).toBe(
    'snapshot',
  );
});

test('an app that runs during the loss and the import announces its package again, and goes on', async () => {
  const instance = await start();
  await command('pause', '--policy', 'log', '--reason', 'sensor reads low');
  await run(instance, 1);
  const people = await madeByPeople(instance);
  const file = await newestExport();
  await lose();

  await command('state', 'import', file);
  expect(await madeByPeople(instance)).toEqual(people);
  // As after the import of an export that is older than the package.
  await instance.stores.control.update((row) => ({ ...row, seen: {} }));
  app.pass(MINUTE_MS);
  // As the timer of the instance does every 20 s.
  instance.start();
  await announced(instance);
  await command('state', 'import', file, '--replace');
  await run(instance, 1);

  expect(await madeByPeople(instance)).toEqual(people);
});

test('an app that runs while an export of another fleet file is imported announces its own file again', async () => {
  await start();
  app.writeFleet([STAGED, LOG]);
  app.pass(MINUTE_MS);
  await run(await start(), 1);
  const file = await newestExport();
  app.writeFleet([OLD, LOG]);
  app.pass(MINUTE_MS);
  const instance = await start();
  const [policy] = instance.fleet.current().twins.policies;
  const leftAt = async () => (await instance.stores.control.read()).seen[policy?.hash ?? '']?.leftAt;
  await eventually(async () => (await leftAt()) === undefined);
  app.pass(MINUTE_MS);

  await command('state', 'import', file, '--replace');
  expect(await leftAt()).toBeDefined();
  app.pass(MINUTE_MS);
  // As the timer of the instance does every 20 s.
  instance.start();

  await eventually(async () => (await leftAt()) === undefined);
});
