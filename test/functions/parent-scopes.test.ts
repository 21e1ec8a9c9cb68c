import { afterEach, expect, test } from '@jest/globals';
import type { HttpResponse } from '../../local/https/index.ts';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import type { HubBudget } from '../../src/hub/budget.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { syncContext } from '../../src/instance/sync-context.ts';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import { RESYNC_SHARD } from '../../src/liveness/evidence.ts';
import { Reconciler } from '../../src/sync/reconcile/reconciler.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { FunctionApp, refusal, troubles } from '../support/function-app.ts';
import { call } from '../support/http-call.ts';

/* A child of a gateway gets the scope of its parent, over real calls to local hubs. */

const PARENT_RULE = { name: 'gateway', parent: '=payload.gateway' };
const ALLOWED = { setScopes: true, rules: [PARENT_RULE] };
const MINUTE = 60_000;

let app: FunctionApp;
afterEach(() => app.close());

async function openWith(allocation: object = ALLOWED): Promise<Instance> {
  app = await FunctionApp.open({ policies: [], allocation });
  app.create('gw', {}, app.host, true);
  return app.instance();
}

/** Registers a child as DPS does, and creates its identity. */
async function register(
  instance: Instance,
  deviceId: string,
  gateway: string,
  { iotEdge = false, isNew = true } = {},
) {
  const answer = await call(allocateDevice(instance), {
    body: {
      enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: [], capabilities: { iotEdge } },
      deviceRuntimeContext: {
        registrationId: deviceId,
        payload: { gateway },
        ...(isNew ? {} : { currentIotHubHostName: app.host, currentDeviceId: deviceId }),
      },
      linkedHubs: [app.host],
    },
  });
  expect(answer.status).toBe(200);
  await instance.receipts.flush();
  if (isNew) app.create(deviceId, {}, app.host, iotEdge);
}

async function identity(deviceId: string): Promise<JsonObject> {
  const { body } = await app.service('GET', `/devices/${deviceId}`, {});
  if (!isObject(body)) throw new Error('no identity');
  return body as JsonObject;
}
/** What a resync does with a twin, such as after a change of the fleet file: it computes status and work item, without the hub. */
async function planAgain(instance: Instance, deviceId: string): Promise<void> {
  const reconciler = await reconcilerWith(instance, instance.resyncBudget());
  await reconciler.resync(app.id(deviceId));
}
async function reconcilerWith(instance: Instance, budget: HubBudget): Promise<Reconciler> {
  const context = await syncContext(instance, {
    fleet: instance.fleet.current(),
    budget,
    evidence: instance.evidence.of(RESYNC_SHARD),
    until: plus(instance.now(), MINUTE),
    warn: () => {},
  });
  return new Reconciler(context);
}
const pause = (instance: Instance) =>
  instance.stores.control.update((control) => ({
    ...control,
    fleet: { author: 'ops', reason: 'freeze', at: app.now },
  }));
const scopeOf = async (deviceId: string) => (await identity(deviceId)).deviceScope;
const updates = () => app.calls.filter((each) => each.startsWith('PUT /devices/'));
const statusOf = async (deviceId: string) => {
  const { parent, lastReconcile } = await app.snapshot(deviceId);
  return { parent, status: lastReconcile.status, why: lastReconcile.why };
};

test('a leaf device gets the scope of its parent, and everything else in its identity stays', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  const { etag: _, ...before } = await identity('pump');

  await app.deliver(instance);

  const { etag: __, deviceScope, parentScopes, ...after } = await identity('pump');
  expect([deviceScope, parentScopes]).toEqual([await scopeOf('gw'), [await scopeOf('gw')]]);
  expect(after).toEqual(before);
  expect(await statusOf('pump')).toMatchObject({
    parent: { kind: 'entered', deviceId: 'gw', by: 'berth' },
    status: 'inSync',
  });
});

test('a nested IoT Edge device gets its parent in parentScopes and keeps its own scope', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'lower', 'gw', { iotEdge: true });
  const own = await scopeOf('lower');

  await app.deliver(instance);

  expect(await identity('lower')).toMatchObject({ deviceScope: own, parentScopes: [await scopeOf('gw')] });
});

test('later events and registrations with the same parent cost no call', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  await app.deliver(instance);
  const before = app.calls.length;

  await app.service('PATCH', '/twins/pump', { tags: { site: 'ams' } });
  await app.deliver(instance);
  await register(instance, 'pump', 'gw', { isNew: false });
  await app.resync(instance);

  expect(updates()).toHaveLength(1);
  expect(app.calls.slice(before).filter((each) => /^(GET|PUT) \/devices\//.test(each))).toEqual([]);
});

test('without the option the device needs attention, and Berth writes once the option is there', async () => {
  const instance = await openWith({ rules: [PARENT_RULE] });
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');

  await app.deliver(instance);

  expect(await statusOf('pump')).toMatchObject({
    parent: { kind: 'missing', deviceId: 'gw' },
    status: 'drifted',
    why: expect.stringMatching(/^BERTH_PARENT_NOT_ENTERED: its identity does not name its parent gw/),
  });
  const { body } = await call(fleetStatus(instance));
  expect(body.attention).toMatchObject({
    items: [expect.objectContaining({ deviceId: 'pump', status: 'drifted' })],
  });
  expect(updates()).toEqual([]);

  app.writeFleet([], ALLOWED);
  const next = app.instance();
  await app.resync(next);
  app.pass(MINUTE);
  await app.resync(next);

  expect(await statusOf('pump')).toMatchObject({ parent: { kind: 'entered' }, status: 'inSync' });
});

test('a parent that an operator has entered is found within an hour', async () => {
  const instance = await openWith({ rules: [PARENT_RULE] });
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  await app.deliver(instance);
  const document = await identity('pump');
  await app.service('PUT', '/devices/pump', { ...document, deviceScope: (await scopeOf('gw')) as string });

  app.pass(61 * MINUTE);
  await app.resync(instance);

  expect(await statusOf('pump')).toMatchObject({
    parent: { kind: 'entered', by: 'others' },
    status: 'inSync',
  });
});

test('another parent in the identity stays, and the device is contested', async () => {
  const instance = await openWith();
  app.create('gw-2', {}, app.host, true);
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  const document = await identity('pump');
  await app.service('PUT', '/devices/pump', { ...document, deviceScope: (await scopeOf('gw-2')) as string });

  await app.deliver(instance);

  expect(await scopeOf('pump')).toBe(await scopeOf('gw-2'));
  expect(updates()).toEqual([]);
  expect(await statusOf('pump')).toMatchObject({ parent: { kind: 'another' }, status: 'contested' });
});

test('a missing right is told with the name of the role, and tried again after five minutes', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  app.allowsScopes = false;

  const lines = await app.deliver(instance);

  expect(troubles(lines, 'BERTH_PARENT_UNAUTHORIZED')).toHaveLength(1);
  expect(await statusOf('pump')).toMatchObject({
    status: 'drifted',
    why: expect.stringContaining(
      'role "Berth Scope Writer", with the data action Microsoft.Devices/IotHubs/devices/write',
    ),
  });
  app.allowsScopes = true;
  app.pass(6 * MINUTE);
  await app.resync(instance);
  expect(await statusOf('pump')).toMatchObject({ parent: { kind: 'entered' }, status: 'inSync' });
});

test('an identity whose keys the hub does not show is not updated, because it would get new keys', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  app.front = (request, serve) =>
    request.method === 'GET' && request.path === '/devices/pump' ? serve().then(withoutKeys) : undefined;

  await app.deliver(instance);

  expect(updates()).toEqual([]);
  expect(await statusOf('pump')).toMatchObject({
    status: 'drifted',
    why: expect.stringContaining('the hub does not show its keys'),
  });
});

function withoutKeys(answer: HttpResponse): HttpResponse {
  const body = JSON.parse(JSON.stringify(answer.body)) as { authentication: JsonObject };
  const symmetricKey = { primaryKey: null, secondaryKey: null };
  return { ...answer, body: { ...body, authentication: { ...body.authentication, symmetricKey } } };
}

test('a change of the identity in between is not overwritten', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  let isChanged = false;
  app.front = (request, serve) => {
    if (request.method !== 'PUT' || isChanged) return undefined;
    isChanged = true;
    return app.setStatus('pump', 'disabled').then(() => serve());
  };

  await app.deliver(instance);

  expect(await identity('pump')).toMatchObject({ status: 'disabled' });
  expect((await app.snapshot('pump')).parent).toMatchObject({ kind: 'missing', tries: 1 });
});

test('a device that existed before its rule gets its parent after its next registration', async () => {
  const instance = await openWith();
  app.create('pump', {}, app.host);
  await app.deliver(instance);
  app.pass(5 * MINUTE);
  await app.resync(instance);
  expect((await app.snapshot('pump')).parent).toEqual({ kind: 'none' });

  await register(instance, 'pump', 'gw', { isNew: false });
  await app.resync(instance);

  expect(await scopeOf('pump')).toBe(await scopeOf('gw'));
});

test('a registration that names the parent is not forgotten if the twin is planned again before Berth looks', async () => {
  const instance = await openWith();
  app.create('pump', {}, app.host);
  await app.deliver(instance);
  app.pass(5 * MINUTE);
  await app.resync(instance);
  await register(instance, 'pump', 'gw', { isNew: false });

  await planAgain(instance, 'pump');
  await app.resync(instance);

  expect(await scopeOf('pump')).toBe(await scopeOf('gw'));
});

test('a paused hub is not written, and the device waits', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  await pause(instance);
  app.pass(MINUTE);

  await app.deliver(instance);

  expect(updates()).toEqual([]);
  expect(await statusOf('pump')).toMatchObject({ parent: { kind: 'missing' }, status: 'drifted' });
});

test('a hub that is paused while the update of an identity waits for its permit is not written', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  await pause(instance);
  app.pass(MINUTE);
  await app.deliver(instance);
  await instance.stores.control.update((control) => ({ ...control, fleet: undefined }));
  app.pass(2 * MINUTE);
  let reads = 2;
  const reconciler = await reconcilerWith(instance, {
    permit: async (_, operation) => {
      if (operation === 'identity') reads -= 1;
      if (reads === -1) {
        await pause(instance);
        app.pass(11_000);
      }
      return { kind: 'granted' };
    },
    permitApply: async () => ({ kind: 'granted' }),
  });

  await reconciler.reconcile(app.id('pump'), []);

  expect(reads).toBe(-2);
  expect(updates()).toEqual([]);
});

test('a fleet file without the rule leaves no work and no status about parents behind', async () => {
  const instance = await openWith({ rules: [PARENT_RULE] });
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  await app.deliver(instance);
  expect((await app.snapshot('pump')).lastReconcile.status).toBe('drifted');

  app.writeFleet([], {});
  const next = app.instance();
  app.pass(61 * MINUTE);
  await app.resync(next);
  await app.resync(next);

  const { workItem, lastReconcile } = await app.snapshot('pump');
  expect([workItem, lastReconcile.status]).toEqual([undefined, 'inSync']);
});

test('an identity that Berth may not read is told with the roles for reading', async () => {
  const instance = await openWith();
  await app.deliver(instance);
  await register(instance, 'pump', 'gw');
  app.front = (request) =>
    request.path.startsWith('/devices/') && request.method === 'GET'
      ? Promise.resolve(refusal(401, 'IotHubUnauthorizedAccess'))
      : undefined;

  await app.deliver(instance);

  expect((await statusOf('pump')).why).toContain('"IoT Hub Data Reader"');
});
