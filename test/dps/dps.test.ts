import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { environmentIn } from '../../src/cli/shell/environment.ts';
import { dpsPlace, managementPlace } from '../../src/dps/connection.ts';
import { DEVELOPMENT_DPS } from '../../src/dps/development.ts';
import { openDps } from '../../src/dps/dps.ts';
import { DpsError, type DpsPort } from '../../src/dps/port.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FUNCTION_KEY = 'function-key-that-nobody-may-see';
const RECORD = { enrollmentGroupId: 'g é', etag: '"1"', attestation: { type: 'symmetricKey' } };

let server: Server;
let answer: (response: ServerResponse, request: IncomingMessage) => void;
let seen: {
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}[];
let dps: DpsPort;
beforeEach(async () => {
  seen = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ url: `${request.method} ${request.url}`, headers: request.headers, body });
    answer(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  dps = openDps(dpsPlace({ IOT_ENDPOINT: `http://127.0.0.1:${port}` }), { deadlineMs: 1_500 });
});
afterEach(async () => {
  await dps.close();
  server.closeAllConnections();
  server.close();
});
const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const failure = async (call: Promise<unknown>): Promise<DpsError> => {
  const error: unknown = await call.catch((reason: unknown) => reason);
  if (!(error instanceof DpsError)) throw new Error(`expected a DpsError, got ${inspect(error)}`);
  return error;
};
const put = () =>
  dps.put(
    'group',
    'g',
    { customAllocationDefinition: { webhookUrl: `https://x?code=${FUNCTION_KEY}` } },
    '"1"',
  );

describe('a request to DPS', () => {
  test('a list follows the continuation token until the last page', async () => {
    answer = (response, request) => {
      const page = Number(request.headers['x-ms-continuation'] ?? 0);
      json(
        200,
        [{ ...RECORD, enrollmentGroupId: `g${page}` }],
        page < 2 ? { 'x-ms-continuation': String(page + 1) } : {},
      )(response);
    };

    expect((await dps.list('group')).map(({ id }) => id)).toEqual(['g0', 'g1', 'g2']);
  });

  test('an update sends the etag in If-Match, and a creation sends none', async () => {
    answer = json(200, RECORD);
    await put();
    await dps.put('group', 'g é', {}, undefined);

    expect(seen.map(({ url, headers }) => [url, headers['if-match']])).toEqual([
      ['PUT /enrollmentGroups/g?api-version=2021-10-01', '"1"'],
      ['PUT /enrollmentGroups/g%20%C3%A9?api-version=2021-10-01', undefined],
    ]);
    expect(seen[0]?.headers.host).toBe(DEVELOPMENT_DPS.host);
  });

  test('a deletion succeeds where the enrollment is already gone', async () => {
    answer = json(404, { errorCode: 404201 });

    await dps.delete('individual', 'x', '"1"');
    expect(seen[0]?.headers['if-match']).toBe('"1"');
  });
});

describe('a failed request to DPS', () => {
  test.each<[number, string]>([
    [400, 'BERTH_DPS_REFUSED'],
    [401, 'BERTH_DPS_UNAUTHORIZED'],
    [403, 'BERTH_DPS_UNAUTHORIZED'],
    [404, 'BERTH_DPS_NOT_FOUND'],
    [409, 'BERTH_DPS_PRECONDITION_FAILED'],
    [412, 'BERTH_DPS_PRECONDITION_FAILED'],
    [429, 'BERTH_DPS_THROTTLED'],
    [500, 'BERTH_DPS_UNAVAILABLE'],
    [503, 'BERTH_DPS_UNAVAILABLE'],
  ])('the answer %i becomes %s with the message of DPS', async (status, code) => {
    answer = json(status, { errorCode: 400004, trackingId: 'x', message: 'The\nhub\u001b is not linked.' });

    expect(await failure(put())).toMatchObject({
      code,
      status,
      message: `${DEVELOPMENT_DPS.host} answered PUT with ${status}: 400004 The hub is not linked.`,
    });
  });

  test.each<[string, string, (response: ServerResponse) => void]>([
    ['never answers', 'BERTH_DPS_TIMEOUT', () => {}],
    ['closes the connection', 'BERTH_DPS_UNAVAILABLE', (response) => response.destroy()],
    ['answers with the HTML page of a proxy', 'BERTH_DPS_UNAVAILABLE', json(200, '<html>')],
    ['answers with unexpected JSON', 'BERTH_DPS_UNAVAILABLE', json(200, { hello: 1 })],
  ])('a service that %s causes %s', async (_, code, how) => {
    answer = how;

    expect(await failure(put())).toMatchObject({ code });
    expect(await failure(dps.list('individual'))).toMatchObject({ code });
  });

  test('an error shows neither the token nor a key, even if DPS repeats them', async () => {
    answer = json(400, {
      errorCode: 400004,
      message: `https://x.net/api?code=${FUNCTION_KEY} and ${DEVELOPMENT_DPS.key} by SharedAccessSignature sr=x&sig=y`,
    });

    const error = await failure(put());

    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
    for (const secret of [FUNCTION_KEY, DEVELOPMENT_DPS.key, 'sig=y', 'skn='])
      expect(shown).not.toContain(secret);
  });
});

describe('the choice of DPS', () => {
  const CONNECTION =
    'HostName=Contoso.azure-devices-provisioning.net;SharedAccessKeyName=p;SharedAccessKey=c2VjcmV0PQ==';

  test('the connection string names the DPS and its key', async () => {
    const place = dpsPlace({ BERTH_DPS: CONNECTION });

    expect(place).toMatchObject({
      host: 'contoso.azure-devices-provisioning.net',
      origin: 'https://contoso.azure-devices-provisioning.net',
    });
    expect(await place.credential.authorization()).toMatch(
      /^SharedAccessSignature sr=contoso\.azure-devices-provisioning\.net&sig=.*&skn=p$/,
    );
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['no setting names a DPS', {}, /^No DPS is set/],
    [
      'the connection string cannot be read',
      { BERTH_DPS: 'c2VjcmV0' },
      /^BERTH_DPS is not a service connection string/,
    ],
    [
      'the host name is a URL',
      { BERTH_DPS__hostName: 'https://c2VjcmV0' },
      /^BERTH_DPS__hostName is not a host name/,
    ],
    [
      'the endpoint is on another machine',
      { IOT_ENDPOINT: 'http://c2VjcmV0.example' },
      /^IOT_ENDPOINT is not a plain-http address/,
    ],
    [
      'an Entra token would go to a port of this machine',
      { BERTH_DPS__hostName: 'a.b', IOT_ENDPOINT: 'http://127.0.0.1:7080' },
      /are both set/,
    ],
    [
      'a DPS in Azure would be called at a port of this machine',
      { BERTH_DPS: CONNECTION, IOT_ENDPOINT: 'http://127.0.0.1:7080' },
      /^BERTH_DPS names a DPS in Azure, and IOT_ENDPOINT is set too/,
    ],
  ])('a coded error is thrown where %s', (_, env, message) => {
    expect(() => dpsPlace(env)).toThrow(
      expect.objectContaining({ code: 'BERTH_SETTING_INVALID', message: expect.stringMatching(message) }),
    );
    expect(() => dpsPlace(env)).not.toThrow(/c2VjcmV0/);
  });

  test('certificates need the resource id of DPS, except for the local DPS', () => {
    expect(() => managementPlace({ BERTH_DPS: CONNECTION })).toThrow(/BERTH_DPS__resourceId is missing/);
    expect(() => managementPlace({ BERTH_DPS__resourceId: '/subscriptions/x' })).toThrow(/not a resource id/);
    expect(managementPlace({ IOT_ENDPOINT: 'http://127.0.0.1:7080' }).origin).toBe('http://127.0.0.1:7080');
    expect(
      managementPlace({
        BERTH_DPS__resourceId: DEVELOPMENT_DPS.resourceId,
        IOT_ENDPOINT: 'http://127.0.0.1:7080',
      }).origin,
    ).toBe('https://management.azure.com');
  });

  test('a named DPS is not reached through the address of the local stack', () => {
    const folder = temporaryFolder('dps-env');
    const Values = { IOT_ENDPOINT: 'http://127.0.0.1:7080' };
    writeFileSync(join(folder, 'local.settings.json'), JSON.stringify({ Values }));

    expect(environmentIn(folder, {}).IOT_ENDPOINT).toBe(Values.IOT_ENDPOINT);
    expect(environmentIn(folder, { BERTH_DPS: CONNECTION }).IOT_ENDPOINT).toBeUndefined();
    expect(environmentIn(folder, { BERTH_DPS__hostName: 'a.b' }).IOT_ENDPOINT).toBeUndefined();
  });
});

describe('registration records', () => {
  const record = {
    registrationId: 'serial-7',
    deviceId: 'pump',
    assignedHub: 'contoso-weu.device.azure-devices.net',
    status: 'assigned',
    substatus: 'initialAssignment',
    createdDateTimeUtc: '2026-11-01T08:00:00.1234567Z',
    lastUpdatedDateTimeUtc: '2026-11-02T08:00:00.1234567Z',
    etag: 'e',
    payload: { secret: 'x' },
  };
  const known = {
    registrationId: 'serial-7',
    deviceId: 'pump',
    assignedHub: 'contoso-weu.device.azure-devices.net',
    status: 'assigned',
    updatedAt: '2026-11-02T08:00:00.1234567Z',
  };

  test('of a group come from all pages, without what the device was answered', async () => {
    const failed = {
      ...record,
      registrationId: 'b',
      deviceId: undefined,
      assignedHub: undefined,
      status: 'failed',
    };
    answer = (response, request) =>
      request.headers['x-ms-continuation'] === undefined
        ? json(200, [record], { 'x-ms-continuation': 'next page' })(response)
        : json(200, [failed])(response);

    const pages = [];
    for await (const page of dps.registrations('g é/1')) pages.push(page);

    expect(pages).toEqual([
      [known],
      [{ ...known, registrationId: 'b', deviceId: undefined, assignedHub: undefined, status: 'failed' }],
    ]);
    expect(seen.map(({ url, headers }) => [url, headers['x-ms-continuation']])).toEqual([
      [expect.stringMatching(/^POST \/registrations\/g%20%C3%A9%2F1\/query\?api-version=/), undefined],
      [expect.stringMatching(/^POST \/registrations\/g%20%C3%A9%2F1\/query\?api-version=/), 'next page'],
    ]);
  });

  test('of one device are undefined if DPS has none', async () => {
    answer = json(404, { errorCode: 404204, message: 'not found' });

    expect(await dps.registration('serial-7')).toBeUndefined();

    answer = json(200, record);
    expect(await dps.registration('serial-7')).toEqual(known);
    answer = json(503, {});
    await expect(dps.registration('serial-7')).rejects.toMatchObject({ code: 'BERTH_DPS_UNAVAILABLE' });
  });

  test('that DPS does not describe are refused, and not taken for a missing record', async () => {
    answer = json(200, { registrationId: 'serial-7' });

    await expect(dps.registration('serial-7')).rejects.toMatchObject({ code: 'BERTH_DPS_UNAVAILABLE' });
  });
});
