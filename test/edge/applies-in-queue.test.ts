import { expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { BudgetShare, RESYNC_APPLY_MS, RESYNC_PART } from '../../src/hub/budget.ts';
import { HubPauses } from '../../src/hub/hub-pauses.ts';
import { Reconciler } from '../../src/sync/reconcile/reconciler.ts';
import { processQueue } from '../../src/sync/resync/work-queue.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { TestClock } from '../support/clock.ts';
import { HOST } from './edge-devices.ts';
import { EdgeWorld } from './edge-world.ts';

/* The work queue of a hub on virtual time, with the real budget of the hub. Each run takes a minute. */

const MINUTE_MS = 60_000;
const RUN_MS = 58_000;

interface Devices {
  readonly edge: number;
  readonly plain: number;
}

function fleetOf(units: number, version: number, rate = 0.5): Fleet {
  const file = {
    hubs: [{ host: HOST, region: 'westeurope', tier: 'S1', units, budget: { rate, daily: 0.9 } }],
    twins: { policies: [{ name: 'interval', when: "tags.kind == 'plain'", desired: { interval: version } }] },
    edge: {
      deployments: [
        {
          name: 'sensor',
          when: "tags.kind == 'edge'",
          modules: { sensor: { image: `a.io/sensor:${version}` } },
        },
      ],
    },
  };
  const parsed = parseFleet(JSON.stringify(file));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}

const UNITS = 2;

/** Devices that have what a first file wants. Then a second file changes a policy and a deployment, and the queue runs. */
class ChangedFleet {
  readonly #world: EdgeWorld;
  readonly #clock = new TestClock();
  readonly #devices: Devices;
  #applied = 0;

  constructor(before: Fleet, devices: Devices) {
    this.#world = new EdgeWorld(before);
    this.#devices = devices;
  }

  async change(after: Fleet): Promise<void> {
    const world = this.#world;
    const edge = this.#ids('edge');
    for (const id of edge) world.createDevice(id, { kind: 'edge' });
    for (const id of this.#ids('plain')) world.createDevice(id, { kind: 'plain' }, false);
    await world.takeEvents();
    for (const id of edge) world.runManifest(id);
    await world.takeEvents();
    world.fleet = after;
    const [began, zero] = [world.now, this.#clock.now()];
    Object.defineProperty(world, 'now', { get: () => plus(began, this.#clock.now() - zero), set: () => {} });
    for (const { known } of [...world.store.records.values()])
      if (known.kind === 'snapshot') await new Reconciler(world.context()).resync(known.snapshot.id);
    world.budget = new BudgetShare({
      share: 'resync',
      part: RESYNC_PART,
      longestApplyMs: RESYNC_APPLY_MS,
      counts: { reserve: async (_, messages) => messages },
      pauses: new HubPauses(() => 0),
      now: () => world.now,
      wait: this.#clock.wait,
    });
    this.#applied = world.applied.length;
  }

  /** One run of the queue, and the rest of its minute. */
  async runMinute(): Promise<{ readonly applies: number; readonly policyWrites: number }> {
    const world = this.#world;
    const began = world.now;
    const context = world.context(plus(began, MINUTE_MS));
    const mayGoOn = () => world.now < plus(began, RUN_MS);
    const resync = { ...context, reconciler: new Reconciler(context) };
    await processQueue([HOST], resync as never, mayGoOn, { wait: this.#clock.wait });
    world.loseEvents();
    this.#clock.pass(Math.max(0, plus(began, MINUTE_MS) - world.now));
    const values = this.#ids('plain').map((id) => world.twin(id).desired.values.interval);
    return {
      applies: world.applied.length - this.#applied,
      policyWrites: values.filter((value) => value === 2).length,
    };
  }

  #ids(kind: keyof Devices): readonly string[] {
    return Array.from({ length: this.#devices[kind] }, (_, index) => `${kind}-${index}`);
  }
}

test.each([
  [1, 40],
  [10, 80],
])(
  'other twins are written while IoT Edge devices wait for their manifests, on a hub with %i units',
  async (units, edge) => {
    const fleet = new ChangedFleet(fleetOf(units, 1), { edge, plain: 30 });
    await fleet.change(fleetOf(units, 2));

    const { policyWrites } = await fleet.runMinute();

    expect(policyWrites).toBe(30);
  },
);

test.each([0.5, 0.9])(
  'manifests are applied as fast as the budget allows, with the rate %d',
  async (rate) => {
    const fleet = new ChangedFleet(fleetOf(UNITS, 1, rate), { edge: 60, plain: 0 });
    await fleet.change(fleetOf(UNITS, 2, rate));

    let applies = 0;
    const minutes = 4;
    for (let minute = 1; minute <= minutes; minute += 1) applies = (await fleet.runMinute()).applies;

    const allowed = 20 * UNITS * rate * RESYNC_PART * minutes;
    expect(applies).toBeGreaterThan(allowed * 0.85);
    expect(applies).toBeLessThan(allowed * 1.25);
  },
);
