import { request } from 'node:http';
import { expect, test } from '@jest/globals';
import { type HttpResponse, startHttp } from '../../../local/https/index.ts';
import type { JsonValue } from '../../../src/json/json.ts';

const service = {
  names: ['127.0.0.1'],
  claims: () => true,
  answer: async () => ({ status: 200, headers: {}, body: {} }),
};

/** The status of an answer. The connection stays open for the next call, as is usual. */
function call(port: number, path = '/'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    })
      .once('error', reject)
      .end();
  });
}

test('a server that starts on the port of one that has closed answers clients that keep their connections', async () => {
  const first = await startHttp({ port: 0, services: [service] });
  await call(first.port);
  // The connection goes back to the agent of Node.js.
  await new Promise(setImmediate);
  await first.close();

  const next = await startHttp({ port: first.port, services: [service] });

  try {
    expect(await call(next.port)).toBe(200);
  } finally {
    await next.close();
  }
});

/** Nested deeper than JSON.stringify can write. */
function deepJson(): JsonValue {
  let value: JsonValue = null;
  for (let level = 0; level < 60_000; level += 1) value = [value];
  return value;
}

test.each<{ readonly what: string; readonly response: HttpResponse }>([
  {
    what: 'a header with a value that HTTP does not allow',
    response: { status: 200, headers: { a: '温度' }, bytes: Buffer.from('x') },
  },
  {
    what: 'a header with a name that HTTP does not allow',
    response: { status: 200, headers: { 'my unit': 'C' } },
  },
  { what: 'a body that is nested too deep', response: { status: 200, body: deepJson() } },
  { what: 'a status that does not exist', response: { status: 7 } },
])(
  'an answer with $what becomes 500 with a line in the log, and the server goes on',
  async ({ response }) => {
    const errors: string[] = [];
    const answering = {
      ...service,
      answer: async ({ path }: { path: string }) => (path === '/bad' ? response : { status: 204 }),
    };
    const log = { info() {}, warn() {}, error: (message: string) => void errors.push(message) };
    const server = await startHttp({ port: 0, services: [answering], log });

    try {
      expect(await call(server.port, '/bad')).toBe(500);
      expect(errors).toEqual([expect.stringContaining('An answer could not be sent: ')]);
      expect(await call(server.port)).toBe(204);
    } finally {
      await server.close();
    }
  },
);
