import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createIotHubs, type HubEvent, type IotHubs } from '../../../local/iot-hub/index.ts';
import { serviceToken, testKey, WEU } from './local-hubs.ts';

/**
 * Every event in full: what consumers see is a contract. The clock starts at 10:00:00.100 and each change
 * takes 100 ns.
 */
describe('the events of a hub', () => {
  const START = Date.parse('2024-03-01T10:00:00.100Z');
  const at = (ticks: number) => `2024-03-01T10:00:00.100000${ticks}`;
  let hubs: IotHubs;
  let events: HubEvent[];

  beforeEach(() => {
    events = [];
    hubs = createIotHubs({
      hubs: [{ host: WEU, tier: 'S1', units: 1 }],
      sink: () => (event) => events.push(event),
      now: () => START,
    });
  });
  afterEach(() => hubs.close());

  const call = async (method: string, path: string, body?: object) => {
    const response = await hubs.https.answer({
      method,
      host: WEU,
      path,
      query: new URLSearchParams({ 'api-version': '2021-04-12' }),
      headers: { authorization: serviceToken(WEU, undefined, Math.ceil(START / 1000) + 60) },
      body: Buffer.from(JSON.stringify(body ?? {})),
      certificates: [],
      rawHeaders: [],
    });
    if (response.status >= 300) throw new Error(JSON.stringify(response));
  };
  const create = (deviceId = 'dev-1') => call('PUT', `/devices/${deviceId}`, { deviceId });
  const last = () => {
    const event = events.at(-1);
    if (event === undefined) throw new Error('there is no event');
    return { ...event, body: JSON.parse(event.body.toString()) };
  };
  const EMPTY = { $metadata: { $lastUpdated: '0001-01-01T00:00:00Z' }, $version: 1 };

  test('the event createDeviceIdentity has the documented form', async () => {
    await create();

    expect(events).toHaveLength(1);
    expect(last()).toEqual({
      body: {
        deviceId: 'dev-1',
        etag: 'AAAAAAAAAAE=',
        version: 2,
        properties: { desired: EMPTY, reported: EMPTY },
      },
      partitionKey: 'dev-1',
      properties: {
        hubName: 'contoso-weu',
        deviceId: 'dev-1',
        operationTimestamp: `${at(0)}Z`,
        'iothub-message-schema': 'deviceLifecycleNotification',
        opType: 'createDeviceIdentity',
      },
      annotations: {
        'iothub-connection-device-id': 'dev-1',
        'iothub-enqueuedtime': START,
        'iothub-message-source': 'deviceLifecycleEvents',
      },
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      correlationId: expect.any(String),
      userId: 'contoso-weu',
    });
  });

  test('the event createDeviceIdentity of DPS contains the whole initial twin', () => {
    hubs.provisioning(WEU)?.create('dev-1', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
      capabilities: { iotEdge: false },
      tags: { site: 'ams' },
      desired: { level: 1 },
      reported: {},
    });

    const stamp = { $lastUpdated: '2024-03-01T10:00:00.1Z', $lastUpdatedVersion: 1 };
    expect(last().body).toEqual({
      deviceId: 'dev-1',
      etag: 'AAAAAAAAAAE=',
      version: 2,
      tags: { site: 'ams' },
      properties: {
        desired: { level: 1, $metadata: { ...stamp, level: stamp }, $version: 1 },
        reported: EMPTY,
      },
    });
    expect(JSON.stringify(events)).not.toContain(testKey(1));
  });

  test('the event updateTwin of a service patch contains the sent sections, desired with metadata', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', {
      tags: { tag1: 'new value' },
      properties: { desired: { property1: 'new value', nested: { a: 1 } } },
    });

    const stamp = { $lastUpdated: `${at(1)}Z`, $lastUpdatedVersion: 2 };
    expect(last().properties).toEqual({
      hubName: 'contoso-weu',
      deviceId: 'dev-1',
      operationTimestamp: `${at(1)}Z`,
      'iothub-message-schema': 'twinChangeNotification',
      opType: 'updateTwin',
    });
    expect(last().annotations['iothub-message-source']).toBe('twinChangeEvents');
    expect(last().body).toEqual({
      version: 3,
      tags: { tag1: 'new value' },
      properties: {
        desired: {
          property1: 'new value',
          nested: { a: 1 },
          $metadata: { ...stamp, property1: stamp, nested: { ...stamp, a: stamp } },
          $version: 2,
        },
      },
    });
  });

  test('the event updateTwin of a patch of tags contains no properties', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { tags: { a: { b: 1 } } });
    await call('PATCH', '/twins/dev-1', { tags: { a: { b: null } } });

    expect(last().body).toEqual({ version: 4, tags: { a: { b: null } } });
  });

  test('a patch without effect sends no event', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { properties: { desired: { gone: null } } });
    await call('PATCH', '/twins/dev-1', {});

    expect(events).toHaveLength(1);
  });

  test('an equal value that is written again sends an event', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { properties: { desired: { a: 1 } } });
    await call('PATCH', '/twins/dev-1', { properties: { desired: { a: 1 } } });

    expect(events).toHaveLength(3);
    expect(last().body).toMatchObject({ version: 4, properties: { desired: { a: 1, $version: 3 } } });
  });

  test('the event updateTwin of an edit in the portal contains all tags and all desired properties', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { tags: { site: 'x' }, properties: { desired: { a: 1, b: 2 } } });
    hubs.view(WEU)?.edit('dev-1', { tags: { floor: 3 } }, 'portal');

    const stamp = { $lastUpdated: `${at(2)}Z`, $lastUpdatedVersion: 3 };
    expect(last().body).toEqual({
      version: 4,
      tags: { site: 'x', floor: 3 },
      properties: { desired: { a: 1, b: 2, $metadata: { ...stamp, a: stamp, b: stamp }, $version: 3 } },
    });
    expect(hubs.view(WEU)?.counters).toMatchObject({ twinWrites: 1, controlWrites: 1 });
  });

  test('the event replaceTwin contains the whole twin', async () => {
    await create();
    await call('PUT', '/twins/dev-1', { tags: { a: 1 }, properties: { desired: { b: 2 } } });

    const stamp = { $lastUpdated: `${at(1)}Z`, $lastUpdatedVersion: 2 };
    expect(last().properties.opType).toBe('replaceTwin');
    expect(last().body).toEqual({
      deviceId: 'dev-1',
      etag: 'AAAAAAAAAAI=',
      version: 3,
      tags: { a: 1 },
      properties: { desired: { b: 2, $metadata: { ...stamp, b: stamp }, $version: 2 }, reported: EMPTY },
    });
  });

  test('the event deleteDeviceIdentity contains the last twin', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { tags: { a: 1 } });
    await call('DELETE', '/devices/dev-1');

    expect(last().properties.opType).toBe('deleteDeviceIdentity');
    expect(last().body).toMatchObject({ deviceId: 'dev-1', version: 3, tags: { a: 1 } });
  });

  test('a device that is created again starts with version 2', async () => {
    await create();
    await call('PATCH', '/twins/dev-1', { tags: { a: 1 } });
    await call('DELETE', '/devices/dev-1');
    await create();

    expect(last().body).toMatchObject({ version: 2, etag: 'AAAAAAAAAAE=' });
    expect(last().body).not.toHaveProperty('tags');
  });

  describe('the events of a module', () => {
    const MODULE = '/devices/dev-1/modules/camera';
    const TWIN = '/twins/dev-1/modules/camera';
    /** What differs from the events of a device. */
    const ofModule = (source: string, schema: string, opType: string, ticks: number) => ({
      partitionKey: 'dev-1',
      properties: {
        hubName: 'contoso-weu',
        deviceId: 'dev-1',
        moduleId: 'camera',
        operationTimestamp: `${at(ticks)}Z`,
        'iothub-message-schema': schema,
        opType,
      },
      annotations: {
        'iothub-connection-device-id': 'dev-1',
        'iothub-connection-module-id': 'camera',
        'iothub-enqueuedtime': START,
        'iothub-message-source': source,
      },
    });
    const lifecycle = (opType: string, ticks: number) =>
      ofModule('deviceLifecycleEvents', 'deviceLifecycleNotification', opType, ticks);
    const twinChange = (opType: string, ticks: number) =>
      ofModule('twinChangeEvents', 'twinChangeNotification', opType, ticks);

    beforeEach(async () => {
      await create();
      await call('PUT', MODULE, { deviceId: 'dev-1', moduleId: 'camera' });
    });

    test('the event createDeviceIdentity of a module has its id and the partition key of its device', () => {
      expect(events).toHaveLength(2);
      expect(last()).toEqual({
        ...lifecycle('createDeviceIdentity', 1),
        body: {
          deviceId: 'dev-1',
          moduleId: 'camera',
          etag: 'AAAAAAAAAAE=',
          version: 2,
          properties: { desired: EMPTY, reported: EMPTY },
        },
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        correlationId: expect.any(String),
        userId: 'contoso-weu',
      });
    });

    test('the event updateTwin of a module has no ids in its body', async () => {
      await call('PATCH', TWIN, { tags: { tag1: 'new value' } });

      expect(last()).toMatchObject(twinChange('updateTwin', 2));
      expect(last().body).toEqual({ version: 3, tags: { tag1: 'new value' } });
    });

    test('the event replaceTwin of a module contains the whole twin', async () => {
      await call('PUT', TWIN, { tags: { a: 1 } });

      expect(last()).toMatchObject(twinChange('replaceTwin', 2));
      expect(last().body).toMatchObject({
        deviceId: 'dev-1',
        moduleId: 'camera',
        version: 3,
        tags: { a: 1 },
      });
    });

    test('the event deleteDeviceIdentity of a module contains the last twin', async () => {
      await call('PATCH', TWIN, { tags: { a: 1 } });
      await call('DELETE', MODULE);

      expect(last()).toMatchObject(lifecycle('deleteDeviceIdentity', 3));
      expect(last().body).toMatchObject({
        deviceId: 'dev-1',
        moduleId: 'camera',
        version: 3,
        tags: { a: 1 },
      });
    });

    test('deleting a device sends deleteDeviceIdentity for each module, and then for the device', async () => {
      await call('PUT', '/devices/dev-1/modules/antenna', {});
      events.length = 0;
      await call('DELETE', '/devices/dev-1');

      expect(events.map(({ properties }) => [properties.opType, properties.moduleId])).toEqual([
        ['deleteDeviceIdentity', 'antenna'],
        ['deleteDeviceIdentity', 'camera'],
        ['deleteDeviceIdentity', undefined],
      ]);
    });
  });

  test('an event sink that fails does not undo the change', async () => {
    const log: string[] = [];
    const write = (line: string) => void log.push(line);
    const failing = createIotHubs({
      hubs: [{ host: WEU, tier: 'S1', units: 1 }],
      sink: () => () => {
        throw new Error('the Event Hub is gone');
      },
      log: { info: write, warn: write, error: write },
    });

    failing.provisioning(WEU)?.create('dev-1', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
      capabilities: { iotEdge: false },
      tags: {},
      desired: {},
      reported: {},
    });

    expect(failing.view(WEU)?.twin('dev-1')).toBeDefined();
    expect(log).toEqual([`Hub ${WEU} lost an event: the Event Hub is gone`]);
    failing.close();
  });
});
