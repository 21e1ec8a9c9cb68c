import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client, Message, type Twin } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { type CertificateAuthority, openAuthority } from '../../local/ca/index.ts';
import { type MqttServer, startMqtt } from '../../local/mqtt/index.ts';
import type { Instance } from '../../src/instance/instance.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { partitionOf } from '../../src/store/tables/keys.ts';
import { NO_FAULTS } from '../local/iot-hub/no-faults.ts';
import { FunctionApp } from '../support/function-app.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const MINUTE = 60_000;
const DEVICES = ['pump-0', 'pump-1', 'pump-2', 'pump-3'];

let authority: CertificateAuthority;
let app: FunctionApp;
let instance: Instance;
let mqtt: MqttServer;
const clients: Client[] = [];
beforeAll(async () => {
  authority = await openAuthority();
});
beforeEach(async () => {
  app = await FunctionApp.open();
  mqtt = await startMqtt({ port: 0, services: [app.mqtt], certificate: authority.server });
  instance = app.instance();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await mqtt.close();
  await app.close();
});

const connect = async (deviceId: string): Promise<{ client: Client; twin: Twin }> => {
  const client = Client.fromConnectionString(
    `HostName=${app.host};DeviceId=${deviceId};SharedAccessKey=${KEY};GatewayHostName=localhost:${mqtt.port}`,
    Mqtt,
  );
  await client.setOptions({ ca: authority.root });
  clients.push(client);
  await client.open();
  return { client, twin: await client.getTwin() };
};
const report = (twin: Twin, values: JsonObject): Promise<void> =>
  new Promise((resolve, reject) => {
    twin.properties.reported.update(values, (error: Error | null) => (error ? reject(error) : resolve()));
  });
/** Applies what it hears of from now on: the SDK begins with what it has read before, which the device knows. */
const listen = (twin: Twin): void => {
  const { $version: known } = twin.properties.desired as { readonly $version: number };
  twin.on('properties.desired', ({ interval, $version }: JsonObject) => {
    if (Number($version) > known && interval !== undefined) void report(twin, { interval });
  });
};
/** Hands over what the hub has sent and does what is due, so many minutes long, a minute at a time. */
const live = async (minutes: number): Promise<void> => {
  for (let minute = 0; minute < minutes; minute += 1) {
    app.pass(MINUTE);
    await app.resync(instance);
    // The device hears and answers.
    await delay(30);
    while (app.events.length > 0) await app.deliver(instance);
  }
};
const states = async () =>
  Promise.all(DEVICES.map(async (id) => (await app.snapshot(id)).lastReconcile.status));
const ALL_IN_SYNC = DEVICES.map(() => 'inSync');

test('devices that read their twin, report and subscribe last are in sync within 20 minutes', async () => {
  for (const deviceId of DEVICES) app.create(deviceId, { interval: 5 });
  await app.deliver(instance);
  const twins: Twin[] = [];
  for (const deviceId of DEVICES) {
    const { client, twin } = await connect(deviceId);
    twins.push(twin);
    await report(twin, { battery: 90 });
    // In between, an operator edits the twin and Berth corrects it. The device gets neither notification.
    await app.service('PATCH', `/twins/${deviceId}`, { properties: { desired: { interval: 99 } } });
    while (app.events.length > 0) await app.deliver(instance);
    listen(twin);
    // From now on it sends telemetry and reports nothing.
    await client.sendEvent(new Message('{}'));
  }
  expect(await states()).toEqual(DEVICES.map(() => 'pending'));
  await delay(50);

  await live(20);

  expect(await states()).toEqual(ALL_IN_SYNC);
  const queries = app.calls.filter((call) => call === 'POST /devices/query');
  // One of them is the weekly list of all twins.
  expect(queries.length).toBeLessThanOrEqual(3);
});

test('devices that miss a notification and report another property are in sync a few minutes later', async () => {
  for (const deviceId of DEVICES) app.create(deviceId);
  const twins: Twin[] = [];
  for (const deviceId of DEVICES) {
    const { twin } = await connect(deviceId);
    listen(twin);
    twins.push(twin);
  }
  await delay(50);
  app.hub().setFaults({ ...NO_FAULTS, notificationDropRate: 1 });
  await app.deliver(instance);
  app.hub().clearFaults();
  await delay(20);
  for (const twin of twins) await report(twin, { battery: 90 });
  expect(app.patches()).toBe(DEVICES.length);

  await live(4);

  expect(await states()).toEqual(ALL_IN_SYNC);
  expect(app.patches()).toBe(2 * DEVICES.length);
});

test('a device that never answers gets three writes and is then listed with the reason', async () => {
  app.create('mute');
  const { twin } = await connect('mute');
  await app.deliver(instance);

  for (let minute = 0; minute < 20; minute += 1) {
    await report(twin, { minute });
    await live(1);
  }

  expect(app.patches('mute')).toBe(3);
  const attention = await instance.stores.twins.attention(partitionOf(app.id('mute')), undefined, 10);
  expect(attention).toMatchObject([
    {
      id: app.id('mute'),
      status: 'rejected',
      why: 'interval has not been reported yet; Berth wrote it 3 times; the device is alive and does not answer',
    },
  ]);
});
