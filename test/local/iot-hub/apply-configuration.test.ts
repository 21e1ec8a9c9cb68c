import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { builtInPolicies } from '../../../local/iot-hub/model/access-policy.ts';
import { type LocalHubs, serviceToken, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

const AGENT = { schemaVersion: '1.1', modules: { sensor: { settings: { image: 'sensor:1' } } } };
const DEVICE_KEY = testKey(1);

describe('applyConfigurationContent of a local hub, through azure-iothub', () => {
  let local: LocalHubs;
  let registry: Registry;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    const authentication = { symmetricKey: { primaryKey: DEVICE_KEY, secondaryKey: testKey(9) } };
    await registry.create({ deviceId: 'gateway', capabilities: { iotEdge: true }, authentication });
    local.events.length = 0;
  });
  afterEach(() => local.close());

  const apply = (content: object, deviceId = 'gateway') =>
    local.call('POST', `/devices/${deviceId}/applyConfigurationContent`, { body: content });
  const desired = (moduleId?: string) => {
    const twin = local.hubs.view(WEU)?.twin('gateway', moduleId) as
      | { properties: { desired: Record<string, unknown> } }
      | undefined;
    const { $metadata: _metadata, ...values } = twin?.properties.desired ?? {};
    return values;
  };
  const moduleIds = () => local.hubs.view(WEU)?.moduleIds('gateway');

  test('writes the desired properties of each module and creates the modules that the manifest names', async () => {
    await registry.applyConfigurationContentOnDevice('gateway', {
      modulesContent: {
        $edgeAgent: { 'properties.desired': AGENT },
        $edgeHub: { 'properties.desired': { schemaVersion: '1.1', routes: {} } },
        filter: { 'properties.desired': { level: 3 } },
      },
    });

    expect(desired('$edgeAgent')).toEqual({ ...AGENT, $version: 2 });
    expect(desired('$edgeHub')).toEqual({ schemaVersion: '1.1', routes: {}, $version: 2 });
    expect(desired('filter')).toEqual({ level: 3, $version: 2 });
    expect(moduleIds()).toEqual(['$edgeAgent', '$edgeHub', 'filter', 'sensor']);
    expect((await registry.getModule('gateway', 'sensor')).responseBody).toMatchObject({
      managedBy: 'iotEdge',
      authentication: { type: 'none' },
    });
    expect(local.hubs.view(WEU)?.counters.applies).toBe(1);
  });

  test('answers 204 without a body', async () => {
    expect(await apply({ modulesContent: {} })).toMatchObject({ status: 204, text: '' });
  });

  test('replaces all desired properties of a module, and leaves modules alone that it does not mention', async () => {
    await apply({
      modulesContent: {
        a: { 'properties.desired': { one: 1, gone: 2 } },
        b: { 'properties.desired': { x: 1 } },
      },
    });
    await registry.updateModuleTwin(
      'gateway',
      'a',
      { properties: { desired: { other: 5 } }, tags: { t: 1 } },
      '*',
    );
    await apply({ modulesContent: { a: { 'properties.desired': { one: 2 } } } });

    expect(desired('a')).toEqual({ one: 2, $version: 4 });
    expect(desired('b')).toEqual({ x: 1, $version: 2 });
    expect(local.hubs.view(WEU)?.twin('gateway', 'a')).toMatchObject({ tags: { t: 1 } });
    expect(moduleIds()).toEqual(['$edgeAgent', '$edgeHub', 'a', 'b']);
  });

  test('a path such as properties.desired.routes.up writes only the value there', async () => {
    await apply({
      modulesContent: {
        $edgeHub: { 'properties.desired': { schemaVersion: '1.1', routes: { a: 'x', b: 'y' } } },
      },
    });
    await apply({
      modulesContent: {
        $edgeHub: { 'properties.desired.routes.b': { route: 'z' }, 'properties.desired.routes.c': 'w' },
      },
    });
    await apply({ modulesContent: { $edgeHub: { 'properties.desired.routes.a': null } } });

    expect(desired('$edgeHub')).toEqual({
      schemaVersion: '1.1',
      routes: { b: { route: 'z' }, c: 'w' },
      $version: 4,
    });
  });

  test('deviceContent beside modulesContent writes the twin of the device', async () => {
    await apply({ modulesContent: {}, deviceContent: { 'properties.desired.interval': 5 } });

    expect(desired()).toEqual({ interval: 5, $version: 2 });
  });

  test('a written twin sends one event with all values, and null for removed ones', async () => {
    await apply({ modulesContent: { a: { 'properties.desired': { one: 1, two: 2 } } } });
    local.events.length = 0;

    await apply({ modulesContent: { a: { 'properties.desired': { two: 3 } } } });

    expect(local.events).toMatchObject([
      {
        properties: { opType: 'updateTwin', deviceId: 'gateway', moduleId: 'a' },
        body: { version: 4, properties: { desired: { one: null, two: 3, $version: 3 } } },
      },
    ]);
  });

  test('a connected module is notified of its new desired properties', async () => {
    const agent = await local.module(WEU, 'gateway', '$edgeAgent', DEVICE_KEY);
    await agent.open();
    const twin = await agent.getTwin();
    const heard: unknown[] = [];
    twin.on('properties.desired', (delta: object) => heard.push(JSON.parse(JSON.stringify(delta))));
    await until(() => heard.length === 1, 'the present document');

    await apply({ modulesContent: { $edgeAgent: { 'properties.desired': AGENT } } });
    await until(() => heard.length > 1, 'the notification');

    expect(heard[1]).toEqual({ ...AGENT, $version: 2 });
  });

  const long = 'x'.repeat(4097);
  const large = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`k${at}`, 'x'.repeat(4000)]));
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`m${at}`, {}]));
  test.each<[string, object, number, string]>([
    ['no modulesContent', { deviceContent: {} }, 400, 'InvalidConfigurationContent'],
    ['moduleContent', { modulesContent: {}, moduleContent: {} }, 400, 'InvalidConfigurationContent'],
    ['modulesContent that is a list', { modulesContent: [] }, 400, 'InvalidConfigurationContent'],
    ['a module without an object', { modulesContent: { a: 5 } }, 400, 'InvalidConfigurationContent'],
    [
      'desired that is not an object',
      { modulesContent: { a: { 'properties.desired': 5 } } },
      400,
      'InvalidConfigurationContent',
    ],
    [
      'another key',
      { modulesContent: { a: { 'properties.reported': {} } } },
      400,
      'InvalidConfigurationContent',
    ],
    [
      'a path with an empty key',
      { modulesContent: { a: { 'properties.desired..b': {} } } },
      400,
      'InvalidConfigurationContent',
    ],
    ['a module id with a space', { modulesContent: { 'a b': {} } }, 400, 'InvalidConfigurationContent'],
    ['a long text', { modulesContent: { a: { 'properties.desired': { long } } } }, 400, 'ArgumentInvalid'],
    [
      'a key with a dot',
      { modulesContent: { a: { 'properties.desired': { 'b.c': 1 } } } },
      400,
      'ArgumentInvalid',
    ],
    [
      'more than 32 KB',
      { modulesContent: { a: { 'properties.desired': large } } },
      403,
      'DeviceModelMaxPropertiesExceeded',
    ],
    ['more than 50 modules', { modulesContent: many }, 413, 'TooManyModulesOnDevice'],
  ])('%s is refused, and nothing is written', async (_name, content, status, code) => {
    const both = content as { modulesContent?: object };
    const valid = { ok: { 'properties.desired': { a: 1 } } };
    const mixed =
      both.modulesContent === undefined || Array.isArray(both.modulesContent)
        ? content
        : { ...content, modulesContent: { ...valid, ...both.modulesContent } };

    const answer = await apply(mixed);

    expect(answer.status).toBe(status);
    expect(answer.headers['iothub-errorcode']).toBe(code);
    expect(moduleIds()).toEqual(['$edgeAgent', '$edgeHub']);
    expect(local.events).toEqual([]);
  });

  test('50 modules beside the two of the runtime are allowed', async () => {
    const { m50: _last, ...fifty } = many;

    expect((await apply({ modulesContent: { $edgeAgent: {}, $edgeHub: {}, ...fifty } })).status).toBe(204);
    expect(moduleIds()).toHaveLength(52);
  });

  test('a device that is not an Edge device, an unknown one and a module are refused', async () => {
    await registry.create({ deviceId: 'plain' });
    const content = { modulesContent: {} };

    expect((await apply(content, 'plain')).headers['iothub-errorcode']).toBe('ArgumentInvalid');
    expect((await apply(content, 'nothing')).headers['iothub-errorcode']).toBe('DeviceNotFound');
    expect((await apply(content, 'gateway/modules/$edgeHub')).status).toBe(404);
  });

  test('20 applies a minute and unit pass, and the next one is throttled', async () => {
    const now = Date.now();
    const strict = await startLocalHubs({ shaping: { burstMs: 60_000, backlogMs: 0 }, now: () => now });
    const statuses: number[] = [];
    try {
      await strict.registry(WEU).create({ deviceId: 'gateway', capabilities: { iotEdge: true } });
      for (let times = 0; times < 21; times += 1) {
        const path = '/devices/gateway/applyConfigurationContent';
        statuses.push((await strict.call('POST', path, { body: { modulesContent: {} } })).status);
      }
    } finally {
      await strict.close();
    }

    expect(statuses.slice(0, 20).every((status) => status === 204)).toBe(true);
    expect(statuses[20]).toBe(429);
  });

  test.each([
    ['iothubowner', 204],
    ['registryReadWrite', 204],
    ['service', 401],
    ['registryRead', 401],
    ['device', 401],
  ])('the policy %s gets %i', async (policy, status) => {
    const key = builtInPolicies().find(({ keyName }) => keyName === policy)?.key;
    const headers = { authorization: serviceToken(WEU, key, undefined, policy) };

    const answer = await local.call('POST', '/devices/gateway/applyConfigurationContent', {
      headers,
      body: { modulesContent: {} },
    });

    expect(answer.status).toBe(status);
  });
});
