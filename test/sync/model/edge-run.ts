import { presentStage } from '../../../src/control/present-stage.ts';
import {
  abortRollout,
  approveStage,
  pauseRollout,
  type RolloutPolicy,
  resumeRollout,
  rollBack,
} from '../../../src/control/rollout-actions.ts';
import { settingsInForce } from '../../../src/control/setting-values.ts';
import { rolloutContents } from '../../../src/fleet/fleet.ts';
import type { RolloutContent } from '../../../src/fleet/rollout.ts';
import { plus } from '../../../src/time/epoch-ms.ts';
import { NO_EDGE_RECORD } from '../../../src/twin/snapshot/runtime-twin.ts';
import { Berth } from './berth.ts';
import { checkBudget, checkDevice, checkManifests, checkSecrets, checkStages } from './edge-checks.ts';
import { type EdgeDevice, EdgeSimulation } from './edge-simulation.ts';
import { Random } from './random.ts';
import { HOST } from './simulation.ts';
import { beginTrouble, endTrouble } from './trouble.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** How far the clock of an instance may be from the true time. */
export const MOST_SKEW_MS = 2 * MINUTE;

/**
 * Runs one random fleet of IoT Edge devices: layers by tags, rollouts in stages, changed settings, other writers, hub
 * configurations, lost events, failed calls, and instances that end between any two steps. Answers what does not hold.
 */
export async function runEdge(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const simulation = new EdgeSimulation(random);
  const berth = new Berth(simulation, MOST_SKEW_MS);
  await live(simulation, berth, random);
  const hanging = await comeToRest(simulation, berth);
  return [
    ...berth.defects,
    ...hanging,
    ...checkManifests(simulation),
    ...checkBudget(simulation, berth.openedShares),
    ...checkSecrets(simulation, berth.warnings),
    ...simulation.devices.flatMap((device) => [
      ...checkStages(simulation, device),
      ...(hanging.length === 0 ? checkDevice(simulation, device) : []),
    ]),
  ];
}

async function live(simulation: EdgeSimulation, berth: Berth, random: Random): Promise<void> {
  const { scheduler, store } = simulation;
  beginTrouble(simulation, berth, random, {
    calls: { error: 0.1, throttle: 0.1, timeout: 0.1 },
    drops: { events: 0.15, fleets: 0.25 },
  });
  simulation.hub.faults = { ...simulation.hub.faults, conflict: random.chance(0.5) ? 0 : 0.2 };
  for (let round = random.between(4, 10); round > 0; round -= 1) {
    await scheduler.runUntil(plus(scheduler.now, random.between(MINUTE, 8 * MINUTE)));
    if (random.chance(0.6)) simulation.disturb();
    if (random.chance(0.1)) store.awayUntil = scheduler.now + random.between(1_000, MINUTE);
    if (random.chance(0.25)) {
      simulation.fleet = random.chance(0.3) ? random.pick(simulation.fleets) : simulation.newFleet();
      berth.deploy(simulation.fleet);
    }
    if (random.chance(0.2)) {
      simulation.rotate();
      berth.deploy(simulation.fleet, random.chance(0.5));
    }
    if (random.chance(0.15)) simulation.addDevice();
    if (random.chance(0.15)) adopt(simulation, random.pick(simulation.devices));
    if (random.chance(0.4)) operate(simulation, random);
  }
}

/** As `berth edge adopt`: a device that is contested because of a manifest of another writer. */
function adopt({ store, scheduler }: EdgeSimulation, device: EdgeDevice): void {
  const id = { ...device.id, moduleId: '$edgeAgent' };
  const known = store.known(id);
  if (known.kind !== 'snapshot' || known.snapshot.lastReconcile.status !== 'contested') return;
  if (known.snapshot.edge?.applied[0] !== undefined) return;
  device.isAdopted = true;
  device.wasAdopted = true;
  const at = scheduler.now;
  store.change(id, (snapshot) => ({
    ...snapshot,
    edge: { ...(snapshot.edge ?? NO_EDGE_RECORD), adoption: { author: 'ann', reason: 'test', at } },
    workItem: { priority: 'edit', at, why: 'an operator adopted its manifest', tries: 0 },
  }));
}

type InRollout = RolloutContent & RolloutPolicy;

function contentsOf(simulation: EdgeSimulation): readonly InRollout[] {
  const { fleet, store } = simulation;
  return [...rolloutContents(fleet), ...settingsInForce(fleet, store.control)].flatMap((content) =>
    content.rollout === undefined ? [] : [{ ...content, rollout: content.rollout }],
  );
}

function operate(simulation: EdgeSimulation, random: Random): void {
  const contents = contentsOf(simulation);
  if (contents.length === 0) return;
  const acts = [approveStage, approveStage, pauseRollout, resumeRollout, abortRollout, rollBackAtOnce];
  act(simulation, random.pick(contents), random.pick(acts));
}

const rollBackAtOnce: typeof pauseRollout = (control, content, by) => rollBack(control, content, by, false);

function act({ store, scheduler }: EdgeSimulation, content: InRollout, change: typeof pauseRollout): void {
  const result = change(store.control, content, { author: 'ann', reason: 'test', at: scheduler.now });
  if (result.kind === 'changed') store.control = result.control;
}

/** No more faults and no more changes. An operator ends what has failed. Answers the rollouts that do not end. */
async function comeToRest(simulation: EdgeSimulation, berth: Berth): Promise<readonly string[]> {
  const { scheduler, store, log } = simulation;
  endTrouble(simulation, berth);
  await scheduler.runUntil(plus(scheduler.now, 45 * MINUTE));
  if (log.dropped > 0) {
    const at = scheduler.now;
    berth.requestAudit(at);
    const giveUp = plus(at, 2 * DAY);
    while (!berth.hasAudited(at) && scheduler.now < giveUp) {
      await scheduler.runUntil(plus(scheduler.now, 5 * MINUTE));
    }
  }
  const end = plus(scheduler.now, 4 * DAY);
  while (scheduler.now < end && unfinished(simulation).length > 0) {
    await scheduler.runUntil(plus(scheduler.now, 10 * MINUTE));
    for (const content of contentsOf(simulation)) {
      const state = store.control.rollouts[content.hash];
      if (state?.pause !== undefined) {
        act(simulation, content, content.settings === undefined ? rollBackAtOnce : resumeRollout);
      }
      if (state?.waitsFor !== undefined) act(simulation, content, approveStage);
    }
  }
  // What was given back last is applied, and devices answer. A pull may last an hour.
  await scheduler.runUntil(plus(scheduler.now, 4 * HOUR));
  return unfinished(simulation);
}

/** The rollouts that are not at their end. */
function unfinished(simulation: EdgeSimulation): readonly string[] {
  const { control } = simulation.store;
  return contentsOf(simulation).flatMap((content) => {
    if (control.rollouts[content.hash]?.end !== undefined) return [];
    const present = presentStage(control, content, content.rollout);
    return present.kind === 'complete'
      ? []
      : [`the rollout of ${content.name} hangs: ${JSON.stringify(present)}`];
  });
}

export { HOST };
