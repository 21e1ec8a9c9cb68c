import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry, SharedAccessSignature } from 'azure-iot-common';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, report, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const EDGE = { iotEdge: true };
const DEVICE_KEY = testKey(1);
const MODULE_KEY = testKey(3);

describe('the modules of the Edge runtime in a local hub', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    await registry.create({ deviceId: 'gateway', capabilities: EDGE, ...keys(DEVICE_KEY) });
  });
  afterEach(() => local.close());

  const keys = (key: string) => ({
    authentication: { symmetricKey: { primaryKey: key, secondaryKey: testKey(9) } },
  });
  const modules = async (deviceId: string) =>
    (await registry.getModulesOnDevice(deviceId)).responseBody.map(({ moduleId }) => moduleId);
  const connect = async (moduleId: string, key: string) => {
    const client = await local.module(WEU, 'gateway', moduleId, key);
    client.setRetryPolicy(new NoRetry());
    await client.open();
    return client;
  };
  const put = (body: object) =>
    local.call('PUT', '/devices/gateway', {
      body: { deviceId: 'gateway', ...body },
      headers: { 'if-match': '*' },
    });

  test('a new Edge device has $edgeAgent and $edgeHub without keys, with empty twins', async () => {
    const agent = (await registry.getModule('gateway', '$edgeAgent')).responseBody;
    const twin = (await registry.getModuleTwin('gateway', '$edgeHub')).responseBody;

    expect(await modules('gateway')).toEqual(['$edgeAgent', '$edgeHub']);
    expect(agent).toMatchObject({
      managedBy: 'iotEdge',
      connectionState: 'Disconnected',
      authentication: { type: 'none', symmetricKey: { primaryKey: null, secondaryKey: null } },
    });
    expect(JSON.parse(JSON.stringify(twin.properties))).toMatchObject({
      desired: { $version: 1 },
      reported: { $version: 1 },
    });
  });

  test('the creation sends an event for the device and for each of the two modules, and so does the deletion', async () => {
    await registry.delete('gateway');

    expect(local.events.map(({ properties }) => [properties.opType, properties.moduleId])).toEqual([
      ['createDeviceIdentity', undefined],
      ['createDeviceIdentity', '$edgeAgent'],
      ['createDeviceIdentity', '$edgeHub'],
      ['deleteDeviceIdentity', '$edgeAgent'],
      ['deleteDeviceIdentity', '$edgeHub'],
      ['deleteDeviceIdentity', undefined],
    ]);
  });

  test('a device that becomes an Edge device gets them once', async () => {
    await registry.create({ deviceId: 'plain' });
    expect(await modules('plain')).toEqual([]);

    for (let times = 0; times < 2; times += 1) {
      await local.call('PUT', '/devices/plain', {
        body: { deviceId: 'plain', capabilities: EDGE },
        headers: { 'if-match': '*' },
      });
    }

    expect(await modules('plain')).toEqual(['$edgeAgent', '$edgeHub']);
  });

  test('DPS creates them too', () => {
    local.hubs.provisioning(WEU)?.create('from-dps', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: DEVICE_KEY, secondaryKey: DEVICE_KEY } },
      capabilities: EDGE,
      tags: {},
      desired: {},
      reported: {},
    });

    expect(local.hubs.view(WEU)?.moduleIds('from-dps')).toEqual(['$edgeAgent', '$edgeHub']);
  });

  test.each(['$edgeAgent', '$edgeHub'])('a service cannot write %s: 401100', async (moduleId) => {
    const path = `/twins/gateway/modules/${encodeURIComponent(moduleId)}`;
    const identity = `/devices/gateway/modules/${encodeURIComponent(moduleId)}`;
    const body = { properties: { desired: { a: 1 } } };

    for (const answer of [
      await local.call('PATCH', path, { body }),
      await local.call('PUT', path, { body }),
      await local.call('PUT', identity, { body: { deviceId: 'gateway', moduleId } }),
      await local.call('DELETE', identity),
    ]) {
      expect(answer.status).toBe(401);
      expect(answer.headers['iothub-errorcode']).toBe('SystemModuleModifyUnauthorizedAccess');
      expect(answer.text).toContain('Unauthorized to modify reserved module.');
    }
    const twin = local.hubs.view(WEU)?.twin('gateway', moduleId);
    expect(twin).toMatchObject({ version: 2, properties: { desired: { $version: 1 } } });
  });

  test('the runtime connects as both modules with the key of the device, and reports', async () => {
    const agent = await connect('$edgeAgent', DEVICE_KEY);
    await connect('$edgeHub', DEVICE_KEY);
    await report(await agent.getTwin(), { schemaVersion: '1.0' });

    expect(local.hubs.view(WEU)?.twin('gateway', '$edgeAgent')).toMatchObject({
      connectionState: 'Disconnected',
      properties: { reported: { schemaVersion: '1.0' } },
    });
    expect(local.hubs.view(WEU)?.twin('gateway', '$edgeHub')).toMatchObject({ connectionState: 'Connected' });
    expect(
      local.events.flatMap(({ properties }) =>
        properties.opType === 'deviceConnected' ? [properties.moduleId] : [],
      ),
    ).toEqual(['$edgeHub']);
  });

  test('a module that the hub made has no credentials until its device sets them', async () => {
    await registry.applyConfigurationContentOnDevice('gateway', { modulesContent: { camera: {} } });
    await expect(connect('camera', DEVICE_KEY)).rejects.toMatchObject({ name: 'UnauthorizedError' });
    await expect(connect('$edgeAgent', MODULE_KEY)).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  describe('a device that manages its own modules', () => {
    const token = (deviceId: string, key: string) =>
      SharedAccessSignature.create(
        encodeURIComponent(`${WEU}/devices/${deviceId}`),
        '',
        key,
        Math.ceil(Date.now() / 1000) + 600,
      )
        .toString()
        .replace(/&skn=$/, '');
    const own = (method: string, path: string, body?: unknown, ifMatch?: string) =>
      local.call(method, `/devices/gateway/modules${path}`, {
        headers: {
          authorization: token('gateway', DEVICE_KEY),
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        },
        body,
        version: '2017-11-08-preview',
      });

    test('creates a module, sets its keys, lists and deletes it with the key of the device', async () => {
      const body = { deviceId: 'gateway', moduleId: 'camera' };
      const created = await own('PUT', '/camera', body);
      const updated = await own(
        'PUT',
        '/camera',
        { ...body, authentication: { type: 'sas', ...keys(MODULE_KEY).authentication } },
        '*',
      );
      await connect('camera', MODULE_KEY);
      const listed = await own('GET', '');
      const removed = await own('DELETE', '/camera', undefined, '*');

      expect(created.status).toBe(200);
      expect(updated.body).toMatchObject({ generationId: created.body.generationId, managedBy: null });
      expect(listed.body.map(({ moduleId }: { moduleId: string }) => moduleId)).toEqual([
        '$edgeAgent',
        '$edgeHub',
        'camera',
      ]);
      expect(removed.status).toBe(204);
      expect(await modules('gateway')).toEqual(['$edgeAgent', '$edgeHub']);
      expect(local.hubs.view(WEU)?.counters).toMatchObject({ deviceIdentityOps: 4, identityOps: 2 });
    });

    test('sets the keys of $edgeHub, which then connects with them', async () => {
      const answer = await own(
        'PUT',
        '/$edgeHub',
        {
          deviceId: 'gateway',
          moduleId: '$edgeHub',
          authentication: { type: 'sas', ...keys(MODULE_KEY).authentication },
        },
        '*',
      );

      expect(answer.status).toBe(200);
      await connect('$edgeHub', MODULE_KEY);
    });

    test('is refused with a wrong key, for another device, when disabled, and for $edgeAgent', async () => {
      await registry.create({ deviceId: 'other', capabilities: EDGE, ...keys(testKey(7)) });
      const wrong = { authorization: token('gateway', testKey(8)) };
      const other = { authorization: token('gateway', DEVICE_KEY) };

      expect((await local.call('GET', '/devices/gateway/modules', { headers: wrong })).status).toBe(401);
      expect((await local.call('GET', '/devices/other/modules', { headers: other })).status).toBe(401);
      expect((await own('DELETE', '/$edgeAgent')).status).toBe(401);
      await put({ capabilities: EDGE, status: 'disabled', ...keys(DEVICE_KEY) });
      expect((await own('GET', '')).status).toBe(401);
    });

    test('shares the limit of identity operations with services', async () => {
      const strict = await startLocalHubs({ shaping: { burstMs: 1_000, backlogMs: 0 } });
      await strict.registry(WEU).create({ deviceId: 'gateway', capabilities: EDGE, ...keys(DEVICE_KEY) });
      const list = () =>
        strict.call('GET', '/devices/gateway/modules', {
          headers: { authorization: token('gateway', DEVICE_KEY) },
        });
      const statuses = [(await list()).status, (await list()).status, (await list()).status];
      await strict.close();

      expect(statuses).toContain(429);
    });
  });
});
