import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { listen, reservePort } from '../../local/listen.ts';

const hears = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

test('a server listens on both loopback addresses and closes both', async () => {
  const server = createHttpServer((_request, response) => response.end('here'));
  const port = await listen(server, 0, 'the test');

  const answers = await Promise.all(
    ['127.0.0.1', '[::1]'].map(async (host) => (await fetch(`http://${host}:${port}/`)).text()),
  );
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));

  expect(answers).toEqual(['here', 'here']);
  expect([await hears('127.0.0.1', port), await hears('::1', port)]).toEqual([false, false]);
});

test.each(['127.0.0.1', '::1'])('a port that another program uses on %s is taken', async (host) => {
  const other = createServer();
  const port = await new Promise<number>((resolve) => {
    other.listen(0, host, () => resolve((other.address() as { port: number }).port));
  });

  await expect(listen(createServer(), port, 'the test')).rejects.toMatchObject({
    code: 'BERTH_LOCAL_PORT_TAKEN',
  });
  await expect(reservePort(port, 'the test')).rejects.toMatchObject({ code: 'BERTH_LOCAL_PORT_TAKEN' });
  await new Promise((resolve) => other.close(resolve));
});

test('port 0 gives a port that no outgoing connection of a program can take', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => reservePort(0, 'the test')));

  expect(ports.filter((port) => port < 12_000 || port >= 16_000)).toEqual([]);
});

test('a reserved port is not reserved again while its process runs', async () => {
  // Of 400 ports that are chosen at random, some are equal.
  const ports = await Promise.all(Array.from({ length: 400 }, () => reservePort(0, 'the test')));

  expect(new Set(ports).size).toBe(400);
});

test('a reserved port is free on both addresses', async () => {
  const port = await reservePort(0, 'the test');

  expect([await hears('127.0.0.1', port), await hears('::1', port)]).toEqual([false, false]);
});
