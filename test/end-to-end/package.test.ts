import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import type { ReadyMessage } from '../../local/function-host/main.ts';
import { RevisionStore } from '../../src/store/state/revisions.ts';
import { openTables } from '../../src/store/tables/tables.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { eventually } from '../support/eventually.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';

const KEYS = { FUNCTION_HOST_FUNCTION_KEY: 'f-key', FUNCTION_HOST_MASTER_KEY: 'm-key' };
const GOOD = { hubs: [{ host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' }] };

let bundles: Bundles;
let storage: string;
/** What `npm run package` has written: a folder, and a zip file beside it. */
let built: string;
let host: ChildProcess | undefined;
beforeAll(async () => {
  bundles = await copyBundles();
  built = join(temporaryFolder('built'), 'package');
  execFileSync('npm', ['run', '--silent', 'package', '--', '--out', built], { stdio: 'ignore' });
  storage = await storageAccount();
});
afterEach(async () => {
  host?.kill('SIGKILL');
  if (host?.exitCode === null && host.signalCode === null) await once(host, 'exit');
});
afterAll(() => bundles.remove());

/** What is deployed and nothing else, in a folder far from any node_modules. */
async function serve(
  fleet: string | undefined | 'as packaged',
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const app = temporaryFolder('package');
  cpSync(built, app, { recursive: true });
  if (fleet === undefined) rmSync(join(app, 'fleet.json'));
  else if (fleet !== 'as packaged') writeFileSync(join(app, 'fleet.json'), fleet);
  host = fork(join(bundles.directory, 'function-host.cjs'), ['--app', app, '--port', '0'], {
    env: { PATH: process.env.PATH, AzureWebJobsStorage: storage, ...KEYS, ...env },
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

/** What the fleet page says of builds. */
interface Running {
  readonly build: { readonly running: string; readonly newest: string | null };
}

/** What the package says of itself. */
const manifest = () =>
  JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')) as {
    readonly main: string;
    readonly berth: { readonly build: string };
  };
const packaged = () =>
  readdirSync(built, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

const OTHER_FILES = [
  'dist/checked-fleet.json',
  ...['console.css', 'console.js', 'icon.svg', 'index.html'].map((file) => `dist/console/${file}`),
  'dist/functions.cjs',
  'dist/functions.cjs.map',
  'dist/openapi.json',
  'fleet.json',
  'host.json',
  'package.json',
];

/** Where the code of the functions is that is loaded later. The names have the hash of the contents. */
const CHUNK = /^dist\/functions\/[A-Za-z-]+-[A-Z0-9]{8}\.cjs(\.map)?$/;

describe('the output of npm run package', () => {
  test('the package consists of the functions, their source maps, their document, the console, and four small files', () => {
    const files = packaged().map((file) => join(file.parentPath, file.name).slice(built.length + 1));

    expect(files.filter((file) => !CHUNK.test(file)).sort()).toEqual(OTHER_FILES);
    expect(files.filter((file) => CHUNK.test(file)).length).toBeGreaterThan(5);
    expect(files).toContain(manifest().main);
    for (const file of ['host.json', 'fleet.json']) {
      expect(readFileSync(join(built, file))).toEqual(readFileSync(file));
    }
  });

  test('the package needs no npm packages, and states the same build time as its code', () => {
    expect(Object.keys(manifest()).sort()).toEqual([
      'berth',
      'engines',
      'main',
      'name',
      'private',
      'version',
    ]);
    expect(Math.abs(Date.now() - Date.parse(manifest().berth.build))).toBeLessThan(10 * 60_000);
    expect(readFileSync(join(built, 'dist/functions.cjs'), 'utf8')).toContain(manifest().berth.build);
  });

  test('the package is the same wherever it is built, except for the time', () => {
    const elsewhere = join(temporaryFolder('elsewhere'), 'other');
    execFileSync('npm', ['run', '--silent', 'package', '--', '--out', elsewhere], { stdio: 'ignore' });
    const timeless = (folder: string, file: string) =>
      readFileSync(join(folder, file), 'utf8').replaceAll(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'T');

    const files = packaged().map((file) => join(file.parentPath, file.name).slice(built.length + 1));
    for (const file of files) {
      expect([file, timeless(elsewhere, file) === timeless(built, file)]).toEqual([file, true]);
    }
  });

  test('the package does not contain the path where it was built', () => {
    for (const file of packaged()) {
      const text = readFileSync(join(file.parentPath, file.name), 'utf8');
      for (const place of [process.cwd(), homedir(), tmpdir(), built]) {
        // A path such as `/` occurs in the text for other reasons.
        if (place.length > 1) expect([file.name, text.includes(`${place}/`)]).toEqual([file.name, false]);
      }
    }
  });

  test('the package is small, and a cold start reads little of it', () => {
    const kilobytes = (file: string) => statSync(file).size / 1_000;

    expect(kilobytes(join(built, 'dist/functions.cjs'))).toBeGreaterThan(50);
    expect(kilobytes(join(built, 'dist/functions.cjs'))).toBeLessThan(120);
    expect(kilobytes(`${built}.zip`)).toBeLessThan(800);
  });

  test('the package has every function of lodash that the registry of IoT Hub calls', () => {
    const folder = 'node_modules/azure-iothub/dist';
    const calls = ['device.js', 'registry.js', 'twin.js'].flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/\b_\.(\w+)\(/g)].map(([, name]) => name),
    );
    const part = readFileSync('scripts/build/parts/lodash.cjs', 'utf8');

    expect([...new Set(calls)].sort()).toEqual(
      [...part.matchAll(/^exports\.(\w+)/gm)].map(([, name]) => name).sort(),
    );
  });

  test('the zip file contains the same package, with host.json at its root', () => {
    const zip = unzipSync(readFileSync(`${built}.zip`));

    expect(
      Object.keys(zip)
        .filter((file) => !CHUNK.test(file))
        .sort(),
    ).toEqual(OTHER_FILES);
    expect(Object.keys(zip)).toHaveLength(packaged().length);
    for (const [file, bytes] of Object.entries(zip)) {
      expect([file, strFromU8(bytes) === readFileSync(join(built, file), 'utf8')]).toEqual([file, true]);
    }
  });
});

/** `smoke.sh` as the pipeline runs it, with an `az` that knows one key; its answer and all that it has said. */
function smoke(
  api: string,
  archive: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const tools = temporaryFolder('tools');
  writeFileSync(join(tools, 'az'), '#!/bin/sh\necho f-key\n', { mode: 0o755 });
  const settings = {
    PATH: `${tools}:${process.env.PATH}`,
    BERTH_URL: api,
    AZURE_RESOURCE_GROUP: 'rg',
    BERTH_APP: 'app',
  };
  return new Promise((resolve) => {
    execFile(
      'bash',
      ['scripts/deploy/smoke.sh', archive],
      { env: { ...settings, ...env } },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    );
  });
}

/** The package as if it had been built at another time; its code does not know. */
function builtAt(build: string): string {
  const zip = unzipSync(readFileSync(`${built}.zip`), { filter: ({ name }) => !name.startsWith('dist/') });
  const file = join(built, '..', `${build}.zip`);
  writeFileSync(
    file,
    zipSync({ ...zip, 'package.json': strToU8(JSON.stringify({ ...manifest(), berth: { build } })) }),
  );
  return file;
}

describe('the smoke test of a deployment', () => {
  test('accepts the package that it expects, and does not print the key', async () => {
    const api = await serve('as packaged');

    const { code, out, err } = await smoke(api, `${built}.zip`, { GITHUB_ACTIONS: 'true' });

    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        new RegExp(
          `^The build ${manifest().berth.build} answers with the fleet file [0-9a-f]{12}; .* assigned\\.$`,
          'm',
        ),
      ),
    ]);
    expect(out).not.toContain('f-key');
    expect(err).toBe('::add-mask::f-key\n::add-mask::f-key\n');
  });

  test('fails while another build answers', async () => {
    const api = await serve('as packaged');

    const { code, err } = await smoke(api, builtAt('2999-01-01T00:00:00.000Z'), { SMOKE_MINUTES: '0' });

    expect([code, err]).toEqual([
      1,
      `The build 2999-01-01T00:00:00.000Z does not answer: the build ${manifest().berth.build} answers GET /api/fleet.\n`,
    ]);
  });

  test('stops waiting for a package that has been replaced by a newer one', async () => {
    const api = await serve('as packaged');
    await eventually(async () => ((await (await get(`${api}/fleet`)).json()) as Running).build.newest);

    const { code, err } = await smoke(api, builtAt('2020-01-01T00:00:00.000Z'));

    expect([code, err]).toEqual([
      1,
      `A package that was built at ${manifest().berth.build} has run here. The package of 2020-01-01T00:00:00.000Z is older, and its instances would not write to twins. Build the package again.\n`,
    ]);
  });

  test('fails if the fleet file has problems', async () => {
    const api = await serve('{"hubs":[]}');

    const { code, err } = await smoke(api, `${built}.zip`, { SMOKE_MINUTES: '0' });

    expect([code, err]).toEqual([
      1,
      'The app is not ready: GET /api/health answers 503, its fleet file has problems.\n',
    ]);
  });

  test('fails if it cannot read the key', async () => {
    const api = await serve('as packaged');

    const { code, err } = await smoke(api, `${built}.zip`, { BERTH_APP: '' });

    expect([code, err]).toEqual([1, 'BERTH_APP is not set. docs/deploy.md describes it.\n']);
  });
});

describe('the deployed package', () => {
  test('starts, becomes ready, and names the build that answers', async () => {
    const api = await serve('as packaged');

    expect(await (await get(`${api}/health`)).json()).toEqual({ ready: true });
    const fleet = (await (await get(`${api}/fleet`)).json()) as Running;
    expect(fleet.build.running).toBe(manifest().berth.build);
  });

  test('serves every route from an empty folder', async () => {
    const api = await serve(JSON.stringify(GOOD));

    const answer = await post(`${api}/allocate`, REQUEST);

    expect([answer.status, await answer.json()]).toEqual([200, { iotHubHostName: 'weu.azure-devices.net' }]);
    expect((await post(`${api}/explain`, REQUEST)).status).toBe(200);
    expect((await get(`${api}/fleet`)).status).toBe(200);
    expect((await get(`${api}/devices/nobody`)).status).toBe(404);
    expect((await get(`${api}/health`)).status).toBe(200);
  });

  test('requires its key, in the form that DPS sends it, for every route except health', async () => {
    const api = await serve(JSON.stringify(GOOD));

    expect((await fetch(`${api}/allocate?code=f-key`, { method: 'POST', body: REQUEST })).status).toBe(200);
    expect((await fetch(`${api}/allocate`, { method: 'POST', body: REQUEST })).status).toBe(401);
    expect((await fetch(`${api}/fleet`)).status).toBe(401);
    expect((await fetch(`${api}/devices/d`)).status).toBe(401);
    expect((await fetch(`${api}/health`)).status).toBe(200);
  });

  test.each<[string, string | undefined]>([
    ['is broken', '{"hubs":[{"host":"weu"}]}'],
    ['is not JSON', '{'],
    ['is missing', undefined],
  ])('keeps every route where the fleet file %s', async (_, fleet) => {
    const fresh = storage.replace(/TableEndpoint=[^;]+/, 'TableEndpoint=http://127.0.0.1:9/devstoreaccount1');
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
  });

  test('uses the last good fleet file where the new one is broken, and reports that it is not ready', async () => {
    const store = new RevisionStore(
      openTables({ kind: 'connectionString', connectionString: storage }).state,
    );
    await serve(JSON.stringify(GOOD));
    // Other tests have stored other files.
    await eventually(async () => (await store.lastGood())?.text === JSON.stringify(GOOD));
    const revisions = async (api: string) => (await get(`${api}/fleet`)).status;
    host?.kill('SIGKILL');
    const api = await serve('{"hubs":[]}');
    // The last good one comes from the state tables, a moment after the start.
    await eventually(async () => (await revisions(api)) === 200);

    expect((await post(`${api}/allocate`, REQUEST)).status).toBe(200);
    expect((await get(`${api}/health`)).status).toBe(503);
  });
});
