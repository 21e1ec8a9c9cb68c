import { beforeEach, describe, expect, test } from '@jest/globals';
import { advanceRollouts } from '../../src/control/advance.ts';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { pauseRollout, resumeRollout, rollBack } from '../../src/control/rollout-actions.ts';
import { withRollout } from '../../src/control/rollout-state.ts';
import { settingsInForce } from '../../src/control/setting-values.ts';
import { settingContents } from '../../src/edge/setting-contents.ts';
import type { SettingContent } from '../../src/fleet/edge/setting-values.ts';
import { type Fleet, rolloutContents } from '../../src/fleet/fleet.ts';
import type { Rollout } from '../../src/fleet/rollout.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { NO_DEVICES } from '../../src/rollout/gate.ts';
import { gateOf } from '../../src/sync/reconcile/write-gate.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { edgeFleet, HOST } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

/* A registry password, or another value of an app setting, is changed: the devices get it in the stages of their deployments. */

const STAGES = {
  stages: [
    { name: 'lab', where: "tags.ring == 'lab'", atLeast: '1h' },
    { name: 'all', share: 1 },
  ],
};
const REGISTRIES = [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }];
const fleetWith = (rollout: object = STAGES, env: JsonObject = { LEVEL: 'info' }, image = 'a.io/sensor:1') =>
  edgeFleet([{ name: 'sensor', modules: { sensor: { image, env } }, rollout }], { registries: REGISTRIES });

let world: EdgeWorld;
let control: Control;
let settings: Record<string, string>;

const setControl = (next: Control) => {
  control = controlSchema.parse(JSON.parse(JSON.stringify(next)));
  world.gate = gateOf(control, '2026');
};
/** An instance starts with the present settings, and every twin is planned again. */
const start = async (fleet: Fleet = world.fleet) => {
  const values = { ...settings };
  world.settings = (name) => values[name];
  const contents = [...rolloutContents(fleet), ...settingContents(fleet.edge, world.settings, world.key)];
  setControl(withPackage(control, '2026', contents, world.now, fleet.revision));
  await world.deploy(fleet);
};
const rotation = (): SettingContent & { readonly rollout: Rollout } => {
  const [content] = settingsInForce(world.fleet, control);
  if (content?.rollout === undefined) throw new Error('no rotation');
  return { ...content, rollout: content.rollout };
};
const passwordsOf = (deviceId: string) =>
  world.applied
    .filter((each) => each.deviceId === deviceId)
    .map(({ content }) => /"password":"([^"]*)"/.exec(JSON.stringify(content))?.[1]);
const by = () => ({ author: 'ann', reason: 'test', at: world.now });

beforeEach(async () => {
  settings = { ACR_USER: 'user', ACR_PASSWORD: 'one', KEY: 'k' };
  world = new EdgeWorld(fleetWith());
  control = controlSchema.parse({});
  await start();
  // The first content of a deployment has no previous one: its stages are over.
  const done = { done: ['lab', 'all'], approvals: [], accepted: [], completedAt: world.now };
  for (const { hash } of rolloutContents(world.fleet))
    setControl(withRollout(control, hash, done, world.now));
  world.createDevice('lab-1', { ring: 'lab' });
  world.createDevice('shop-1', { ring: 'shop' });
  await world.takeEvents();
  for (const deviceId of ['lab-1', 'shop-1']) world.runManifest(deviceId);
  await world.takeEvents();
});

describe('a changed value of a setting', () => {
  test('reaches the devices of the first stage, and the others keep the value before', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();

    expect([passwordsOf('lab-1'), passwordsOf('shop-1')]).toEqual([['one', 'two'], ['one']]);
    expect(world.statusOf('shop-1')).toBe('inSync');
    expect(world.snapshot('shop-1').lastReconcile.policies[rotation().id]).toBe('unreached');
    expect(world.snapshot('shop-1').lastReconcile.stages?.[rotation().id]).toBe('all');
    expect(world.snapshot('lab-1').lastReconcile.stages?.[rotation().id]).toBe('lab');
  });

  test('reaches the other devices in the next stage', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();
    const state = { done: ['lab'], approvals: [], accepted: [], stage: { name: 'all', since: world.now } };
    setControl(withRollout(control, rotation().hash, state, world.now));
    await world.deploy(world.fleet);

    expect(passwordsOf('shop-1')).toEqual(['one', 'two']);
  });

  test('is carried by every manifest that is applied for another reason', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();
    world.applyByOther('shop-1', { schemaVersion: '1.1', modules: {} });
    await world.takeEvents();
    world.createDevice('shop-2', { ring: 'shop' });
    await world.takeEvents();

    expect([passwordsOf('shop-1'), passwordsOf('shop-2')]).toEqual([['one', 'two'], ['two']]);
    expect(world.snapshot('shop-1').lastReconcile.policies[rotation().id]).toBe('pending');
  });

  test('is applied at once if the deployment has no stages', async () => {
    const fleet = fleetWith({ over: '0s' });
    await start(fleet);
    settings.ACR_PASSWORD = 'two';
    await start(fleet);

    expect([passwordsOf('lab-1'), passwordsOf('shop-1')]).toEqual([
      ['one', 'two'],
      ['one', 'two'],
    ]);
  });

  test('plans every twin again, because no event tells of it', async () => {
    const { generation } = control;
    settings.ACR_PASSWORD = 'two';
    await start();

    expect(control.generation).toBe(generation + 1);
  });

  test('that is put back reaches the devices that have the other value, and applies nothing to the others', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();
    settings.ACR_PASSWORD = 'one';
    await start();

    expect([passwordsOf('lab-1'), passwordsOf('shop-1')]).toEqual([['one', 'two', 'one'], ['one']]);
  });

  test('is not undone by an instance that still has the value before', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();
    world.settings = (name) => ({ ...settings, ACR_PASSWORD: 'one' })[name];
    await world.deploy(world.fleet);

    expect(passwordsOf('lab-1')).toEqual(['one', 'two']);
  });

  test('is applied again if the first call was lost on its way', async () => {
    world.fault = { code: 'BERTH_HUB_TIMEOUT' };
    settings.ACR_PASSWORD = 'two';
    await start();
    expect(passwordsOf('lab-1')).toEqual(['one']);
    world.fault = undefined;
    await world.after(600);

    expect(passwordsOf('lab-1')).toEqual(['one', 'two']);
  });

  test('is not applied again if only the answer to the call was lost', async () => {
    world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
    settings.ACR_PASSWORD = 'two';
    await start();
    world.fault = undefined;
    await world.after(600);
    await world.after(600);

    expect(passwordsOf('lab-1')).toEqual(['one', 'two']);
    expect(world.snapshot('lab-1').edge?.intent).toBeUndefined();
  });

  test('that another writer changes is put back', async () => {
    const { desired } = world.twin('lab-1', '$edgeAgent');
    const text = JSON.stringify(desired.values).replace('"password":"one"', '"password":"other"');
    world.applyByOther('lab-1', JSON.parse(text), world.twin('lab-1', '$edgeHub').desired.values);
    await world.takeEvents();

    expect(passwordsOf('lab-1')).toEqual(['one', 'one']);
    expect(world.snapshot('lab-1').edge?.applied[0]?.why).toBe('another writer has changed its manifest');
  });

  test('reaches a device that an instance with the value before has planned again meanwhile', async () => {
    const fleet = fleetWith({ over: '0s' });
    await start(fleet);
    settings.ACR_PASSWORD = 'two';
    const contents = [
      ...rolloutContents(fleet),
      ...settingContents(fleet.edge, (name) => settings[name], world.key),
    ];
    setControl(withPackage(control, '2026', contents, world.now, fleet.revision));
    await world.deploy(fleet);
    expect(passwordsOf('lab-1')).toEqual(['one']);
    world.settings = (name) => settings[name];
    await world.after(61);

    expect(passwordsOf('lab-1')).toEqual(['one', 'two']);
  });

  test('appears in no stored row, as little as the value before', async () => {
    settings.ACR_PASSWORD = 'SecondSecret';
    await start();

    expect(world.stored() + JSON.stringify(control)).not.toMatch(/SecondSecret/);
  });
});

describe('a rollout of values of settings', () => {
  test('that is paused reaches no further device, and goes on when it is resumed', async () => {
    settings.ACR_PASSWORD = 'two';
    world.setTags('lab-1', { ring: 'shop' });
    await world.takeEvents();
    await start();
    const paused = pauseRollout(control, rotation(), by());
    if (paused.kind !== 'changed') throw new Error(paused.why);
    setControl(paused.control);
    world.setTags('lab-1', { ring: 'lab' });
    await world.takeEvents();
    expect(passwordsOf('lab-1')).toEqual(['one']);
    const resumed = resumeRollout(control, rotation(), by());
    if (resumed.kind !== 'changed') throw new Error(resumed.why);
    setControl(resumed.control);
    await world.deploy(world.fleet);

    expect(passwordsOf('lab-1')).toEqual(['one', 'two']);
  });

  test('is paused by a rollback, because Berth has no earlier values', async () => {
    settings.ACR_PASSWORD = 'two';
    await start();
    const result = rollBack(control, rotation(), by(), false);
    if (result.kind !== 'changed') throw new Error(result.why);
    setControl(result.control);
    await world.deploy(world.fleet);

    expect(control.rollouts[rotation().hash]).toMatchObject({ pause: { author: 'ann' } });
    expect(control.rollouts[rotation().hash]?.end).toBeUndefined();
    expect([passwordsOf('lab-1'), passwordsOf('shop-1')]).toEqual([['one', 'two'], ['one']]);
  });
});

test('a failed gate pauses the rollout of values of settings, also with onFailure: rollback', async () => {
  const fleet = fleetWith({ ...STAGES, onFailure: 'rollback' });
  await start(fleet);
  settings.ACR_PASSWORD = 'two';
  await start(fleet);
  const rejecting = { ...NO_DEVICES, rejected: 5 };
  const facts = { countsOf: () => rejecting, countedAt: plus(world.now, 120_000), hosts: [HOST] };
  const { control: after } = advanceRollouts(control, [rotation()], facts, plus(world.now, 180_000));

  expect(after.rollouts[rotation().hash]).toMatchObject({ pause: { author: 'Berth', stage: 'lab' } });
  expect(after.rollouts[rotation().hash]?.end).toBeUndefined();
});

describe('what is no changed value', () => {
  const none = () => {
    expect(settingsInForce(world.fleet, control)).toEqual([]);
    expect([passwordsOf('lab-1'), passwordsOf('shop-1')]).toEqual([['one'], ['one']]);
  };

  test('is another key of the hashes, and a change by another writer is found after it', async () => {
    world.key = Buffer.alloc(32, 2);
    await start();
    await world.after(1);
    none();
    const { desired } = world.twin('lab-1', '$edgeAgent');
    const { sensor } = desired.values.modules as { sensor: JsonObject };
    const other = { ...sensor, env: { LEVEL: { value: 'other' } } };
    world.applyByOther('lab-1', { ...desired.values, modules: { sensor: other } });
    await world.takeEvents();

    expect(passwordsOf('lab-1')).toEqual(['one', 'one']);
  });

  test('is a restart with the same values', async () => {
    await start();

    none();
  });

  test('is a setting that the fleet file names in addition', async () => {
    const fleet = fleetWith(STAGES, { LEVEL: 'info', KEY: 'setting:KEY' });
    await start(fleet);

    expect(settingsInForce(fleet, control)).toEqual([]);
  });
});

test('a setting that the fleet file names in addition leaves the stage of a running rollout as it is', async () => {
  settings.ACR_PASSWORD = 'two';
  await start();
  const state = { done: ['lab'], approvals: [], accepted: [], stage: { name: 'all', since: world.now } };
  setControl(withRollout(control, rotation().hash, state, world.now));
  await start(fleetWith(STAGES, { LEVEL: 'info', KEY: 'setting:KEY' }));

  expect(control.rollouts[rotation().hash]?.stage).toEqual(state.stage);
});
