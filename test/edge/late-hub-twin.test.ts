import { beforeEach, describe, expect, test } from '@jest/globals';
import { applyConfigurationContent } from '../../local/iot-hub/operations/apply-configuration.ts';
import { hubBehindSince } from '../../src/edge/hub-behind.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { instantOf } from '../../src/time/instant.ts';
import { T0 } from '../twin/twins.ts';
import { edgeFleet, HOST } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

/* The event of the creation of `$edgeHub` comes later than the manifest. */

const FLEET = edgeFleet([
  {
    name: 'sensor',
    modules: { sensor: { image: 'contoso.azurecr.io/sensor:1' } },
    routes: { toCloud: 'FROM /messages/* INTO $upstream' },
  },
]);

let world: EdgeWorld;
beforeEach(() => {
  world = new EdgeWorld(FLEET);
  world.late = '$edgeHub';
  world.createDevice('gateway-1');
});

/** The first of the waiting events arrives alone: that of the creation of `$edgeHub`, and not yet that of the apply. */
async function creationOfHubArrives(): Promise<void> {
  const [creation, ...rest] = world.hold();
  if (creation?.properties.opType !== 'createDeviceIdentity') throw new Error('no event of a creation');
  world.late = undefined;
  world.release([creation]);
  await world.takeEvents();
  world.release(rest);
}

/** Stores `$edgeHub` as the event of its creation has it, after its manifest was applied. */
async function storeCreatedHub(): Promise<void> {
  const record = await world.store.load({ host: HOST, deviceId: 'gateway-1', moduleId: '$edgeHub' });
  const { asOf } = world.snapshot('gateway-1', null);
  const created = { ...world.snapshot('gateway-1', '$edgeHub'), desired: {}, version: 2, desiredVersion: 1 };
  const snapshot = { ...created, asOf, unread: undefined, workItem: undefined };
  await world.store.save(record, { kind: 'snapshot', snapshot });
}

function expectOneApply(): void {
  expect(world.applied).toHaveLength(1);
  expect(world.snapshot('gateway-1').edge).toMatchObject({
    applied: [{ why: 'it has no manifest yet' }],
    putBack: [],
  });
  expect(world.snapshot('gateway-1').edge?.intent).toBeUndefined();
  expect(world.statusOf('gateway-1')).toContain('pending: the device has not taken version');
}

describe('a device gets its manifest once, also if the event of the creation of $edgeHub is handled after it', () => {
  test('and $edgeHub could not be read after the apply', async () => {
    world.failsReadOf = ['$edgeHub'];
    await world.takeEvents();
    world.failsReadOf = [];
    await creationOfHubArrives();

    expectOneApply();
  });

  test('and $edgeHub cannot be read until later', async () => {
    world.failsReadOf = ['$edgeHub'];
    await world.takeEvents();
    await creationOfHubArrives();
    world.loseEvents();
    world.failsReadOf = [];
    await world.after(60);

    expectOneApply();
    expect(world.snapshot('gateway-1', '$edgeHub').unread).toBeUndefined();
  });

  test('and neither of the two modules could be read after the apply', async () => {
    world.duringApply = async () => {
      world.failsReadOf = ['$edgeAgent', '$edgeHub'];
    };
    await world.takeEvents();
    await creationOfHubArrives();
    world.loseEvents();
    world.failsReadOf = [];
    await world.after(60);

    expectOneApply();
  });

  test('and the answer to the apply was lost', async () => {
    world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
    await world.takeEvents();
    world.fault = undefined;
    const ofHub = world.hold();
    await world.after(60);
    world.release(ofHub);
    await creationOfHubArrives();

    expectOneApply();
  });

  test('and a resync comes first, which calls no hub', async () => {
    world.late = undefined;
    await world.takeEvents();
    await storeCreatedHub();
    await world.deploy(FLEET);
    await world.after(60);

    expectOneApply();
    expect(world.snapshot('gateway-1', '$edgeHub').desired).toHaveProperty('routes.toCloud');
  });
});

test('a device gets its routes again if another writer removed them before the event of the creation of $edgeHub', async () => {
  world.failsReadOf = ['$edgeHub'];
  await world.takeEvents();
  world.failsReadOf = [];
  const [creation] = world.hold();
  if (creation === undefined) throw new Error('no event');
  const desired = {
    schemaVersion: '1.1',
    routes: {},
    storeAndForwardConfiguration: { timeToLiveSecs: 7_200 },
  };
  applyConfigurationContent(world.local, 'gateway-1', {
    modulesContent: { $edgeHub: { 'properties.desired': desired } },
  });
  world.loseEvents();
  world.late = undefined;
  world.release([creation]);
  await world.takeEvents();

  expect(world.applied).toHaveLength(2);
  expect(world.twin('gateway-1', '$edgeHub').desired.values).toHaveProperty('routes.toCloud');
});

test('$edgeHub is read once, also if the last apply did not write it', async () => {
  world.late = undefined;
  await world.takeEvents();
  const { desired } = world.twin('gateway-1', '$edgeAgent');
  world.now = plus(world.now, 60_000);
  applyConfigurationContent(world.local, 'gateway-1', {
    modulesContent: { $edgeAgent: { 'properties.desired': desired.values } },
  });
  world.calls.length = 0;
  await world.takeEvents();
  world.setTags('gateway-1', { floor: 3 });
  await world.takeEvents();

  expect(world.calls).toEqual(['read $edgeAgent', 'read $edgeHub']);
});

describe('$edgeHub', () => {
  const at = (minutes: number) => instantOf(plus(T0, minutes * 60_000));
  const agent = (minutes: number, desired = { schemaVersion: '1.1' }) => ({
    desired,
    runtime: { desiredAt: at(minutes), statusAt: undefined, configurations: [] },
  });

  test.each([
    ['is behind a newer manifest', agent(2), { asOf: at(1) }, at(2)],
    ['is not behind a manifest of the same time', agent(1), { asOf: at(1) }, undefined],
    ['is not behind an older manifest', agent(1), { asOf: at(2) }, undefined],
    ['that is not stored is not behind', agent(1), undefined, undefined],
    ['is not behind if the device has no manifest', { ...agent(2), desired: {} }, { asOf: at(1) }, undefined],
    ['is not behind a time that is far ahead of the clock of the hub', agent(16), { asOf: at(1) }, undefined],
  ])('%s', (_, manifest, hub, since) => {
    expect(hubBehindSince(manifest, hub, plus(T0, 10 * 60_000))).toBe(since);
  });
});
