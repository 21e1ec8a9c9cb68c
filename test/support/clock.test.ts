import { once } from 'node:events';
import { createServer, get, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { realTime, TestClock } from './clock.ts';

describe('the clock of tests', () => {
  let server: Server;
  let clock: TestClock;
  let isOver: boolean;

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    clock = new TestClock();
    isOver = false;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const waitAnHour = async () => {
    await clock.wait(3_600_000);
    isOver = true;
  };

  /** Sends a request. Resolves once the server has it, which has not answered it then. */
  const send = async () => {
    const request = get({ port: (server.address() as AddressInfo).port, agent: false });
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    return { request, response };
  };

  test('advances to the end of a wait without real time', async () => {
    const start = clock.now();
    await waitAnHour();

    expect(clock.now() - start).toBe(3_600_000);
  });

  test('stands still while a request waits for its answer', async () => {
    const { request, response } = await send();
    const start = clock.now();
    const wait = waitAnHour();
    await realTime(50);
    expect([isOver, clock.now() - start]).toEqual([false, 0]);

    response.end();
    const [answer] = await once(request, 'response');
    answer.resume();
    await wait;
    expect(clock.now() - start).toBe(3_600_000);
  });

  test('advances after a request has failed', async () => {
    const { request, response } = await send();
    const wait = waitAnHour();
    response.destroy();
    await once(request, 'error');

    await wait;
    expect(isOver).toBe(true);
  });
});
