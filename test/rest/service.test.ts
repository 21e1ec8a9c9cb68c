import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type CallTrouble, troubleText } from '../../src/rest/failure.ts';
import { openRestService, type RestEndpoint, type RestService } from '../../src/rest/service.ts';

const HOST = 'weu.azure-devices.net';
const TOKEN = 'Bearer token-that-no-failure-may-hold';
const DEADLINE_MS = 60_000;
/** For a service that does not answer. */
const SHORT_DEADLINE_MS = 300;
const CALL = {
  method: 'PATCH',
  path: '/twins/d?api-version=1',
  headers: {},
  body: { secret: 'in-the-body' },
};

let server: Server;
let answer: (response: ServerResponse) => void;
let seen: IncomingMessage[];
let service: RestService;
const open = (more: Partial<RestEndpoint> = {}, deadlineMs = DEADLINE_MS): RestService => {
  const { port } = server.address() as AddressInfo;
  const credential = { authorization: async () => TOKEN };
  return openRestService({ host: HOST, origin: `http://127.0.0.1:${port}`, credential, ...more }, deadlineMs);
};
const sends =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, headers);
    response.end(body);
  };

beforeEach(async () => {
  seen = [];
  answer = sends(200, '{}');
  server = createServer((request, response) => {
    seen.push(request);
    request.resume().on('end', () => answer(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service = open();
});
afterEach(async () => {
  await service.close();
  server.closeAllConnections();
  server.close();
});

describe('a call of a REST service', () => {
  test('returns the JSON and the headers', async () => {
    answer = sends(201, '{"ü":1}', { 'x-ms-continuation': 'next' });

    expect(await service.call(CALL)).toMatchObject({
      ok: true,
      answer: { json: { ü: 1 }, headers: { 'x-ms-continuation': 'next' } },
    });
  });

  test('returns no JSON when the body is empty', async () => {
    answer = sends(204, '');

    expect(await service.call(CALL)).toMatchObject({ ok: true, answer: { json: undefined } });
  });

  test('sends numeric headers as texts and names the service host', async () => {
    const other = open({ serviceHost: 'weu.service.azure-devices.net' });

    await other.call({ ...CALL, headers: { 'x-ms-max-item-count': 100 } });
    await other.close();

    expect(seen[0]?.headers).toMatchObject({
      host: 'weu.service.azure-devices.net',
      authorization: TOKEN,
      'user-agent': 'berth',
      'x-ms-max-item-count': '100',
    });
  });

  test('is sent once, even if it fails', async () => {
    answer = sends(503, '');

    await service.call(CALL);

    expect(seen).toHaveLength(1);
  });
});

describe('a failure of a REST service', () => {
  const failureOf = async (called: RestService) => {
    const result = await called.call(CALL);
    if (result.ok) throw new Error('the call succeeded');
    return result.failure;
  };

  test('contains the status, headers, body, requested wait and clock of the service', async () => {
    answer = sends(429, '{"Message":"slow down"}', {
      'retry-after': '7',
      date: 'Mon, 23 Nov 2026 12:00:00 GMT',
      'iothub-errorcode': 'ThrottlingException',
    });

    expect(await failureOf(service)).toMatchObject({
      kind: 'refused',
      host: HOST,
      method: 'PATCH',
      status: 429,
      body: '{"Message":"slow down"}',
      headers: { 'iothub-errorcode': 'ThrottlingException' },
      retryAfterMs: 7_000,
      answeredAt: '2026-11-23T12:00:00.0000000Z',
      mayHaveApplied: false,
    });
  });

  test.each<[number, boolean]>([
    [302, false],
    [400, false],
    [499, false],
    [500, true],
    [503, true],
  ])('with status %i may have been applied: %s', async (status, mayHaveApplied) => {
    answer = sends(status, '');

    expect(await failureOf(service)).toMatchObject({ kind: 'refused', status, mayHaveApplied });
  });

  test.each<[string, (response: ServerResponse) => void, Partial<CallTrouble>, string]>([
    [
      'sends nothing',
      () => {},
      { kind: 'timeout', mayHaveApplied: true },
      `${HOST} did not answer PATCH in 0.3 s.`,
    ],
    [
      'never ends its answer',
      (response) => response.writeHead(200).write('{'),
      { kind: 'timeout', mayHaveApplied: true },
      `${HOST} did not answer PATCH in 0.3 s.`,
    ],
    [
      'breaks off',
      (response) => response.destroy(),
      { kind: 'unreachable', mayHaveApplied: true },
      `${HOST} could not be reached for PATCH (UND_ERR_SOCKET).`,
    ],
    [
      'sends more than four megabytes',
      sends(200, JSON.stringify('x'.repeat(4 * 1024 * 1024))),
      { kind: 'unreachable', mayHaveApplied: true },
      `${HOST} could not be reached for PATCH (UND_ERR_RES_EXCEEDED_MAX_SIZE).`,
    ],
    [
      'sends the page of a proxy',
      sends(200, '<html>'),
      { kind: 'notJson', mayHaveApplied: true },
      `${HOST} answered PATCH with a body that is not JSON.`,
    ],
  ])('is described by its kind when the service %s', async (_, how, kind, text) => {
    answer = how;
    const asked = open({}, kind.kind === 'timeout' ? SHORT_DEADLINE_MS : DEADLINE_MS);

    const failure = await failureOf(asked);
    await asked.close();

    expect(failure).toMatchObject(kind);
    expect(troubleText(failure as CallTrouble)).toBe(text);
  });

  test('before a connection exists cannot have been applied', async () => {
    const away = open({ origin: 'http://127.0.0.1:9' });

    const failure = await failureOf(away);

    expect(failure).toMatchObject({
      kind: 'unreachable',
      reason: 'ECONNREFUSED',
      mayHaveApplied: false,
    });
    expect(troubleText(failure as CallTrouble)).toMatch(
      /could not be reached for \w+ \(ECONNREFUSED\)\. Nothing answers at 127\.0\.0\.1:9: run npm start\.$/,
    );
    await away.close();
  });

  test('to get a token sends no request and gives the name of the error without its message', async () => {
    const authorization = () => Promise.reject(new RangeError('the secret of the identity endpoint'));
    const locked = open({ credential: { authorization } });

    const failure = await failureOf(locked);
    await locked.close();

    expect(failure).toEqual({
      kind: 'noToken',
      host: HOST,
      method: 'PATCH',
      reason: 'RangeError',
      mayHaveApplied: false,
    });
    expect(seen).toEqual([]);
  });

  test('contains neither the token nor the body of the request', async () => {
    for (const how of [sends(500, ''), sends(200, '<'), (response: ServerResponse) => response.destroy()]) {
      answer = how as typeof answer;
      const text = JSON.stringify(await failureOf(service));

      expect(text).not.toContain('token-that-no-failure-may-hold');
      expect(text).not.toContain('in-the-body');
    }
  });
});
