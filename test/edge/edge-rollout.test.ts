import { beforeEach, describe, expect, test } from '@jest/globals';
import { patchTwinOf } from '../../local/iot-hub/operations/twin-operations.ts';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { withoutPause } from '../../src/control/pauses.ts';
import {
  type ActionResult,
  abortRollout,
  pauseRollout,
  resumeRollout,
  rollBack,
} from '../../src/control/rollout-actions.ts';
import { withRollout } from '../../src/control/rollout-state.ts';
import { withPrevious } from '../../src/fleet/file/previous.ts';
import { type Fleet, rolloutContents } from '../../src/fleet/fleet.ts';
import type { RolloutContent } from '../../src/fleet/rollout.ts';
import type { HubBudget } from '../../src/hub/budget.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { describeStatus } from '../../src/overview/device-status.ts';
import { gateOf } from '../../src/sync/reconcile/write-gate.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { edgeFleet } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

const STAGES = [
  { name: 'lab', where: "tags.ring == 'lab'", atLeast: '1h' },
  { name: 'all', share: 1 },
];
const fleetWith = (version: number, rollout: object = { stages: STAGES }) =>
  edgeFleet([{ name: 'sensor', modules: { sensor: { image: `a.io/sensor:${version}` } }, rollout }]);

let world: EdgeWorld;
let control: Control;
const contentIn = (fleet: Fleet): RolloutContent & { rollout: NonNullable<RolloutContent['rollout']> } => {
  const content = rolloutContents(fleet).find(({ rollout }) => rollout !== undefined);
  if (content?.rollout === undefined) throw new Error('no rollout');
  return { ...content, rollout: content.rollout };
};
const imagesOf = (deviceId: string) =>
  world.applied
    .filter((each) => each.deviceId === deviceId)
    .map(({ content }) => JSON.stringify(content).match(/a\.io\/sensor:(\d)/)?.[1]);
const setControl = (next: Control) => {
  control = next;
  world.gate = gateOf(control, '2026');
};
const change = (result: ActionResult) => {
  if (result.kind !== 'changed') throw new Error(result.why);
  setControl(result.control);
};
const by = () => ({ author: 'ann', reason: 'test', at: world.now });
/** A package with this fleet file begins to run. Devices keep the contents of the one before. */
const deploy = async (fleet: Fleet, before?: Fleet) => {
  setControl(withPackage(control, '2026', rolloutContents(fleet), world.now, fleet.revision));
  await world.deploy(withPrevious(fleet, [], before?.edge?.deployments));
};
const FIRST = fleetWith(1, { over: '0s' });
/** The `$edgeAgent` of a device, as its page and `berth describe device` show it. */
const describedAgent = (deviceId: string, fleet: Fleet) => {
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  const twins = [undefined, '$edgeAgent', '$edgeHub'].map((moduleId) => ({
    hub,
    snapshot: world.snapshot(deviceId, moduleId === undefined ? null : moduleId),
  }));
  return describeStatus(deviceId, { fleet, control, twins, receipts: [] }, world.now).twins[1];
};

beforeEach(async () => {
  world = new EdgeWorld(FIRST);
  setControl(controlSchema.parse({}));
  setControl(withPackage(control, '2026', rolloutContents(FIRST), world.now, FIRST.revision));
  world.createDevice('lab-1', { ring: 'lab' });
  world.createDevice('shop-1', { ring: 'shop' });
  await world.takeEvents();
  for (const deviceId of ['lab-1', 'shop-1']) world.runManifest(deviceId);
  await world.takeEvents();
});

describe('a rollout of a deployment', () => {
  test.each([
    ['is not read yet', false, true],
    ['cannot be read', true, false],
  ])(
    'has a work item for a device that it has not reached only while the earlier content %s',
    async (_, isUnreadable, isQueued) => {
      const fleet = fleetWith(2);
      control = withPackage(control, '2026', rolloutContents(fleet), world.now, fleet.revision);
      world.gate = gateOf(control, '2026', () => isUnreadable);
      await world.deploy(fleet);

      expect(imagesOf('shop-1')).toEqual(['1']);
      expect(world.snapshot('shop-1').workItem !== undefined).toBe(isQueued);
    },
  );

  test('reaches the devices of its first stage, and the others keep the earlier manifest', async () => {
    await deploy(fleetWith(2), FIRST);

    expect([imagesOf('lab-1'), imagesOf('shop-1')]).toEqual([['1', '2'], ['1']]);
    expect(Object.values(world.snapshot('shop-1').lastReconcile.policies)).toEqual(['unreached']);
    expect(Object.values(world.snapshot('shop-1').lastReconcile.stages ?? {})).toEqual(['all']);
  });

  test('puts back the earlier manifest on a device that it has not reached', async () => {
    await deploy(fleetWith(2), FIRST);
    world.applyByOther('shop-1', { schemaVersion: '1.1', modules: {} });
    await world.takeEvents();

    expect(imagesOf('shop-1')).toEqual(['1', '1']);
  });

  test('gives the earlier manifest to a device that appears meanwhile', async () => {
    await deploy(fleetWith(2), FIRST);
    world.createDevice('shop-2', { ring: 'shop' });
    await world.takeEvents();

    expect(imagesOf('shop-2')).toEqual(['1']);
  });

  test('reaches the other devices in the next stage', async () => {
    const fleet = fleetWith(2);
    await deploy(fleet, FIRST);
    const state = { done: ['lab'], approvals: [], accepted: [], stage: { name: 'all', since: world.now } };
    setControl(withRollout(control, contentIn(fleet).hash, state, world.now));
    await world.deploy(world.fleet);

    expect(imagesOf('shop-1')).toEqual(['1', '2']);
  });

  test('that is rolled back gives the earlier manifest back', async () => {
    const fleet = fleetWith(2);
    await deploy(fleet, FIRST);
    const act = { author: 'ann', reason: 'broken', at: world.now };
    const result = rollBack(control, contentIn(fleet), act, false);
    if (result.kind !== 'changed') throw new Error(result.why);
    setControl(result.control);
    await world.deploy(world.fleet);

    expect(imagesOf('lab-1')).toEqual(['1', '2', '1']);
    expect(imagesOf('shop-1')).toEqual(['1']);
    expect(world.snapshot('lab-1').edge?.applied[0]?.why).toBe('the rollout of sensor was rolled back');
  });

  test('after one that was rolled back counts the devices that it has not reached', async () => {
    const second = fleetWith(2);
    await deploy(second, FIRST);
    const act = { author: 'ann', reason: 'broken', at: world.now };
    const result = rollBack(control, contentIn(second), act, false);
    if (result.kind !== 'changed') throw new Error(result.why);
    setControl(result.control);
    const third = fleetWith(3);
    setControl(withPackage(control, '2026', rolloutContents(third), world.now, third.revision));
    const earlier = [...(second.edge?.deployments ?? []), ...(FIRST.edge?.deployments ?? [])];
    await world.deploy(withPrevious(third, [], earlier));

    expect([imagesOf('lab-1').at(-1), imagesOf('shop-1')]).toEqual(['3', ['1']]);
    const { id } = contentIn(third);
    expect(world.snapshot('shop-1').lastReconcile).toMatchObject({
      policies: { [id]: 'unreached' },
      stages: { [id]: 'all' },
    });
  });

  test('counts a device that shows no life after its apply as lost', async () => {
    await deploy(fleetWith(2, { stages: STAGES, gate: { deadline: '2h' } }), FIRST);
    const [id = ''] = Object.keys(world.snapshot('lab-1').lastReconcile.policies);
    expect(world.snapshot('lab-1').lastReconcile.policies[id]).toBe('pending');

    await world.after(3.2 * 3_600);

    expect(world.snapshot('lab-1').lastReconcile.policies[id]).toBe('lost');
  });

  test('does nothing for a device that shows no life until its deadline, which decides', async () => {
    await deploy(fleetWith(2, { stages: STAGES, gate: { deadline: '2h' } }), FIRST);
    const [id = ''] = Object.keys(world.snapshot('lab-1').lastReconcile.policies);
    const deadline = plus(world.snapshot('lab-1').edge?.applied[0]?.at ?? world.now, 2 * 3_600_000);

    await world.after(20 * 60);
    expect(world.snapshot('lab-1')).toMatchObject({ workItem: { at: deadline } });

    world.now = deadline;
    await world.after(0);
    expect(world.snapshot('lab-1').lastReconcile.policies[id]).toBe('lost');
  });

  test('counts a device whose module fails as rejected', async () => {
    await deploy(fleetWith(2), FIRST);
    const { desired } = world.twin('lab-1', '$edgeAgent');
    world.now = plus(world.now, 5_000);
    world.report('lab-1', '$edgeAgent', {
      lastDesiredVersion: desired.version,
      lastDesiredStatus: { code: 200 },
      modules: { sensor: { settings: { image: 'a.io/sensor:2' }, runtimeStatus: 'failed', exitCode: 1 } },
    });
    const hub = world.twin('lab-1', '$edgeHub');
    world.report('lab-1', '$edgeHub', { lastDesiredVersion: hub.desired.version });
    await world.takeEvents();

    expect(Object.values(world.snapshot('lab-1').lastReconcile.policies)).toEqual(['rejected']);
  });

  test('says of a device that it has not reached what the device keeps, and why', async () => {
    const next = fleetWith(2);
    await deploy(next, FIRST);

    const described = describedAgent('shop-1', withPrevious(next, [], FIRST.edge?.deployments));
    expect(described).toMatchObject({
      edge: { status: 'running', isInSync: true, modules: [{}, {}, { name: 'sensor', status: 'running' }] },
      rollouts: [
        {
          policy: 'sensor',
          stage: 'all',
          gets: 'previous',
          why: 'stage all of the rollout has not begun; the present stage is lab',
        },
      ],
    });
  });

  test('says of a new device without an earlier content that it waits, and not that no deployment matches it', async () => {
    const second = {
      name: 'extra',
      modules: { extra: { image: 'a.io/extra:1' } },
      rollout: { stages: STAGES },
    };
    const next = edgeFleet([{ ...second, when: "tags.ring == 'shop'" }]);
    await deploy(next);

    expect(describedAgent('shop-1', next)).toMatchObject({
      edge: {
        why: 'waits for the rollout of extra: stage all of the rollout has not begun; the present stage is lab',
      },
      rollouts: [{ policy: 'extra', gets: 'nothing' }],
    });
  });

  test('is held by a pause of the deployment', async () => {
    const pause = { author: 'ann', reason: 'freeze', at: world.now };
    setControl({ ...control, policies: { sensor: pause } });
    await deploy(fleetWith(2), FIRST);

    expect(imagesOf('lab-1')).toEqual(['1']);
    expect(world.statusOf('lab-1')).toBe('drifted: the policy is paused by ann: freeze');
    // A work item would be due in each run of the queue, before the work of other twins.
    expect(world.snapshot('lab-1').workItem).toBeUndefined();

    setControl(withoutPause(control, { kind: 'policy', name: 'sensor' }, { ...pause, at: world.now }));
    await world.deploy(fleetWith(2));

    expect(imagesOf('lab-1')).toEqual(['1', '2']);
  });
});

describe('a device that no longer matches the new content of a deployment', () => {
  const OTHER = { name: 'other', modules: { other: { image: 'a.io/other:1' } } };
  const sensor = (rollout: object, more: object = {}) => ({
    name: 'sensor',
    modules: { sensor: { image: 'a.io/sensor:1' } },
    rollout,
    ...more,
  });
  const LAB_ONLY = { when: "tags.ring == 'lab'" };
  /** T0 is noon. */
  const inWindow = (from: string, to: string) => ({
    stages: [{ name: 'all', share: 1 }],
    window: { from, to },
  });
  const WIDE = edgeFleet([OTHER, sensor({ over: '0s' })]);
  const lastImages = () => {
    const last = world.applied.findLast(({ deviceId }) => deviceId === 'shop-1');
    return JSON.stringify(last?.content).match(/a\.io\/\w+:\d/g);
  };

  beforeEach(async () => {
    await deploy(WIDE, FIRST);
    expect(lastImages()).toEqual(['a.io/other:1', 'a.io/sensor:1']);
  });
  const reach = async (rollout: object) => {
    const fleet = edgeFleet([OTHER, sensor(rollout, LAB_ONLY)]);
    await deploy(fleet, WIDE);
    expect(lastImages()).toEqual(['a.io/other:1']);
    world.runManifest('shop-1');
    await world.takeEvents();
    return fleet;
  };

  test('does not get the modules back when its maintenance window closes', async () => {
    await reach(inWindow('12:00', '13:00'));
    await world.after(2 * 3_600);
    await world.deploy(world.fleet);

    expect(lastImages()).toEqual(['a.io/other:1']);
  });

  test.each([
    ['paused', pauseRollout],
    ['aborted', abortRollout],
  ] as const)('does not get the modules back when the rollout is %s', async (_, act) => {
    const fleet = await reach({ stages: [{ name: 'all', share: 1 }] });
    change(act(control, contentIn(fleet), by()));
    await world.deploy(world.fleet);

    expect(lastImages()).toEqual(['a.io/other:1']);
  });

  test('loses the modules only in its maintenance window, if the apply failed in the window before', async () => {
    world.fault = { code: 'BERTH_HUB_UNAVAILABLE' };
    await deploy(edgeFleet([OTHER, sensor(inWindow('12:00', '13:00'), LAB_ONLY)]), WIDE);
    world.fault = undefined;
    await world.after(3_600);
    expect(lastImages()).toEqual(['a.io/other:1', 'a.io/sensor:1']);
    await world.after(23 * 3_600);

    expect(lastImages()).toEqual(['a.io/other:1']);
  });

  test('loses the modules when the window of an earlier content opens, after a later one was rolled back', async () => {
    const narrow = edgeFleet([OTHER, sensor(inWindow('13:00', '14:00'), LAB_ONLY)]);
    await deploy(narrow, WIDE);
    const next = edgeFleet([
      OTHER,
      sensor({ stages: [{ name: 'all', share: 1 }] }, { when: "tags.ring != 'x'" }),
    ]);
    setControl(withPackage(control, '2026', rolloutContents(next), world.now, next.revision));
    const earlier = [...(narrow.edge?.deployments ?? []), ...(WIDE.edge?.deployments ?? [])];
    await world.deploy(withPrevious(next, [], earlier));
    change(rollBack(control, contentIn(next), by(), false));
    await world.deploy(world.fleet);
    expect(lastImages()).toEqual(['a.io/other:1', 'a.io/sensor:1']);
    world.runManifest('shop-1');
    await world.takeEvents();
    await world.after(3_600);

    expect(lastImages()).toEqual(['a.io/other:1']);
  });
});

describe('a rollback to a content that does not name the desired properties of a module', () => {
  const withDesired = (version: number, desired: object | undefined, twins: object = {}) =>
    edgeFleet(
      [
        {
          name: 'sensor',
          modules: {
            sensor: { image: `a.io/sensor:${version}`, ...(desired === undefined ? {} : { desired }) },
          },
          rollout: { stages: STAGES },
        },
      ],
      {},
      twins,
    );
  const desired = () => world.twin('lab-1', 'sensor').desired.values;
  /** Another writer changes desired properties of the module, as the portal does. */
  const edit = async (patch: JsonObject) => {
    patchTwinOf(world.local, { deviceId: 'lab-1', moduleId: 'sensor' }, { properties: { desired: patch } });
    await world.takeEvents();
  };
  const rollBackNow = async (fleet: Fleet) => {
    const act = { author: 'ann', reason: 'broken', at: world.now };
    const result = rollBack(control, contentIn(fleet), act, false);
    if (result.kind !== 'changed') throw new Error(result.why);
    setControl(result.control);
    await world.deploy(world.fleet);
    world.runManifest('lab-1');
    await world.takeEvents();
  };

  test('removes what the rollout has set', async () => {
    const fleet = withDesired(2, { SendInterval: 5, limits: { high: 9 } });
    await deploy(fleet, FIRST);
    expect(desired()).toEqual({ SendInterval: 5, limits: { high: 9 } });

    await rollBackNow(fleet);

    expect(imagesOf('lab-1')).toEqual(['1', '2', '1']);
    expect(desired()).toEqual({});
    expect(world.statusOf('lab-1')).toBe('inSync');
  });

  test('gives back the values of another writer from before the rollout', async () => {
    await edit({ SendInterval: 60, mode: 'eco' });
    const fleet = withDesired(2, { SendInterval: 5 });
    await deploy(fleet, FIRST);
    expect(desired()).toEqual({ SendInterval: 5 });

    await rollBackNow(fleet);

    expect(desired()).toEqual({ SendInterval: 60, mode: 'eco' });
  });

  test('leaves what another writer has changed since, and lists it', async () => {
    await edit({ SendInterval: 60 });
    const fleet = withDesired(2, { SendInterval: 5, unit: 'K' });
    await deploy(fleet, FIRST);
    // Berth has no event of it yet.
    const patch = { properties: { desired: { SendInterval: 7, note: 'by hand' } } };
    patchTwinOf(world.local, { deviceId: 'lab-1', moduleId: 'sensor' }, patch);
    world.loseEvents();

    await rollBackNow(fleet);

    expect(desired()).toEqual({ SendInterval: 7, note: 'by hand' });
    expect(world.statusOf('lab-1')).toBe(
      'contested: module sensor: SendInterval was changed by another writer after the rollout that was rolled back, so Berth leaves it',
    );
    expect(Object.values(world.snapshot('lab-1').lastReconcile.policies)).not.toContain('contested');
  });

  test('gives back the same after a second content, and leaves later changes by others alone', async () => {
    await edit({ SendInterval: 60 });
    const second = withDesired(2, { SendInterval: 5 });
    await deploy(second, FIRST);
    const third = withDesired(3, { SendInterval: 4 });
    setControl(withPackage(control, '2026', rolloutContents(third), world.now, third.revision));
    const earlier = [...(second.edge?.deployments ?? []), ...(FIRST.edge?.deployments ?? [])];
    await world.deploy(withPrevious(third, [], earlier));
    expect(desired()).toEqual({ SendInterval: 4 });

    await rollBackNow(third);
    expect(desired()).toEqual({ SendInterval: 5 });
    await rollBackNow(second);
    expect(desired()).toEqual({ SendInterval: 60 });

    await edit({ SendInterval: 5 });
    world.setTags('lab-1', { floor: 2 });
    await world.takeEvents();
    await world.deploy(world.fleet);
    expect(desired()).toEqual({ SendInterval: 5 });
    expect(imagesOf('lab-1')).toEqual(['1', '2', '3', '2', '1']);
  });

  test('keeps the values of policies', async () => {
    const policies = [{ name: 'unit', target: 'module:sensor', desired: { unit: 'C' }, confirm: false }];
    const fleet = withDesired(2, { SendInterval: 5 }, { policies });
    const before = edgeFleet(
      [
        {
          name: 'sensor',
          modules: { sensor: { image: 'a.io/sensor:1' } },
          rollout: { over: '0s' },
        },
      ],
      {},
      { policies },
    );
    await deploy(before, FIRST);
    await edit({ SendInterval: 60 });
    expect(desired()).toEqual({ SendInterval: 60, unit: 'C' });
    await deploy(fleet, before);
    expect(desired()).toEqual({ SendInterval: 5, unit: 'C' });

    await rollBackNow(fleet);

    expect(desired()).toEqual({ SendInterval: 60, unit: 'C' });
    expect(world.calls.filter((call) => call === 'patch sensor')).toHaveLength(1);
  });

  test('gives nothing back twice if the answer to its apply is lost', async () => {
    await edit({ SendInterval: 60 });
    const fleet = withDesired(2, { SendInterval: 5 });
    await deploy(fleet, FIRST);
    world.fault = { code: 'BERTH_HUB_TIMEOUT', isApplied: true };
    await rollBackNow(fleet);
    world.fault = undefined;
    await edit({ SendInterval: 5 });
    await world.after(60);
    await world.after(60);

    expect(desired()).toEqual({ SendInterval: 5 });
    expect(imagesOf('lab-1')).toEqual(['1', '2', '1']);
  });

  test('reads a module that was there before and is not stored', async () => {
    await edit({ SendInterval: 60 });
    for (const key of world.store.records.keys())
      if (key.endsWith('|sensor')) world.store.records.delete(key);
    const fleet = withDesired(2, { SendInterval: 5 });
    await deploy(fleet, FIRST);
    await rollBackNow(fleet);

    expect(desired()).toEqual({ SendInterval: 60 });
  });
});

test('a change of the file to a content without desired properties leaves those of a module in place', async () => {
  const rollout = { stages: STAGES };
  const set = edgeFleet([
    {
      name: 'sensor',
      modules: { sensor: { image: 'a.io/sensor:2', desired: { SendInterval: 5 } } },
      rollout,
    },
  ]);
  await deploy(set, FIRST);
  const last = fleetWith(3);
  await deploy(last, set);

  expect(imagesOf('lab-1')).toEqual(['1', '2', '3']);
  expect(world.twin('lab-1', 'sensor').desired.values).toEqual({ SendInterval: 5 });
});

/** Berth cannot work on twins: the hub has no messages left. Applies cost none. */
const NO_MESSAGES: HubBudget = {
  permit: async (_, operation) =>
    operation === 'apply' || operation === 'identity'
      ? { kind: 'granted' }
      : { kind: 'noPermit', at: plus(world.now, 3_600_000), why: 'no messages are left', isQuota: true },
  permitApply: async () => ({ kind: 'granted' }),
};

describe('a device that Berth does not work on', () => {
  const withPolicy = (version: number, interval: number, rollout: object = { over: '0s' }) =>
    edgeFleet(
      [{ name: 'sensor', modules: { sensor: { image: `a.io/sensor:${version}` } }, rollout }],
      {},
      {
        policies: [{ name: 'interval', desired: { interval } }],
      },
    );

  test('because it is suspended is listed as suspended, and has no part in a rollout', async () => {
    const first = withPolicy(1, 1);
    await deploy(first, FIRST);
    world.budget = NO_MESSAGES;
    const suspending = withPolicy(1, 2);
    await deploy(suspending, first);
    const second = withPolicy(2, 2, { stages: STAGES });
    await deploy(second, suspending);

    const { status, policies, stages, edge } = world.snapshot('lab-1').lastReconcile;
    expect({ status, edge }).toEqual({ status: 'suspended', edge: 'pending' });
    expect(policies[contentIn(second).id]).toBeUndefined();
    expect(stages?.[contentIn(second).id]).toBeUndefined();
    expect(world.statusOf('lab-1')).toBe('suspended: no messages are left');

    // The device comes back while the rollout is paused.
    change(pauseRollout(control, contentIn(second), by()));
    world.budget = undefined;
    await world.after(3_600);
    await world.after(60);
    expect(imagesOf('lab-1')).toEqual(['1']);

    change(resumeRollout(control, contentIn(second), by()));
    await world.after(60);
    await world.deploy(world.fleet);
    expect(imagesOf('lab-1')).toEqual(['1', '2']);
  });

  test('because it is suspended keeps its part in a rollout that has reached it', async () => {
    const first = withPolicy(1, 1);
    await deploy(first, FIRST);
    const second = withPolicy(2, 1, { stages: STAGES });
    await deploy(second, first);
    world.runManifest('lab-1');
    await world.takeEvents();
    const { policies, stages } = world.snapshot('lab-1').lastReconcile;
    expect([policies, stages]).toEqual([
      { [contentIn(second).id]: 'inSync' },
      { [contentIn(second).id]: 'lab' },
    ]);

    world.budget = NO_MESSAGES;
    await deploy(withPolicy(2, 2, { stages: STAGES }), second);

    expect(world.snapshot('lab-1').lastReconcile).toMatchObject({ status: 'suspended', policies, stages });
    const stored = () => [...world.store.records].find(([key]) => key.endsWith('lab-1|$edgeAgent'))?.[1];
    const before = stored()?.etag;
    await world.deploy(world.fleet);
    expect(stored()?.etag).toBe(before);
  });

  test('because it is outside of twins.scope has no part in a rollout', async () => {
    const scoped = (version: number, rollout: object) =>
      edgeFleet(
        [{ name: 'sensor', modules: { sensor: { image: `a.io/sensor:${version}` } }, rollout }],
        {},
        {
          scope: "tags.ring == 'lab'",
        },
      );
    const first = scoped(1, { over: '0s' });
    await deploy(first, FIRST);
    const second = scoped(2, { stages: [{ name: 'all', share: 1 }] });
    await deploy(second, first);

    expect(world.snapshot('shop-1').lastReconcile).toMatchObject({
      status: 'inSync',
      edge: 'notMatched',
      policies: {},
    });
    expect(Object.keys(world.snapshot('lab-1').lastReconcile.policies)).toEqual([contentIn(second).id]);
    expect([imagesOf('lab-1'), imagesOf('shop-1')]).toEqual([['1', '2'], ['1']]);
  });
});
