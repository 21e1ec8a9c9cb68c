import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Module, Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

describe('modules over the service API', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    await registry.create({ deviceId: 'dev-1' });
  });
  afterEach(() => local.close());

  const add = (moduleId: string, more: Partial<Module> = {}) =>
    registry.addModule({ deviceId: 'dev-1', moduleId, ...more });

  describe('module identities', () => {
    test('module identities are created with keys, read, updated and deleted', async () => {
      const { responseBody: created } = await add('camera');
      const primaryKey = created.authentication?.symmetricKey?.primaryKey ?? '';
      expect(Buffer.from(primaryKey, 'base64')).toHaveLength(32);

      const { responseBody: read } = await registry.getModule('dev-1', 'camera');
      expect(read).toEqual(created);

      const symmetricKey = { primaryKey: testKey(1), secondaryKey: testKey(2) };
      const { responseBody: updated } = await registry.updateModule(
        { ...read, managedBy: 'IotEdge', authentication: { symmetricKey } },
        false,
      );
      expect(updated).toMatchObject({ managedBy: 'IotEdge', authentication: { symmetricKey } });
      expect(updated.etag).not.toBe(created.etag);

      await registry.removeModule('dev-1', 'camera');
      await expect(registry.getModule('dev-1', 'camera')).rejects.toMatchObject({
        response: { statusCode: 404, headers: { 'iothub-errorcode': 'ModuleNotFound' } },
      });
    });

    test('module identities have neither status nor capabilities', async () => {
      await add('camera');
      const { body } = await local.call('GET', '/devices/dev-1/modules/camera');

      expect(body).toEqual({
        moduleId: 'camera',
        managedBy: null,
        deviceId: 'dev-1',
        generationId: expect.any(String),
        etag: expect.any(String),
        connectionState: 'Disconnected',
        connectionStateUpdatedTime: '0001-01-01T00:00:00Z',
        lastActivityTime: '0001-01-01T00:00:00Z',
        cloudToDeviceMessageCount: 0,
        authentication: {
          type: 'sas',
          symmetricKey: { primaryKey: expect.any(String), secondaryKey: expect.any(String) },
          x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
        },
      });
    });

    test('module identities are listed by id, for one device only', async () => {
      await registry.create({ deviceId: 'dev-2' });
      await registry.addModule({ deviceId: 'dev-2', moduleId: 'other' });
      for (const moduleId of ['pump', 'camera', '$edgeAgent']) await add(moduleId);

      const { responseBody: listed } = await registry.getModulesOnDevice('dev-1');

      expect(listed.map(({ moduleId }) => moduleId)).toEqual(['$edgeAgent', 'camera', 'pump']);
      expect((await local.call('GET', '/devices/absent/modules')).status).toBe(404);
    });

    test('module identities do not change the identity, the list and the count of devices', async () => {
      const { body: before } = await local.call('GET', '/devices/dev-1');
      await add('camera');

      expect((await local.call('GET', '/devices/dev-1')).body).toEqual(before);
      expect((await registry.list()).responseBody).toHaveLength(1);
      expect((await registry.getRegistryStatistics()).responseBody).toMatchObject({ totalDeviceCount: 1 });
    });

    test('a module cannot be created twice: the second call is refused with 409301', async () => {
      await add('camera');

      await expect(add('camera')).rejects.toMatchObject({
        response: { statusCode: 409, headers: { 'iothub-errorcode': 'ModuleAlreadyExistsOnDevice' } },
      });
    });

    test('a device has at most 50 modules', async () => {
      for (let index = 0; index < 50; index += 1) await add(`m${index}`);

      await expect(add('m50')).rejects.toMatchObject({
        response: { statusCode: 413, headers: { 'iothub-errorcode': 'TooManyModulesOnDevice' } },
      });
      await registry.removeModule('dev-1', 'm7');
      await expect(add('m50')).resolves.toBeDefined();
    });

    test('the deletion of a module respects If-Match', async () => {
      const { responseBody: created } = await add('camera');

      const remove = async (etag: string | undefined) =>
        // removeModule(module) of the SDK works with a callback only
        local.call('DELETE', '/devices/dev-1/modules/camera', { headers: { 'if-match': `"${etag}"` } });

      expect((await remove('stale')).status).toBe(412);
      expect((await remove(created.etag)).status).toBe(204);
    });

    test('modules are deleted with their device, and are not restored with it', async () => {
      await add('camera');
      await registry.delete('dev-1');
      expect((await local.call('GET', '/twins/dev-1/modules/camera')).headers['iothub-errorcode']).toBe(
        'DeviceNotFound',
      );

      await registry.create({ deviceId: 'dev-1' });

      expect((await registry.getModulesOnDevice('dev-1')).responseBody).toEqual([]);
    });

    test.each(['a#b?c%d', "!$'()*+,;=@", '100%25', '..'])(
      'the module id %s is accepted by all calls',
      async (moduleId) => {
        await add(moduleId);

        await registry.updateModuleTwin('dev-1', moduleId, { tags: { a: 1 } }, '*');
        const { responseBody: twin } = await registry.getModuleTwin('dev-1', moduleId);

        expect(twin).toMatchObject({ deviceId: 'dev-1', moduleId, tags: { a: 1 } });
      },
    );

    test.each<[string, string, object, number]>([
      ['an id with a space', 'a%20b', {}, 400],
      ['an id of 129 characters', 'x'.repeat(129), {}, 400],
      ['an id with a slash', 'a%2Fb', {}, 400],
      ['another module in the body', 'camera', { moduleId: 'pump' }, 400],
      ['another device in the body', 'camera', { deviceId: 'dev-2' }, 400],
      ['a key that is not base64', 'camera', { authentication: { symmetricKey: { primaryKey: '!' } } }, 400],
      ['an owner that is not a text', 'camera', { managedBy: 1 }, 400],
    ])('a module identity with %s is refused', async (_name, moduleId, body, status) => {
      expect((await local.call('PUT', `/devices/dev-1/modules/${moduleId}`, { body })).status).toBe(status);
      expect((await registry.getModulesOnDevice('dev-1')).responseBody).toEqual([]);
    });

    test('a bulk call with a module is refused, and does not create a device', async () => {
      const { status, body } = await local.call('POST', '/devices', {
        body: [{ id: 'dev-2', moduleId: 'camera', importMode: 'create' }],
      });

      expect([status, body.isSuccessful]).toEqual([400, false]);
      expect(local.hubs.view(WEU)?.twin('dev-2')).toBeUndefined();
    });

    test.each([
      ['GET', '/devices/dev-1/modules/camera/twin'],
      ['GET', '/twins/dev-1/modules'],
      ['PATCH', '/twins/dev-1/modules/'],
      ['POST', '/devices/dev-1/modules/camera'],
      ['GET', '/devices/dev-1/things/camera'],
    ])('%s %s is an unknown operation', async (method, path) => {
      await add('camera');
      expect((await local.call(method, path)).headers['iothub-errorcode']).toBe('InvalidOperation');
    });
  });

  describe('module twins', () => {
    test('a new module twin is empty and has the ids of its module', async () => {
      await add('camera');
      const { body } = await local.call('GET', '/twins/dev-1/modules/camera');

      expect(body).toMatchObject({
        deviceId: 'dev-1',
        moduleId: 'camera',
        etag: 'AAAAAAAAAAE=',
        version: 2,
        status: 'enabled',
        connectionState: 'Disconnected',
      });
      expect(body).not.toHaveProperty('capabilities');
    });

    test('module twins are written with the etag that was read, and independently of the device twin', async () => {
      await add('camera');
      const { responseBody: twin } = await registry.getModuleTwin('dev-1', 'camera');
      const { responseBody: written } = await registry.updateModuleTwin(
        'dev-1',
        'camera',
        { properties: { desired: { fps: 5 } } },
        twin.etag,
      );

      expect(written).toMatchObject({
        etag: 'AAAAAAAAAAI=',
        properties: { desired: { fps: 5, $version: 2 } },
      });
      await expect(
        registry.updateModuleTwin('dev-1', 'camera', { tags: { late: true } }, twin.etag),
      ).rejects.toMatchObject({ name: 'InvalidEtagError' });
      expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({ version: 2 });
      expect(local.hubs.view(WEU)?.counters).toMatchObject({
        twinReads: 1,
        twinWrites: 1,
        twinWritesRefused: 1,
      });
    });

    test('module twins follow the same rules as device twins', async () => {
      await add('camera');
      const writes: [string, unknown][] = [
        ['PATCH', { tags: { a: 1, b: { c: [1, 2] } }, properties: { desired: { x: { y: 1 } } } }],
        ['PATCH', { tags: { b: { c: [3] } }, properties: { desired: { x: { y: null, z: 2 } } } }],
        ['PATCH', { tags: { gone: null } }],
        ['PATCH', { tags: null }],
        ['PATCH', { properties: { desired: { a: [null] } } }],
        ['PATCH', { tags: { 'a.b': 1 } }],
        ['PATCH', { tags: { a: 'x'.repeat(4097) } }],
        ['PATCH', { tags: Object.fromEntries([...'abc'].map((name) => [name, 'x'.repeat(3000)])) }],
        ['PUT', { tags: null, properties: { desired: { w: 1, $version: 9 } } }],
        ['PUT', { tags: { only: true } }],
      ];
      const run = async (path: string) => {
        const seen: { status: number; [profile: string]: unknown }[] = [];
        for (const [method, body] of writes) {
          const answer = await local.call(method, path, { body });
          const { etag, version, tags, properties } = answer.body;
          seen.push({
            status: answer.status,
            etag,
            version,
            tags,
            desired: withoutTimes(properties?.desired),
          });
        }
        return seen;
      };

      const ofModule = await run('/twins/dev-1/modules/camera');

      expect(ofModule).toEqual(await run('/twins/dev-1'));
      expect(ofModule.map(({ status }) => status)).toEqual([
        200, 200, 200, 200, 400, 400, 400, 400, 200, 200,
      ]);
    });

    test('a missing module is 404010, and a module of a missing device is 404001', async () => {
      const errorOf = async (path: string) =>
        JSON.parse((await local.call('GET', path)).body.Message) as { readonly errorCode: number };

      expect((await errorOf('/twins/dev-1/modules/camera')).errorCode).toBe(404010);
      expect((await errorOf('/twins/absent/modules/camera')).errorCode).toBe(404001);
      await expect(registry.getModuleTwin('dev-1', 'camera')).rejects.toMatchObject({
        response: { statusCode: 404, headers: { 'iothub-errorcode': 'ModuleNotFound' } },
      });
    });

    test('module twins of a disabled device can be read but not written', async () => {
      await add('camera');
      await registry.update({ deviceId: 'dev-1', status: 'disabled' });

      const patch = { body: { tags: { a: 1 } } };
      expect((await local.call('GET', '/twins/dev-1/modules/camera')).status).toBe(200);
      expect((await local.call('PATCH', '/twins/dev-1/modules/camera', patch)).status).toBe(404);
    });
  });
});

/** A section without the times in its metadata, which differ from one write to the next. */
function withoutTimes(section: unknown): unknown {
  return (
    section && JSON.parse(JSON.stringify(section), (key, value) => (key === '$lastUpdated' ? 'then' : value))
  );
}
