import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { EventFeed, startControlApi } from '../../local/control-api/index.ts';
import { createDps } from '../../local/dps/index.ts';
import { startEventHubs } from '../../local/event-hubs/index.ts';
import { ownRequestsOnly } from '../../local/foreign-requests.ts';
import { createSiteServer } from '../../local/function-host/http/server.ts';
import { startHttp } from '../../local/https/index.ts';
import { createIotHubs } from '../../local/iot-hub/index.ts';
import { listen } from '../../local/listen.ts';
import { silent } from '../../local/log.ts';
import { Watchers } from '../../local/monitor/watchers.ts';
import { DEFAULT_PORTS } from '../../local/options.ts';

const HUB = 'weu.azure-devices.net';
const DPS = 'test-dps.azure-devices-provisioning.net';
/** Of another server of the stack. */
const OTHER_PORT = DEFAULT_PORTS.functions;

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Default: as a browser and curl write it. */
  readonly host?: string | readonly string[];
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function call(port: number, options: Call): Promise<Answer> {
  const { method = 'GET', path = '/', headers = {}, host = `localhost:${port}`, body } = options;
  // As a list, which can hold a header twice.
  const sent = Object.entries({ ...headers, Host: host }).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => [name, String(value)]),
  );
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        setHost: false,
        agent: false,
        headers: sent,
      },
      async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const FOREIGN: readonly (readonly [string, Call])[] = [
  ['another name as Host (DNS rebinding)', { host: 'evil.example' }],
  ['another name as Host, with a port', { host: 'evil.example:7070' }],
  ['a name that begins like its own', { host: 'localhost.evil.example' }],
  ['a name that ends like its own', { host: 'evil-localhost' }],
  ['a user before its own name', { host: 'localhost@evil.example' }],
  ['a hub that is not its own', { host: 'other.azure-devices.net' }],
  ['the address of all networks', { host: '0.0.0.0' }],
  ['the loopback address as one number', { host: '2130706433' }],
  ['an empty Host', { host: '' }],
  ['a foreign Origin', { headers: { Origin: 'https://evil.example' } }],
  ['a foreign Origin on this machine', { headers: { Origin: 'http://localhost:3000' } }],
  ['an Origin without its port', { headers: { Origin: 'http://localhost' } }],
  ['the Origin null', { headers: { Origin: 'null' } }],
  ['an Origin that is not a URL', { headers: { Origin: 'localhost' } }],
  ['an Origin of an extension', { headers: { Origin: 'chrome-extension://localhost' } }],
  [
    'a form post of a foreign page',
    {
      method: 'POST',
      headers: { Origin: 'https://evil.example', 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'a=b',
    },
  ],
  [
    'a post as plain text, which needs no preflight',
    {
      method: 'POST',
      headers: { Origin: 'https://evil.example', 'Content-Type': 'text/plain' },
      body: '{}',
    },
  ],
  [
    'a preflight of a foreign page',
    {
      method: 'OPTIONS',
      headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'PUT' },
    },
  ],
  ['a HEAD of a foreign page', { method: 'HEAD', headers: { Origin: 'https://evil.example' } }],
  [
    'an image or a script of a foreign page',
    {
      headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' },
    },
  ],
  [
    'a frame in a foreign page',
    {
      headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' },
    },
  ],
  [
    'an image in another page of this machine',
    {
      headers: { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' },
    },
  ],
  [
    'a WebSocket of a foreign page',
    {
      headers: {
        Origin: 'https://evil.example',
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      },
    },
  ],
  [
    'a WebSocket under another name',
    {
      host: 'evil.example',
      headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
    },
  ],
  ['a whole URL as the request target', { path: 'http://evil.example/' }],
];

const OWN: readonly (readonly [string, Call])[] = [
  ['a program without an Origin', {}],
  ['localhost without a port', { host: 'localhost' }],
  ['localhost with another port, as through a tunnel', { host: 'LOCALHOST:1234' }],
  ['127.0.0.1', { host: '127.0.0.1:7070' }],
  ['[::1]', { host: '[::1]:7070' }],
  ['the host name of a hub', { host: `${HUB.toUpperCase()}:443` }],
  ['the service name of a hub', { host: 'weu.service.azure-devices.net' }],
  ['a page of another server of the stack', { headers: { Origin: `http://127.0.0.1:${OTHER_PORT}` } }],
  [
    'a page of another server of the stack with Sec-Fetch-Site',
    {
      headers: { Origin: `http://localhost:${OTHER_PORT}`, 'Sec-Fetch-Site': 'same-site' },
    },
  ],
  [
    'a request of its own page with Sec-Fetch-Site',
    { headers: { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' } },
  ],
  ['a person who types the address', { headers: { 'Sec-Fetch-Site': 'none' } }],
  [
    'a person who follows a link',
    {
      headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
    },
  ],
];

/** Every HTTP server of the stack, as it is started; each with the port. */
const servers = new Map<string, number>();
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  const ownPorts = () => [OTHER_PORT];
  const eventHubs = await startEventHubs({ port: 0, hubs: [] });
  const hubs = createIotHubs({ hubs: [{ host: HUB, tier: 'S1', units: 1 }], sink: () => () => {} });
  const dps = createDps({
    idScope: '0ne0',
    serviceHost: DPS,
    enrollments: [],
    linkedHubs: [{ host: HUB }],
    hub: hubs.provisioning,
  });
  const services = [dps.https, dps.service, dps.management, hubs.https];
  const rest = await startHttp({ port: 0, services, ownPorts });
  const control = await startControlApi(0, {
    hubs,
    dps,
    eventHubs,
    eventHub: '',
    consumerGroups: [],
    storage: '',
    processes: () => [],
    stack: () => ({
      ports: DEFAULT_PORTS,
      idScope: '0ne0',
      root: '',
      plain: false,
      certificates: { root: 'root.pem', bundle: 'bundle.pem' },
      settings: {},
    }),
    watchers: new Watchers(),
    builtInEndpoint: (host) => ({ eventHubName: `events-of-${host}`, connectionString: '' }),
    ownDevice: () => Promise.reject(new Error('not asked for')),
    feed: new EventFeed(),
    runCommand: async () => ({ exitCode: 0, out: '', err: '' }),
    consoleFolder: 'no console',
  });
  const site = createSiteServer({ names: [HUB, 'weu.service.azure-devices.net'], ports: ownPorts }, silent);
  site.open({
    routes: [],
    keys: { function: 'f', master: 'm' },
    admin: { functions: [], fire() {} },
    streamUri: undefined,
    disabled: new Set(),
    invoker: { invoke: () => Promise.reject(new Error('no functions')), idle: async () => {} },
  } as unknown as Parameters<typeof site.open>[0]);
  servers.set('the control API', control.port);
  servers.set('the function host', await listen(site.server, 0, 'a test'));
  servers.set('the service REST APIs', rest.port);
  closers.push(
    () => control.close(),
    () => rest.close(),
    () => site.server.close(),
    () => dps.close(),
    () => hubs.close(),
    () => eventHubs.close(),
  );
});
afterAll(async () => {
  for (const close of closers) await close();
});

describe.each(['the control API', 'the function host', 'the service REST APIs'])('%s', (name) => {
  const port = () => servers.get(name) ?? 0;

  test.each(FOREIGN)('refuses %s', async (_, options) => {
    const { status, headers, text } = await call(port(), options);

    expect(status).toBe(403);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    if (options.method === 'HEAD') return;
    expect(JSON.parse(text).error).toEqual({
      code: 'BERTH_LOCAL_REQUEST_FOREIGN',
      message: expect.stringMatching(/^The .*\.$/),
      details: [],
    });
  });

  test.each(OWN)('answers %s', async (_, options) => {
    expect((await call(port(), options)).status).not.toBe(403);
  });

  test('answers its own page at each of its addresses', async () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]']) {
      const own = { host: `${host}:${port()}`, headers: { Origin: `http://${host}:${port()}` } };
      expect((await call(port(), own)).status).not.toBe(403);
    }
  });
});

test('a refused post of a foreign page changes nothing', async () => {
  const port = servers.get('the control API') ?? 0;
  const faults = { method: 'PUT', path: '/faults', body: '{"seed":1,"throttleRate":1}' };

  await call(port, { ...faults, headers: { Origin: 'https://evil.example', 'Content-Type': 'text/plain' } });
  await call(port, { ...faults, host: 'evil.example' });

  expect((await call(port, { path: '/faults' })).text.trim()).toBe('[]');
});

test('a refusal names the foreign value and the accepted values', async () => {
  const port = servers.get('the control API') ?? 0;
  const message = async (options: Call) => JSON.parse((await call(port, options)).text).error.message;

  expect(await message({ host: 'evil.example' })).toMatch(
    /"evil.example".*Use localhost, 127\.0\.0\.1 or \[::1\]/,
  );
  expect(await message({ headers: { Origin: 'https://evil.example' } })).toMatch(
    /"https:\/\/evil\.example".*From a program, send no Origin/,
  );
  expect((await message({ host: 'x'.repeat(5_000) })).length).toBeLessThan(400);
});

describe('a request with a duplicate header', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer(ownRequestsOnly({ names: [] }, (_, response) => void response.end('reached')));
    port = await listen(server, 0, 'a test');
  });
  afterAll(() => {
    server.close();
  });

  test.each([
    ['Host', { host: ['localhost', 'evil.example'] }],
    ['Origin', { headers: { Origin: ['http://localhost', 'https://evil.example'] } }],
  ])('a request with a duplicate %s header is refused', async (_, options) => {
    const answer = await call(port, options);

    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toContain('reached');
  });
});
