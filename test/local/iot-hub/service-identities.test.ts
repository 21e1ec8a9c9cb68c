import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

describe('device identities over the service API', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
  });
  afterEach(() => local.close());

  test('device identities are created with keys, read, updated and deleted', async () => {
    const { responseBody: created } = await registry.create({ deviceId: 'dev-1' });
    const primaryKey = created.authentication?.symmetricKey?.primaryKey ?? '';
    expect(Buffer.from(primaryKey, 'base64')).toHaveLength(32);

    const { responseBody: read } = await registry.get('dev-1');
    expect(read.authentication?.symmetricKey?.primaryKey).toBe(primaryKey);

    const { responseBody: updated } = await registry.update({
      deviceId: 'dev-1',
      statusReason: 'stolen',
      status: 'disabled',
      authentication: { symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) } },
    });
    expect(updated).toMatchObject({ status: 'disabled', statusReason: 'stolen' });
    expect(updated.etag).not.toBe(created.etag);

    await registry.delete('dev-1');
    await expect(registry.get('dev-1')).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
  });

  test('creating an identity twice is a conflict', async () => {
    await registry.create({ deviceId: 'dev-1' });

    await expect(registry.create({ deviceId: 'dev-1' })).rejects.toMatchObject({
      name: 'DeviceAlreadyExistsError',
    });
  });

  test('the deletion of an identity respects If-Match', async () => {
    const { responseBody: created } = await registry.create({ deviceId: 'dev-1' });
    const stale = await local.call('DELETE', '/devices/dev-1', { headers: { 'if-match': '"stale"' } });
    const current = await local.call('DELETE', '/devices/dev-1', {
      headers: { 'if-match': `"${created.etag}"` },
    });

    expect([stale.status, current.status]).toEqual([412, 204]);
  });

  test('a certificate identity has thumbprints and no keys', async () => {
    const thumbprint = 'ab'.repeat(20);
    await registry.create({
      deviceId: 'dev-1',
      authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: thumbprint } },
    } as never);

    const { body } = await local.call('GET', '/twins/dev-1');
    expect(body).toMatchObject({
      authenticationType: 'selfSigned',
      x509Thumbprint: { primaryThumbprint: thumbprint.toUpperCase(), secondaryThumbprint: null },
    });
  });

  test.each([
    ['a key that is not base64', { symmetricKey: { primaryKey: 'not base64!' } }],
    ['a key of three bytes', { symmetricKey: { primaryKey: 'AAAA' } }],
    ['a thumbprint of another length', { type: 'selfSigned', x509Thumbprint: { primaryThumbprint: 'AB' } }],
    ['an unknown type', { type: 'oauth' }],
  ])('refuses %s without repeating it', async (_name, authentication) => {
    const answer = await local.call('PUT', '/devices/dev-1', { body: { deviceId: 'dev-1', authentication } });

    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/not base64!|AAAA"/);
  });

  test('a bulk call creates, reports what it could not do, and deletes', async () => {
    await registry.addDevices([{ deviceId: 'a' }, { deviceId: 'b' }]);
    const again = await local.call('POST', '/devices', {
      body: [
        { id: 'b', importMode: 'create' },
        { id: 'c', importMode: 'create', tags: { t: 1 }, properties: { desired: { d: 1 } } },
      ],
    });
    expect(again.status).toBe(400);
    expect(again.body).toMatchObject({
      isSuccessful: false,
      errors: [{ deviceId: 'b', errorCode: 409001 }],
    });
    expect(local.hubs.view(WEU)?.twin('c')).toMatchObject({
      tags: { t: 1 },
      properties: { desired: { d: 1 } },
    });

    await registry.removeDevices([{ deviceId: 'a' }, { deviceId: 'b' }], true);
    expect([...(local.hubs.view(WEU)?.deviceIds() ?? [])]).toEqual(['c']);
  });

  test('device identities are listed and counted', async () => {
    await registry.addDevices(['a', 'b', 'c'].map((deviceId) => ({ deviceId })));
    await registry.update({ deviceId: 'b', status: 'disabled' });

    const { responseBody: listed } = await registry.list();
    const { responseBody: statistics } = await registry.getRegistryStatistics();

    expect(listed.map(({ deviceId }) => deviceId)).toEqual(['a', 'b', 'c']);
    expect(statistics).toEqual({ totalDeviceCount: 3, enabledDeviceCount: 2, disabledDeviceCount: 1 });
  });

  describe('device ids', () => {
    test.each(['a#b?c%d', 'dev:1.x_y-z', "!$'()*+,;=@", '100%25'])(
      'the device id %s is accepted by all calls',
      async (deviceId) => {
        await registry.create({ deviceId });

        await registry.updateTwin(deviceId, { tags: { a: 1 } }, '*');
        const { responseBody: twin } = await registry.getTwin(deviceId);

        expect(twin).toMatchObject({ deviceId, tags: { a: 1 } });
      },
    );

    test.each([
      ['a slash', 'a/b'],
      ['a path to a parent folder', '../../etc/passwd'],
      ['a space', 'a b'],
      ['129 characters', 'x'.repeat(129)],
      ['a letter outside ASCII', 'é'],
    ])('a device id with %s is refused', async (_name, deviceId) => {
      await expect(registry.create({ deviceId })).rejects.toMatchObject({ response: { statusCode: 400 } });
      await expect(registry.getTwin(deviceId)).rejects.toMatchObject({ response: { statusCode: 404 } });
    });

    test.each(['/twins/..%2f..%2fetc', '/twins/../devices/x', '/twins/%zz', '//', '/twins/', '/', '*'])(
      'the path %s is answered with 400, 401 or 404',
      async (path) => {
        const answer = await local.call('GET', path);
        expect([400, 401, 404]).toContain(answer.status);
      },
    );
  });
});
