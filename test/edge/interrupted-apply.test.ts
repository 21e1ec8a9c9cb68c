import { beforeEach, expect, test } from '@jest/globals';
import { applyConfigurationContent } from '../../local/iot-hub/operations/apply-configuration.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { edgeFleet } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

/* The fleet file changes while an apply has no result. */

const fleet = (version: number) =>
  edgeFleet([
    {
      name: 'sensor',
      modules: { sensor: { image: `contoso.azurecr.io/sensor:${version}` } },
      routes: { toCloud: 'FROM /messages/* INTO $upstream' },
    },
  ]);
const OF_ANOTHER_WRITER = {
  schemaVersion: '1.1',
  runtime: { type: 'docker', settings: {} },
  systemModules: {},
  modules: { other: { settings: { image: 'other:1' } } },
};

let world: EdgeWorld;
beforeEach(() => {
  world = new EdgeWorld(fleet(1));
  world.createDevice('gateway-1');
});

test('a manifest of another writer is not replaced because a first apply before it was interrupted', async () => {
  world.fault = { code: 'BERTH_HUB_TIMEOUT' };
  await world.takeEvents();
  world.fault = undefined;
  world.now = plus(world.now, 120_000);
  world.applyByOther('gateway-1', OF_ANOTHER_WRITER);
  await world.takeEvents();
  await world.deploy(fleet(2));
  await world.after(60);

  expect(world.applied).toEqual([]);
  expect(world.statusOf('gateway-1')).toContain('contested: it has a manifest that Berth did not apply');
});

test('a manifest whose answer was lost is Berth’s own, also if the fleet file changes before the hub is read', async () => {
  world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
  await world.takeEvents();
  world.fault = undefined;
  world.now = plus(world.now, 120_000);
  await world.deploy(fleet(2));
  await world.after(60);

  expect(world.applied).toHaveLength(2);
  expect(world.snapshot('gateway-1').edge?.applied[0]?.why).toBe('an apply was interrupted');
});

test('a manifest that arrives late is Berth’s own, also if the hub has refused a second apply meanwhile', async () => {
  const other = new EdgeWorld(fleet(1));
  other.createDevice('gateway-1');
  await other.takeEvents();
  const late = other.applied[0]?.content ?? {};
  world.fault = { code: 'BERTH_HUB_TIMEOUT' };
  await world.takeEvents();
  world.fault = { code: 'BERTH_HUB_PRECONDITION_FAILED', hubCode: '409402' };
  await world.after(31);
  expect(world.calls.filter((call) => call === 'apply')).toHaveLength(2);

  applyConfigurationContent(world.local, 'gateway-1', late);
  world.fault = undefined;
  await world.deploy(fleet(2));
  await world.after(60);

  expect(world.applied).toHaveLength(1);
  expect(world.snapshot('gateway-1').edge?.applied[0]?.why).toBe('an apply was interrupted');
});

test('a manifest whose answer was lost stays Berth’s own if the hub refuses the next apply', async () => {
  world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
  await world.takeEvents();
  world.fault = { code: 'BERTH_HUB_PRECONDITION_FAILED', hubCode: '409402' };
  world.now = plus(world.now, 120_000);
  await world.deploy(fleet(2));
  expect(world.calls.filter((call) => call === 'apply')).toHaveLength(2);
  world.fault = undefined;
  await world.after(60);

  expect(world.applied).toHaveLength(2);
  expect(world.statusOf('gateway-1')).toContain('pending: the device has not taken version');
});

test('a change of another writer counts as such, also if an apply before it was interrupted', async () => {
  await world.takeEvents();
  world.fault = { code: 'BERTH_HUB_TIMEOUT' };
  await world.deploy(fleet(2));
  world.fault = undefined;
  world.fleet = fleet(1);
  world.now = plus(world.now, 120_000);
  world.applyByOther('gateway-1', OF_ANOTHER_WRITER);
  await world.takeEvents();

  expect(world.applied).toHaveLength(2);
  expect(world.snapshot('gateway-1').edge?.putBack).toHaveLength(1);
});
