import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, WEU } from './local-hubs.ts';

const EDGE = { iotEdge: true };

describe('the scopes of IoT Edge devices and their children', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
  });
  afterEach(() => local.close());

  const put = (deviceId: string, body: object, ifMatch?: string) =>
    local.call('PUT', `/devices/${deviceId}`, {
      body: { deviceId, ...body },
      ...(ifMatch !== undefined && { headers: { 'if-match': ifMatch } }),
    });
  const scopeOf = async (deviceId: string) =>
    (await local.call('GET', `/devices/${deviceId}`)).body.deviceScope as string;

  test('the hub makes the scope of an Edge device, and it is in the identity, the twin and queries', async () => {
    await registry.create({ deviceId: 'gateway', capabilities: EDGE });
    const scope = await scopeOf('gateway');

    expect(scope).toMatch(/^ms-azure-iot-edge:\/\/gateway-\d{18}$/);
    expect(local.hubs.view(WEU)?.twin('gateway')).toMatchObject({ deviceScope: scope });
    const found = await registry
      .createQuery(`SELECT * FROM devices WHERE deviceScope = '${scope}'`)
      .nextAsTwin();
    expect(found.result.map(({ deviceId }) => deviceId)).toEqual(['gateway']);
  });

  test('a child keeps the scope of its parent, and the hub fills parentScopes', async () => {
    await registry.create({ deviceId: 'gateway', capabilities: EDGE });
    const scope = await scopeOf('gateway');

    await registry.create({ deviceId: 'leaf', deviceScope: scope } as never);
    await registry.create({ deviceId: 'lower', capabilities: EDGE, parentScopes: [scope] } as never);

    expect((await registry.get('leaf')).responseBody).toMatchObject({
      deviceScope: scope,
      parentScopes: [scope],
    });
    const lower = (await local.call('GET', '/devices/lower')).body;
    expect(lower).toMatchObject({ parentScopes: [scope] });
    expect(lower.deviceScope).toMatch(/^ms-azure-iot-edge:\/\/lower-/);
  });

  test('the scope of an Edge device stays the same, and another one is refused', async () => {
    await registry.create({ deviceId: 'gateway', capabilities: EDGE });
    const scope = await scopeOf('gateway');

    const other = await put(
      'gateway',
      { capabilities: EDGE, deviceScope: 'ms-azure-iot-edge://other-1' },
      '"*"',
    );
    const same = await put('gateway', { capabilities: EDGE, deviceScope: scope }, '"*"');
    const absent = await put('gateway', { capabilities: EDGE }, '"*"');

    expect(other.status).toBe(400);
    expect(same.body.deviceScope).toBe(scope);
    expect(absent.body.deviceScope).toBe(scope);
  });

  test('a device that becomes an Edge device gets a scope, and loses it when it is none any more', async () => {
    await registry.create({ deviceId: 'dev-1' });
    expect((await registry.get('dev-1')).responseBody).not.toHaveProperty('deviceScope');

    const edge = await put('dev-1', { capabilities: EDGE }, '"*"');
    const leaf = await put(
      'dev-1',
      { capabilities: { iotEdge: false }, deviceScope: edge.body.deviceScope },
      '"*"',
    );

    expect(edge.body.deviceScope).toMatch(/^ms-azure-iot-edge:/);
    expect(leaf.body).not.toHaveProperty('deviceScope');
  });

  test.each([
    ['two parents', { parentScopes: ['a', 'b'] }],
    ['a scope that is not text', { deviceScope: 7 }],
    ['the scope of an unknown device', { deviceScope: 'ms-azure-iot-edge://absent-1' }],
    ['an unknown parent', { parentScopes: ['ms-azure-iot-edge://absent-1'] }],
    ['a scope that no Edge device can have', { deviceScope: '3d1f9a7e-3c3f-4b6a-9a53-0c4b3a0d5e6f' }],
    ['a parent that no Edge device can be', { parentScopes: ['gateway'] }],
    ['parents that are not a list', { parentScopes: 'a' }],
  ])('the hub refuses %s', async (_name, body) => {
    expect((await put('dev-1', body)).status).toBe(400);
  });

  test('a bulk call takes any text as a scope, and fills the parent of a device that is not an Edge device', async () => {
    const result = await local
      .registry(WEU)
      .addDevices([{ deviceId: 'bulk-1', deviceScope: 'someScope' } as never]);

    const { body } = await local.call('GET', '/devices/bulk-1');
    expect(result.responseBody).toMatchObject({ isSuccessful: true });
    expect(body).toMatchObject({ deviceScope: 'someScope', parentScopes: ['someScope'] });
  });
});
