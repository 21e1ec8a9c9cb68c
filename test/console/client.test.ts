import { describe, expect, test } from '@jest/globals';
import { ApiClient } from '../../console/api/client.ts';
import { environmentOf } from '../../console/api/environment.ts';
import { FunctionKey } from '../../console/api/function-key.ts';

function keyStorage() {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (name: string) => values.get(name) ?? null,
    setItem: (name: string, value: string) => void values.set(name, value),
    removeItem: (name: string) => void values.delete(name),
  };
}

/** A client whose calls are recorded and answered with one response. */
function clientOf(answer: () => Promise<Response> | Response, key = new FunctionKey(keyStorage())) {
  const calls: { readonly address: string; readonly init: RequestInit }[] = [];
  const client = new ApiClient(async (address, init) => {
    calls.push({ address, init });
    return answer();
  }, key);
  return { client, calls, key };
}

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  new Response(JSON.stringify(body), { status, headers });
const refusal = { error: { code: 'BERTH_DEVICE_UNKNOWN', message: 'No twin is known.', details: [] } };

describe('the API client', () => {
  test('the function key is sent as a header, and never in the address', async () => {
    const { client, calls, key } = clientOf(() => json(200, {}));
    key.keep('  secret-key ');

    await client.get('/api/fleet', '"a"');

    expect(calls[0]?.address).toBe('/api/fleet');
    expect(calls[0]?.init.headers).toMatchObject({ 'x-functions-key': 'secret-key', 'if-none-match': '"a"' });
    expect(calls[0]?.init).toMatchObject({
      redirect: 'manual',
      cache: 'no-store',
      credentials: 'same-origin',
    });
  });

  test('without a key, no header is sent, so that a sign-in of the app alone may do', async () => {
    const { client, calls, key } = clientOf(() => json(200, {}));
    key.keep('secret-key');
    key.forget();

    await client.get('/api/fleet');

    expect(calls[0]?.init.headers).not.toHaveProperty('x-functions-key');
  });

  test.each([
    [
      '200 with JSON',
      () => json(200, { a: 1 }, { etag: '"e"' }),
      { kind: 'ok', body: { a: 1 }, etag: '"e"' },
    ],
    ['304', () => new Response(null, { status: 304 }), { kind: 'unchanged' }],
    ['401', () => new Response('', { status: 401 }), { kind: 'unauthorized' }],
    ['403 without a reason', () => new Response('', { status: 403 }), { kind: 'unauthorized' }],
    [
      '404 with a code',
      () => json(404, refusal),
      {
        kind: 'refused',
        problem: { code: 'BERTH_DEVICE_UNKNOWN', message: 'No twin is known.', status: 404 },
      },
    ],
    ['503 with a code', () => json(503, refusal), { kind: 'unreachable', why: 'No twin is known.' }],
    [
      '200 without JSON',
      () => new Response('<html>', { status: 200 }),
      { kind: 'unreachable', why: 'it answers with status 200' },
    ],
    [
      '502',
      () => new Response('bad gateway', { status: 502 }),
      { kind: 'unreachable', why: 'it answers with status 502' },
    ],
  ])('the answer %s is understood', async (_, response, expected) => {
    const { client } = clientOf(response);

    expect(await client.get('/api/fleet')).toEqual(expected);
  });

  test('a redirect to a sign-in page of another origin is a lost sign-in', async () => {
    const { client } = clientOf(() =>
      Object.defineProperty(json(200, {}), 'type', { value: 'opaqueredirect' }),
    );

    expect(await client.get('/api/fleet')).toEqual({ kind: 'signedOut' });
  });

  test('a network failure says no more than the reader can use', async () => {
    const { client } = clientOf(() => Promise.reject(new TypeError('Failed to fetch')));

    expect(await client.get('/api/fleet')).toEqual({ kind: 'unreachable', why: 'no connection' });
  });
});

describe('where the console runs', () => {
  test.each([
    ['/', { kind: 'local', api: '/api', control: '' }],
    ['/index.html', { kind: 'local', api: '/api', control: '' }],
    ['/api/console/index.html', { kind: 'deployed', api: '/api' }],
    ['/api/console/', { kind: 'deployed', api: '/api' }],
    ['/other/console/index.html', { kind: 'deployed', api: '/other' }],
  ])('the address %p is known', (path, expected) => {
    expect(environmentOf(path)).toEqual(expected);
  });
});
