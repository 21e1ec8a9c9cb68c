import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

describe('twins over the service API', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    await registry.create({ deviceId: 'dev-1' });
  });
  afterEach(() => local.close());

  test('a new device has an empty twin', async () => {
    const { responseBody: twin } = await registry.getTwin('dev-1');

    expect(JSON.parse(JSON.stringify(twin))).toMatchObject({
      deviceId: 'dev-1',
      etag: 'AAAAAAAAAAE=',
      version: 2,
      status: 'enabled',
      connectionState: 'Disconnected',
      authenticationType: 'sas',
      tags: {},
      properties: {
        desired: { $metadata: { $lastUpdated: '0001-01-01T00:00:00Z' }, $version: 1 },
        reported: { $metadata: { $lastUpdated: '0001-01-01T00:00:00Z' }, $version: 1 },
      },
      capabilities: { iotEdge: false },
    });
  });

  test.each([
    ['PATCH', 'PATCH'],
    ['a method in lower case', 'patch'],
  ])(
    'a POST that names %s in X-HTTP-Method-Override patches the twin, as the SDK for Java sends it',
    async (_what, method) => {
      const answer = await local.call('POST', '/twins/dev-1', {
        body: { tags: { site: 'ams' } },
        headers: { 'X-HTTP-Method-Override': method },
      });

      expect(answer).toMatchObject({ status: 200, body: { tags: { site: 'ams' }, version: 3 } });
    },
  );

  test('a POST can name PUT and DELETE in X-HTTP-Method-Override too', async () => {
    const call = (method: string, path: string, body: object) =>
      local.call('POST', path, { body, headers: { 'X-HTTP-Method-Override': method } });

    expect(await call('PUT', '/devices/dev-2', { deviceId: 'dev-2' })).toMatchObject({ status: 200 });
    expect(await call('DELETE', '/devices/dev-2', {})).toMatchObject({ status: 204 });
  });

  test.each([
    ['a GET', 'GET', 'DELETE', 200],
    ['a PUT', 'PUT', 'DELETE', 200],
    ['a POST that names another method', 'POST', 'GET', 404],
  ])('%s does not change by X-HTTP-Method-Override', async (_what, method, named, status) => {
    const answer = await local.call(method, '/twins/dev-1', {
      ...(method !== 'GET' && { body: {} }),
      headers: { 'X-HTTP-Method-Override': named },
    });

    expect(answer.status).toBe(status);
    expect((await registry.get('dev-1')).responseBody.deviceId).toBe('dev-1');
  });

  test('a patch is merged, increases the versions, and returns the new twin with its etag', async () => {
    const { responseBody: twin, httpResponse } = await registry.updateTwin(
      'dev-1',
      { tags: { site: 'Zürich' }, properties: { desired: { interval: 5 } } },
      '*',
    );

    expect(JSON.parse(JSON.stringify(twin))).toMatchObject({
      etag: 'AAAAAAAAAAI=',
      version: 3,
      tags: { site: 'Zürich' },
      properties: { desired: { interval: 5, $version: 2 } },
    });
    expect(httpResponse.headers.etag).toBe('"AAAAAAAAAAI="');
  });

  test('the SDK quotes its etag, and a stale one is refused with 412', async () => {
    const { responseBody: twin } = await registry.getTwin('dev-1');
    await registry.updateTwin('dev-1', { tags: { by: 'another' } }, '*');

    await expect(registry.updateTwin('dev-1', { tags: { by: 'me' } }, twin.etag)).rejects.toMatchObject({
      name: 'InvalidEtagError',
    });
    await expect(registry.updateTwin('dev-1', { tags: { by: 'me' } }, 'AAAAAAAAAAI=')).resolves.toBeDefined();
  });

  test.each([
    ['quoted and stale', '"AAAAAAAAAAk="', 412],
    ['quoted and current', '"AAAAAAAAAAE="', 200],
    ['a wildcard', '"*"', 200],
    ['unquoted and stale, which the hub ignores', 'AAAAAAAAAAk=', 200],
  ])('a patch with an If-Match that is %s is answered with its status', async (_name, ifMatch, status) => {
    const answer = await local.call('PATCH', '/twins/dev-1?api-version=2021-04-12', {
      headers: { 'if-match': ifMatch },
      body: { tags: { a: 1 } },
    });

    expect(answer.status).toBe(status);
    if (status === 412) {
      expect(answer.headers['iothub-errorcode']).toBe('PreconditionFailed');
      expect(JSON.parse(answer.body.Message)).toMatchObject({ errorCode: 412001 });
      expect(answer.body.ExceptionMessage).toBe('');
    }
  });

  test('PUT replaces the sections it names and sends an event with the whole twin', async () => {
    await registry.updateTwin('dev-1', { tags: { a: 1 }, properties: { desired: { x: 1, y: 2 } } }, '*');
    local.events.length = 0;

    const answer = await local.call('PUT', '/twins/dev-1', {
      body: { tags: null, properties: { desired: { x: 1, z: 3 } } },
    });

    expect(answer.body).toMatchObject({
      tags: {},
      etag: 'AAAAAAAAAAM=',
      properties: { desired: { x: 1, z: 3 } },
    });
    expect(answer.body.properties.desired).not.toHaveProperty('y');
    expect(local.events).toHaveLength(1);
    expect(local.events[0]?.properties.opType).toBe('replaceTwin');
  });

  test('PATCH clears a section that is null, and the other sections keep their values', async () => {
    await registry.updateTwin(
      'dev-1',
      { tags: { a: 1 }, properties: { desired: { x: { y: 1 }, z: 2 } } },
      '*',
    );
    local.events.length = 0;

    const noTags = await local.call('PATCH', '/twins/dev-1', { body: { tags: null } });
    const nothing = await local.call('PATCH', '/twins/dev-1', { body: { properties: { desired: null } } });

    expect(noTags.body).toMatchObject({ version: 4, properties: { desired: { x: { y: 1 }, z: 2 } } });
    expect(noTags.body.tags).toEqual({});
    expect(nothing.body.version).toBe(5);
    expect(nothing.body.properties.desired).toEqual({
      $metadata: expect.objectContaining({ $lastUpdatedVersion: 3 }),
      $version: 3,
    });
    expect(local.events.map(({ body }) => body)).toMatchObject([
      { version: 4, tags: { a: null } },
      { version: 5, properties: { desired: { x: null, z: null, $version: 3 } } },
    ]);
  });

  test('a device gets a notification when a service clears its desired properties', async () => {
    const key = testKey(4);
    await registry.create({
      deviceId: 'dev-9',
      authentication: { symmetricKey: { primaryKey: key, secondaryKey: key } },
    });
    await registry.updateTwin('dev-9', { properties: { desired: { x: 1 } } }, '*');
    const client = await local.device(WEU, 'dev-9', key);
    await client.open();
    const twin = await client.getTwin();
    const seen: unknown[] = [];
    twin.on('properties.desired', (patch: object) => void seen.push({ ...patch }));
    await until(() => seen.length === 1, 'the first document');

    await until(() => local.hubs.view(WEU)?.counters.deviceConnections === 1, 'the connection');
    await new Promise((resolve) => setTimeout(resolve, 200)); // the SDK subscribes after it has shown the document
    await registry.updateTwin('dev-9', { properties: { desired: null } }, '*');

    await until(() => seen.length === 2, 'the notification');
    expect(seen[1]).toMatchObject({ x: null, $version: 3 });
  });

  test.each([
    ['updateTwin', 200],
    ['updateTwinIfMatchETag', 200],
  ])('a bulk call with %s writes twins', async (importMode, status) => {
    await registry.create({ deviceId: 'dev-2' });
    await registry.addModule({ deviceId: 'dev-2', moduleId: 'm' });

    const answer = await local.call('POST', '/devices', {
      body: [
        {
          id: 'dev-1',
          importMode,
          twinETag: 'AAAAAAAAAAE=',
          tags: { a: 1 },
          properties: { desired: { x: 1 } },
        },
        { id: 'dev-2', importMode, twinETag: '"AAAAAAAAAAE="', tags: null },
        {
          id: 'dev-2',
          moduleId: 'm',
          importMode,
          twinETag: 'AAAAAAAAAAE=',
          properties: { desired: { y: 1 } },
        },
      ],
    });

    expect(answer).toMatchObject({ status, body: { isSuccessful: true, errors: [] } });
    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({
      tags: { a: 1 },
      properties: { desired: { x: 1 } },
    });
    expect(local.hubs.view(WEU)?.twin('dev-2', 'm')).toMatchObject({ properties: { desired: { y: 1 } } });
  });

  test.each([
    ['another etag', { twinETag: 'AAAAAAAAAAk=' }, 412001],
    ['no etag', {}, 400004],
  ])('a bulk call with updateTwinIfMatchETag and %s changes nothing', async (_name, etag, errorCode) => {
    const answer = await local.call('POST', '/devices', {
      body: [{ id: 'dev-1', importMode: 'updateTwinIfMatchETag', ...etag, tags: { a: 1 } }],
    });

    expect(answer.body).toMatchObject({ isSuccessful: false, errors: [{ deviceId: 'dev-1', errorCode }] });
    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ version: 2 });
  });

  test('metadata that a client sends back is ignored', async () => {
    const answer = await local.call('PATCH', '/twins/dev-1', {
      body: { properties: { desired: { a: 1, $version: 77, $metadata: { a: {} } }, reported: { b: 1 } } },
    });

    expect(answer.body.properties.desired.$version).toBe(2);
    expect(answer.body.properties.reported).not.toHaveProperty('b');
  });

  test.each<[string, unknown]>([
    ['a body that is not JSON', '{"tags":'],
    ['an array', [1]],
    ['tags that are not an object', { tags: 'x' }],
    ['desired properties that are not an object', { properties: { desired: [1] } }],
    ['null in an array', { properties: { desired: { a: [1, null] } } }],
    ['a key with a dot', { tags: { 'a.b': 1 } }],
    ['a string over 4 KB', { tags: { a: 'x'.repeat(4097) } }],
    ['an integer over 2^52', { tags: { a: 4503599627370496 } }],
    [
      'more than 8 KB of tags',
      { tags: Object.fromEntries([...'abc'].map((name) => [name, 'x'.repeat(3000)])) },
    ],
  ])('refuses %s with 400 and does not change the twin', async (_name, body) => {
    const answer = await local.call('PATCH', '/twins/dev-1', { body });

    expect(answer.status).toBe(400);
    expect(answer.body).toHaveProperty('Message');
    expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ version: 2, tags: {} });
  });

  test('an unknown device is answered with 404001, in the form of the twin store', async () => {
    const answer = await local.call('GET', '/twins/absent');

    expect(answer.status).toBe(404);
    expect(answer.headers['iothub-errorcode']).toBe('DeviceNotFound');
    expect(JSON.parse(answer.body.Message)).toMatchObject({
      errorCode: 404001,
      trackingId: expect.stringMatching(/^[0-9a-f]{32}-G:0-TimeStamp:\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/),
      timestampUtc: expect.any(String),
    });
    await expect(registry.getTwin('absent')).rejects.toMatchObject({ response: { statusCode: 404 } });
  });

  test('the twin of a disabled device can be read but not written', async () => {
    const { responseBody: identity } = await registry.get('dev-1');
    await registry.update({ ...JSON.parse(JSON.stringify(identity)), status: 'disabled' });

    expect((await local.call('GET', '/twins/dev-1')).body.status).toBe('disabled');
    expect((await local.call('PATCH', '/twins/dev-1', { body: { tags: { a: 1 } } })).status).toBe(404);
  });
});
