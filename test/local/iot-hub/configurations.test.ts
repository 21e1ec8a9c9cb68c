import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Configuration, Registry } from 'azure-iothub';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type LocalHubs, startLocalHubs, until, WEU } from './local-hubs.ts';

const MINUTE = 60_000;

describe('automatic device configurations over the service SDK', () => {
  let local: LocalHubs;
  let registry: Registry;
  let directory: string;
  let clock: number;

  const start = async () => {
    local = await startLocalHubs({ directory, configurationPeriodMs: 5 * MINUTE, now: () => clock });
    registry = local.registry(WEU);
  };
  beforeEach(async () => {
    clock = Date.now();
    directory = temporaryFolder('configurations');
    await start();
    await registry.addDevices(['pump-1', 'pump-2', 'fan-1'].map((deviceId) => ({ deviceId })));
    await registry.updateTwin(
      'pump-1',
      { tags: { site: 'ams' }, properties: { desired: { hvac: { fan: 1 } } } },
      '*',
    );
    await registry.updateTwin('pump-2', { tags: { site: 'ber' } }, '*');
  });
  afterEach(() => local.close());

  const add = (id: string, more: Partial<Configuration> = {}) =>
    registry.addConfiguration({
      id,
      schemaVersion: '1.0',
      content: { deviceContent: { 'properties.desired.hvac': { setpoint: 21 } } },
      targetCondition: "tags.site = 'ams'",
      priority: 10,
      ...more,
    });
  // biome-ignore lint/suspicious/noExplicitAny: twins of every shape
  const twin = (deviceId: string, moduleId?: string): any => local.hubs.view(WEU)?.twin(deviceId, moduleId);
  const desired = (deviceId: string) => {
    const { $metadata: _metadata, $version: _version, ...values } = twin(deviceId).properties.desired;
    return values;
  };
  const applied = (deviceId: string, id: string, status = 'Applied') =>
    until(() => twin(deviceId).configurations?.[id]?.status === status, `${status} of ${id} on ${deviceId}`);
  const left = (deviceId: string, id: string) =>
    until(() => twin(deviceId).configurations?.[id] === undefined, `the end of ${id} on ${deviceId}`);
  const get = async (id: string): Promise<Configuration> =>
    (await registry.getConfiguration(id)).responseBody as Configuration;

  test('a new configuration is applied to the devices that it targets, with its mark', async () => {
    await add('hvac-west');
    await applied('pump-1', 'hvac-west');

    expect(desired('pump-1')).toEqual({ hvac: { fan: 1, setpoint: 21 } });
    expect(twin('pump-1').properties.desired.$metadata.hvac.setpoint.$lastUpdatedBy).toBe('hvac-west');
    expect(desired('pump-2')).toEqual({});
    expect(twin('pump-2').configurations).toBeUndefined();
  });

  test('a configuration comes back as it was written, with the fields of the hub', async () => {
    const created = (await add('hvac-west', { labels: { env: 'prod' } })).responseBody as Configuration;

    expect(created).toMatchObject({
      id: 'hvac-west',
      content: { deviceContent: { 'properties.desired.hvac': { setpoint: 21 } } },
      contentType: 'assignment',
      labels: { env: 'prod' },
      targetCondition: "tags.site = 'ams'",
      priority: 10,
      etag: 'MQ==',
      createdTimeUtc: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await get('hvac-west')).toMatchObject({ id: 'hvac-west', etag: 'MQ==' });
    const all = (await registry.getConfigurations()).responseBody as unknown as Configuration[];
    expect(all.map(({ id }) => id)).toEqual(['hvac-west']);
  });

  test('the higher priority sets a path, and the lower one comes back when the higher one ends', async () => {
    await add('low', {
      content: { deviceContent: { 'properties.desired.hvac': { setpoint: 19, mode: 'eco' } } },
    });
    await applied('pump-1', 'low');
    await add('high', { priority: 20 });
    await applied('pump-1', 'high');

    expect(desired('pump-1')).toEqual({ hvac: { fan: 1, setpoint: 21 } });
    expect(twin('pump-1').configurations).toEqual({
      low: { status: 'Targeted' },
      high: { status: 'Applied' },
    });

    await registry.removeConfiguration('high');
    await left('pump-1', 'high');

    expect(desired('pump-1')).toEqual({ hvac: { fan: 1, setpoint: 19, mode: 'eco' } });
    expect(twin('pump-1').configurations).toEqual({ low: { status: 'Applied' } });
  });

  test('of two configurations with the same priority, the newer one wins', async () => {
    await add('first', { content: { deviceContent: { 'properties.desired.level': 1 } } });
    clock += 1000;
    await add('second', { content: { deviceContent: { 'properties.desired.level': 2 } } });
    await applied('pump-1', 'second');

    expect(desired('pump-1').level).toBe(2);
    expect(twin('pump-1').configurations.first.status).toBe('Targeted');
  });

  test('a deleted configuration takes its settings with it, and nothing else', async () => {
    await add('hvac-west', {
      content: {
        deviceContent: { 'properties.desired.hvac': { setpoint: 21 }, 'properties.desired.a.b.c': 1 },
      },
    });
    await applied('pump-1', 'hvac-west');
    await registry.removeConfiguration('hvac-west');
    await left('pump-1', 'hvac-west');

    expect(desired('pump-1')).toEqual({ hvac: { fan: 1 } });
    expect(twin('pump-1').configurations).toBeUndefined();
  });

  test('a change of the target condition moves the configuration', async () => {
    await add('hvac-west');
    await applied('pump-1', 'hvac-west');
    await registry.updateConfiguration({
      ...(await get('hvac-west')),
      targetCondition: "deviceId = 'pump-2'",
    });
    await applied('pump-2', 'hvac-west');

    expect(desired('pump-2')).toEqual({ hvac: { setpoint: 21 } });
    expect(desired('pump-1')).toEqual({ hvac: { fan: 1 } });
  });

  test('every five minutes, new devices get it and edits of its values are reverted', async () => {
    await add('hvac-west');
    await applied('pump-1', 'hvac-west');
    await registry.updateTwin('pump-1', { properties: { desired: { hvac: { setpoint: 5 } } } }, '*');
    await registry.updateTwin('fan-1', { tags: { site: 'ams' } }, '*');
    clock += 4 * MINUTE;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(desired('fan-1')).toEqual({});

    clock += MINUTE;
    await applied('fan-1', 'hvac-west');

    expect(desired('fan-1')).toEqual({ hvac: { setpoint: 21 } });
    expect(desired('pump-1').hvac.setpoint).toBe(21);
  });

  test('an evaluation without a difference writes nothing', async () => {
    await add('hvac-west');
    await applied('pump-1', 'hvac-west');
    const before = local.events.length;
    await add('other', { targetCondition: "deviceId = 'fan-1'", priority: 1 });
    await applied('fan-1', 'other');

    expect(local.events.slice(before).map(({ properties }) => properties.deviceId)).toEqual(['fan-1']);
  });

  test('metrics count the targets, the applied devices and the rows of custom queries', async () => {
    await add('hvac-west', {
      targetCondition: '*',
      metrics: {
        queries: {
          warm: "SELECT deviceId FROM devices WHERE configurations.[[hvac-west]].status = 'Applied' AND tags.site = 'ber'",
        },
      },
    });
    await applied('fan-1', 'hvac-west');

    expect(await get('hvac-west')).toMatchObject({
      systemMetrics: { results: { targetedCount: 3, appliedCount: 3 } },
      metrics: { results: { warm: 1 } },
    });
    const { queries } = (await get('hvac-west')).systemMetrics ?? {};
    const { result } = await registry.createQuery(queries?.appliedCount ?? '').nextAsTwin();
    expect(result).toHaveLength(3);
  });

  test('module content is applied to the module twins of its condition', async () => {
    await registry.addModule({ deviceId: 'pump-1', moduleId: 'camera' });
    await registry.addModule({ deviceId: 'pump-2', moduleId: 'camera' });
    await add('cameras', {
      content: { moduleContent: { 'properties.desired': { fps: 25 } } },
      targetCondition: "from devices.modules where moduleId = 'camera' and deviceId = 'pump-1'",
    });
    await until(() => twin('pump-1', 'camera').configurations?.cameras, 'the configuration of the module');

    expect(twin('pump-1', 'camera').properties.desired).toMatchObject({ fps: 25 });
    expect(twin('pump-2', 'camera').configurations).toBeUndefined();
    expect(twin('pump-1').configurations).toBeUndefined();
  });

  test('a configuration without a target condition targets nothing', async () => {
    await add('none', { targetCondition: '' });
    await add('all', { targetCondition: '*' });
    await applied('fan-1', 'all');
    expect(twin('fan-1').configurations).toEqual({ all: { status: 'Applied' } });
  });

  test('configurations and what they applied survive a restart', async () => {
    await add('hvac-west');
    await applied('pump-1', 'hvac-west');
    await local.close();
    await start();

    expect(await get('hvac-west')).toMatchObject({ priority: 10, etag: 'MQ==' });
    await registry.removeConfiguration('hvac-west');
    await left('pump-1', 'hvac-west');
    expect(desired('pump-1')).toEqual({ hvac: { fan: 1 } });
  });

  test('a disabled device gets its configuration when it is enabled', async () => {
    await registry.update({ deviceId: 'pump-1', status: 'disabled' });
    await add('hvac-west', { targetCondition: '*' });
    await applied('fan-1', 'hvac-west');
    expect(desired('pump-1')).toEqual({ hvac: { fan: 1 } });

    await registry.update({ deviceId: 'pump-1', status: 'enabled' });
    clock += 5 * MINUTE;
    await applied('pump-1', 'hvac-west');
  });

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    local.call(method, path, { body, headers });
  const put = (body: object, id = 'c-1', headers: Record<string, string> = {}) =>
    call(
      'PUT',
      `/configurations/${id}`,
      { id, content: { deviceContent: { 'properties.desired.a': 1 } }, ...body },
      headers,
    );

  test.each<[string, number, string, () => Promise<{ status: number; headers: Record<string, unknown> }>]>([
    ['an unknown id', 404, 'ConfigurationNotFound', () => call('GET', '/configurations/none')],
    [
      'a deletion of an unknown id',
      404,
      'ConfigurationNotFound',
      () => call('DELETE', '/configurations/none'),
    ],
    [
      'an update of an unknown id',
      404,
      'ConfigurationNotFound',
      () => put({}, 'none', { 'if-match': '"*"' }),
    ],
    ['an id in upper case', 400, 'ArgumentInvalid', () => put({}, 'C-1')],
    ['another id in the body', 400, 'ArgumentInvalid', () => put({ id: 'other' })],
    ['a priority below zero', 400, 'ArgumentInvalid', () => put({ priority: -1 })],
    ['a label with a dollar', 400, 'ArgumentInvalid', () => put({ labels: { $a: 'b' } })],
    ['no content', 400, 'InvalidConfigurationContent', () => put({ content: {} })],
    [
      'content outside of desired',
      400,
      'InvalidConfigurationContent',
      () => put({ content: { deviceContent: { 'tags.a': 1 } } }),
    ],
    [
      'a wrong key in the content',
      400,
      'InvalidConfigurationContent',
      () => put({ content: { deviceContent: { 'properties.desired.a': { 'b c': 1 } } } }),
    ],
    [
      'a manifest without $edgeAgent',
      400,
      'InvalidConfigurationContent',
      () => put({ content: { modulesContent: { camera: {} } } }),
    ],
    [
      'device and module content',
      400,
      'InvalidConfigurationContent',
      () =>
        put({
          content: {
            deviceContent: { 'properties.desired.a': 1 },
            moduleContent: { 'properties.desired.a': 1 },
          },
        }),
    ],
    [
      'a wrong target condition',
      400,
      'InvalidConfigurationTargetCondition',
      () => put({ targetCondition: 'tags.a =' }),
    ],
    [
      'module content for devices',
      400,
      'InvalidConfigurationTargetCondition',
      () => put({ content: { moduleContent: { 'properties.desired.a': 1 } }, targetCondition: '*' }),
    ],
    [
      'a wrong metric',
      400,
      'InvalidConfigurationCustomMetricsQuery',
      () => put({ metrics: { queries: { m: 'SELECT' } } }),
    ],
    [
      'six metrics',
      400,
      'InvalidConfigurationCustomMetricsQuery',
      () =>
        put({
          metrics: {
            queries: Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`m${n}`, 'SELECT * FROM devices'])),
          },
        }),
    ],
  ])('%s is refused', async (_what, status, code, send) => {
    const answer = await send();

    expect(answer.status).toBe(status);
    expect(answer.headers['iothub-errorcode']).toBe(code);
  });

  test('a second creation, an old etag and a change of the content are refused', async () => {
    await put({});
    const again = await put({});
    const stale = await put({ priority: 2 }, 'c-1', { 'if-match': '"OQ=="' });
    const changed = await put({ content: { deviceContent: { 'properties.desired.a': 2 } } }, 'c-1', {
      'if-match': '"*"',
    });
    const right = await put({ priority: 2 }, 'c-1', { 'if-match': '"MQ=="' });
    const staleDelete = await call('DELETE', '/configurations/c-1', undefined, { 'if-match': '"MQ=="' });

    expect([again.status, again.headers['iothub-errorcode']]).toEqual([409, 'ConfigurationAlreadyExists']);
    expect([stale.status, stale.headers['iothub-errorcode']]).toEqual([412, 'PreconditionFailed']);
    expect(changed.headers['iothub-errorcode']).toBe('CannotModifyImmutableConfigurationContent');
    expect(right.body).toMatchObject({ priority: 2, etag: 'Mg==' });
    expect(staleDelete.status).toBe(412);
  });

  test('testQueries names the problem of each query and answers 200', async () => {
    const { status, body } = await call('POST', '/configurations/testQueries', {
      targetCondition: 'tags.a =',
      customMetricQueries: { good: 'SELECT deviceId FROM devices', bad: 'SELECT deviceId' },
    });

    expect(status).toBe(200);
    expect(body).toEqual({
      targetConditionError: 'BadRequest: the query ends too early',
      customMetricQueryErrors: { bad: 'BadRequest: FROM is expected at the end' },
    });
    const good = await call('POST', '/configurations/testQueries', {
      targetCondition: 'from devices.modules where tags.building = 9',
      customMetricQueries: {},
    });
    expect(good.body).toEqual({ targetConditionError: null, customMetricQueryErrors: {} });
  });
});
