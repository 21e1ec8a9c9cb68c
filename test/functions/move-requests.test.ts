import { afterEach, describe, expect, test } from '@jest/globals';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { openAuthority } from '../../local/ca/index.ts';
import { type MqttServer, startMqtt } from '../../local/mqtt/index.ts';
import { decide } from '../../src/allocation/decision/decide.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import type { Instance } from '../../src/instance/instance.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { CAPTURED, fleetOf } from '../allocation/requests.ts';
import { eventually } from '../support/eventually.ts';
import { FunctionApp, type FunctionAppOptions, type Line, troubles } from '../support/function-app.ts';

/* Devices of a draining hub are asked to register again. The app runs as in the host, with local hubs. */

const MINUTE_MS = 60_000;
const KEY = Buffer.alloc(32, 7).toString('base64');
const ASK = { property: 'berth.leaveHub' };

let app: FunctionApp;
let instance: Instance;
afterEach(() => app.close());
const open = async (options: FunctionAppOptions = {}) => {
  app = await FunctionApp.open({
    policies: [],
    hubs: [{}, {}],
    allocation: { moves: { ask: ASK } },
    ...options,
  });
  instance = app.instance();
};
const runs = async (count: number) => {
  for (let run = 0; run < count; run += 1) {
    await app.resync(instance);
    await app.deliver(instance);
    app.pass(MINUTE_MS);
  }
};
const drain = (forMs = 30 * 24 * 60 * MINUTE_MS) =>
  instance.stores.conditions.setOverrides(app.host, {
    state: { value: 'draining', author: 'ann', reason: 'test', expiresAt: plus(app.now, forMs) },
  });
const request = (deviceId: string, host = app.host): JsonValue | undefined => {
  const properties = app.hub(host).twin(deviceId)?.properties as { desired: JsonObject } | undefined;
  return (properties?.desired.berth as JsonObject | undefined)?.leaveHub;
};
const second = () => app.hosts[1] ?? app.host;

describe('a drain', () => {
  test('asks each device of the hub once, also those that send no event, and no device of another hub', async () => {
    await open();
    for (const id of ['one', 'two', 'three']) app.create(id, {});
    app.create('elsewhere', {}, second());
    await app.deliver(instance);
    await runs(1);
    await drain();

    await runs(4);

    expect(['one', 'two', 'three'].map((id) => request(id))).toEqual([app.host, app.host, app.host]);
    expect(request('elsewhere', second())).toBeUndefined();
    expect(app.patches()).toBe(3);
    await runs(3);
    expect(app.patches()).toBe(3);
  });

  test('asks a device that was created during the drain', async () => {
    await open();
    await drain();
    await runs(4);
    app.create('late', {});

    await app.deliver(instance);

    expect(request('late')).toBe(app.host);
  });

  test('that ends takes its requests back, once, and only those', async () => {
    await open();
    app.create('asked', {});
    app.create('by-hand', { berth: { leaveHub: 'soon' } }, second());
    await app.deliver(instance);
    await drain();
    await runs(4);
    expect(request('asked')).toBe(app.host);

    await instance.stores.conditions.clearOverrides(app.host);
    await runs(4);

    expect(request('asked')).toBeUndefined();
    expect(request('by-hand', second())).toBe('soon');
    expect(app.patches('asked')).toBe(2);
    expect((await app.snapshot('asked')).lastReconcile).toMatchObject({ status: 'inSync', policies: {} });
  });

  test('that an override ended by its time takes its requests back', async () => {
    await open();
    app.create('asked', {});
    await app.deliver(instance);
    await drain(10 * MINUTE_MS);
    await runs(4);
    expect(request('asked')).toBe(app.host);

    await runs(10);

    expect(request('asked')).toBeUndefined();
  });

  test('does not ask on a paused hub, and asks when the hub is resumed', async () => {
    await open();
    app.create('pump', {});
    await app.deliver(instance);
    const pause = { author: 'ann', reason: 'freeze', at: app.now };
    await instance.stores.control.update((row) => ({ ...row, hubs: { [app.host]: pause } }));
    await drain();
    await runs(5);
    expect(app.patches()).toBe(0);

    await instance.stores.control.update((row) => ({ ...row, hubs: {} }));
    await runs(3);

    expect(request('pump')).toBe(app.host);
    expect(app.patches()).toBe(1);
  });

  test('spread over time asks each device when it would move, and not earlier', async () => {
    await open({ allocation: { moves: { over: '20m', ask: ASK } } });
    const ids = Array.from({ length: 12 }, (_, index) => `pump-${index}`);
    for (const id of ids) app.create(id, {});
    await app.deliver(instance);
    await drain();
    const asked: string[] = [];
    for (let minute = 0; minute < 25; minute += 1) {
      await runs(1);
      const { causes } = await instance.stores.conditions.read(app.now);
      for (const id of ids) {
        if (asked.includes(id) || request(id) === undefined) continue;
        asked.push(id);
        expect({ id, result: registering(id, causes.get(`drain:${app.host}`)) }).toMatchObject({
          result: { kind: 'assigned', how: 'moved', why: 'the current hub is draining' },
        });
      }
      if (minute === 10) expect(asked.length).toBeLessThan(ids.length);
    }

    expect(asked.sort()).toEqual([...ids].sort());
    expect(app.patches('pump')).toBe(ids.length);
  });
});

test('a device that was moved with its twin loses the request of its old hub there, by one write', async () => {
  await open();
  app.create('moved', { berth: { leaveHub: app.host } }, second());

  await app.deliver(instance);
  await runs(2);

  expect(request('moved', second())).toBeUndefined();
  expect(app.patches()).toBe(1);
});

describe('a direct method', () => {
  const METHOD = { moves: { ask: { ...ASK, method: 'leaveHub' } } };
  const invoked = () => app.calls.filter((call) => call.endsWith('/methods'));
  let mqtt: MqttServer | undefined;
  const clients: Client[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await mqtt?.close();
    mqtt = undefined;
  });
  /** A device that takes the method. Returns the payloads. */
  const connect = async (deviceId: string): Promise<readonly unknown[]> => {
    const authority = await openAuthority();
    mqtt = await startMqtt({ port: 0, services: [app.mqtt], certificate: authority.server });
    const client = Client.fromConnectionString(
      `HostName=${app.host};DeviceId=${deviceId};SharedAccessKey=${KEY};GatewayHostName=localhost:${mqtt.port}`,
      Mqtt,
    );
    await client.setOptions({ ca: authority.root });
    clients.push(client);
    await client.open();
    const payloads: unknown[] = [];
    client.onDeviceMethod('leaveHub', (request, response) => {
      payloads.push(request.payload);
      void response.send(200);
    });
    const call = () =>
      app.service('POST', `/twins/${deviceId}/methods`, { methodName: 'leaveHub', payload: 'test' });
    await eventually(call, ({ status }) => status === 200);
    payloads.splice(0);
    return payloads;
  };

  test('is called once on a device that is connected, and a device that is offline still has the property', async () => {
    await open({ allocation: METHOD });
    app.create('online', {});
    app.create('offline', {});
    await app.deliver(instance);
    const payloads = await connect('online');
    await drain();

    await runs(4);

    expect([request('online'), request('offline')]).toEqual([app.host, app.host]);
    expect(payloads).toEqual([{ leaveHub: app.host }]);
    expect(invoked().sort()).toEqual(['POST /twins/offline/methods', 'POST /twins/online/methods']);
  });

  test('is not called when the request is removed', async () => {
    await open({ allocation: METHOD });
    app.create('moved', { berth: { leaveHub: app.host } }, second());

    await app.deliver(instance);
    await runs(1);

    expect(request('moved', second())).toBeUndefined();
    expect(invoked()).toEqual([]);
  });

  test('whose right is missing is told with the name of the role, and the hub goes on', async () => {
    await open({ allocation: METHOD });
    app.allowsMethods = false;
    const ids = Array.from({ length: 12 }, (_, index) => `pump-${index}`);
    for (const id of ids) app.create(id, {});
    await app.deliver(instance);
    await drain();
    const lines: Line[] = [];
    for (let run = 0; run < 4; run += 1) {
      lines.push(...(await app.resync(instance)));
      app.pass(MINUTE_MS);
    }

    expect(troubles(lines)).toEqual([
      expect.objectContaining({
        code: 'BERTH_MOVE_UNAUTHORIZED',
        message: expect.stringContaining(
          'role "Berth Method Caller", with the data action Microsoft.Devices/IotHubs/directMethods/invoke/action',
        ),
      }),
    ]);
    expect(ids.map((id) => request(id))).toEqual(ids.map(() => app.host));
  });
});

test('a fleet file without allocation.moves.ask asks no device and leaves every value alone', async () => {
  await open({ allocation: {} });
  app.create('pump', {});
  app.create('moved', { berth: { leaveHub: app.host } }, second());
  await app.deliver(instance);
  await drain();

  await runs(4);

  expect(app.patches()).toBe(0);
  expect((await instance.stores.control.read()).drains).toEqual({});
});

/** What `decide` answers if this device registers now, on a hub with the same name and the same drain. */
function registering(deviceId: string, since: ReturnType<typeof plus> | undefined) {
  const fleet = fleetOf({
    hubs: { weu: { host: app.host, state: 'draining' } },
    allocation: { moves: { over: '20m' } },
  });
  const linkedHubs = [app.host, 'eus.azure-devices.net'];
  const registrationId = `registration-of-${deviceId}`;
  return decide({
    request: parseAllocationRequest({
      individualEnrollment: { ...CAPTURED.enrollmentGroup, registrationId, deviceId, iotHubs: [] },
      deviceRuntimeContext: { registrationId, currentIotHubHostName: app.host, currentDeviceId: deviceId },
      linkedHubs,
    }),
    fleet,
    conditions: {
      loadedAt: app.now,
      hubs: new Map(),
      causes: new Map(since === undefined ? [] : [[`drain:${app.host}`, since]]),
    },
    now: app.now,
  }).result;
}
