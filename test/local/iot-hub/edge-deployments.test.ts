import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { type LocalHubs, startLocalHubs, until, WEU } from './local-hubs.ts';

const agent = (modules: object) => ({ schemaVersion: '1.1', modules });

describe('deployments of IoT Edge in a local hub, through azure-iothub', () => {
  let local: LocalHubs;
  let registry: Registry;
  let now = Date.now();

  beforeEach(async () => {
    now = Date.now();
    local = await startLocalHubs({ now: () => now, configurationPeriodMs: 60_000 });
    registry = local.registry(WEU);
    await registry.create({ deviceId: 'gateway', capabilities: { iotEdge: true } });
    await registry.create({ deviceId: 'plain' });
  });
  afterEach(() => local.close());

  const add = (id: string, priority: number, modulesContent: object, targetCondition = '*') =>
    registry.addConfiguration({
      id,
      priority,
      targetCondition,
      content: { modulesContent },
      schemaVersion: '1.0',
      labels: {},
      contentType: 'assignment',
      createdTimeUtc: '',
      lastUpdatedTimeUtc: '',
      etag: '',
      metrics: { results: {}, queries: {} },
      systemMetrics: { results: {}, queries: {} },
    } as never);
  const twin = (moduleId: string) =>
    local.hubs.view(WEU)?.twin('gateway', moduleId) as
      | {
          configurations?: object;
          version: number;
          properties: { desired: { modules?: object; a?: number } };
        }
      | undefined;
  const desired = () => twin('$edgeAgent')?.properties.desired.modules;
  /** The deployments as the next evaluation after the period finds them. */
  const aPeriodLater = () => {
    now += 60_000;
  };

  test('a base and a layer are merged on the device that they target, and noted in its twins', async () => {
    await add('base', 1, {
      $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) },
      sensor: { 'properties.desired': { a: 1 } },
    });
    await add('layer', 2, { $edgeAgent: { 'properties.desired.modules.camera': 2 } });
    await until(() => JSON.stringify(desired()) === '{"sensor":1,"camera":2}', 'the manifest');

    await until(
      () => twin('$edgeAgent')?.configurations !== undefined && twin('camera') !== undefined,
      'the notes',
    );
    expect(twin('$edgeAgent')).toMatchObject({
      configurations: { base: { status: 'Applied' }, layer: { status: 'Applied' } },
    });
    expect(twin('sensor')).toMatchObject({
      configurations: { base: { status: 'Applied' } },
      properties: { desired: { a: 1 } },
    });
    expect(local.hubs.view(WEU)?.moduleIds('plain')).toEqual([]);
    const { responseBody: base } = await registry.getConfiguration('base');
    expect(base.systemMetrics?.results).toMatchObject({ targetedCount: 1, appliedCount: 1 });
  });

  test('a manual apply works, and the next evaluation overwrites it', async () => {
    await add('base', 1, { $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) } });
    await until(() => desired() !== undefined, 'the deployment');
    await registry.applyConfigurationContentOnDevice('gateway', {
      modulesContent: { $edgeAgent: { 'properties.desired': agent({ own: 1 }) } },
    });
    expect(desired()).toEqual({ own: 1 });
    expect(twin('$edgeAgent')?.configurations).toBeDefined();

    aPeriodLater();
    await until(() => JSON.stringify(desired()) === '{"sensor":1}', 'the overwrite');
  });

  test('an evaluation without a change writes nothing', async () => {
    await add('base', 1, { $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) } });
    await until(() => twin('$edgeAgent')?.configurations !== undefined, 'the deployment');
    const events = local.events.length;
    aPeriodLater();
    await new Promise((resolve) => setTimeout(resolve, 400));

    expect(local.events).toHaveLength(events);
  });

  test('with the end of the only deployment, the device keeps its manifest without a note', async () => {
    await add('base', 1, { $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) } });
    await until(() => twin('$edgeAgent')?.configurations !== undefined, 'the deployment');
    await registry.removeConfiguration('base');
    await until(() => twin('$edgeAgent')?.configurations === undefined, 'the end of the note');

    expect(desired()).toEqual({ sensor: 1 });
    expect(local.hubs.view(WEU)?.moduleIds('gateway')).toContain('sensor');
  });

  test('with the end of the better deployment, the next one takes the device', async () => {
    await add('first', 1, { $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) } });
    await add('second', 2, { $edgeAgent: { 'properties.desired': agent({ sensor: 2 }) } });
    await until(() => JSON.stringify(desired()) === '{"sensor":2}', 'the better one');
    await registry.removeConfiguration('second');

    await until(() => JSON.stringify(desired()) === '{"sensor":1}', 'the next one');
  });

  test('a deployment targets devices by their tags, after the period', async () => {
    await add('base', 1, { $edgeAgent: { 'properties.desired': agent({ sensor: 1 }) } }, "tags.site='ams'");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(desired()).toBeUndefined();
    await registry.updateTwin('gateway', { tags: { site: 'ams' } }, '*');
    aPeriodLater();

    await until(() => JSON.stringify(desired()) === '{"sensor":1}', 'the deployment');
  });
});
