import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until, WEU } from '../iot-hub/local-hubs.ts';
import { type EdgeDevice, module, SENSOR, SENSOR_IMAGE, startEdgeDevice } from './edge-device.ts';

describe('the simulated Edge runtime on a local hub', () => {
  let device: EdgeDevice;

  beforeEach(async () => {
    device = await startEdgeDevice();
  });
  afterEach(() => device.close());

  const code = () => device.agent()?.lastDesiredStatus?.code;
  const isDone = () =>
    code() === 200 &&
    device.agent().lastDesiredVersion === device.twin('$edgeAgent').properties.desired.$version;
  const sensor = () => device.agent()?.modules?.sensor;

  test('reports 417 while its desired properties are empty', async () => {
    await until(() => code() === 417, 'the report');

    expect(device.agent()).toMatchObject({
      schemaVersion: '1.0',
      lastDesiredVersion: 0,
      lastDesiredStatus: { description: expect.stringContaining('empty configuration') },
    });
  });

  test('pulls and starts the modules of a manifest, and reports each of them', async () => {
    await device.apply({ sensor: SENSOR, idle: module('own.azurecr.io/idle') });
    await until(isDone, 'the modules');

    expect(device.agent()).toMatchObject({
      lastDesiredStatus: { code: 200, description: '' },
      runtime: { platform: { os: 'linux' }, settings: { registryCredentials: { own: { password: 'p' } } } },
      systemModules: {
        edgeAgent: {
          runtimeStatus: 'running',
          settings: { image: 'mcr.microsoft.com/azureiotedge-agent:1.6' },
        },
        edgeHub: { status: 'running', runtimeStatus: 'running', restartPolicy: 'always' },
      },
      modules: {
        sensor: {
          runtimeStatus: 'running',
          restartCount: 0,
          lastRestartTimeUtc: '0001-01-01T00:00:00',
          settings: { image: SENSOR_IMAGE, createOptions: '{}' },
        },
        idle: { settings: { image: 'own.azurecr.io/idle:latest' } },
      },
    });
    expect(device.agent().systemModules.edgeAgent).not.toHaveProperty('status');
    await until(() => device.twin('sensor').connectionState === 'Connected', 'the module');
    expect(device.twin('$edgeAgent').connectionState).toBe('Disconnected');
  });

  test('the telemetry of the sensor goes through its route to the hub, without the name of its output', async () => {
    await device.apply({ sensor: SENSOR });
    await until(() => device.telemetry('sensor').length > 0, 'telemetry');

    const [event] = device.telemetry('sensor');
    expect(event).toMatchObject({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      properties: { sequenceNumber: '1', batchId: expect.any(String) },
      body: { machine: { temperature: 21, pressure: 1 }, ambient: {}, timeCreated: expect.any(String) },
    });
    expect(event.annotations).toMatchObject({
      'iothub-connection-device-id': 'gateway',
      'iothub-connection-module-id': 'sensor',
    });
    expect(JSON.stringify(event)).not.toContain('temperatureOutput');
    await until(
      () => device.twin('$edgeHub').properties.reported.clients?.['gateway/sensor']?.status === 'Connected',
      'the client',
    );
  });

  test('without a route, no telemetry reaches the hub', async () => {
    await device.apply({ sensor: SENSOR }, { only: "FROM /messages/* WHERE level = 'high' INTO $upstream" });
    await until(isDone, 'the modules');
    await new Promise((resolve) => setTimeout(resolve, 1_500));

    expect(device.telemetry('sensor')).toEqual([]);
  });

  test('the sensor uses SendInterval and reports it only after a change; SendData false ends its messages', async () => {
    await device.apply({ sensor: SENSOR }, undefined, {
      sensor: { 'properties.desired': { SendInterval: 0.3 } },
    });
    await until(() => device.telemetry('sensor').length > 1, 'telemetry');
    expect(device.twin('sensor').properties.reported).not.toHaveProperty('SendInterval');

    await device.local
      .registry(WEU)
      .updateModuleTwin('gateway', 'sensor', { properties: { desired: { SendData: false } } }, '*');
    await until(() => device.twin('sensor').properties.reported.SendData === false, 'the report');

    expect(device.twin('sensor').properties.reported).toMatchObject({ SendInterval: 0.3 });
  });

  test('a wrong route leaves the earlier routes, and only $edgeHub says so', async () => {
    await device.apply({ sensor: SENSOR });
    await until(() => device.telemetry('sensor').length > 0, 'telemetry');
    await device.apply({ sensor: SENSOR }, { bad: "FROM /messages/* WHERE a == 'b' INTO $upstream" });
    const status = () => device.twin('$edgeHub').properties.reported.lastDesiredStatus;
    await until(() => status()?.code === 400, 'the refusal');
    await until(isDone, 'the agent');
    const before = device.telemetry('sensor').length;

    await until(() => device.telemetry('sensor').length > before, 'telemetry by the earlier route');
    expect(status().description).toContain('Error while parsing desired properties');
  });

  test.each([
    ['another schema version', { schemaVersion: '1.2' }, 412],
    ['a manifest without runtime', { schemaVersion: '1.1' }, 400],
  ])('%s keeps the modules and the version of the last good manifest', async (_name, desired, expected) => {
    await device.apply({ sensor: SENSOR });
    await until(isDone, 'the modules');
    const version = device.agent().lastDesiredVersion;

    await device.local.registry(WEU).applyConfigurationContentOnDevice('gateway', {
      modulesContent: { $edgeAgent: { 'properties.desired': desired } },
    });
    await until(() => code() === expected, 'the refusal');

    expect(device.agent().lastDesiredVersion).toBe(version);
    expect(sensor().runtimeStatus).toBe('running');
  });

  test('a module that leaves the manifest is stopped, and the device deletes its identity', async () => {
    await device.apply({ sensor: SENSOR, other: module('other:1') });
    await until(isDone, 'the modules');
    await device.apply({ sensor: SENSOR });
    await until(() => !device.moduleIds().includes('other'), 'the deletion');
    await until(isDone, 'the report');

    expect(device.agent().modules).not.toHaveProperty('other');
    expect(device.moduleIds()).toEqual(['$edgeAgent', '$edgeHub', 'sensor']);
  });

  test('each new or changed module costs two identity operations of the device', async () => {
    await device.apply({ sensor: SENSOR });
    await until(isDone, 'the modules');
    const operations = () => device.local.hubs.view(WEU)?.counters.deviceIdentityOps;
    expect(operations()).toBe(4); // edgeHub and sensor

    await device.apply({ sensor: module(`${SENSOR_IMAGE}.1`) });
    await until(isDone, 'the update');
    await until(() => sensor()?.settings.image === `${SENSOR_IMAGE}.1`, 'the image');

    expect(operations()).toBe(6);
  });

  test('a new image of the agent restarts it: 406, then 200', async () => {
    await device.apply({});
    await until(isDone, 'the modules');
    device.local.events.length = 0;
    const desired = structuredClone(device.twin('$edgeAgent').properties.desired);
    desired.systemModules.edgeAgent.settings.image = 'mcr.microsoft.com/azureiotedge-agent:1.6.1';
    const { $metadata: _m, $version: _v, ...values } = desired;
    await device.local.registry(WEU).applyConfigurationContentOnDevice('gateway', {
      modulesContent: { $edgeAgent: { 'properties.desired': values } },
    });
    await until(isDone, 'the update');

    const codes = device.local.events.flatMap(({ properties, body }) =>
      properties.moduleId === '$edgeAgent' ? (body.properties?.reported?.lastDesiredStatus?.code ?? []) : [],
    );
    expect(codes).toEqual([406, 200]);
    expect(device.agent().systemModules.edgeAgent.settings.image).toMatch(/1\.6\.1$/);
  });

  test('a stopped module is stopped, and starts again when it should run', async () => {
    await device.apply({ sensor: SENSOR });
    await until(isDone, 'the modules');
    await device.apply({ sensor: { ...SENSOR, status: 'stopped' } });
    await until(() => sensor()?.runtimeStatus === 'stopped', 'the stop');
    await device.apply({ sensor: SENSOR });
    await until(() => sensor()?.runtimeStatus === 'running', 'the start');

    expect(sensor().restartCount).toBe(0);
  });

  test('an orderly shutdown reports 406 and unknown statuses', async () => {
    await device.apply({ sensor: SENSOR });
    await until(isDone, 'the modules');
    await device.stop();

    expect(code()).toBe(406);
    expect(sensor().runtimeStatus).toBe('unknown');
  });

  test('without a change, nothing is reported', async () => {
    await device.apply({ idle: module('idle:1') });
    await until(isDone, 'the modules');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const version = device.twin('$edgeAgent').version;
    await new Promise((resolve) => setTimeout(resolve, 500));

    expect(device.twin('$edgeAgent').version).toBe(version);
  });
});
