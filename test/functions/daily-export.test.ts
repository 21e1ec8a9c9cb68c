import { writeFileSync } from 'node:fs';
import { HttpRequest, InvocationContext } from '@azure/functions';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { withPause } from '../../src/control/pauses.ts';
import { BerthError } from '../../src/errors.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { readExport } from '../../src/store/export/state-export.ts';
import { berth, listen } from '../cli/terminals.ts';
import { FunctionApp } from '../support/function-app.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* The daily export of `resyncFleet`, into blobs of Azurite. */

const HOUR_MS = 60 * 60_000;

let app: FunctionApp;
let exports: string;
beforeEach(async () => {
  app = await FunctionApp.open();
  exports = await storageAccount();
});
afterEach(() => app.close());

async function blobs(account = exports): Promise<readonly string[]> {
  const container = BlobServiceClient.fromConnectionString(account).getContainerClient('berth-exports');
  const names: string[] = [];
  if (await container.exists()) for await (const { name } of container.listBlobsFlat()) names.push(name);
  return names;
}

async function textOf(name: string): Promise<string> {
  const container = BlobServiceClient.fromConnectionString(exports).getContainerClient('berth-exports');
  return (await container.getBlobClient(name).downloadToBuffer()).toString('utf8');
}

async function exportIn(instance: Instance) {
  const request = new HttpRequest({ url: 'http://localhost/api/fleet', method: 'GET' });
  const context = new InvocationContext({ functionName: 'fleetStatus', logHandler: () => {} });
  const { body } = await fleetStatus(instance)(request, context);
  return JSON.parse(String(body)).stateExport;
}

test('the state is exported once a day as a new blob, which can be imported', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports, BERTH_STAMP: 'eu' });
  const pause = { author: 'ada', reason: 'devices reboot', at: app.now };
  await instance.stores.control.update((row) => withPause(row, { kind: 'fleet' }, pause));

  await app.resync(instance);
  await app.resync(instance);
  app.pass(24 * HOUR_MS);
  await app.resync(instance);

  const day = (offset: number) => new Date(app.now - offset * 24 * HOUR_MS).toISOString().slice(0, 10);
  const names = await blobs();
  expect(names.map((name) => name.slice(0, 13))).toEqual([`eu/${day(1)}`, `eu/${day(0)}`]);
  const [first = ''] = names;
  const read = readExport(JSON.parse(await textOf(first)), first);
  expect(read).toMatchObject({ stamp: 'eu', parts: { control: [{ document: { fleet: pause } }] } });
});

test('the fleet status says when the last export was made, and how large it is', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports });
  expect(await exportIn(instance)).toMatchObject({ lastAt: null, blob: null, failedAt: null });

  await app.resync(instance);

  const [name = ''] = await blobs();
  expect(await exportIn(instance)).toEqual({
    lastAt: new Date(app.now).toISOString(),
    blob: name,
    bytes: Buffer.byteLength(await textOf(name)),
    damaged: 0,
    failedAt: null,
    why: null,
  });
});

test('without a setting of its own, the export goes to the account whose connection string the state has', async () => {
  await app.resync(app.instance());

  expect(await blobs(app.env.AzureWebJobsStorage)).toHaveLength(1);
});

test('a failed export is logged, shown, and tried again after an hour; the last one stays', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports });
  await app.resync(instance);
  const before = await exportIn(instance);
  app.pass(24 * HOUR_MS);
  const broken = app.instance({
    BERTH_EXPORTS: exports.replace(/BlobEndpoint=[^;]+/, 'BlobEndpoint=http://127.0.0.1:1/x'),
  });

  const lines = await app.resync(broken);
  const quiet = await app.resync(broken);

  const failure = { event: 'stateExportFailed', code: 'BERTH_EXPORT_FAILED' };
  expect(lines).toContainEqual(expect.objectContaining(failure));
  expect(quiet).not.toContainEqual(expect.objectContaining(failure));
  expect(await exportIn(broken)).toEqual({
    ...before,
    failedAt: new Date(app.now).toISOString(),
    why: expect.stringContaining('127.0.0.1:1 (ECONNREFUSED)'),
  });
  expect(JSON.stringify(lines)).not.toMatch(/AccountKey|SharedKey/);
  app.pass(HOUR_MS);
  await app.resync(instance);
  expect(await exportIn(instance)).toMatchObject({ failedAt: null, why: null });
  expect(await blobs()).toHaveLength(2);
});

test('a wrong key and a wrong address are failures with a code', async () => {
  const [key] = /AccountKey=[^;]+/.exec(exports) ?? [];
  const wrongKey = exports.replace(String(key), 'AccountKey=d3Jvbmc=');

  expect(await app.resync(app.instance({ BERTH_EXPORTS: wrongKey }))).toContainEqual(
    expect.objectContaining({ code: 'BERTH_EXPORT_FAILED', message: expect.stringContaining('(403 ') }),
  );
  app.pass(HOUR_MS);
  expect(
    await app.resync(app.instance({ BERTH_EXPORTS__blobServiceUri: 'http://example.com' })),
  ).toContainEqual(expect.objectContaining({ code: 'BERTH_EXPORT_FAILED', cause: 'BERTH_SETTING_INVALID' }));
});

test('an instance of an older package exports nothing', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports });
  await instance.stores.control.update((row) => ({ ...row, newestBuild: '2027-01-01T00:00:00Z' }));

  await app.resync(instance);

  expect(await blobs()).toEqual([]);
});

test('a daily export is a file for berth state import', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports });
  await instance.fleet.synchronise();
  await app.resync(instance);
  const [name = ''] = await blobs();
  const file = `${temporaryFolder('daily')}/state.json`;
  writeFileSync(file, await textOf(name));
  const { cli, out } = listen({ AzureWebJobsStorage: await storageAccount() });

  await berth(cli, 'state', 'import', file);

  expect(out()).toBe(`berth resync --hub ${app.host} --reason "state imported"\n`);
});

test('the state is exported, although counts of twins cannot be stored, and the run says so', async () => {
  const instance = app.instance({ BERTH_EXPORTS: exports });
  const tooLarge = new BerthError('BERTH_STORE_UNAVAILABLE', 'a row is too large');
  const counting = jest.spyOn(instance.stores.twinCounts, 'count').mockRejectedValue(tooLarge);
  const recording = jest.spyOn(instance.stores.series, 'record').mockRejectedValue(new TypeError('a defect'));

  await expect(app.resync(instance)).rejects.toBe(tooLarge);

  expect(await blobs()).toHaveLength(1);
  counting.mockRestore();
  recording.mockRestore();
});
