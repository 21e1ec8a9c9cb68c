import { HttpRequest, InvocationContext } from '@azure/functions';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { approveStage, type RolloutPolicy, rollBack } from '../../src/control/rollout-actions.ts';
import { device } from '../../src/functions/device.ts';
import { fleetStatus } from '../../src/functions/fleet-status.ts';
import { healthDetail } from '../../src/functions/health-detail.ts';
import type { HttpHandler } from '../../src/functions/http-answer.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { partitionOf, snapshotKey } from '../../src/store/tables/keys.ts';
import { eventually } from '../support/eventually.ts';
import { FunctionApp } from '../support/function-app.ts';

/* A rollout in stages over two packages, with the real functions, tables and hubs. */

const MINUTE_MS = 60_000;
const OLD = { name: 'base', desired: { interval: 5 } };
const NEW = {
  name: 'base',
  desired: { interval: 60 },
  rollout: {
    stages: [
      { name: 'lab', where: "tags.ring == 'lab'", atLeast: '5m' },
      { name: 'all', share: 1 },
    ],
  },
};

let app: FunctionApp;
let first: Instance;
beforeEach(async () => {
  app = await FunctionApp.open({ policies: [OLD] });
  first = await start();
  for (const name of ['lab-1', 'pump-1']) app.create(name, { interval: 99 });
  await app.deliver(first);
  app.hub().edit('lab-1', { tags: { ring: 'lab' } }, 'portal');
  await app.deliver(first);
  expect(values()).toEqual([5, 5]);
});
afterEach(() => app.close());

/** An instance of the package with the present fleet file, after it has announced itself. */
async function start(): Promise<Instance> {
  const instance = app.instance();
  instance.start();
  const hash = instance.fleet.current().twins.policies[0]?.hash ?? '';
  await eventually(async () => {
    const entry = (await instance.stores.control.read()).seen[hash];
    return entry !== undefined && entry.leftAt === undefined;
  });
  await instance.fleet.synchronise();
  return instance;
}
async function deploy(...policies: readonly object[]): Promise<Instance> {
  app.writeFleet(policies);
  return start();
}
const values = () => [app.interval('lab-1'), app.interval('pump-1')];
/** Runs `resyncFleet` for some minutes. */
async function run(instance: Instance, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    app.pass(MINUTE_MS + 1_000);
    await app.resync(instance);
    await app.deliver(instance);
  }
}
async function get(handler: HttpHandler, params: Readonly<Record<string, string>> = {}) {
  const request = new HttpRequest({ url: 'http://localhost/api/x', method: 'GET', params });
  const context = new InvocationContext({ functionName: 'x', logHandler: () => {} });
  return JSON.parse(String((await handler(request, context)).body)) as Record<string, unknown>;
}
async function act(instance: Instance, change: typeof approveStage): Promise<void> {
  const policy = instance.fleet.current().twins.policies[0] as RolloutPolicy;
  const by = { author: 'ann', reason: 'test', at: app.now };
  await instance.stores.control.update((row) => {
    const result = change(row, policy, by);
    if (result.kind === 'refused') throw new Error(result.why);
    return result.control;
  });
}

describe('a rollout in stages', () => {
  test('reaches the first stage, keeps the earlier value elsewhere, and corrects drift from both', async () => {
    const second = await deploy(NEW);
    await run(second, 3);
    expect(values()).toEqual([60, 5]);

    for (const name of ['lab-1', 'pump-1']) {
      app.hub().edit(name, { properties: { desired: { interval: 7 } } }, 'portal');
    }
    await app.deliver(second);

    expect(values()).toEqual([60, 5]);
  });

  test('leaves devices that it has not reached as they are while the earlier content cannot be read, and corrects them when it can', async () => {
    const { revision } = first.fleet.current();
    const { state, twins } = app.tables;
    const stored = await state.get('revisions', revision);
    await state.delete('revisions', revision);
    const second = await deploy(NEW);
    await run(second, 3);
    app.hub().edit('pump-1', { properties: { desired: { interval: 7 } } }, 'portal');
    await app.deliver(second);
    const snapshot = async () =>
      (await twins.get(partitionOf(app.id('pump-1')), snapshotKey(app.id('pump-1'))))?.etag;
    const before = await snapshot();
    await run(second, 3);

    expect(values()).toEqual([60, 7]);
    expect(await snapshot()).toBe(before);
    const trouble = `The earlier content of base cannot be read (fleet file ${revision}). Devices that its rollout has not reached stay as they are.`;
    expect((await get(healthDetail(second))).troubles).toContainEqual(trouble);
    await state.put('revisions', revision, stored?.properties ?? {});
    await run(second, 9);

    expect(values()).toEqual([60, 5]);
    expect((await get(healthDetail(second))).troubles).not.toContainEqual(trouble);
  });

  test('waits for an approval if no device of the stage shows life, and reaches all devices after it', async () => {
    const second = await deploy(NEW);
    await run(second, 12);
    expect(values()).toEqual([60, 5]);
    expect((await get(fleetStatus(second))).rollouts).toMatchObject([
      {
        policy: 'base',
        status: 'needs approval',
        stage: { name: 'lab' },
        waitsFor: { stage: 'all', why: 'no device takes part in the stage' },
        gateWaits: null,
        approvable: 'all',
        gate: { inSync: 0.95, rejected: 0.05, sample: 20, deadlineMs: 24 * 60 * MINUTE_MS },
        onFailure: 'pause',
        approvers: [],
        stages: [
          { name: 'lab', where: "tags.ring == 'lab'", leastMs: 5 * MINUTE_MS, silent: 1, reached: 1 },
          { name: 'all', where: null, share: 1, isApproved: false, waiting: 1, reached: 0 },
        ],
      },
    ]);

    await act(second, approveStage);
    await run(second, 5);

    expect(values()).toEqual([60, 60]);
  });

  test('says what its gate waits for', async () => {
    const second = await deploy(NEW);
    await run(second, 2);

    expect((await get(fleetStatus(second))).rollouts).toMatchObject([
      {
        status: 'running',
        stage: { name: 'lab' },
        gateWaits: 'the least time of the stage is not over',
        approvable: 'all',
        stages: [
          { name: 'lab', status: 'running' },
          { name: 'all', status: 'later' },
        ],
      },
    ]);
  });

  test('is on the page of a device that it has not reached', async () => {
    const second = await deploy(NEW);
    await run(second, 3);

    expect((await get(device(second), { deviceId: 'pump-1' })).twins).toMatchObject([
      {
        status: 'pending',
        rollouts: [
          {
            policy: 'base',
            stage: 'all',
            gets: 'previous',
            why: 'stage all of the rollout has not begun; the present stage is lab',
            until: null,
          },
        ],
      },
    ]);
  });

  test('gives the earlier value to a device that appears meanwhile', async () => {
    const second = await deploy(NEW);
    await run(second, 3);
    app.create('late', { interval: 99 });
    await app.deliver(second);

    expect(app.interval('late')).toBe(5);
  });

  test('goes back after a rollback, and late joiners do not get what was rolled back', async () => {
    const second = await deploy(NEW);
    await run(second, 3);
    await act(second, (row, policy, by) => rollBack(row, policy, by, false));
    await run(second, 4);
    app.create('late', { interval: 99 });
    app.hub().edit('late', { tags: { ring: 'lab' } }, 'portal');
    await app.deliver(second);

    expect([...values(), app.interval('late')]).toEqual([5, 5, 5]);
  });

  test('stays where it is when another policy is deployed', async () => {
    const second = await deploy(NEW);
    await run(second, 3);
    const third = await deploy(NEW, { name: 'other', desired: { level: 1 } });
    await run(third, 3);

    expect(values()).toEqual([60, 5]);
  });

  test('writes nothing again when something else of a twin changes', async () => {
    const second = await deploy(NEW);
    await run(second, 3);
    const patches = app.patches();
    app.hub().edit('lab-1', { tags: { ring: 'lab', note: 1 } }, 'portal');
    await app.deliver(second);
    await run(second, 2);

    expect(app.patches()).toBe(patches);
    expect(values()).toEqual([60, 5]);
  });
});
