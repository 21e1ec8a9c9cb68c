import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'azure-iot-device';
import type { FaultSettings, HubView } from '../../../local/iot-hub/index.ts';
import { type LocalHubs, report, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';
import { NO_FAULTS } from './no-faults.ts';

const MINUTE = 60_000;

describe('a failover', () => {
  let local: LocalHubs;
  let hub: HubView;
  let later: number;

  beforeEach(async () => {
    later = 0;
    local = await startLocalHubs({ now: () => Date.now() + later });
    const view = local.hubs.view(WEU);
    if (view === undefined) throw new Error('there is no hub');
    hub = view;
    await local
      .registry(WEU)
      .addDevices([
        { deviceId: 'pump', authentication: { symmetricKey: { primaryKey: testKey(1) } } },
        { deviceId: 'valve' },
      ]);
  });
  afterEach(() => local.close());

  const failOver = (settings: Partial<FaultSettings> = {}) =>
    hub.setFaults({ ...NO_FAULTS, failover: true, outageMs: 0, ...settings });
  const edit = (value: number, deviceId = 'pump') =>
    hub.edit(deviceId, { properties: { desired: { value } } }, 'service');
  // biome-ignore lint/suspicious/noExplicitAny: twins of every shape
  const twin = (deviceId = 'pump'): any => hub.twin(deviceId);

  test('restores an earlier state of each twin that changed lately, including versions and etag, and sends no event', () => {
    const states = [twin(), edit(1), edit(2), edit(3)];
    edit(4);
    const untouched = twin('valve');
    const told = local.events.length;
    failOver();

    expect(states.map(({ etag }) => etag)).toContain(twin().etag);
    expect(twin()).toEqual(states.find(({ etag }) => etag === twin().etag));
    expect(twin('valve')).toEqual(untouched);
    expect(local.events).toHaveLength(told);
    expect(hub.faults?.counts.failover).toBe(1);
  });

  test('restores one of the last four states, which the seed selects', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const written = [1, 2, 3, 4, 5, 6].map((value) => edit(value));
      failOver({ seed });
      seen.add(String(written.findIndex(({ etag }) => etag === twin().etag)));
    }
    expect(seen).toEqual(new Set(['1', '2', '3', '4']));
  });

  test('lets later writes count on from the restored version, so that a version is used twice', () => {
    const first = edit(1);
    failOver();
    const again = edit(9);

    expect(again.version).toBe(first.version);
    expect(again.etag).toBe(first.etag);
    expect(again.properties).not.toEqual(first.properties);
  });

  test('does not change twins that have not changed for five minutes', () => {
    edit(1);
    edit(1, 'valve');
    later = 4 * MINUTE;
    edit(2, 'valve');
    later = 5 * MINUTE + 1000;
    failOver();

    expect(twin().properties.desired).toMatchObject({ value: 1 });
    expect(twin('valve').properties.desired).toMatchObject({ value: 1 });
    expect(hub.faults?.counts.failover).toBe(1);
  });

  test('does not restore the twin of an earlier device with the same id', async () => {
    edit(1);
    hub.remove('pump');
    await local.registry(WEU).addDevices([{ deviceId: 'pump' }]);
    const born = twin();
    failOver();
    expect(twin()).toEqual(born);
  });

  describe('a failover of a hub with modules', () => {
    beforeEach(() => {
      hub.createModule('pump', 'camera', {});
      hub.createModule('valve', 'camera', {});
    });
    const editModule = (value: number, deviceId = 'pump') =>
      hub.edit(deviceId, { properties: { desired: { value } } }, 'service', 'camera');

    test('restores the twin of a module separately from that of its device, and counts both', () => {
      const born = { device: hub.twin('pump'), module: hub.twin('pump', 'camera') };
      edit(1);
      editModule(2);
      const untouched = [hub.twin('valve'), hub.twin('valve', 'camera')];
      const told = local.events.length;
      failOver();

      expect(hub.twin('pump')).toEqual(born.device);
      expect(hub.twin('pump', 'camera')).toEqual(born.module);
      expect([hub.twin('valve'), hub.twin('valve', 'camera')]).toEqual(untouched);
      expect(local.events).toHaveLength(told);
      expect(hub.faults?.counts.failover).toBe(2);
    });

    test('selects for each twin separately how far it goes back', () => {
      const distances = new Set<string>();
      for (let seed = 1; seed <= 40; seed += 1) {
        const states = [1, 2, 3, 4].map((value) => [edit(value).etag, editModule(value).etag]);
        edit(5);
        editModule(5);
        failOver({ seed });
        const device = states.findIndex(([etag]) => etag === twin().etag);
        const module = states.findIndex(([, etag]) => etag === hub.twin('pump', 'camera')?.etag);
        distances.add(`${device} ${module}`);
      }
      expect(distances.size).toBeGreaterThan(8); // of sixteen; were they one draw, it would be four
      expect([...distances].join(' ')).not.toContain('-1');
    });

    test('does not change a module that has not changed lately, even if its device has', () => {
      editModule(1);
      later = 5 * MINUTE + 1000;
      edit(1);
      failOver();

      expect(hub.twin('pump', 'camera')?.properties).toMatchObject({ desired: { value: 1 } });
      expect(hub.faults?.counts.failover).toBe(1);
    });

    test('does not restore the twin of an earlier module with the same id', () => {
      editModule(1);
      hub.remove('pump', 'camera');
      editModule(1, 'valve');
      hub.remove('valve');
      hub.createModule('pump', 'camera', {});
      const reborn = hub.twin('pump', 'camera');
      failOver();

      expect(hub.twin('pump', 'camera')).toEqual(reborn);
      expect(hub.twin('valve', 'camera')).toBeUndefined();
    });

    test('disconnects modules, and sends no event about it', async () => {
      const symmetricKey = { primaryKey: testKey(3), secondaryKey: testKey(4) };
      hub.createModule('pump', 'keyed', { authentication: { symmetricKey } });
      const client = await local.module(WEU, 'pump', 'keyed', testKey(3));
      const moduleTwin = await client.getTwin();
      moduleTwin.on('properties.desired', () => {}); // the SDK connects again by itself only for who listens
      await report(moduleTwin, { level: 1 });
      const connections = hub.counters.deviceConnections;
      failOver();

      expect(hub.connectedCount).toBe(0);
      expect(hub.twin('pump', 'keyed')?.properties).not.toHaveProperty('reported.level');
      await until(() => hub.counters.deviceConnections > connections, 'the module to come back');
      expect(local.events.map(({ properties }) => properties.opType)).not.toContain('deviceDisconnected');
    });
  });

  test('answers 404012 for five seconds, or as long as the outage lasts', async () => {
    failOver({ outageMs: undefined });
    const answer = await local.call('GET', '/twins/pump');
    expect(answer.status).toBe(404);
    expect(answer.headers['iothub-errorcode']).toBe('IotHubFailingOver');
    expect(answer.body.Message).toMatch(/^ErrorCode:IotHubFailingOver;/);
    later = 4_900;
    expect((await local.call('GET', '/statistics/devices')).status).toBe(404);
    later = 5_100;
    expect((await local.call('GET', '/twins/pump')).status).toBe(200);
  });

  test('happens only once', () => {
    edit(1);
    failOver();
    edit(2);
    hub.clearFaults();
    expect(twin().properties.desired).toMatchObject({ value: 2 });
  });

  test('disconnects devices, which reconnect and find the older twin', async () => {
    const device: Client = await local.device(WEU, 'pump', testKey(1));
    const deviceTwin = await device.getTwin();
    await report(deviceTwin, { level: 1 });
    deviceTwin.on('properties.desired', () => {}); // the SDK connects again by itself only for who listens
    const connections = hub.counters.deviceConnections;
    failOver();

    expect(hub.connectedCount).toBe(0);
    expect(twin().properties.reported).not.toHaveProperty('level');
    await until(() => hub.counters.deviceConnections > connections, 'the device to come back');
    expect(local.events.map(({ properties }) => properties.opType)).not.toContain('deviceDisconnected');
    await until(() => hub.connectedCount === 1, 'the connection');
    await report(deviceTwin, { level: 2 });
    expect(twin().properties.reported).toMatchObject({ level: 2, $version: 2 });
  });
});
