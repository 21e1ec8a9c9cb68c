import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ReadyMessage } from '../../local/function-host/main.ts';
import { RevisionStore } from '../../src/store/revisions.ts';
import { openTables } from '../../src/store/tables.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { type Azurite, startAzurite } from '../azurite.ts';
import { type Bundles, buildBundles } from './bundles.ts';

const KEYS = { FUNCTION_HOST_FUNCTION_KEY: 'f-key', FUNCTION_HOST_MASTER_KEY: 'm-key' };
const GOOD = { hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }] };

let bundles: Bundles;
let azurite: Azurite;
let app: string;
let host: ChildProcess | undefined;
beforeAll(async () => {
  bundles = buildBundles();
  azurite = await startAzurite();
}, 60_000);
afterEach(async () => {
  host?.kill('SIGKILL');
  if (host?.exitCode === null && host.signalCode === null) await once(host, 'exit');
  rmSync(app, { recursive: true, force: true });
});
afterAll(async () => {
  await azurite.close();
  bundles.remove();
});

/**
 * What is deployed and nothing else: the bundle, host.json, package.json and the fleet file, in an empty
 * folder.
 */
async function serve(fleet: string | undefined, env: Readonly<Record<string, string>> = {}): Promise<string> {
  app = mkdtempSync(join(tmpdir(), 'berth-package-'));
  mkdirSync(join(app, 'dist'));
  copyFileSync(join(bundles.directory, 'functions.cjs'), join(app, 'dist', 'functions.cjs'));
  for (const file of ['host.json', 'package.json']) copyFileSync(file, join(app, file));
  if (fleet !== undefined) writeFileSync(join(app, 'fleet.json'), fleet);
  host = fork(join(bundles.directory, 'function-host.cjs'), ['--app', app, '--port', '0'], {
    env: { PATH: process.env.PATH, AzureWebJobsStorage: azurite.connectionString, ...KEYS, ...env },
    silent: true,
  });
  const [ready] = (await once(host, 'message')) as [ReadyMessage];
  return `http://127.0.0.1:${ready.port}/api`;
}

const post = (url: string, body: string) =>
  fetch(url, {
    method: 'POST',
    headers: { 'x-functions-key': 'f-key', 'content-type': 'application/json' },
    body,
  });
const get = (url: string) => fetch(url, { headers: { 'x-functions-key': 'f-key' } });
const REQUEST = JSON.stringify({ ...CAPTURED, enrollmentGroup: { enrollmentGroupId: 'g' } });

describe('the deployed package', () => {
  test('serves every route from an empty folder', async () => {
    const api = await serve(JSON.stringify(GOOD));

    const answer = await post(`${api}/allocate`, REQUEST);

    expect([answer.status, await answer.json()]).toEqual([200, { iotHubHostName: 'weu.azure-devices.net' }]);
    expect((await post(`${api}/explain`, REQUEST)).status).toBe(200);
    expect((await get(`${api}/fleet`)).status).toBe(200);
    expect((await get(`${api}/devices/nobody`)).status).toBe(404);
    expect((await get(`${api}/health`)).status).toBe(200);
  }, 60_000);

  test('wants its key, as DPS sends it, for everything but health', async () => {
    const api = await serve(JSON.stringify(GOOD));

    expect((await fetch(`${api}/allocate?code=f-key`, { method: 'POST', body: REQUEST })).status).toBe(200);
    expect((await fetch(`${api}/allocate`, { method: 'POST', body: REQUEST })).status).toBe(401);
    expect((await fetch(`${api}/fleet`)).status).toBe(401);
    expect((await fetch(`${api}/devices/d`)).status).toBe(401);
    expect((await fetch(`${api}/health`)).status).toBe(200);
  }, 60_000);

  test.each<[string, string | undefined]>([
    ['is broken', '{"hubs":[{"host":"weu"}]}'],
    ['is no JSON', '{'],
    ['is missing', undefined],
  ])(
    'never loses a route where the fleet file %s',
    async (_, fleet) => {
      const fresh = azurite.connectionString.replace(
        /TableEndpoint=[^;]+/,
        'TableEndpoint=http://127.0.0.1:9/devstoreaccount1',
      );
      const api = await serve(fleet, { AzureWebJobsStorage: fresh });

      const answer = await post(`${api}/allocate`, REQUEST);

      expect([answer.status, await answer.json()]).toMatchObject([
        503,
        { error: { code: 'BERTH_FLEET_INVALID' } },
      ]);
      expect((await post(`${api}/explain`, REQUEST)).status).toBe(503);
      expect((await get(`${api}/fleet`)).status).toBe(503);
      expect((await get(`${api}/devices/d`)).status).toBe(503);
      expect(await (await get(`${api}/health`)).json()).toEqual({ ready: false });
    },
    60_000,
  );

  test('runs the last good fleet file where the new one is broken, and says that it is not ready', async () => {
    const store = new RevisionStore(
      openTables({ kind: 'connectionString', connectionString: azurite.connectionString }).state,
    );
    await serve(JSON.stringify(GOOD));
    while ((await store.lastGood()) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    const revisions = async (api: string) => (await get(`${api}/fleet`)).status;
    host?.kill('SIGKILL');
    const api = await serve('{"hubs":[]}');
    // The last good one comes from the state tables, a moment after the start.
    while ((await revisions(api)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));

    expect((await post(`${api}/allocate`, REQUEST)).status).toBe(200);
    expect((await get(`${api}/health`)).status).toBe(503);
  }, 60_000);
});
