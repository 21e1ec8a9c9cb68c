import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlApi, commandRunner, EventFeed, startControlApi } from '../../local/control-api/index.ts';
import { createDps, type Dps } from '../../local/dps/index.ts';
import { type EventHubs, startEventHubs } from '../../local/event-hubs/index.ts';
import { createIotHubs, type IotHubs } from '../../local/iot-hub/index.ts';
import { FUNCTION_KEYS } from '../../local/keys.ts';
import { Watchers } from '../../local/monitor/watchers.ts';
import { DEFAULT_PORTS } from '../../local/options.ts';
import { berthCatalog } from '../../src/cli/berth.ts';
import type { CatalogCommand } from '../../src/cli/shell/catalog.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* What the console needs of the control API: its files, the functions, what happens, and commands. */

const WEU = 'weu.azure-devices.net';
const KEY = 'a2V5a2V5a2V5a2V5a2V5a2V5a2V5';

/** What came to the functions. */
interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let eventHubs: EventHubs;
let hubs: IotHubs;
let dps: Dps;
let api: ControlApi;
let functions: Server;
let functionsPort: number;
let feed: EventFeed;
let commands: string[][];
const seen: Seen[] = [];

beforeAll(async () => {
  functions = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ method: request.method, url: request.url, headers: request.headers, body });
    const isKnown = request.headers['if-none-match'] === '"t"';
    response
      .writeHead(isKnown ? 304 : request.url === '/api/gone' ? 404 : 200, {
        'content-type': 'application/json; charset=utf-8',
        etag: '"t"',
        'set-cookie': 'a=b',
      })
      .end(isKnown ? undefined : '{"ok":"ü"}');
  });
  await new Promise<void>((resolve) => functions.listen(0, '127.0.0.1', resolve));
  functionsPort = (functions.address() as AddressInfo).port;

  const folder = temporaryFolder('pages');
  mkdirSync(join(folder, 'console', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'console', 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'console', 'assets', 'app.js'), 'start();');
  writeFileSync(
    join(folder, 'berth.cjs'),
    `const [name, ...rest] = process.argv.slice(2);
     if (rest.includes('--fail')) { console.error('Unknown hub "x". [BERTH_HUB_UNKNOWN]'); console.error('  host is wrong'); process.exit(1); }
     if (rest.includes('--usage')) { console.error("error: unknown option"); process.exit(1); }
     if (rest.includes('--json')) console.log(JSON.stringify({ name, rest, state: process.env.AzureWebJobsStorage, other: process.env.BERTH_STATE ?? null, folder: process.cwd() }));
     else { console.log('two'); console.log('lines'); console.error('State: here.'); }`,
  );

  eventHubs = await startEventHubs({ port: 0, hubs: [] });
  feed = new EventFeed();
  hubs = createIotHubs({
    hubs: [{ host: WEU, tier: 'S1', units: 1 }],
    sink: (host) => (event) => feed.takeEvent(host, event),
  });
  dps = createDps({
    idScope: '0ne',
    serviceHost: 'dps',
    enrollments: [
      {
        enrollmentGroupId: 'group',
        attestation: { type: 'symmetricKey', primaryKey: KEY, secondaryKey: KEY },
        allocationPolicy: 'custom',
        customAllocationDefinition: {
          webhookUrl: 'http://x/api/allocate?code=SECRET',
          apiVersion: '2021-10-01',
        },
      },
    ],
    linkedHubs: [{ host: WEU }],
    hub: hubs.provisioning,
    onRegistration: (registration) => feed.takeRegistration(registration),
  });
  commands = [];
  const run = commandRunner({
    file: join(folder, 'berth.cjs'),
    directory: folder,
    settings: { AzureWebJobsStorage: 'local' },
  });
  api = await startControlApi(0, {
    stack: () => ({
      ports: { ...DEFAULT_PORTS, functions: functionsPort },
      idScope: '',
      root: '',
      plain: false,
      certificates: { root: 'root.pem', bundle: 'bundle.pem' },
      settings: {},
    }),
    watchers: new Watchers(),
    builtInEndpoint: (host) => ({ eventHubName: `events-of-${host}`, connectionString: '' }),
    ownDevice: () => Promise.reject(new Error('not asked for')),
    hubs,
    dps,
    eventHubs,
    eventHub: '',
    consumerGroups: [],
    storage: '',
    processes: () => [],
    feed,
    runCommand: (argv) => {
      commands.push([...argv]);
      return run(argv);
    },
    consoleFolder: join(folder, 'console'),
  });
});
afterAll(async () => {
  await api.close();
  dps.close();
  hubs.close();
  await eventHubs.close();
  functions.closeAllConnections();
  await new Promise((resolve) => functions.close(resolve));
});

const ask = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(`http://127.0.0.1:${api.port}${path}`, { redirect: 'manual', ...init });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
};
/** `hubs`, `get devices`: the commands with the groups that they are in. */
function commandNames(commands: readonly CatalogCommand[], group = ''): readonly string[] {
  return commands.flatMap(({ name, commands: members }) =>
    members === undefined ? [`${group}${name}`] : commandNames(members, `${group}${name} `),
  );
}

const bodyOf = async (path: string, init?: RequestInit) => JSON.parse((await ask(path, init)).text);

describe('the control API and the console', () => {
  test('GET / is the page and other paths are its files, with a strict policy and an ETag', async () => {
    const page = await ask('/');
    const script = await ask('/assets/app.js');

    expect([page.status, page.text]).toEqual([200, '<!doctype html>']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect([script.status, script.headers.get('content-type')]).toEqual([
      200,
      'text/javascript; charset=utf-8',
    ]);
    const etag = script.headers.get('etag') ?? '';
    expect((await ask('/assets/app.js', { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test('its own routes keep their names, and unknown paths are answered as before', async () => {
    expect(await bodyOf('/hubs')).toHaveLength(1);
    for (const path of ['/nothing', '/assets/nothing.js', '/hubs.html/x', '/..%2fberth.cjs'])
      expect((await bodyOf(path)).error.code).toBe('BERTH_LOCAL_NOT_FOUND');
    expect((await ask('/', { method: 'POST' })).status).toBe(404);
  });

  test('a page of another site gets neither the page nor the functions', async () => {
    seen.splice(0);
    for (const path of ['/', '/api/fleet', '/events/feed', '/commands']) {
      const { status } = await ask(path, { headers: { origin: 'https://evil.example' } });
      expect([path, status]).toEqual([path, 403]);
    }
    expect(seen).toEqual([]);
  });
});

describe('the control API and the functions', () => {
  test('passes a request below /api on with the local key, and answers what the functions answer', async () => {
    seen.splice(0);
    const { status, text, headers } = await ask('/api/devices/pump%231?registrationId=a%20b', {
      headers: { 'x-functions-key': 'wrong', cookie: 'c=d' },
    });

    expect([status, text, headers.get('etag')]).toEqual([200, '{"ok":"ü"}', '"t"']);
    expect(headers.get('set-cookie')).toBeNull();
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/api/devices/pump%231?registrationId=a%20b' });
    expect(seen[0]?.headers['x-functions-key']).toBe(FUNCTION_KEYS.function);
    expect(seen[0]?.headers.cookie).toBeUndefined();
  });

  test('passes bodies, statuses and ETags on', async () => {
    seen.splice(0);
    await ask('/api/explain', {
      method: 'POST',
      body: '{"a":',
      headers: { 'content-type': 'application/json' },
    });
    const known = await ask('/api/fleet', { headers: { 'if-none-match': '"t"' } });

    expect(seen[0]).toMatchObject({ method: 'POST', body: '{"a":' });
    expect([known.status, known.text]).toEqual([304, '']);
    expect((await ask('/api/gone')).status).toBe(404);
  });

  test.each(['/api/../admin/functions', '/api/%2e%2e/admin/functions', '/api\\..\\admin/x'])(
    'does not pass %s on, which leads out of /api',
    async (path) => {
      seen.splice(0);
      await ask(path);

      expect(seen.filter(({ url }) => !url?.startsWith('/api/'))).toEqual([]);
    },
  );

  test('says that the functions do not run', async () => {
    const port = functionsPort;
    functionsPort = 1;
    const { status, text } = await ask('/api/fleet');
    functionsPort = port;

    expect([status, JSON.parse(text).error.code]).toEqual([503, 'BERTH_LOCAL_FUNCTIONS_MISSING']);
  });
});

describe('GET /events/feed', () => {
  const { hub } = { hub: WEU };

  test('has twin events without metadata, registrations and faults, in their order', async () => {
    const { next } = await bodyOf('/events/feed');
    hubs.provisioning(WEU)?.create('pump', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
      capabilities: { iotEdge: false },
      tags: { site: 'ams' },
      desired: { interval: 5 },
      reported: {},
    });
    hubs.view(WEU)?.edit('pump', { properties: { desired: { interval: 6 } } }, 'service');
    feed.takeRegistration({
      registrationId: 'pump',
      enrollmentId: 'group',
      attestation: 'symmetricKey',
      status: 'failed',
      failure: { code: 400209, message: 'denied' },
      etag: '',
      createdDateTimeUtc: '',
      lastUpdatedDateTimeUtc: '',
    });
    await ask('/faults', { method: 'PUT', body: '{"seed":1,"latencyMs":5}' });
    await ask('/faults', { method: 'DELETE' });

    const page = await bodyOf(`/events/feed?after=${next}`);

    expect(page).toMatchObject({ missed: 0, next: next + 5 });
    expect(page.items).toMatchObject([
      {
        kind: 'twin',
        hub,
        deviceId: 'pump',
        what: 'createDeviceIdentity',
        change: { tags: { site: 'ams' } },
      },
      { kind: 'twin', what: 'updateTwin', version: 3, change: { desired: { interval: 6 } } },
      { kind: 'registration', registrationId: 'pump', status: 'failed', hub: null, why: 'denied' },
      { kind: 'faults', hub: null, settings: { seed: 1, latencyMs: 5 } },
      { kind: 'faults', hub: null, settings: null },
    ]);
    expect(JSON.stringify(page)).not.toContain('$metadata');
    expect(JSON.stringify(page)).not.toContain(KEY);
    expect((await bodyOf(`/events/feed?after=${page.next}`)).items).toEqual([]);
  });

  test('refuses a number that is none', async () => {
    expect((await ask('/events/feed?after=x')).status).toBe(400);
  });
});

describe('GET /enrollments', () => {
  test('lists the enrollments of the local DPS without keys', async () => {
    const { text } = await ask('/enrollments');

    expect(JSON.parse(text)).toMatchObject([{ enrollmentGroupId: 'group', allocationPolicy: 'custom' }]);
    expect(text).not.toContain(KEY);
    expect(text).not.toContain('SECRET');
  });
});

describe('POST /commands', () => {
  const post = (argv: unknown) => ask('/commands', { method: 'POST', body: JSON.stringify({ argv }) });

  test('runs the berth command on the local state, and answers its JSON', async () => {
    process.env.BERTH_STATE = 'elsewhere';
    const { status, text } = await post(['hubs', '--json', 'a b; rm']);
    delete process.env.BERTH_STATE;

    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({
      exitCode: 0,
      json: { name: 'hubs', rest: ['--json', 'a b; rm'], state: 'local', other: null },
    });
  });

  test('answers the lines of a command that has no JSON', async () => {
    const { text } = await post(['pause', '--reason', 'test']);

    expect(JSON.parse(text)).toEqual({
      exitCode: 0,
      json: null,
      out: ['two', 'lines'],
      err: ['State: here.'],
    });
  });

  test('answers the coded error of a command, with its details', async () => {
    const { status, text } = await post(['hub', 'set', '--fail']);

    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'BERTH_HUB_UNKNOWN',
        message: 'Unknown hub "x".',
        details: [{ path: 'host', message: 'is wrong' }],
      },
    });
  });

  test('answers an error for a command that ended without a code', async () => {
    const { status, text } = await post(['resume', '--usage']);

    expect([status, JSON.parse(text).error.code]).toEqual([400, 'BERTH_LOCAL_COMMAND_FAILED']);
    expect(JSON.parse(text).error.message).toContain('error: unknown option');
  });

  test.each([
    [['export', '--out', 'file']],
    [['what-if']],
    [['hub']],
    [['hub', 'delete']],
    [['--fleet', 'x', 'pause']],
    [['dead-letters']],
    [['get']],
    [['describe', 'everything']],
    [['enroll', 'rotate']],
    [[]],
    [['pause', 1]],
    ['pause'],
    [null],
  ])('refuses %j, and runs nothing', async (argv) => {
    commands.splice(0);
    const { status, text } = await post(argv);

    expect([status, JSON.parse(text).error.code]).toEqual([400, 'BERTH_LOCAL_REQUEST_INVALID']);
    expect(commands).toEqual([]);
  });

  test('runs every command of berth but those that need a file, ask Azure, or replace what another tool has made', async () => {
    const names = commandNames(berthCatalog().commands);
    const refused: string[] = [];
    for (const name of names) {
      const { status, text } = await post([...name.split(' '), '--json']);
      if (status === 400 && JSON.parse(text).error.code === 'BERTH_LOCAL_REQUEST_INVALID') refused.push(name);
    }

    expect(names).toContain('describe device');
    expect(refused).toEqual([
      'hub prepare',
      'edge adopt',
      'forget',
      'state export',
      'state import',
      'connect plan',
      'connect apply',
      'enroll rotate-key',
      'enroll export',
      'enroll certificate upload',
      'enroll certificate verify',
      'explain',
      'export',
      'what-if',
      'init',
      'completion',
    ]);
  });

  test.each([
    ['a list that never ends', ['get', 'devices', '--watch']],
    ['a drain that waits for devices', ['hub', 'drain', 'contoso-weu', '--disable-silent', '--yes']],
  ])('refuses %s, and says what to do instead', async (_, argv) => {
    commands.splice(0);
    const { status, text } = await post(argv);

    expect([status, JSON.parse(text).error.code]).toEqual([400, 'BERTH_LOCAL_REQUEST_INVALID']);
    expect(JSON.parse(text).error.message).toMatch(/^--\S+ takes too long.* Leave it out/);
    expect(commands).toEqual([]);
  });

  test('takes POST only', async () => {
    expect((await ask('/commands')).status).toBe(405);
  });
});
