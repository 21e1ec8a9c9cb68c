import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until, WEU } from '../iot-hub/local-hubs.ts';
import { type EdgeDevice, module, SENSOR, startEdgeDevice } from './edge-device.ts';

describe('the direct methods of a simulated Edge device', () => {
  let device: EdgeDevice;

  beforeAll(async () => {
    device = await startEdgeDevice();
    await device.apply(
      { sensor: SENSOR, idle: module('idle:1') },
      { up: 'FROM /messages/* INTO $upstream' },
      {},
    );
    await until(() => device.twin('sensor')?.connectionState === 'Connected', 'the sensor');
    await until(() => device.agent()?.lastDesiredStatus?.code === 200, 'the agent');
  });
  afterAll(() => device.close());

  const invoke = async (moduleId: string, methodName: string, payload: unknown = null) => {
    const path = `/twins/gateway/modules/${encodeURIComponent(moduleId)}/methods`;
    return (
      await device.local.call('POST', path, { body: { methodName, payload, responseTimeoutInSeconds: 30 } })
    ).body;
  };

  test('ping of $edgeAgent answers 200, although the hub shows it as disconnected', async () => {
    expect(device.twin('$edgeAgent').connectionState).toBe('Disconnected');
    expect(await invoke('$edgeAgent', 'ping')).toEqual({ status: 200, payload: null });
  });

  test('RestartModule starts a module again, and an unknown module is 400', async () => {
    const before = device.agent().modules.idle.lastStartTimeUtc;

    expect(await invoke('$edgeAgent', 'RestartModule', { schemaVersion: '1.0', id: 'idle' })).toEqual({
      status: 200,
      payload: null,
    });
    await until(() => device.agent().modules.idle.lastStartTimeUtc > before, 'the start');

    expect(device.agent().modules.idle).toMatchObject({ runtimeStatus: 'running', restartCount: 0 });
    expect(await invoke('$edgeAgent', 'RestartModule', { schemaVersion: '1.0', id: 'other' })).toMatchObject({
      status: 400,
      payload: { message: expect.stringContaining('other') },
    });
    expect(await invoke('$edgeAgent', 'RestartModule', {})).toMatchObject({ status: 400 });
  });

  test('GetModuleLogs answers the lines of the modules whose names match, plain and zipped', async () => {
    const items = [{ id: 's.*r', filter: { tail: 1 } }];
    const plain = await invoke('$edgeAgent', 'GetModuleLogs', { schemaVersion: '1.1', items });
    const zipped = await invoke('$edgeAgent', 'GetModuleLogs', {
      schemaVersion: '1.1',
      items: [{ id: 'idle' }],
      encoding: 'gzip',
      contentType: 'json',
    });

    expect(plain).toMatchObject({
      status: 200,
      payload: [{ id: 'sensor', encoding: 'none', contentType: 'text' }],
    });
    expect(plain.payload[0].payload.split('\n')).toHaveLength(1);
    const lines = JSON.parse(gunzipSync(Buffer.from(zipped.payload[0].payloadBytes, 'base64')).toString());
    expect(lines[0]).toMatchObject({ id: 'idle', text: expect.stringContaining('started') });
    expect(
      await invoke('$edgeAgent', 'GetModuleLogs', { schemaVersion: '1.1', items: [{ id: '(' }] }),
    ).toMatchObject({ status: 400 });
  });

  test('uploads are not simulated and answer 500', async () => {
    expect(await invoke('$edgeAgent', 'UploadModuleLogs', {})).toMatchObject({ status: 500 });
  });

  test('reset of the sensor puts its temperature back', async () => {
    await until(() => device.telemetry('sensor').length > 2, 'some telemetry');

    expect(await invoke('sensor', 'reset')).toEqual({ status: 200, payload: null });
    const count = device.telemetry('sensor').length;
    await until(() => device.telemetry('sensor').length > count, 'the next message');

    expect(device.telemetry('sensor').at(-1).body.machine.temperature).toBeLessThan(23);
  });

  test('the hub of the device answers RefreshDeviceScopeIdentityCache', async () => {
    await until(() => device.twin('$edgeHub').connectionState === 'Connected', 'the connection');
    expect(await invoke('$edgeHub', 'RefreshDeviceScopeIdentityCache')).toMatchObject({ status: 200 });
  });

  test('the twin of a module can be written by a service, and the module reads it', async () => {
    const registry = device.local.registry(WEU);
    await registry.updateModuleTwin(
      'gateway',
      'sensor',
      { properties: { desired: { SendInterval: 0.4 } } },
      '*',
    );

    await until(() => device.twin('sensor').properties.reported.SendInterval === 0.4, 'the report');
  });
});
