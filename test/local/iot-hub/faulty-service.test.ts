import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FaultSettings, HubView } from '../../../local/iot-hub/index.ts';
import { EUS, type LocalHubs, serviceToken, startLocalHubs, until, WEU } from './local-hubs.ts';
import { NO_FAULTS } from './no-faults.ts';

describe('service calls while faults are active', () => {
  let local: LocalHubs;
  /** Milliseconds by which the hubs' clock goes before the real one. */
  let passed: number;
  let hub: HubView;

  beforeEach(async () => {
    passed = 0;
    local = await startLocalHubs({ now: () => Date.now() + passed });
    const view = local.hubs.view(WEU);
    if (view === undefined) throw new Error('there is no hub');
    hub = view;
    for (const host of [WEU, EUS]) await local.registry(host).addDevices([{ deviceId: 'pump' }]);
    hub.createModule('pump', 'camera', {});
  });
  afterEach(() => local.close());

  const set = (settings: Partial<FaultSettings>) => hub.setFaults({ ...NO_FAULTS, ...settings });
  const read = (host = WEU) =>
    local.call('GET', '/twins/pump', { host, headers: { authorization: serviceToken(host) } });
  const write = (value: number, twin = '/twins/pump') =>
    local.call('PATCH', twin, { body: { properties: { desired: { value } } } });
  const desired = (moduleId?: string) =>
    hub.twin('pump', moduleId)?.properties as { desired: { value?: number } };
  const CAMERA = '/twins/pump/modules/camera';

  test.each([
    ['GET', '/twins/pump', undefined],
    ['PATCH', '/twins/pump', { tags: { a: 1 } }],
    ['PUT', '/twins/pump', { tags: { a: 1 } }],
    ['GET', '/devices/pump', undefined],
    ['GET', '/twins/pump/modules/camera', undefined],
    ['PATCH', '/twins/pump/modules/camera', { tags: { a: 1 } }],
    ['GET', '/devices/pump/modules', undefined],
    ['POST', '/devices/query', { query: 'SELECT * FROM devices' }],
    ['GET', '/statistics/devices', undefined],
  ])('latency delays %s %s', async (method, path, body) => {
    set({ latencyMs: 80 });
    const began = performance.now();
    const { status } = await local.call(method, path, { body });

    expect(status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(79);
    expect(hub.faults?.counts).toMatchObject({ latency: 1, error: 0 });
  });

  test.each([
    ['a device', '/twins/pump', undefined],
    ['a module', CAMERA, 'camera'],
  ])(
    'errors are 500 and 503, and half of the failed writes to the twin of %s are applied',
    async (_what, path, moduleId) => {
      set({ errorRate: 1 });
      const statuses: number[] = [];
      let applied = 0;
      for (let value = 1; value <= 40; value += 1) {
        const answer = await write(value, path);
        statuses.push(answer.status);
        expect(answer.body.Message).toMatch(/^ErrorCode:(?:ServerError|ServiceUnavailable);/);
        if (desired(moduleId).desired.value === value) applied += 1;
      }

      expect(new Set(statuses)).toEqual(new Set([500, 503]));
      expect(applied).toBeGreaterThan(8);
      expect(applied).toBeLessThan(32);
      expect(hub.counters.twinWrites).toBe(applied);
      expect(hub.faults?.counts.error).toBe(40);
    },
  );

  test('throttled calls are counted and not applied, and the SDK throws a ThrottlingError', async () => {
    set({ throttleRate: 1 });

    await expect(local.registry(WEU).updateTwin('pump', { tags: { a: 1 } }, '*')).rejects.toMatchObject({
      name: 'ThrottlingError',
    });
    await expect(
      local.registry(WEU).updateModuleTwin('pump', 'camera', { tags: { a: 1 } }, '*'),
    ).rejects.toMatchObject({ name: 'ThrottlingError' });
    const { status, body, headers } = await write(1);
    expect([status, headers['iothub-errorcode']]).toEqual([429, 'ThrottlingException']);
    expect(body).toEqual({
      Message: 'ErrorCode:ThrottlingException;Request is being throttled',
      ExceptionMessage: expect.stringContaining('Tracking ID:'),
    });
    expect(hub.counters).toMatchObject({ throttled: 3, twinWrites: 0 });
  });

  test('calls that time out wait until the hub closes, and half of them are applied', async () => {
    set({ timeoutRate: 1 });
    const ends: string[] = [];
    for (let value = 1; value <= 20; value += 1) {
      write(value).then(
        () => ends.push('answered'),
        (error: NodeJS.ErrnoException) => ends.push(error.code ?? ''),
      );
    }
    await until(() => hub.faults?.counts.timeout === 20, 'the calls to arrive');
    await new Promise((resolve) => setTimeout(resolve, 100));

    expect(ends).toEqual([]);
    expect(hub.counters.twinWrites).toBeGreaterThan(3);
    expect(hub.counters.twinWrites).toBeLessThan(17);
    local.hubs.close();
    await until(() => ends.length === 20, 'the calls to end');
    expect(ends).toEqual(Array.from({ length: 20 }, () => 'ECONNRESET'));
    expect(local.log).toEqual([]);
  });

  test('the same seed and calls cause the same faults, and another seed causes others', async () => {
    const statusesWith = async (seed: number) => {
      set({ seed, errorRate: 0.3, throttleRate: 0.3 });
      const statuses: number[] = [];
      for (let call = 0; call < 25; call += 1) statuses.push((await read()).status);
      return statuses;
    };

    const first = await statusesWith(5);
    expect(await statusesWith(5)).toEqual(first);
    expect(await statusesWith(6)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 429, 500, 503]));
  });

  test('calls for the twin of a module have their own faults', async () => {
    const statusesOf = async (path: string) => {
      set({ errorRate: 0.5 });
      const statuses: number[] = [];
      for (let call = 0; call < 25; call += 1) statuses.push((await local.call('GET', path)).status);
      return statuses;
    };

    const first = await statusesOf(CAMERA);
    expect(await statusesOf(CAMERA)).toEqual(first);
    expect(await statusesOf('/twins/pump')).not.toEqual(first);
  });

  test('an outage refuses every call of that hub with 503 and then ends', async () => {
    set({ outageMs: 3_600_000 });

    expect((await read()).status).toBe(503);
    expect((await local.call('GET', '/statistics/devices')).status).toBe(503);
    expect((await local.call('GET', CAMERA)).status).toBe(503);
    expect((await read(EUS)).status).toBe(200);
    expect(hub.faults).toMatchObject({ outageLeftMs: expect.any(Number), counts: { outage: 3 } });
    passed = 3_600_000;
    expect((await read()).status).toBe(200);
    expect(hub.faults?.outageLeftMs).toBe(0);
  });

  test('edits through the control API are not refused', () => {
    set({ outageMs: 60_000, errorRate: 1, throttleRate: 1, timeoutRate: 1 });
    expect(hub.edit('pump', { tags: { a: 1 } }, 'service')).toMatchObject({ tags: { a: 1 } });
    expect(hub.edit('pump', { tags: { a: 1 } }, 'service', 'camera')).toMatchObject({ tags: { a: 1 } });
  });

  test('no fault occurs after the faults are deleted', async () => {
    set({ errorRate: 1 });
    expect((await read()).status).toBeGreaterThanOrEqual(500);
    hub.clearFaults();

    expect((await read()).status).toBe(200);
    expect(hub.faults).toBeUndefined();
  });
});
