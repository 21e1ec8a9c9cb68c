import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { allocateDevice } from '../../src/functions/allocate-device.ts';
import { explainAllocation } from '../../src/functions/explain-allocation.ts';
import { Instance } from '../../src/instance/instance.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { Known } from '../../src/twin/events/apply-event.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { call } from '../support/http-call.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { at, snapshotOf, T0 } from '../twin/twins.ts';

/* The webhook finds the hub of a parent in the state tables. */

const [WEU, EUS, SEA] = ['weu', 'eus', 'sea'].map((name) => hostName(`${name}.azure-devices.net`)) as [
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
  ReturnType<typeof hostName>,
];
const FLEET = {
  hubs: [WEU, EUS, SEA].map((host) => ({ host, region: 'westeurope', tier: 'S1' })),
  allocation: {
    rules: [
      { name: 'gateway', parent: '=payload.gateway' },
      { name: 'gateways', when: "registrationId.startsWith('gw')", hub: EUS },
    ],
  },
};

const instances: Instance[] = [];
function instanceOn(storage: string): Instance {
  const directory = temporaryFolder('parents');
  writeFileSync(join(directory, 'fleet.json'), JSON.stringify(FLEET));
  const instance = new Instance({
    env: { AzureWebJobsStorage: storage },
    directory,
    build: '2026-11-23T00:00:00Z',
    now: () => T0,
    log: () => {},
  });
  instances.push(instance);
  return instance;
}

let instance: Instance;
beforeAll(async () => {
  instance = instanceOn(await storageAccount());
});
afterAll(async () => {
  await Promise.all(instances.map((each) => each.stop()));
});

const register = (
  registrationId: string,
  { iotEdge = false, gateway = undefined as string | undefined } = {},
) => ({
  ...CAPTURED,
  enrollmentGroup: { ...CAPTURED.enrollmentGroup, iotHubs: [], capabilities: { iotEdge } },
  deviceRuntimeContext: { registrationId, symmetricKey: {}, ...(gateway && { payload: { gateway } }) },
});
const store = async (deviceId: string, host: typeof WEU, known: Exclude<Known, { kind: 'nothing' }>) => {
  const { twins } = instance.stores;
  const stored =
    known.kind === 'snapshot'
      ? { ...known, snapshot: { ...known.snapshot, id: { host, deviceId, moduleId: undefined } } }
      : known;
  expect(await twins.save(await twins.load({ host, deviceId, moduleId: undefined }), stored)).not.toBe(
    'conflict',
  );
};
const allocate = (body: object) => call(allocateDevice(instance), { body });

describe('a child of a gateway', () => {
  test('is told to try again until its parent has registered, and then goes to its hub', async () => {
    const early = await allocate(register('pump-1', { gateway: 'gw-1' }));
    const parent = await allocate(register('gw-1', { iotEdge: true }));
    await instance.receipts.flush();
    const later = await allocate(register('pump-1', { gateway: 'gw-1' }));

    expect([early.status, early.body.error]).toEqual([
      503,
      expect.objectContaining({
        code: 'BERTH_PARENT_UNKNOWN',
        message: expect.stringContaining(
          '"gw-1", which rule "gateway" names, is not known: it has not registered',
        ),
      }),
    ]);
    expect([parent.status, parent.body.iotHubHostName]).toEqual([200, EUS]);
    expect([later.status, later.body.iotHubHostName]).toEqual([200, EUS]);
  });

  test('has a receipt with its parent, also in the answer of explain', async () => {
    const explained = await call(explainAllocation(instance), {
      body: register('pump-2', { gateway: 'gw-1' }),
    });

    expect(explained.body).toMatchObject({
      result: { kind: 'assigned', host: EUS },
      inputs: { parent: { deviceId: 'gw-1', hub: EUS } },
      hubs: expect.arrayContaining([
        expect.objectContaining({ host: WEU, excluded: 'not the hub of the parent' }),
      ]),
    });
  });

  test('goes to the hub where the twin of a parent is stored that DPS did not place', async () => {
    await store('by-hand', SEA, { kind: 'snapshot', snapshot: snapshotOf({ isEdge: true }) });

    const { status, body } = await allocate(register('pump-3', { gateway: 'by-hand' }));

    expect([status, body.iotHubHostName]).toEqual([200, SEA]);
  });

  test('is told to try again after its parent was deleted', async () => {
    await allocate(register('gw-2', { iotEdge: true }));
    await instance.receipts.flush();
    await store('gw-2', EUS, { kind: 'deleted', at: at(60) });

    const { status, body } = await allocate(register('pump-4', { gateway: 'gw-2' }));

    expect([status, body.error]).toEqual([503, expect.objectContaining({ code: 'BERTH_PARENT_UNKNOWN' })]);
  });

  test('is told to try again if the named device is not an IoT Edge device', async () => {
    await allocate(register('gw-3'));
    await instance.receipts.flush();

    const { body } = await allocate(register('pump-5', { gateway: 'gw-3' }));

    expect(body.error).toMatchObject({
      code: 'BERTH_PARENT_UNKNOWN',
      message: expect.stringContaining('it is not an IoT Edge device'),
    });
  });

  test('is told to try again if the state tables cannot be read, and a device without a parent is placed', async () => {
    const away = instanceOn(
      'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:9/a;',
    );

    const first = await call(allocateDevice(away), { body: register('pump-6', { gateway: 'gw-1' }) });
    const other = await call(allocateDevice(away), { body: register('lamp-1') });

    expect([first.status, first.body.error]).toEqual([
      503,
      expect.objectContaining({
        code: 'BERTH_PARENT_UNKNOWN',
        message: expect.stringMatching(/state tables (cannot be read|did not answer in time)/),
      }),
    ]);
    expect(other.status).toBe(200);
  });
});
