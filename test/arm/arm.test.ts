import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listen } from '../../local/listen.ts';
import { openArm } from '../../src/arm/arm.ts';
import { armPlace } from '../../src/arm/connection.ts';
import type { ArmPort } from '../../src/arm/port.ts';
import { parseResourceId } from '../../src/arm/resource-id.ts';
import { answered, goldenAnswer } from '../support/arm/answers.ts';

let server: Server;
let arm: ArmPort;
let answers: { readonly status: number; readonly body: unknown }[];
let seen: string[];
beforeEach(async () => {
  [answers, seen] = [[], []];
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const { status, body } = answers.shift() ?? { status: 500, body: {} };
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const port = await listen(server, 0, 'the answers');
  arm = openArm(armPlace({ IOT_ENDPOINT: `http://127.0.0.1:${port}` }));
});
afterEach(async () => {
  await arm.close();
  server.closeAllConnections();
  server.close();
});

const LIST = '/subscriptions/s/providers/Microsoft.Devices/IotHubs';

describe('a list of Azure Resource Manager', () => {
  test('is read to its last page', async () => {
    const { nextLink: _, ...last } = answered('hub-list');
    answers = [goldenAnswer('hub-list'), { status: 200, body: last }];

    expect(await arm.list(LIST, '2026-11-01')).toHaveLength(2);
    expect(seen[1]).toContain('skiptoken=page2');
  });

  test('does not follow a link to another host, which would get the token', async () => {
    answers = [{ status: 200, body: { ...answered('hub-list'), nextLink: 'https://evil.example/x' } }];

    await expect(arm.list(LIST, '2026-11-01')).rejects.toMatchObject({ code: 'BERTH_AZURE_UNAVAILABLE' });
    expect(seen).toHaveLength(1);
  });
});

describe('a refusal of Azure Resource Manager', () => {
  test('names the missing right and the resource', async () => {
    answers = [goldenAnswer('forbidden')];

    await expect(arm.put(`${LIST}/contoso-weu`, '2026-11-01', {})).rejects.toMatchObject({
      code: 'BERTH_AZURE_UNAUTHORIZED',
      status: 403,
      message: expect.stringMatching(/AuthorizationFailed.*'Microsoft\.Devices\/IotHubs\/write' over scope/),
    });
  });

  test.each([
    [400, 'BERTH_AZURE_REFUSED'],
    [409, 'BERTH_AZURE_REFUSED'],
    [412, 'BERTH_AZURE_PRECONDITION_FAILED'],
    [429, 'BERTH_AZURE_THROTTLED'],
    [503, 'BERTH_AZURE_UNAVAILABLE'],
  ])('with the status %i becomes %s', async (status, code) => {
    answers = [{ status, body: { error: { code: 'X', message: 'Said.' } } }];

    await expect(arm.get('/x', '2026-11-01')).rejects.toMatchObject({ code, status });
  });

  test('never shows a key', async () => {
    const key = 'bWFkZS11cC1rZXktb2YtaW90aHVib3duZXItMDAwMDE=';
    answers = [{ status: 400, body: { code: 'X', message: `HostName=a;SharedAccessKey=${key} and ${key}` } }];

    const failure = await arm.put('/x', '2026-11-01', {}).catch((error: unknown) => error);

    expect(String(failure)).not.toContain(key);
  });

  test('404 to a reading means that there is no such resource', async () => {
    answers = [{ status: 404, body: {} }];

    expect(await arm.get('/x', '2026-11-01')).toBeUndefined();
  });

  test('the page of a proxy is an answer of another service', async () => {
    answers = [{ status: 200, body: '<html>' }];

    await expect(arm.get('/x', '2026-11-01')).rejects.toMatchObject({ code: 'BERTH_AZURE_UNAVAILABLE' });
  });
});

describe('the place of Azure Resource Manager', () => {
  test('is Azure with a subscription, even if a local address is set', () => {
    const subscription = '91d12660-3dec-467a-be2a-213b5544ddc0';

    expect(
      armPlace({ AZURE_SUBSCRIPTION_ID: subscription, IOT_ENDPOINT: 'http://127.0.0.1:1' }),
    ).toMatchObject({
      origin: 'https://management.azure.com',
      subscription,
    });
  });

  test.each([
    [{}, 'AZURE_SUBSCRIPTION_ID is not set'],
    [{ AZURE_SUBSCRIPTION_ID: 'mine' }, 'AZURE_SUBSCRIPTION_ID is not the id of a subscription'],
  ])('is refused for %j', (env, message) => {
    expect(() => armPlace(env)).toThrow(message);
  });
});

test('an id has a subscription, a resource group, a type and a name', () => {
  expect(parseResourceId(String(answered('hub-managed').id))).toMatchObject({
    resourceGroup: 'rg-berth-test',
    type: 'Microsoft.Devices/IotHubs',
    name: 'contoso-weu',
  });
  expect(parseResourceId('/subscriptions/s')).toBeUndefined();
});
