import { dailyLimit } from '../../../src/hub/budget.ts';
import { sameJson } from '../../../src/json.ts';
import { withoutPause, withPause } from '../../../src/twin/control.ts';
import { mergePatch, valueAt } from '../../../src/twin/merge.ts';
import { plan } from '../../../src/twin/plan.ts';
import { Berth } from './berth.ts';
import { NO_EVENT_FAULTS } from './event-log.ts';
import { NO_CALL_FAULTS } from './model-hub.ts';
import { hubAndDay } from './model-store.ts';
import { Random } from './random.ts';
import { type Device, HOST, START, World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Runs one random fleet through everything that can happen, then lets it come to rest, and answers what does not hold.
 * The same seed does the same again.
 */
export async function run(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const world = new World(random);
  const berth = new Berth(world);
  const pauses = await live(world, berth, random);
  await comeToRest(world, berth);
  return [
    ...berth.defects,
    ...checkPauses(world, pauses),
    ...checkBudgets(world),
    ...checkWrites(world),
    ...world.devices.flatMap((device) => checkTwin(world, device)),
    ...(berth.isCaughtUp ? [] : ['events are left in the Event Hub']),
  ];
}

interface Paused {
  readonly from: number;
  readonly to: number;
}

/** The eventful part. */
async function live(world: World, berth: Berth, random: Random): Promise<readonly Paused[]> {
  const { scheduler, log, hub, store } = world;
  const rate = (most: number) => (random.chance(0.5) ? 0 : random.next() * most);
  log.faults = {
    duplicate: rate(0.2),
    replay: rate(0.1),
    coalesce: rate(0.3),
    drop: random.chance(0.25) ? 0.05 : 0,
  };
  hub.faults = { error: rate(0.2), throttle: rate(0.2), timeout: rate(0.1) };
  store.lostAnswers = rate(0.05);
  berth.crashRate = rate(0.1);
  berth.overlapRate = rate(0.3);
  berth.isWalking = random.chance(0.3);
  const pauses: Paused[] = [];
  for (let round = random.between(3, 8); round > 0; round -= 1) {
    await scheduler.runUntil(scheduler.now + random.between(10_000, 3 * MINUTE));
    if (random.chance(0.7)) world.disturb();
    if (random.chance(0.15)) store.awayUntil = scheduler.now + random.between(1_000, MINUTE);
    if (random.chance(0.15)) hub.downUntil = scheduler.now + random.between(1_000, 3 * MINUTE);
    if (random.chance(0.05)) {
      hub.failOver();
      log.dropped += 1;
      for (const device of world.devices) device.seen = 0;
    }
    if (random.chance(0.15)) {
      world.fleet = world.newFleet();
      berth.deploy(world.fleet);
    }
    if (random.chance(0.1)) pauses.push(await pauseAWhile(world, random));
  }
  return pauses;
}

async function pauseAWhile(world: World, random: Random): Promise<Paused> {
  const { scheduler, store } = world;
  const from = scheduler.now;
  const scope = random.chance(0.5) ? ({ kind: 'fleet' } as const) : ({ kind: 'hub', host: HOST } as const);
  store.control = withPause(store.control, scope, { author: 'ann', reason: 'test', at: from });
  await scheduler.runUntil(from + random.between(MINUTE, 5 * MINUTE));
  store.control = withoutPause(store.control, scope, { author: 'ann', reason: 'test', at: scheduler.now });
  return { from, to: scheduler.now };
}

/** No more faults and no more changes: everything that is to happen happens. */
async function comeToRest(world: World, berth: Berth): Promise<void> {
  const { scheduler, log, hub, store } = world;
  world.isCalm = true;
  log.faults = NO_EVENT_FAULTS;
  hub.faults = NO_CALL_FAULTS;
  hub.downUntil = 0;
  store.awayUntil = 0;
  store.lostAnswers = 0;
  berth.crashRate = 0;
  berth.overlapRate = 0;
  berth.retireOld();
  await scheduler.runUntil(scheduler.now + 20 * MINUTE);
  if (log.dropped > 0) {
    const at = scheduler.now;
    berth.askForWalk(at);
    const giveUp = at + 3 * DAY;
    while (!berth.hasWalked(at) && scheduler.now < giveUp)
      await scheduler.runUntil(scheduler.now + 5 * MINUTE);
  }
  const end = scheduler.now + 20 * DAY;
  while (scheduler.now < end) {
    await scheduler.runUntil(scheduler.now + 10 * MINUTE);
    const due = store.nextDue();
    if (due === undefined && berth.isCaughtUp) return;
    // Nothing happens until then.
    if (due !== undefined && due > scheduler.now + HOUR && berth.isCaughtUp)
      await skipTo(world, due - MINUTE);
  }
}

/** Devices that have nothing to do need not be lived through minute by minute. */
async function skipTo(world: World, time: number): Promise<void> {
  world.scheduler.now = Math.max(world.scheduler.now, time);
}

/** A paused fleet is not written from 30 s after the pause. */
function checkPauses({ hub }: World, pauses: readonly Paused[]): readonly string[] {
  return pauses.flatMap(({ from, to }) => {
    const late = hub.asked.filter((at) => at > from + 30_000 && at < to);
    return late.length === 0 ? [] : [`${late.length} writes were asked for while the fleet was paused`];
  });
}

/** The messages of a day stay below what the fleet file allows. */
function checkBudgets({ store, fleet, hub }: World): readonly string[] {
  const [first] = fleet.hubs;
  if (first === undefined) return ['no hub'];
  const limit = dailyLimit(first, 1);
  const perDay = new Map<string, number>();
  for (const [key, messages] of store.reserved) {
    const [, day] = hubAndDay(key);
    perDay.set(day, (perDay.get(day) ?? 0) + messages);
  }
  const over = [...perDay].filter(([, messages]) => messages > limit);
  const spent = hub.asked.length * 3 + hub.reads;
  const reserved = [...perDay.values()].reduce((sum, messages) => sum + messages, 0);
  return [
    ...over.map(([day, messages]) => `${messages} messages on ${day}, and ${limit} are allowed`),
    ...(spent > reserved ? [`${spent} messages were spent, and ${reserved} set aside`] : []),
  ];
}

/**
 * Every write changed something, or told a value again that the device had not taken; and no value was told again and
 * again.
 */
function checkWrites({ hub, foreign }: World): readonly string[] {
  const problems: string[] = [];
  const told = new Map<string, number>();
  for (const { at, id, patch, before, after } of hub.writes) {
    if (!sameJson(before, after)) continue;
    const key = `${id.deviceId} ${JSON.stringify(patch)}`;
    const count = (told.get(key) ?? 0) + 1;
    told.set(key, count);
    if (!sameJson(mergePatch(before, patch), before)) problems.push(`a patch was not merged at ${at}`);
  }
  for (const [key, count] of told) {
    // Attempts are counted anew when somebody else has written, when the device comes back, or with another policy.
    const [deviceId] = key.split(' ');
    const others = foreign.filter((change) => change.deviceId === deviceId).length;
    if (count > 3 * (others + 12)) problems.push(`${key} was told ${count} times`);
  }
  return problems;
}

/** The twin is what the policies imply, and Berth knows it as it is. */
function checkTwin(world: World, device: Device): readonly string[] {
  const { hub, store, fleet } = world;
  const name = device.id.deviceId;
  const twin = hub.twin(device.id);
  const known = store.known(device.id);
  if (twin === undefined) {
    return known.kind === 'shadow' ? [`${name} was deleted, and Berth does not know`] : [];
  }
  if (known.kind !== 'shadow') return [`${name} is there, and Berth knows ${known.kind}`];
  const { shadow } = known;
  const problems: string[] = [];
  const differs = (what: string, is: unknown, should: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      problems.push(`${name}: ${what} is known as ${JSON.stringify(is)} and is ${JSON.stringify(should)}`);
  };
  differs('version', shadow.version, twin.version);
  if (!sameJson(shadow.tags, twin.tags)) differs('tags', shadow.tags, twin.tags);
  if (!sameJson(shadow.desired, twin.desired.values)) differs('desired', shadow.desired, twin.desired.values);
  if (!sameJson(shadow.reported, twin.reported.values))
    differs('reported', shadow.reported, twin.reported.values);
  if (shadow.etag !== undefined) differs('etag', shadow.etag, twin.etag);
  if (shadow.unread !== undefined) problems.push(`${name} is still unread: ${shadow.unread.why}`);
  if (shadow.writing !== undefined) problems.push(`${name} is still being written`);
  if (shadow.due !== undefined) problems.push(`${name} is still due: ${shadow.due.why}`);

  const planned = plan({
    shadow,
    hub: hub.hub,
    twins: fleet.twins,
    holdOf: () => undefined,
    now: world.scheduler.now,
  });
  if (planned.writes.length > 0)
    problems.push(`${name} should be written: ${JSON.stringify(planned.patch)} (${planned.why})`);
  if (shadow.judgement.state !== planned.state)
    problems.push(`${name} is judged ${shadow.judgement.state}, and is ${planned.state}`);
  for (const { path, mode, verdict, wanted, held } of planned.leaves) {
    if (verdict === 'fighting') problems.push(`${name}: ${path} is still fought over`);
    if (verdict === 'drifted' && held === undefined) problems.push(`${name}: ${path} has drifted`);
    if (mode !== 'enforce' || verdict === 'rejected') continue;
    const desired = valueAt(twin.desired.values, path.split('.'));
    if (!sameJson(desired ?? null, wanted))
      problems.push(
        `${name}: desired ${path} is ${JSON.stringify(desired)}, wanted ${JSON.stringify(wanted)}`,
      );
    if (device.behaviour === 'apply' && verdict !== 'inSync')
      problems.push(`${name}: ${path} is ${verdict} of a device that applies everything`);
  }
  const takesAll = device.behaviour === 'apply' || device.behaviour === 'echo';
  if (takesAll && planned.leaves.some(({ verdict, mode }) => verdict === 'rejected' && mode === 'enforce'))
    problems.push(`${name}: a device that takes everything is said to reject: ${planned.why}`);
  return problems;
}

export { START };
