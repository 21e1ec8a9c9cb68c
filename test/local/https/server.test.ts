import { request } from 'node:http';
import { expect, test } from '@jest/globals';
import { startHttp } from '../../../local/https/index.ts';

const service = {
  names: ['127.0.0.1'],
  claims: () => true,
  answer: async () => ({ status: 200, headers: {}, body: {} }),
};

/** The status of an answer. The connection stays open for the next call, as is usual. */
function call(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port }, (response) => {
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
