import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { device } from '../../src/functions/device.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { FunctionApp, troubles } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';

/* An IoT Edge device through the real functions, tables and the service API of a local hub. */

const SECRET = 'Hunter2Hunter2';
const SETTINGS = { ACR_USER: SECRET, ACR_PASSWORD: SECRET };

let app: FunctionApp;
beforeEach(async () => {
  app = await FunctionApp.open({
    policies: [],
    edge: {
      registries: [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }],
      deployments: [
        {
          name: 'sensor',
          modules: { tempSensor: { image: 'a.io/sensor:1', desired: { SendInterval: 5 } } },
          routes: { toCloud: 'FROM /messages/* INTO $upstream' },
        },
      ],
    },
  });
});
afterEach(() => app.close());

const desiredOf = (moduleId: string) =>
  (app.hub().twin('gateway-1', moduleId)?.properties as { desired: JsonObject } | undefined)?.desired;

test('a new IoT Edge device gets its manifest with the first batch of events, and its page shows it without secrets', async () => {
  const instance = app.instance(SETTINGS);
  app.create('gateway-1', {}, app.host, true);
  // The rate of applies starts at nothing: 20 a minute, of which a part is Berth's.
  app.pass(60_000);
  await app.deliver(instance);
  for (let times = 0; times < 4 && desiredOf('tempSensor') === undefined; times += 1) {
    app.pass(60_000);
    await app.resync(instance);
  }

  expect(desiredOf('tempSensor')).toMatchObject({ SendInterval: 5 });
  expect(JSON.stringify(desiredOf('$edgeAgent'))).toContain(SECRET);
  await app.deliver(instance);
  const request = new HttpRequest({
    url: 'http://localhost/api/devices/gateway-1',
    method: 'GET',
    params: { deviceId: 'gateway-1' },
  });
  const context = new InvocationContext({ functionName: 'device', logHandler: () => {} });
  const { status, body } = await device(instance)(request, context);
  const { twins } = JSON.parse(String(body));

  expect(status).toBe(200);
  expect(twins.find(({ moduleId }: { moduleId: string }) => moduleId === '$edgeAgent').edge).toMatchObject({
    status: 'applied',
    deployments: ['sensor'],
    applied: { why: 'it has no manifest yet' },
  });
  expect(String(body)).not.toContain(SECRET);
  expect(JSON.stringify(app.lines)).not.toContain(SECRET);
  expect(app.calls.filter((call) => call.startsWith('POST /devices/gateway-1'))).toHaveLength(1);
}, 60_000);

test('the fleet counts the device in its deployment, and as offline once the hub says that it is not connected', async () => {
  const instance = app.instance(SETTINGS);
  app.create('gateway-1', {}, app.host, true);
  app.create('pump-1');
  app.pass(60_000);
  await app.deliver(instance);
  for (let times = 0; times < 4 && desiredOf('tempSensor') === undefined; times += 1) {
    app.pass(60_000);
    await app.resync(instance);
  }
  await app.deliver(instance);
  const lines = await app.resync(instance);
  const edge = async () => (await call(fleetStatus(instance))).body.edge as EdgeOfFleet;

  const before = await edge();
  expect(before.devices).toMatchObject({ applied: 1, running: 0, offline: 0, notMatched: 0 });
  expect(before.deployments).toEqual([
    expect.objectContaining({
      name: 'sensor',
      devices: expect.objectContaining({ applied: 1, unreached: 0 }),
    }),
  ]);
  expect(lines).toContainEqual({ event: 'edgeDevices', hub: app.host, applied: 1 });

  app.pass(3 * 60_000);
  await app.resync(instance);
  await app.resync(instance);

  expect((await edge()).devices).toMatchObject({ applied: 0, offline: 1 });
  expect((await edge()).deployments[0]?.devices).toMatchObject({ applied: 0, offline: 1 });
}, 60_000);

test('an apply without its role is told with the name of the role, and the device waits', async () => {
  await app.close();
  app = await FunctionApp.open({
    policies: [],
    edge: { deployments: [{ name: 'sensor', modules: { tempSensor: { image: 'a.io/sensor:1' } } }] },
    roles: { appliesManifests: false, setsScopes: false, callsMethods: false },
  });
  const instance = app.instance();
  app.create('gateway-1', {}, app.host, true);
  app.pass(60_000);

  const lines = [...(await app.deliver(instance)), ...(await app.resync(instance))];

  expect(troubles(lines, 'BERTH_EDGE_UNAUTHORIZED')[0]).toMatchObject({
    message: expect.stringContaining('role "Berth Edge Deployer"'),
  });
  expect(desiredOf('tempSensor')).toBeUndefined();
}, 60_000);

interface EdgeOfFleet {
  readonly devices: JsonObject;
  readonly deployments: readonly { readonly devices: JsonObject }[];
}
