import { EventHubConsumerClient } from '@azure/event-hubs';
import { BlobCheckpointStore } from '@azure/eventhubs-checkpointstore-blob';
import { ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ControlApi, EventFeed, startControlApi } from '../../local/control-api/index.ts';
import { createDps, type Dps } from '../../local/dps/index.ts';
import { type EventHubs, startEventHubs } from '../../local/event-hubs/index.ts';
import { createIotHubs, type IotHubs } from '../../local/iot-hub/index.ts';
import { Watchers } from '../../local/monitor/watchers.ts';
import { DEFAULT_PORTS } from '../../local/options.ts';
import { storageAccount } from '../support/storage-account.ts';
import { testKey } from './iot-hub/local-hubs.ts';

const WEU = 'weu.azure-devices.net';
const HUB = 'twin-events';

let storage: string;
let eventHubs: EventHubs;
let hubs: IotHubs;
let dps: Dps;
let api: ControlApi;
let url: string;
beforeAll(async () => {
  storage = await storageAccount();
  eventHubs = await startEventHubs({
    port: 0,
    hubs: [{ name: HUB, partitionCount: 2, consumerGroups: ['berth'] }],
  });
  hubs = createIotHubs({
    hubs: [{ host: WEU, tier: 'S1', units: 1 }],
    sink: () => (event) => {
      eventHubs.append(HUB, event);
    },
  });
  dps = createDps({
    idScope: '0ne',
    serviceHost: 'dps',
    enrollments: [],
    linkedHubs: [{ host: WEU }],
    hub: hubs.provisioning,
  });
  api = await startControlApi(0, {
    stack: () => ({
      ports: DEFAULT_PORTS,
      idScope: '0ne0',
      root: 'PEM',
      plain: false,
      certificates: { root: 'root.pem', bundle: 'bundle.pem' },
      settings: { A: 'b' },
    }),
    watchers: new Watchers(),
    builtInEndpoint: (host) => ({ eventHubName: `events-of-${host}`, connectionString: '' }),
    ownDevice: () => Promise.reject(new Error('not asked for')),
    feed: new EventFeed(),
    runCommand: async () => ({ exitCode: 0, out: '', err: '' }),
    consoleFolder: 'no console',
    hubs,
    dps,
    eventHubs,
    eventHub: HUB,
    consumerGroups: ['berth'],
    storage: storage,
    processes: () => [{ name: 'supervisor', pid: 1, running: true, restarts: 0 }],
  });
  url = `http://127.0.0.1:${api.port}`;
  hubs.provisioning(WEU)?.create('pump#1', {
    authentication: { type: 'sas', symmetricKey: { primaryKey: 'a2V5', secondaryKey: 'a2V5' } },
    capabilities: { iotEdge: false },
    tags: { site: 'ams' },
    desired: { interval: 5 },
    reported: {},
  });
});
afterAll(async () => {
  await api.close();
  dps.close();
  hubs.close();
  await eventHubs.close();
});

const call = async (method: string, path: string, body?: unknown) => {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
};
const device = `/hubs/${WEU}/devices/${encodeURIComponent('pump#1')}`;

describe('the control API: hubs and twins', () => {
  test('GET /hubs lists hubs with their counters, and the devices of a hub can be listed', async () => {
    const { body } = await call('GET', '/hubs');

    expect(body).toEqual([
      expect.objectContaining({
        host: WEU,
        devices: 1,
        connected: 0,
        twinReads: 0,
        twinWrites: 0,
        queries: 0,
        identityOps: 0,
        throttled: 0,
      }),
    ]);
    expect((await call('GET', `/hubs/${WEU.toUpperCase()}/devices`)).body).toEqual(['pump#1']);
  });

  test('GET shows a twin as the service API shows it', async () => {
    expect((await call('GET', device)).body).toMatchObject({
      deviceId: 'pump#1',
      version: 2,
      tags: { site: 'ams' },
      properties: { desired: { interval: 5, $version: 1 } },
    });
  });

  test('PATCH writes only the given values, and with ?as=portal it rewrites whole sections', async () => {
    const patched = await call('PATCH', device, { properties: { desired: { colour: 'red' } } });
    const portal = await call('PATCH', `${device}?as=portal`, { tags: { site: 'rtm' } });

    expect(patched.body.properties.desired).toMatchObject({ interval: 5, colour: 'red', $version: 2 });
    expect(portal.body).toMatchObject({
      tags: { site: 'rtm' },
      properties: { desired: { interval: 5, colour: 'red', $version: 3 } },
    });
    // Neither counts as a call of the service side, which is what Berth is measured by.
    expect((await call('GET', '/hubs')).body[0].twinWrites).toBe(0);
  });

  test('PUT of a manifest writes it to an Edge device, and says what is wrong with another one', async () => {
    const path = `/hubs/${WEU}/devices/gateway/manifest`;
    const manifest = { modulesContent: { camera: { 'properties.desired': { fps: 5 } } } };
    expect((await call('PUT', path, manifest)).body).toMatchObject({
      error: { code: 'BERTH_LOCAL_NOT_FOUND' },
    });
    hubs.provisioning(WEU)?.create('gateway', {
      authentication: { type: 'sas', symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(1) } },
      capabilities: { iotEdge: true },
      tags: {},
      desired: {},
      reported: {},
    });

    const wrong = await call('PUT', path, { deviceContent: {} });
    const done = await call('PUT', path, manifest);
    const module = await call('GET', `/hubs/${WEU}/devices/gateway/modules/camera`);
    await call('DELETE', `/hubs/${WEU}/devices/gateway`);

    expect(wrong).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('modulesContent') } },
    });
    expect(done.status).toBe(204);
    expect(module.body.properties.desired).toMatchObject({ fps: 5 });
    expect((await call('GET', path)).status).toBe(405);
  });

  test('PATCH with ?as=configuration marks the values that it writes', async () => {
    const patch = { properties: { desired: { interval: 9 } } };
    const { status, body } = await call('PATCH', `${device}?as=configuration&name=hvac-west`, patch);

    expect(status).toBe(200);
    expect(body.properties.desired.$metadata).toMatchObject({
      interval: { $lastUpdatedBy: 'hvac-west', $lastUpdatedByDigest: expect.stringMatching(/^\d+$/) },
      colour: expect.not.objectContaining({ $lastUpdatedBy: expect.anything() }),
    });
    expect((await call('GET', device)).body.properties.desired).toEqual(body.properties.desired);
  });

  test.each(['?as=configuration', '?as=configuration&name=HVAC', '?as=configuration&name=a/b', '?as=nobody'])(
    'PATCH with %s is refused',
    async (query) => {
      const answer = await call('PATCH', `${device}${query}`, { properties: { desired: { interval: 1 } } });
      expect([answer.status, answer.body.error.code]).toEqual([400, 'BERTH_LOCAL_REQUEST_INVALID']);
    },
  );

  test.each([
    ['GET', '/hubs/nowhere.azure-devices.net', 404],
    ['GET', `/hubs/${WEU}/devices/nobody`, 404],
    ['DELETE', `/hubs/${WEU}/devices/nobody`, 404],
    ['PATCH', `/hubs/${WEU}/devices/nobody`, 400],
    ['POST', '/hubs', 405],
    ['GET', '/nothing', 404],
    ['GET', '/%zz', 400],
  ])('%s %s is answered with %i and a code', async (method, path, status) => {
    const answer = await call(method, path);

    expect(answer.status).toBe(status);
    expect(answer.body.error.code).toMatch(/^BERTH_LOCAL_/);
  });

  test.each(['{', '[1]', '"x"'])('PATCH with the body %s is refused', async (body) => {
    expect((await call('PATCH', device, body)).status).toBe(400);
  });
});

describe('the control API: modules', () => {
  const camera = `${device}/modules/camera`;

  test('a module is created with a key, listed, read, patched and deleted', async () => {
    const created = await call('PUT', camera);
    expect(created).toMatchObject({
      status: 201,
      body: { moduleId: 'camera', authentication: { symmetricKey: { primaryKey: expect.any(String) } } },
    });
    expect((await call('GET', `${device}/modules`)).body).toEqual(['camera']);
    expect((await call('GET', camera)).body).toMatchObject({ moduleId: 'camera', version: 2 });

    const patched = await call('PATCH', camera, { properties: { desired: { fps: 5 } } });
    expect(patched.body).toMatchObject({ moduleId: 'camera', properties: { desired: { fps: 5 } } });
    const portal = await call('PATCH', `${camera}?as=portal`, { tags: { lens: 'wide' } });
    expect(portal.body.properties.desired.$version).toBe(3);
    const configured = await call('PATCH', `${camera}?as=configuration&name=cameras`, {
      properties: { desired: { fps: 9 } },
    });
    expect(configured.body).toMatchObject({
      moduleId: 'camera',
      properties: { desired: { fps: 9, $version: 4, $metadata: { fps: { $lastUpdatedBy: 'cameras' } } } },
    });
    expect((await call('GET', device)).body).not.toHaveProperty('moduleId');

    expect((await call('DELETE', camera)).status).toBe(204);
    expect((await call('GET', `${device}/modules`)).body).toEqual([]);
  });

  test('a module is created with the keys in the body', async () => {
    const symmetricKey = {
      primaryKey: 'A'.repeat(43).concat('='),
      secondaryKey: 'B'.repeat(40).concat('BBA='),
    };
    const { body } = await call('PUT', `${device}/modules/keyed`, { authentication: { symmetricKey } });

    expect(body.authentication).toMatchObject({ type: 'sas', symmetricKey });
    expect((await call('PUT', `${device}/modules/keyed`)).status).toBe(409);
    await call('DELETE', `${device}/modules/keyed`);
  });

  test.each([
    ['GET', camera, undefined, 404, 'has no module "camera" of device "pump#1"'],
    ['PATCH', camera, {}, 404, 'has no module'],
    ['PATCH', `${camera}?as=configuration&name=x`, { properties: { desired: {} } }, 404, 'has no module'],
    ['PATCH', `${camera}?as=configuration`, {}, 400, '?as=configuration&name=NAME'],
    ['PATCH', camera, [1], 400, 'must be a twin patch'],
    ['DELETE', camera, undefined, 404, 'has no module'],
    ['PUT', `/hubs/${WEU}/devices/nobody/modules/camera`, undefined, 404, 'has no device "nobody"'],
    ['GET', `/hubs/${WEU}/devices/nobody/modules`, undefined, 404, 'has no device "nobody"'],
    ['PUT', `${device}/modules/${encodeURIComponent('a b')}`, undefined, 400, 'a b is not a module id'],
    ['PUT', camera, [1], 400, 'must be a module identity'],
    ['PUT', device, undefined, 405, 'PUT'],
    ['DELETE', `${device}/modules`, undefined, 405, 'DELETE'],
    ['GET', `${device}/twins`, undefined, 404, 'only devices'],
    ['GET', `${camera}/more`, undefined, 404, 'only devices'],
  ])('%s %s with the body %j is answered with %i', async (method, path, body, status, message) => {
    const answer = await call(method, path, body);

    expect(answer.status).toBe(status);
    expect(answer.body.error.message).toContain(message);
  });
});

describe('the control API: events', () => {
  test('POST /events sends a raw message unchanged, even one that no hub sends', async () => {
    const before = (await call('GET', '/events')).body.events;
    const { status, body } = await call('POST', '/events', {
      body: Buffer.from([0, 255, 1]).toString('base64'),
      partitionKey: 'x',
      properties: { hubName: 'weu' },
      systemProperties: { 'iothub-message-source': 'moonEvents' },
    });

    expect([status, body.partitionId]).toEqual([201, expect.stringMatching(/^[01]$/)]);
    expect((await call('GET', '/events')).body.events).toBe(before + 1);
  });

  test('POST /events refuses a body that is not base64', async () => {
    expect((await call('POST', '/events', { body: 'no base64!' })).status).toBe(400);
  });

  test('GET /events counts events as unread until the checkpoint of the consumer group passes them', async () => {
    const { body: before } = await call('GET', '/events');
    expect(before.unread).toBe(before.events);

    const client = new ContainerClient(storage, 'azure-webjobs-eventhub');
    await client.createIfNotExists();
    const consumer = new EventHubConsumerClient(
      'berth',
      eventHubs.connectionString(HUB),
      new BlobCheckpointStore(client),
      { loadBalancingOptions: { strategy: 'greedy', updateIntervalInMs: 100 } },
    );
    let taken = 0;
    await new Promise<void>((resolve, reject) => {
      consumer.subscribe(
        {
          async processEvents(events, context) {
            const last = events.at(-1);
            if (last === undefined) return;
            await context.updateCheckpoint(last);
            taken += events.length;
            if (taken === before.events) resolve();
          },
          async processError(error) {
            reject(error);
          },
        },
        { startPosition: { sequenceNumber: -1 }, maxWaitTimeInSeconds: 1 },
      );
    });
    await consumer.close();

    const { body: after } = await call('GET', '/events');
    expect(after.unread).toBe(0);
    expect(after.partitions[0].consumerGroups[0]).toMatchObject({ name: 'berth', unread: 0 });
  });
});

test('the control API lists registrations and processes', async () => {
  expect((await call('GET', '/registrations')).body).toEqual([]);
  expect((await call('GET', '/processes')).body).toEqual([
    { name: 'supervisor', pid: 1, running: true, restarts: 0 },
  ]);
});

test('DELETE of a device removes its identity', async () => {
  expect((await call('DELETE', device)).status).toBe(204);
  expect((await call('GET', device)).status).toBe(404);
});
