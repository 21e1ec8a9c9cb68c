import type { Control } from '../../../src/control/control.ts';
import { presentStage } from '../../../src/control/present-stage.ts';
import {
  type ActionResult,
  abortRollout,
  approveStage,
  pauseRollout,
  type RolloutPolicy,
  resumeRollout,
  rollBack,
} from '../../../src/control/rollout-actions.ts';
import { contentOf } from '../../../src/control/rollouts.ts';
import type { Policy } from '../../../src/fleet/fleet.ts';
import { sameJson } from '../../../src/json/json.ts';
import { type EpochMs, plus } from '../../../src/time/epoch-ms.ts';
import { modulesFollowed } from '../../../src/twin/events/event.ts';
import { plan } from '../../../src/twin/plan/plan.ts';
import { valueAt } from '../../../src/twin/snapshot/merge.ts';
import { twinKey } from '../../../src/twin/snapshot/twin.ts';
import { Berth } from './berth.ts';
import { checkFirstWrites } from './first-writes.ts';
import { Random } from './random.ts';
import { type Device, Simulation } from './simulation.ts';
import { beginTrouble, endTrouble } from './trouble.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How far the clock of an instance may be from the true time. Two instances may differ by twice as much. */
const MOST_SKEW_MS = 2 * MINUTE;

/**
 * Runs one random fleet through rollouts in stages: devices that a value ends, empty stages, late joiners, approvals,
 * pauses, rollbacks, windows, and instances of two packages whose clocks differ. Answers what does not hold.
 */
export async function runRollouts(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const simulation = new Simulation(random, true);
  const berth = new Berth(simulation, MOST_SKEW_MS);
  await live(simulation, berth, random);
  const isOver = await comeToRest(simulation, berth);
  return [
    ...berth.defects,
    ...(isOver ? [] : unfinished(simulation)),
    ...simulation.devices.flatMap((device) => [
      ...checkFirstWrites(simulation, device, MOST_SKEW_MS),
      ...(isOver ? checkContent(simulation, device) : []),
    ]),
  ];
}

async function live(simulation: Simulation, berth: Berth, random: Random): Promise<void> {
  const { scheduler, store } = simulation;
  beginTrouble(simulation, berth, random, { calls: { error: 0.1, throttle: 0.1, timeout: 0.05 } });
  for (let round = random.between(4, 10); round > 0; round -= 1) {
    await scheduler.runUntil(plus(scheduler.now, random.between(MINUTE, 10 * MINUTE)));
    if (random.chance(0.4)) simulation.disturb();
    if (random.chance(0.1)) store.awayUntil = scheduler.now + random.between(1_000, MINUTE);
    if (random.chance(0.25)) {
      simulation.fleet = random.chance(0.3) ? random.pick(simulation.fleets) : simulation.newFleet();
      berth.deploy(simulation.fleet);
    }
    if (random.chance(0.2)) simulation.addDevice();
    if (random.chance(0.4)) operate(simulation, random);
  }
}

/** An operator does something to a rollout, allowed or not. */
function operate(simulation: Simulation, random: Random): void {
  const policies = policiesOf(simulation);
  if (policies.length === 0) return;
  const policy = random.pick(policies);
  const acts: readonly ((
    control: Control,
    of: RolloutPolicy,
    by: ReturnType<typeof byNow>,
  ) => ActionResult)[] = [
    approveStage,
    approveStage,
    pauseRollout,
    resumeRollout,
    abortRollout,
    (control, of, by) => rollBack(control, of, by, random.chance(0.5)),
  ];
  act(simulation, policy, random.pick(acts));
}

function act(
  { store, scheduler }: Simulation,
  policy: RolloutPolicy,
  change: (control: Control, of: RolloutPolicy, by: ReturnType<typeof byNow>) => ActionResult,
): void {
  const result = change(store.control, policy, byNow(scheduler.now));
  if (result.kind === 'changed') store.control = result.control;
}

const byNow = (at: EpochMs) => ({ author: 'ann', reason: 'test', at });

function policiesOf({ fleet }: Simulation): readonly (Policy & RolloutPolicy)[] {
  return fleet.twins.policies.flatMap((policy) =>
    policy.rollout === undefined || policy.mode === 'observe' ? [] : [{ ...policy, rollout: policy.rollout }],
  );
}

/** No more faults and no more changes. An operator approves, and rolls back what has failed. False: a rollout goes on. */
async function comeToRest(simulation: Simulation, berth: Berth): Promise<boolean> {
  const { scheduler, store } = simulation;
  endTrouble(simulation, berth);
  const end = plus(scheduler.now, 4 * DAY);
  while (scheduler.now < end && unfinished(simulation).length > 0) {
    await scheduler.runUntil(plus(scheduler.now, 10 * MINUTE));
    for (const policy of policiesOf(simulation)) {
      const state = store.control.rollouts[policy.hash];
      if (state?.pause !== undefined)
        act(simulation, policy, (control, of, by) => rollBack(control, of, by, false));
      if (state?.waitsFor !== undefined) act(simulation, policy, approveStage);
    }
  }
  const isOver = unfinished(simulation).length === 0;
  // What was given back last is written, and devices answer.
  if (isOver) await scheduler.runUntil(plus(scheduler.now, 3 * HOUR));
  // A small budget of messages lasts until the next day.
  for (let hour = 0; hour < 72 && waitsForBudget(simulation); hour += 1) {
    await scheduler.runUntil(plus(scheduler.now, HOUR));
  }
  return isOver;
}

/** Whether a twin is suspended, or its last write has no result because the twin could not be read after it. */
function waitsForBudget({ store, devices }: Simulation): boolean {
  return devices.some(({ id }) => {
    const known = store.known(id);
    if (known.kind !== 'snapshot') return false;
    const { lastReconcile, writing } = known.snapshot;
    return lastReconcile.status === 'suspended' || writing !== undefined;
  });
}

/** The rollouts that are not at their end. */
function unfinished(simulation: Simulation): readonly string[] {
  const { control } = simulation.store;
  return policiesOf(simulation).flatMap((policy) => {
    const state = control.rollouts[policy.hash];
    if (state?.end !== undefined && state.end.stage === undefined) return [];
    const present = presentStage(control, policy, policy.rollout);
    return present.kind === 'complete'
      ? []
      : [`the rollout of ${policy.name} hangs: ${JSON.stringify(present)}`];
  });
}

/** At the end, every device has what its rollouts give it, or a status that says why not. */
function checkContent(simulation: Simulation, device: Device): readonly string[] {
  const { hub, store, scheduler } = simulation;
  const fleet = simulation.withPrevious(simulation.fleet);
  const twin = hub.twin(device.id);
  const known = store.known(device.id);
  const { moduleId } = device.id;
  if (moduleId !== undefined && !modulesFollowed(fleet).has(moduleId)) return [];
  if (twin === undefined || known.kind !== 'snapshot') return [];
  const { snapshot } = known;
  const name = twinKey(device.id);
  const planned = plan({
    snapshot,
    hub: hub.hub,
    twins: fleet.twins,
    holdOf: () => undefined,
    contentOf: (policy, facts) =>
      contentOf(store.control, policy, facts, fleet.twins.previous, scheduler.now),
    now: scheduler.now,
  });
  if (!sameJson(snapshot.desired, twin.desired.values))
    return [`${name} is known with other desired properties`];
  return planned.leaves.flatMap(({ path, mode, status, wanted, held, why }) => {
    if (mode !== 'enforce' || held !== undefined || status === 'rejected' || status === 'contested')
      return [];
    const desired = valueAt(twin.desired.values, path.split('.')) ?? null;
    return sameJson(desired, wanted)
      ? []
      : [
          `${name}: ${path} is ${JSON.stringify(desired)}, wanted ${JSON.stringify(wanted)} (${status}: ${why}; ${snapshot.workItem?.why})`,
        ];
  });
}
