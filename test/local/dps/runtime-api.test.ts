import { request as secureRequest } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { until, WEU } from '../iot-hub/local-hubs.ts';
import {
  customGroup,
  GROUP_KEY,
  ID_SCOPE,
  type LocalDps,
  SERVICE_HOST,
  startLocalDps,
  startWebhook,
  type Webhook,
} from './local-dps.ts';
import { answerOf, type ServiceAnswer } from './service-calls.ts';

/** The wire form, as C and Python devices see it that are written by the documentation. */
describe('the runtime API over HTTPS', () => {
  let webhook: Webhook;
  let local: LocalDps;

  beforeEach(async () => {
    webhook = await startWebhook();
    local = await startLocalDps([customGroup(webhook)], { retryAfter: 3 });
  });
  afterEach(async () => {
    await local.close();
    await webhook.close();
  });

  /** A token in the form of the documentation: the resource encoded, and signed so. */
  const tokenFor = (registrationId: string) =>
    SharedAccessSignature.create(
      encodeURIComponent(`${ID_SCOPE}/registrations/${registrationId}`),
      'registration',
      deriveDeviceKey(GROUP_KEY, registrationId),
      Math.ceil(Date.now() / 1000) + 3600,
    ).toString();

  function call(
    method: string,
    path: string,
    body: unknown = {},
    headers: Record<string, string> = { authorization: tokenFor('dev-1') },
  ): Promise<ServiceAnswer> {
    return new Promise((resolve, reject) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const options = {
        host: '127.0.0.1',
        servername: SERVICE_HOST,
        port: local.ports.https,
        ca: local.authority.root,
        agent: false,
      } as const;
      const request = secureRequest(
        {
          ...options,
          method,
          path: path.includes('?') ? path : `${path}?api-version=2021-06-01`,
          headers: {
            host: SERVICE_HOST,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
            ...headers,
          },
        },
        (response) => void answerOf(response).then(resolve, reject),
      );
      request.on('error', reject);
      request.end(text);
    });
  }
  const base = `/${ID_SCOPE}/registrations/dev-1`;
  const version = '?api-version=2019-03-31';

  test('accepts a registration, says when and where to ask again, and returns the result at the end', async () => {
    webhook.answers({ status: 200, body: { iotHubHostName: WEU, payload: { a: 1 } } });

    const accepted = await call('PUT', `${base}/register${version}`, {
      registrationId: 'dev-1',
      payload: { p: 1 },
    });
    expect(accepted).toMatchObject({
      status: 202,
      headers: {
        'retry-after': '3',
        location: `https://${SERVICE_HOST}${base}/register`,
        'x-ms-request-id': expect.any(String),
      },
      body: { operationId: expect.stringMatching(/^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/), status: 'assigning' },
    });

    const { operationId } = accepted.body;
    let polled = await call('GET', `${base}/operations/${operationId}${version}`);
    while (polled.status === 202) {
      expect(polled).toMatchObject({
        headers: { 'retry-after': '3' },
        body: { operationId, status: 'assigning' },
      });
      polled = await call('GET', `${base}/operations/${operationId}${version}`);
    }
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
    expect(polled.status).toBe(200);
    expect(polled.body).toEqual({
      operationId,
      status: 'assigned',
      registrationState: {
        symmetricKey: { enrollmentGroupId: 'contoso-devices' },
        registrationId: 'dev-1',
        createdDateTimeUtc: time,
        assignedHub: WEU,
        deviceId: 'dev-1',
        status: 'assigned',
        substatus: 'initialAssignment',
        lastUpdatedDateTimeUtc: time,
        etag: expect.any(String),
        payload: { a: 1 },
      },
    });
    expect(webhook.requests[0].deviceRuntimeContext.payload).toEqual({ p: 1 });

    const found = await call('POST', base);
    expect(found.body).toEqual(polled.body.registrationState);
    expect(JSON.stringify([polled.body, local.dps.registrations()])).not.toContain(
      deriveDeviceKey(GROUP_KEY, 'dev-1'),
    );
  });

  test('does not start a registration twice while it is in progress', async () => {
    webhook.answers('hang up', 'hang up', { status: 200, body: { iotHubHostName: WEU } });
    const [first, second] = [await call('PUT', `${base}/register`), await call('PUT', `${base}/register`)];

    expect(first.body.operationId).toMatch(/^5\./);
    expect(second.body.operationId).toBe(first.body.operationId);
    expect((await call('GET', `${base}/operations/${first.body.operationId}`)).status).toBeLessThan(300);
  });

  test('gives a request that is repeated at once the operation of the first one, also when it has ended', async () => {
    webhook.answers({ status: 200, body: { iotHubHostName: WEU } });
    const first = await call('PUT', `${base}/register`);
    await until(() => local.dps.registrations().length === 1, 'the end of the registration');

    const second = await call('PUT', `${base}/register`);
    expect(second.body.operationId).toBe(first.body.operationId);
    expect(webhook.requests).toHaveLength(1);
    const polled = await call('GET', `${base}/operations/${first.body.operationId}`);
    expect(polled.body).toMatchObject({ status: 'assigned' });

    const third = await call('PUT', `${base}/register`);
    expect(third.body.operationId).not.toBe(first.body.operationId);
  });

  test.each(['', ' ', '{}', { payload: null }])(
    'accepts a registration with the body %j, without a payload',
    async (body) => {
      const accepted = await call('PUT', `${base}/register`, body);

      expect(accepted).toMatchObject({ status: 202, body: { status: 'assigning' } });
      await until(() => webhook.requests.length > 0, 'the call of the webhook');
      expect(webhook.requests[0].deviceRuntimeContext).not.toHaveProperty('payload');
    },
  );

  test.each(['?api-version=2011-01-01', '?'])('refuses the api-version in %s with 400', async (query) => {
    expect(await call('PUT', `${base}/register${query}`)).toMatchObject({
      status: 400,
      body: { errorCode: 400004 },
    });
  });

  test('looks for the route before the token', async () => {
    const nothing = await call('PUT', `${base}/nothing`, {}, {});
    const socket = await call('GET', '/$iothub/websocket', {}, {});

    expect(nothing.status).toBe(404);
    expect(socket).toMatchObject({
      status: 501,
      body: { message: expect.stringContaining('not in the local DPS') },
    });
  });

  test.each<[string, string, string, unknown, number, number]>([
    ['a payload that is a text', 'PUT', `${base}/register`, { payload: 'x' }, 400, 400012],
    ['a payload that is a number', 'PUT', `${base}/register`, { payload: 7 }, 400, 400012],
    ['a payload that is a list', 'PUT', `${base}/register`, { payload: [] }, 400, 400012],
    ['a payload that is a boolean', 'PUT', `${base}/register`, { payload: false }, 400, 400012],
    ['a body that is not JSON', 'PUT', `${base}/register`, '{"reg', 400, 400004],
    ['a body that is not an object', 'PUT', `${base}/register`, '[]', 400, 400004],
    [
      'the id of another device in the body',
      'PUT',
      `${base}/register`,
      { registrationId: 'dev-2' },
      400,
      400004,
    ],
    ['TPM attestation', 'PUT', `${base}/register`, { tpm: { endorsementKey: 'x' } }, 400, 400004],
    ['a body over 96 KB', 'PUT', `${base}/register`, { payload: 'x'.repeat(100_000) }, 413, 413001],
    ['an unknown operation', 'GET', `${base}/operations/5.0.0`, {}, 404, 404201],
    ['a device that never registered', 'POST', base, {}, 404, 404201],
    ['an unknown verb', 'DELETE', `${base}/register`, {}, 404, 404201],
    ['a deeper path', 'PUT', `${base}/register/more`, {}, 404, 404201],
  ])('refuses %s', async (_name, method, path, body, status, errorCode) => {
    const answer = await call(method, path, body);

    expect(answer).toMatchObject({
      status,
      headers: {
        'x-ms-error-code': String(errorCode),
        'content-type': expect.stringContaining('application/json'),
      },
      body: { errorCode, message: expect.any(String), trackingId: expect.any(String) },
    });
    expect(webhook.requests).toEqual([]);
  });

  test.each([
    ['contains a path to a parent folder', '/0ne00000001/registrations/..%2f..%2fetc%2fpasswd/register'],
    ['ends with a dot', '/0ne00000001/registrations/dev-1./register'],
    ['is empty', '/0ne00000001/registrations//register'],
    ['is too long', `/0ne00000001/registrations/${'x'.repeat(129)}/register`],
    ['contains characters that are not allowed', '/0ne00000001/registrations/a%20b%3f%23%25/register'],
    ['is not properly encoded', '/0ne00000001/registrations/%zz/register'],
  ])('refuses a registration id that %s', async (_name, path) => {
    expect((await call('PUT', path)).status).toBe(400);
  });

  test.each([
    ['no token', {}],
    ['a token for another device', { authorization: 'dev-2' }],
    ['a malformed token', { authorization: 'SharedAccessSignature sr=&sig=%&se=999999999999' }],
  ])('refuses a request with %s with 401', async (_name, headers: Record<string, string>) => {
    const authorization = headers.authorization === 'dev-2' ? tokenFor('dev-2') : headers.authorization;
    const answer = await call('PUT', `${base}/register`, {}, authorization ? { authorization } : {});

    expect(answer).toMatchObject({ status: 401, body: { errorCode: 401002 } });
  });

  test('accepts 1,000 registrations a minute and refuses more with 429', async () => {
    let time = Date.now();
    const busy = await startLocalDps([customGroup(webhook)], {
      now: () => time,
      call: async () => ({ status: 200, body: JSON.stringify({ iotHubHostName: WEU }) }),
    });
    const register = (index: number) =>
      busy.dps.https.answer({
        method: 'PUT',
        host: SERVICE_HOST,
        path: `/${ID_SCOPE}/registrations/dev-${index}/register`,
        query: new URLSearchParams({ 'api-version': '2019-03-31' }),
        headers: { authorization: tokenFor(`dev-${index}`) },
        body: Buffer.from('{}'),
        certificates: [],
        rawHeaders: [],
      });

    const answers = await Promise.all(Array.from({ length: 1001 }, (_, index) => register(index)));
    time += 61_000;
    const later = await register(1001);

    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1000);
    expect(answers[1000]).toMatchObject({
      status: 429,
      headers: { 'Retry-After': '0' },
      body: { errorCode: 429001 },
    });
    expect(later.status).toBe(202);
    await busy.close();
  });
});
