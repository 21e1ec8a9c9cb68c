import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { edgeFaultsOf, NO_EDGE_FAULTS } from '../../../local/edge/faults.ts';
import { until, WEU } from '../iot-hub/local-hubs.ts';
import { NO_FAULTS } from '../iot-hub/no-faults.ts';
import { type EdgeDevice, module, SENSOR, startEdgeDevice } from './edge-device.ts';

describe('the faults of a simulated Edge device', () => {
  let device: EdgeDevice;

  beforeEach(async () => {
    device = await startEdgeDevice();
  });
  afterEach(() => device.close());

  const code = () => device.agent()?.lastDesiredStatus?.code;
  const modules = () => device.agent()?.modules ?? {};
  const isDone = () =>
    code() === 200 &&
    device.agent().lastDesiredVersion === device.twin('$edgeAgent').properties.desired.$version;

  test('a pull that fails is 500, the old image runs on, and the other modules are updated', async () => {
    await device.apply({ sensor: SENSOR, other: module('other:1') });
    await until(isDone, 'the modules');
    await device.setFaults({ pullFails: 'sensor:2' });

    await device.apply({ sensor: module('sensor:2'), other: module('other:2') });
    await until(() => code() === 500, 'the failure');
    await until(() => modules().other?.settings.image === 'other:2', 'the other module');

    expect(device.agent().lastDesiredStatus.description).toContain('Failed to pull sensor:2');
    expect(device.agent().lastDesiredVersion).toBe(3);
    expect(modules().sensor).toMatchObject({ runtimeStatus: 'running' });
    expect(modules().sensor.settings.image).not.toBe('sensor:2');
  });

  test('after a failed pull, the agent tries again by itself once the fault has ended', async () => {
    await device.setFaults({ pullFails: 'other' });
    await device.apply({ other: module('other:1') });
    await until(() => code() === 500, 'the failure');
    await device.setFaults({});

    await until(isDone, 'the next try');
    expect(modules().other.runtimeStatus).toBe('running');
  });

  test('a module in a crash loop is in backoff with a growing count of restarts, while the code is 200', async () => {
    await device.setFaults({ crashes: 'other' });
    await device.apply({ sensor: SENSOR, other: module('own/other:1') });
    await until(() => modules().other?.restartCount >= 2, 'two restarts');
    await until(() => modules().other?.runtimeStatus === 'backoff', 'the backoff');

    expect(code()).toBe(200);
    expect(modules().other).toMatchObject({
      exitCode: 139,
      lastRestartTimeUtc: expect.stringMatching(/^20/),
    });
    expect(modules().sensor.runtimeStatus).toBe('running');
  });

  test('the fault also ends a module that runs already, and with its end the module runs on', async () => {
    await device.apply({ other: module('own/other:1') });
    await until(isDone, 'the modules');
    await device.setFaults({ crashes: 'other' });
    await until(() => modules().other.restartCount > 0, 'a restart');
    await device.setFaults({});

    await until(() => modules().other.runtimeStatus === 'running', 'the module');
    const { restartCount } = modules().other;
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(modules().other).toMatchObject({ runtimeStatus: 'running', restartCount });
  });

  test('a crashed module without a restart policy is failed', async () => {
    await device.setFaults({ crashes: 'other' });
    await device.apply({ other: module('own/other:1', { restartPolicy: 'never' }) });

    await until(() => modules().other?.runtimeStatus === 'failed', 'the status');
    expect(modules().other.restartCount).toBe(0);
  });

  test('a device that refuses every manifest reports 400', async () => {
    await device.setFaults({ invalid: true });
    await device.apply({ sensor: SENSOR });

    await until(() => code() === 400, 'the refusal');
    expect(device.agent().lastDesiredVersion).toBe(0);
  });

  test('a device without a connection applies a manifest when it is back, and then sends the messages it has stored', async () => {
    await device.apply({ sensor: SENSOR });
    await until(() => device.telemetry('sensor').length > 0, 'telemetry');
    await device.setFaults({ offline: true });
    await until(
      () => device.twin('$edgeHub').connectionState === 'Disconnected',
      'the end of the connection',
    );
    const before = device.telemetry('sensor').length;
    await device.apply({ sensor: SENSOR, other: module('other:1') });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(device.telemetry('sensor')).toHaveLength(before);
    expect(modules()).not.toHaveProperty('other');

    await device.setFaults({});
    await until(isDone, 'the manifest');
    await until(() => device.telemetry('sensor').length > before + 1, 'the stored messages');

    const numbers = device.telemetry('sensor').map(({ properties }) => Number(properties.sequenceNumber));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  test('a device that a value kills never reports the manifest that has it', async () => {
    await device.apply({ sensor: SENSOR });
    await until(isDone, 'the modules');
    await until(() => device.twin('$edgeHub').connectionState === 'Connected', 'the connection');
    const before = device.agent().lastDesiredVersion;
    await device.setFaults({ killedBy: 'poison' });

    await device.apply({ sensor: SENSOR, other: module('other:1', { env: { MODE: { value: 'poison' } } }) });
    await until(
      () => device.twin('$edgeHub').connectionState === 'Disconnected',
      'the end of the connection',
    );
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect(device.agent().lastDesiredVersion).toBe(before);
    expect(device.twin('$edgeHub').connectionState).toBe('Disconnected');
  });

  test('a long pull is 500 in the meantime and 200 at its end', async () => {
    await device.close();
    device = await startEdgeDevice({ pullMs: 900, patienceMs: 100 });

    await device.apply({});
    await until(() => code() === 500, 'the interim code');
    expect(device.agent().lastDesiredStatus.description).toBe('The operation was canceled.');
    await until(isDone, 'the end of the pull');
  });

  test('a new manifest ends the update that still runs, and its modules do not wait', async () => {
    await device.close();
    device = await startEdgeDevice({ pullMs: 1_000, patienceMs: 50, firstRetryMs: 60_000 });
    await device.apply({ other: module('other:1') });
    await until(() => code() === 500, 'the running update');

    await device.apply({ other: module('other:2') });
    await until(isDone, 'the new manifest');

    expect(modules().other.settings.image).toBe('other:2');
  });

  test('after a failed pull, a new manifest makes the device try at once', async () => {
    await device.close();
    device = await startEdgeDevice({ firstRetryMs: 60_000 });
    await device.setFaults({ pullFails: 'other:1' });
    await device.apply({ other: module('other:1') });
    await until(() => code() === 500, 'the failure');

    await device.apply({ other: module('other:2') });
    await until(isDone, 'the new manifest');
  });

  test('throttled identity operations are 500 of the device, and it tries again', async () => {
    device.local.hubs
      .view(WEU)
      ?.setFaults({ ...NO_FAULTS, edge: { ...NO_EDGE_FAULTS, identityThrottleRate: 1 } });
    await device.apply({ sensor: SENSOR });
    await until(() => code() === 500, 'the failure');
    expect(device.agent().lastDesiredStatus.description).toContain('429');
    expect(device.local.hubs.view(WEU)?.faults?.counts.identityThrottle).toBeGreaterThan(0);

    device.local.hubs.view(WEU)?.clearFaults();
    await until(isDone, 'the next try');
  });

  test('an apply that conflicts with another one is 409402, and writes nothing', async () => {
    device.local.hubs
      .view(WEU)
      ?.setFaults({ ...NO_FAULTS, edge: { ...NO_EDGE_FAULTS, applyConflictRate: 1 } });

    const answer = await device.local.call('POST', '/devices/gateway/applyConfigurationContent', {
      body: { modulesContent: { other: {} } },
    });

    expect(answer.status).toBe(409);
    expect(answer.headers['iothub-errorcode']).toBe('ApplyConfigurationAlreadyInProgressOnDevice');
    expect(device.moduleIds()).not.toContain('other');
    expect(device.local.hubs.view(WEU)?.faults?.counts.applyConflict).toBe(1);
  });
});

describe('the share of Edge devices with faults', () => {
  const faults = { ...NO_EDGE_FAULTS, share: 0.3, offline: true };
  const ids = Array.from({ length: 200 }, (_, index) => `edge-${index}`);
  const hit = (seed: number) => ids.filter((id) => edgeFaultsOf(faults, seed, id).offline);

  test('is about the given share, the same for the same seed, and another set for another seed', () => {
    expect(hit(7).length).toBeGreaterThan(40);
    expect(hit(7).length).toBeLessThan(80);
    expect(hit(7)).toEqual(hit(7));
    expect(hit(8)).not.toEqual(hit(7));
    expect(edgeFaultsOf(undefined, 7, 'edge-1')).toEqual(NO_EDGE_FAULTS);
  });
});
