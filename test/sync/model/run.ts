import type { Scope } from '../../../src/control/control.ts';
import { withoutPause, withPause } from '../../../src/control/pauses.ts';
import type { Fleet } from '../../../src/fleet/fleet.ts';
import { dailyLimit } from '../../../src/hub/budget.ts';
import { hash } from '../../../src/json/hash.ts';
import { isObject, type JsonValue, sameJson } from '../../../src/json/json.ts';
import { type EpochMs, laterOf, plus } from '../../../src/time/epoch-ms.ts';
import {
  instantOf,
  latestBelievable,
  millisecondsOf,
  NEVER,
  parseInstant,
} from '../../../src/time/instant.ts';
import { adoptTwin } from '../../../src/twin/events/apply-event.ts';
import { modulesFollowed } from '../../../src/twin/events/event.ts';
import { plan } from '../../../src/twin/plan/plan.ts';
import { valueAt } from '../../../src/twin/snapshot/merge.ts';
import { type Snapshot, unreadSnapshot } from '../../../src/twin/snapshot/snapshot.ts';
import { twinKey } from '../../../src/twin/snapshot/twin.ts';
import { Berth } from './berth.ts';
import { hubAndDay } from './model-store.ts';
import { Random } from './random.ts';
import { type Behaviour, type Device, HOST, Simulation, START, VALUES } from './simulation.ts';
import { beginTrouble, endTrouble, rateFrom } from './trouble.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Runs one random fleet through everything that can happen, then lets it come to rest, and answers what does not hold.
 * The same seed does the same again.
 */
export async function run(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const simulation = new Simulation(random);
  const berth = new Berth(simulation);
  const pauses = await live(simulation, berth, random);
  await comeToRest(simulation, berth);
  return [
    ...berth.defects,
    ...checkBudgets(simulation),
    // What was damaged may have been written for, and history cannot be trusted to tell.
    ...(simulation.isDamaged
      ? []
      : [
          ...checkPauses(simulation, pauses),
          ...checkPolicyWrites(simulation),
          ...checkWrites(simulation),
          ...checkContested(simulation),
        ]),
    ...simulation.devices.flatMap((device) => checkTwin(simulation, device)),
    ...(simulation.isDamaged
      ? simulation.devices.flatMap((device) => checkAgainstFirstLook(simulation, device))
      : []),
    ...(berth.isCaughtUp ? [] : ['events are left in the Event Hub']),
  ];
}

interface Paused {
  readonly scope: Scope;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** The eventful part. */
async function live(simulation: Simulation, berth: Berth, random: Random): Promise<readonly Paused[]> {
  const { scheduler, log, hub, store } = simulation;
  beginTrouble(simulation, berth, random, {
    calls: { error: 0.2, throttle: 0.2, timeout: 0.1 },
    drops: { events: 0.15, fleets: 0.25 },
  });
  simulation.deafness = rateFrom(random)(0.4);
  const pauses: Paused[] = [];
  for (let round = random.between(3, 8); round > 0; round -= 1) {
    await scheduler.runUntil(plus(scheduler.now, random.between(10_000, 3 * MINUTE)));
    if (random.chance(0.7)) simulation.disturb();
    if (random.chance(0.15)) store.awayUntil = scheduler.now + random.between(1_000, MINUTE);
    if (random.chance(0.15)) hub.downUntil = scheduler.now + random.between(1_000, 3 * MINUTE);
    if (random.chance(0.05)) {
      hub.failOver();
      log.dropped += 1;
      for (const device of simulation.devices) device.seen = 0;
    }
    if (random.chance(0.15)) {
      simulation.fleet = simulation.newFleet();
      berth.deploy(simulation.fleet);
    }
    if (random.chance(0.15)) pauses.push(await pauseAWhile(simulation, random));
    if (random.chance(0.1)) simulation.addDevice();
  }
  if (random.chance(0.3)) {
    store.damage(
      simulation.fleet.twins.policies.map(({ hash: content }) => content),
      VALUES,
    );
    simulation.isDamaged = true;
    // Nothing but reading everything again can mend that.
    log.dropped += 1;
  }
  // What dies last has nobody to come after it.
  if (random.chance(0.5)) {
    berth.crashRate = 0.7;
    simulation.disturb();
    await scheduler.runUntil(plus(scheduler.now, 10_000));
  }
  return pauses;
}

async function pauseAWhile(simulation: Simulation, random: Random): Promise<Paused> {
  const { scheduler, store } = simulation;
  const from = scheduler.now;
  const scope = random.pick<Scope>([
    { kind: 'fleet' },
    { kind: 'hub', host: HOST },
    { kind: 'policy', name: 'policy-0' },
  ]);
  const pause = { author: 'ann', reason: 'test', at: from };
  store.control = withPause(store.control, scope, pause);
  await scheduler.runUntil(plus(from, random.between(MINUTE, 5 * MINUTE)));
  store.control = withoutPause(store.control, scope, { ...pause, at: scheduler.now });
  return { scope, from, to: scheduler.now };
}

/** No more faults and no more changes: everything that is to happen happens. */
export async function comeToRest(simulation: Simulation, berth: Berth): Promise<void> {
  const { scheduler, log, hub, store } = simulation;
  endTrouble(simulation, berth);
  // Of twins that have changed in the last half hour the audit does not trust what it finds.
  await scheduler.runUntil(plus(scheduler.now, 45 * MINUTE));
  if (log.dropped > 0) {
    const at = scheduler.now;
    berth.requestAudit(at);
    const giveUp = at + 3 * DAY;
    while (!berth.hasAudited(at) && scheduler.now < giveUp)
      await scheduler.runUntil(plus(scheduler.now, 5 * MINUTE));
  }
  const end = plus(scheduler.now, 20 * DAY);
  let writes = -1;
  while (scheduler.now < end) {
    await scheduler.runUntil(plus(scheduler.now, 10 * MINUTE));
    const workItem = store.nextItem();
    // Devices need a while to answer the last write.
    if (workItem === undefined && berth.isCaughtUp && !berth.isAuditing && writes === hub.writes.length)
      return;
    writes = hub.writes.length;
    // Nothing happens until then.
    if (workItem !== undefined && workItem > plus(scheduler.now, HOUR) && berth.isCaughtUp)
      await skipTo(simulation, plus(workItem, -MINUTE));
  }
}

/** Devices that have nothing to do need not be lived through minute by minute. */
async function skipTo(simulation: Simulation, time: EpochMs): Promise<void> {
  simulation.scheduler.now = laterOf(simulation.scheduler.now, time);
}

/** What is paused is not written from 30 s after the pause. */
function checkPauses(simulation: Simulation, pauses: readonly Paused[]): readonly string[] {
  return pauses.flatMap(({ scope, from, to }) => {
    const isLate = (at: EpochMs) => at > plus(from, 30_000) && at < to;
    const late =
      scope.kind === 'policy'
        ? recordsOf(simulation).filter(
            ({ write }) => write.by === scope.name && isLate(millisecondsOf(write.at)),
          )
        : simulation.hub.calls.filter(({ at, kind }) => kind === 'write' && isLate(at));
    return late.length === 0 ? [] : [`${late.length} writes were made although ${scope.kind} was paused`];
  });
}

/** No policy has written to a device before its rollout had reached it. */
function checkPolicyWrites(simulation: Simulation): readonly string[] {
  const over = overOf(simulation.fleet);
  if (over === undefined) return [];
  const hashes = new Set(simulation.fleet.twins.policies.map(({ hash: content }) => content));
  return recordsOf(simulation).flatMap(({ id, write }) => {
    const seen = simulation.store.control.seen[write.policy];
    if (seen === undefined || !hashes.has(write.policy)) return [];
    // Where it ran before under another rollout, it may have been there already.
    if (seen.away !== undefined) return [];
    const turn = seen.since + (hash(id.deviceId, write.policy) / 2 ** 32) * over;
    const at = millisecondsOf(write.at);
    return at >= Math.floor(turn) || wasWithoutRollout(simulation)
      ? []
      : [`${write.by} wrote to ${id.deviceId} ${turn - at} ms too early`];
  });
}

function overOf({ twins }: Fleet): number | undefined {
  return twins.policies[0]?.rollout?.stages[0].overMs;
}

function wasWithoutRollout(simulation: Simulation): boolean {
  return simulation.fleets.some((fleet) => overOf(fleet) !== overOf(simulation.fleet));
}

/** Every write that the tables remember. */
function recordsOf({ store, devices }: Simulation) {
  return devices.flatMap(({ id }) => {
    const known = store.known(id);
    if (known.kind !== 'snapshot') return [];
    return Object.values(known.snapshot.paths).flatMap(({ writes }) =>
      writes.map((write) => ({ id, write })),
    );
  });
}

/** A page of a query is at least four messages, on F1 more. */
const COSTS = { read: 1, write: 3, query: 4 } as const;

/** The messages of a day stay below what the fleet file allows, and nothing is asked for that was not set aside. */
export function checkBudgets({ store, fleet, hub }: Simulation): readonly string[] {
  const [first] = fleet.hubs;
  if (first === undefined) return ['no hub'];
  const limit = dailyLimit(first, 1);
  const reserved = new Map<string, number>();
  for (const [key, messages] of store.reserved) {
    const [, day] = hubAndDay(key);
    reserved.set(day, (reserved.get(day) ?? 0) + messages);
  }
  const spent = new Map<string, number>();
  for (const { at, kind } of hub.calls) {
    const day = new Date(at).toISOString().slice(0, 10);
    spent.set(day, (spent.get(day) ?? 0) + COSTS[kind]);
  }
  return [
    ...[...reserved]
      .filter(([, messages]) => messages > limit)
      .map(([day, messages]) => `${messages} messages were set aside on ${day}, and ${limit} are allowed`),
    ...[...spent]
      .filter(([day, messages]) => messages > (reserved.get(day) ?? 0))
      .map(
        ([day, messages]) => `${messages} messages were spent on ${day}, and ${reserved.get(day)} set aside`,
      ),
  ];
}

/**
 * Every write changed something, or repeated a value that the device had not taken; and no value was repeated again and
 * again.
 */
function checkWrites({ hub, foreign, fleets, otherWriter }: Simulation): readonly string[] {
  const problems: string[] = [];
  const told = new Map<string, number>();
  for (const { id, patch, before, after } of hub.writes) {
    if (!sameJson(before, after)) continue;
    const key = `${id.deviceId} ${id.moduleId} ${JSON.stringify(patch)}`;
    told.set(key, (told.get(key) ?? 0) + 1);
  }
  for (const [key, count] of told) {
    const [deviceId] = key.split(' ');
    if (otherWriter?.device.id.deviceId === deviceId) continue;
    // Attempts are counted anew when desired was something else in between, for a new incarnation, and for another policy.
    const changes = hub.writes.filter(
      ({ id, before, after }) => id.deviceId === deviceId && !sameJson(before, after),
    );
    const resets =
      foreign.filter((change) => change.deviceId === deviceId).length + fleets.length + changes.length;
    if (count > 3 * (resets + 1)) problems.push(`${key} was written again ${count} times`);
  }
  return problems;
}

/** Who fights over a path is left alone after a few writes, for the length of the pause. */
function checkContested({ hub, otherWriter, fleets, scheduler }: Simulation): readonly string[] {
  if (otherWriter === undefined) return [];
  const { device, path } = otherWriter;
  const own = hub.writes.filter(
    ({ id, before, after }) =>
      id.deviceId === device.id.deviceId &&
      id.moduleId === device.id.moduleId &&
      !sameJson(valueAt(before, path), valueAt(after, path)),
  );
  const rounds = Math.ceil((scheduler.now - START) / (10 * MINUTE));
  // At most three writes and one more in ten minutes, and a few for each fleet file that begins anew.
  const most = 5 * (Math.min(rounds, 4) + fleets.length);
  return own.length > most ? [`${path.join('.')} was written ${own.length} times in a fight`] : [];
}

/** What a first look at the hub's own twin says is what Berth says, whatever it went through. */
function checkAgainstFirstLook(simulation: Simulation, device: Device): readonly string[] {
  const { hub, store, fleet, scheduler } = simulation;
  const twin = hub.twin(device.id);
  const known = store.known(device.id);
  const { moduleId } = device.id;
  if (moduleId !== undefined && !modulesFollowed(fleet).has(moduleId)) return [];
  if (twin === undefined || known.kind !== 'snapshot') return [];
  const now = scheduler.now;
  const first = adoptTwin(unreadSnapshot(device.id, NEVER, ''), twin, NEVER, fleet.twins.trackedPaths);
  const look = (snapshot: Snapshot) =>
    plan({ snapshot, hub: hub.hub, twins: fleet.twins, holdOf: () => undefined, now });
  const is = new Map(look(known.snapshot).leaves.map((leaf) => [leaf.path, leaf]));
  const name = twinKey(device.id);
  const problems = look(first).leaves.flatMap(({ path, mode, status: should, why: because }) => {
    const leaf = is.get(path);
    if (mode !== 'enforce' || leaf === undefined) return [];
    const { status, why } = leaf;
    const isTold = status === 'rejected' && toldTimes(why) > 0;
    const isWrong =
      should === 'inSync'
        ? status !== 'inSync'
        : !isTold && (should === 'rejected') !== (status === 'rejected');
    return isWrong
      ? [`${name}: ${path} is ${status} (${why}), and the twin says ${should} (${because})`]
      : [];
  });
  const limit = latestBelievable(instantOf(now));
  const ahead = instantsIn(known.snapshot as unknown as JsonValue).filter((time) => time > limit);
  if (ahead.length > 0) problems.push(`${name} holds times from the future: ${ahead.join(', ')}`);
  const fights = Object.values(known.snapshot.paths).filter(
    ({ contestedUntil = 0 }) => contestedUntil > plus(now, 3 * HOUR),
  );
  if (fights.length > 0) problems.push(`${name} is fought over for ever`);
  return problems;
}

function instantsIn(json: JsonValue): readonly string[] {
  if (typeof json === 'string') return parseInstant(json) === json ? [json] : [];
  if (Array.isArray(json)) return json.flatMap((item: JsonValue) => instantsIn(item));
  return isObject(json) ? Object.values(json).flatMap(instantsIn) : [];
}

function toldTimes(why: string): number {
  const [, count] = /Berth wrote it (once|\d+ times)/.exec(why) ?? [];
  return count === 'once' ? 1 : Number.parseInt(count ?? '0', 10);
}

function attemptsOf({ twins }: Simulation['fleet'], policy: string): number {
  return twins.policies.find(({ name }) => name === policy)?.attempts ?? Number.POSITIVE_INFINITY;
}

const TAKES_ALL: ReadonlySet<Behaviour> = new Set(['apply', 'echo', 'slow']);

/** The twin is what the policies imply, and Berth knows it as it is. */
export function checkTwin(simulation: Simulation, device: Device): readonly string[] {
  const { hub, store, fleet } = simulation;
  const name = twinKey(device.id);
  const twin = hub.twin(device.id);
  const known = store.known(device.id);
  const { moduleId } = device.id;
  if (moduleId !== undefined && !modulesFollowed(fleet).has(moduleId)) return [];
  if (twin === undefined) {
    return known.kind === 'snapshot' ? [`${name} was deleted, and Berth does not know`] : [];
  }
  if (known.kind !== 'snapshot') return [`${name} is there, and Berth knows ${known.kind}`];
  const { snapshot } = known;
  const problems: string[] = [];
  const differs = (what: string, is: unknown, should: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      problems.push(`${name}: ${what} is known as ${JSON.stringify(is)} and is ${JSON.stringify(should)}`);
  };
  differs('version', snapshot.version, twin.version);
  if (!sameJson(snapshot.tags, twin.tags)) differs('tags', snapshot.tags, twin.tags);
  if (!sameJson(snapshot.desired, twin.desired.values))
    differs('desired', snapshot.desired, twin.desired.values);
  if (!sameJson(snapshot.reported, twin.reported.values))
    differs('reported', snapshot.reported, twin.reported.values);
  if (snapshot.etag !== undefined) differs('etag', snapshot.etag, twin.etag);
  if (snapshot.unread !== undefined) problems.push(`${name} is still unread: ${snapshot.unread.why}`);
  if (snapshot.writing !== undefined) problems.push(`${name} is still being written`);
  if (snapshot.workItem !== undefined) problems.push(`${name} is still due: ${snapshot.workItem.why}`);

  const planned = plan({
    snapshot,
    hub: hub.hub,
    twins: fleet.twins,
    holdOf: () => undefined,
    now: simulation.scheduler.now,
  });
  if (planned.writes.length > 0)
    problems.push(`${name} should be written: ${JSON.stringify(planned.patch)} (${planned.why})`);
  if (snapshot.lastReconcile.status !== planned.status)
    problems.push(`${name} is stored as ${snapshot.lastReconcile.status}, and is ${planned.status}`);
  for (const { path, mode, status, wanted, held } of planned.leaves) {
    if (status === 'contested') problems.push(`${name}: ${path} is still fought over`);
    if (status === 'drifted' && held === undefined) problems.push(`${name}: ${path} has drifted`);
    if (mode !== 'enforce' || status === 'rejected') continue;
    const desired = valueAt(twin.desired.values, path.split('.'));
    if (!sameJson(desired ?? null, wanted))
      problems.push(
        `${name}: desired ${path} is ${JSON.stringify(desired)}, wanted ${JSON.stringify(wanted)}`,
      );
    if (TAKES_ALL.has(device.behaviour) && status !== 'inSync')
      problems.push(`${name}: ${path} is ${status} of a device that applies everything`);
  }
  const rejected = planned.leaves.filter(({ status, mode }) => status === 'rejected' && mode === 'enforce');
  const isUnheard = (why: string, policy: string) =>
    device.missed > 0 && why.includes('does not answer') && toldTimes(why) >= attemptsOf(fleet, policy);
  for (const { path, why, policy } of rejected) {
    if (TAKES_ALL.has(device.behaviour) && !isUnheard(why, policy))
      problems.push(`${name}: a device that takes everything is said to reject ${path}: ${why}`);
  }
  return problems;
}

export { START };
