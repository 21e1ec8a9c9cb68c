import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  buildHost,
  FUNCTION_KEY,
  MASTER_KEY,
  type RunningHost,
  startHost,
  writeApp,
} from './host-process.ts';

const CODE = `
import { app } from '@azure/functions';
const seen = [];
const echo = async (request) => ({
  jsonBody: {
    method: request.method,
    url: request.url,
    params: request.params,
    query: [...request.query],
    header: request.headers.get('x-test'),
    body: Buffer.from(await request.arrayBuffer()).toString('base64'),
  },
});
app.http('echo', { methods: ['GET', 'POST', 'PUT'], route: 'echo/{id:int}/{name?}', handler: echo });
app.http('files', { route: 'files/{*path}', methods: ['GET'], handler: echo });
app.http('plain', { handler: () => ({ body: 'plain' }) });
app.http('aaCatchAll', { route: 'order/{anything}', methods: ['GET'], handler: () => ({ body: 'aaCatchAll' }) });
app.http('zzLiteral', { route: 'order/literal', methods: ['GET'], handler: () => ({ body: 'zzLiteral' }) });
app.http('byFunctionKey', { authLevel: 'function', handler: () => ({ body: 'function' }) });
app.http('byMasterKey', { authLevel: 'admin', handler: () => ({ body: 'admin' }) });
app.http('nothing', { handler: () => undefined });
app.http('throwing', { handler: () => { throw new Error('thrown by the app'); } });
app.http('wrong', { handler: () => 'a handler must return an object' });
app.http('full', {
  handler: () => ({
    status: 418,
    headers: { 'x-own': 'yes', 'content-type': 'text/teapot' },
    cookies: [
      { name: 'plain', value: 'a b' },
      { name: 'full', value: '1', path: '/p', domain: 'd.test', maxAge: 5, secure: true, httpOnly: true, sameSite: 'Lax', expires: new Date(86400000) },
    ],
    body: 'teapot',
  }),
});
app.http('bytes', { methods: ['POST'], handler: async (request) => ({ body: String((await request.arrayBuffer()).byteLength) }) });
app.http('logging', { methods: ['POST'], handler: async (request, context) => { context.log(request.method, await request.text()); } });
app.http('gone', { handler: () => ({ status: 204 }) });
app.http('switchedOff', { handler: () => ({ body: 'on' }) });
app.http('environment', { handler: () => ({ jsonBody: { file: process.env.FROM_FILE, both: process.env.FROM_BOTH, keys: Object.keys(process.env).filter((name) => name.startsWith('FUNCTION_HOST')), cwd: process.cwd() } }) });
app.http('trace', { handler: (_, context) => ({ jsonBody: context.traceContext }) });
app.http('badRoute', { route: 'bad/{id:nonsense}', handler: () => ({}) });
app.timer('handFired', { schedule: '0 0 0 1 1 *', handler: (timer) => { seen.push(timer); } });
app.http('seen', { handler: () => ({ jsonBody: seen }) });
`;

let host: RunningHost;
let app: string;

beforeAll(async () => {
  const file = await buildHost();
  app = await writeApp({
    code: CODE,
    settings: {
      FROM_FILE: 'file',
      FROM_BOTH: 'file',
      'AzureWebJobs.switchedOff.Disabled': 'true',
    },
  });
  host = await startHost(file, app, { FROM_BOTH: 'environment' });
});

afterAll(async () => {
  await host.stop();
});

const call = (path: string, init?: RequestInit) => fetch(`${host.url}${path}`, init);

/** What fetch cannot send. */
function rawCall(
  path: string,
  headers: Record<string, string>,
  ...chunks: readonly string[]
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${host.url}${path}`, { method: 'POST', headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    outgoing.on('error', reject);
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });
}

describe('HTTP requests', () => {
  test('method, absolute URL, route values, query, headers and body reach the handler', async () => {
    const response = await call('/api/echo/7/a%20b?x=1&x=2&y=%C3%A9', {
      method: 'POST',
      headers: { 'X-Test': 'header' },
      body: Buffer.from([0, 255, 1]),
    });

    expect(await response.json()).toEqual({
      method: 'POST',
      url: `${host.url}/api/echo/7/a%20b?x=1&x=2&y=%C3%A9`,
      params: { id: '7', name: 'a b' },
      query: [
        ['x', '1,2'],
        ['y', 'é'],
      ],
      header: 'header',
      body: 'AP8B',
    });
  });

  test('a missing optional route value is absent', async () => {
    expect(await host.get('/api/echo/7')).toMatchObject({ params: { id: '7' } });
    expect(await host.get('/api/files/a/b.txt')).toMatchObject({ params: { path: 'a/b.txt' } });
    expect(await host.get('/api/files')).toMatchObject({ params: {} });
  });

  test.each([
    ['a path without a route', 'GET', '/api/unknown'],
    ['a path without the prefix', 'GET', '/plain'],
    ['a value that breaks a constraint', 'GET', '/api/echo/seven'],
    ['a method that the function does not take', 'DELETE', '/api/plain'],
    ['a function whose route cannot be used', 'GET', '/api/bad/1'],
    ['a disabled function', 'GET', '/api/switchedOff'],
  ])('%s is answered with 404', async (_, method, path) => {
    const response = await call(path, { method });

    expect(response.status).toBe(404);
    expect(await response.text()).toBe('');
  });

  test('if two routes match, the function whose name sorts first is called', async () => {
    const response = await call('/api/order/literal');

    expect(await response.text()).toBe('aaCatchAll');
  });

  test('a body without Content-Length never reaches the handler, as in Azure', async () => {
    const { body } = await rawCall('/api/bytes', { 'transfer-encoding': 'chunked' }, 'never', 'seen');

    expect(body).toBe('0');
  });

  test('a body of some megabytes is accepted, and one above 100 MB is answered with 413 without reading it', async () => {
    const large = await call('/api/bytes', { method: 'POST', body: Buffer.alloc(8_000_000) });
    const tooLarge = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-length': '104857601' };
      const outgoing = request(`${host.url}/api/bytes`, { method: 'POST', headers }, (response) => {
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      outgoing.write('x');
    });

    expect(await large.text()).toBe('8000000');
    expect(tooLarge).toBe(413);
  });

  test('a client that disconnects in the middle of a body does no harm', async () => {
    await new Promise<void>((resolve) => {
      const outgoing = request(`${host.url}/api/bytes`, {
        method: 'POST',
        headers: { 'content-length': '1000' },
      });
      outgoing.on('error', () => resolve());
      outgoing.write('part', () => setImmediate(() => outgoing.destroy()));
      outgoing.on('close', () => resolve());
    });

    expect((await call('/api/plain')).status).toBe(200);
  });

  test('a Host header that is not a host name is answered with 400', async () => {
    expect(await rawCall('/api/plain', { host: 'a b' })).toEqual({ status: 400, body: '' });
  });

  test('the trace context of the caller is continued', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

    const { traceParent } = (await (await call('/api/trace', { headers: { traceparent } })).json()) as {
      traceParent: string;
    };

    expect(traceParent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(traceParent).not.toBe(traceparent);
  });
});

describe('HTTP responses', () => {
  test('status, headers, cookies and body of the handler are sent', async () => {
    const response = await call('/api/full');

    expect(response.status).toBe(418);
    expect(response.headers.get('x-own')).toBe('yes');
    expect(response.headers.get('content-type')).toBe('text/teapot');
    expect(response.headers.getSetCookie()).toEqual([
      'plain=a%20b; path=/',
      'full=1; expires=Fri, 02 Jan 1970 00:00:00 GMT; max-age=5; domain=d.test; path=/p; secure; samesite=lax; httponly',
    ]);
    expect(await response.text()).toBe('teapot');
  });

  test.each([
    ['nothing', 200],
    ['gone', 204],
    ['throwing', 500],
    ['wrong', 500],
  ])('the function %s is answered with %i and no body', async (name, status) => {
    const response = await call(`/api/${name}`);

    expect(response.status).toBe(status);
    expect(await response.text()).toBe('');
  });

  test('an error of a handler is logged with its stack', async () => {
    await call('/api/throwing');

    await host.printed(/throwing failed .*Error: thrown by the app\n\s+at /);
  });
});

describe('function keys', () => {
  test.each([
    ['plain', undefined, 200],
    ['plain', 'wrong', 200],
    ['byFunctionKey', undefined, 401],
    ['byFunctionKey', 'wrong', 401],
    ['byFunctionKey', FUNCTION_KEY, 200],
    ['byFunctionKey', MASTER_KEY, 200],
    ['byMasterKey', undefined, 401],
    ['byMasterKey', FUNCTION_KEY, 401],
    ['byMasterKey', MASTER_KEY, 200],
    ['switchedOff', MASTER_KEY, 200],
  ])(
    'the function %s with the key %s is answered with %i, in a header and in the query',
    async (name, key, status) => {
      const byHeader = await call(
        `/api/${name}`,
        key === undefined ? {} : { headers: { 'x-functions-key': key } },
      );
      const byQuery = await call(`/api/${name}${key === undefined ? '' : `?code=${key}`}`);

      expect(byHeader.status).toBe(status);
      expect(byQuery.status).toBe(status);
    },
  );

  test('a correct key in the query does not replace a wrong key in the header', async () => {
    const response = await call(`/api/byFunctionKey?code=${FUNCTION_KEY}`, {
      headers: { 'x-functions-key': 'x' },
    });

    expect(response.status).toBe(401);
  });

  test('neither the environment of the app nor the log contains a key', async () => {
    expect(await host.get('/api/environment')).toMatchObject({ keys: [] });
    expect(host.output()).not.toMatch(/key-of-the-test/);
  });
});

describe('app settings', () => {
  test('the environment takes precedence over local.settings.json, and the app directory is the working directory', async () => {
    expect(await host.get('/api/environment')).toMatchObject({ file: 'file', both: 'environment', cwd: app });
  });

  test('the parent process and the log receive the list of functions', async () => {
    expect(host.functions).toContainEqual({
      name: 'echo',
      type: 'httpTrigger',
      route: '/api/echo/{id:int}/{name?}',
      methods: ['GET', 'POST', 'PUT'],
    });
    expect(host.functions).toContainEqual({ name: 'handFired', type: 'timerTrigger' });
    await host.printed(/echo: \[GET,POST,PUT\] http:\/\/localhost:\d+\/api\/echo\/\{id:int\}\/\{name\?\}/);
    await host.printed(/badRoute is not served: .*unknown constraint: "nonsense"/);
  });
});

describe('host endpoints', () => {
  test('the home page needs no key', async () => {
    const response = await call('/');

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
  });

  test('the status needs the master key', async () => {
    const anonymous = await call('/admin/host/status');
    const byFunctionKey = await call('/admin/host/status', { headers: { 'x-functions-key': FUNCTION_KEY } });
    const byMasterKey = await call('/admin/host/status', { headers: { 'x-functions-key': MASTER_KEY } });

    expect([anonymous.status, byFunctionKey.status, byMasterKey.status]).toEqual([401, 401, 200]);
    expect(await byMasterKey.json()).toMatchObject({ state: 'Running' });
  });

  test('a function can be fired by hand with the master key', async () => {
    const status = await host.fire('handFired');

    expect(status).toBe(202);
    await host.printed(/handFired succeeded \(manual run\)/);
    expect(await host.get('/api/seen')).toEqual([
      {
        schedule: { adjustForDST: true },
        scheduleStatus: {
          last: '0001-01-01T00:00:00+00:00',
          lastUpdated: '0001-01-01T00:00:00+00:00',
          next: expect.stringMatching(/-01-01T00:00:00\+00:00$/),
        },
        isPastDue: false,
      },
    ]);
  });

  test('an HTTP function that is fired by hand gets the input as its body', async () => {
    const status = await host.fire('logging', { any: 'thing' });

    expect(status).toBe(202);
    await host.printed(/\[logging\] POST \{"any":"thing"\}/);
  });

  test.each([
    ['an unknown function', 'POST', '/admin/functions/unknown', '{"input":""}', MASTER_KEY, 404],
    ['a body that is not JSON', 'POST', '/admin/functions/handFired', 'x', MASTER_KEY, 400],
    ['no body', 'POST', '/admin/functions/handFired', '', MASTER_KEY, 400],
    ['no key', 'POST', '/admin/functions/handFired', '{"input":""}', '', 401],
    ['the function key', 'POST', '/admin/functions/handFired', '{"input":""}', FUNCTION_KEY, 401],
    ['an unknown endpoint', 'POST', '/admin/host/nothing', '', MASTER_KEY, 404],
  ])(
    'a request to fire a function with %s is refused: %s %s %j',
    async (_, method, path, body, key, status) => {
      const response = await call(path, { method, body, headers: { 'x-functions-key': key } });

      expect(response.status).toBe(status);
    },
  );
});
