import { patchTwinOf } from '../../../local/iot-hub/operations/twin-operations.ts';
import { type Conditions, NO_CONDITIONS } from '../../../src/allocation/conditions.ts';
import { drainOfDevice } from '../../../src/allocation/moves/drain-of-device.ts';
import { drainCause } from '../../../src/allocation/moves/moves.ts';
import type { Scope } from '../../../src/control/control.ts';
import { drainOf } from '../../../src/control/drains.ts';
import { withoutPause, withPause } from '../../../src/control/pauses.ts';
import { parseHubName } from '../../../src/iot-hub/host-name.ts';
import { type JsonValue, sameJson } from '../../../src/json/json.ts';
import { type EpochMs, epochMs, plus } from '../../../src/time/epoch-ms.ts';
import { planMoveRequest } from '../../../src/twin/plan/move-request.ts';
import { valueAt } from '../../../src/twin/snapshot/merge.ts';
import { twinKey } from '../../../src/twin/snapshot/twin.ts';
import { Berth } from './berth.ts';
import { Random } from './random.ts';
import { checkBudgets, comeToRest } from './run.ts';
import { type Device, HOST, Simulation } from './simulation.ts';
import { beginTrouble, endTrouble } from './trouble.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const PATH = ['berth', 'leaveHub'];
/** What other hubs and people may have left in the property. The first two are requests of other hubs. */
const LEFT: readonly JsonValue[] = ['eus.azure-devices.net', 'EUS.device.azure-devices.net', 'by hand', 5];

/**
 * Runs one random fleet whose hub drains, several times or never, while twins change, pauses come and go, and devices arrive with
 * the request of another hub. Answers what does not hold: after a drain every device of the hub has the property or a stated
 * reason, without a drain none names a hub, and no device is written for it without a reason.
 */
export async function runDrains(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const over = random.pick(['0s', '30m', '3h']);
  const simulation = new Simulation(random, false, {
    over,
    ask: { property: PATH.join('.'), silentAfter: random.pick(['1h', '1d']) },
  });
  const berth = new Berth(simulation);
  berth.conditions = NO_CONDITIONS;
  const { scheduler } = simulation;
  beginTrouble(simulation, berth, random, { calls: { error: 0.1, throttle: 0.1, timeout: 0.05 } });
  /** When drains began or ended. */
  const changes: EpochMs[] = [];
  for (let round = random.between(2, 5); round > 0; round -= 1) {
    await passes(simulation, random, random.between(MINUTE, HOUR));
    if (random.chance(0.3)) await pauseAWhile(simulation, random);
    if (random.chance(0.4)) edit(simulation, random);
    if (random.chance(0.3)) simulation.addDevice();
    // Some hubs never drain.
    if (random.chance(0.4)) continue;
    berth.conditions = conditionsWith(scheduler.now, berth.conditions.hubs.size === 0);
    changes.push(scheduler.now);
  }
  endTrouble(simulation, berth);
  await scheduler.runUntil(plus(scheduler.now, 4 * HOUR));
  await comeToRest(simulation, berth);
  return [
    ...berth.defects,
    ...checkBudgets(simulation),
    ...simulation.devices.flatMap((device) => [
      ...checkRequest(simulation, device),
      ...checkRequestWrites(simulation, device, changes),
    ]),
    ...(berth.isCaughtUp ? [] : ['events are left in the Event Hub']),
  ];
}

/** The hub drains by an override without an end, or not. */
function conditionsWith(now: EpochMs, drains: boolean): Conditions {
  if (!drains) return NO_CONDITIONS;
  const expiresAt = epochMs(Number.MAX_SAFE_INTEGER);
  const state = { value: 'draining', author: 'ann', reason: 'test', expiresAt } as const;
  return {
    ...NO_CONDITIONS,
    hubs: new Map([[HOST, { overrides: { state } }]]),
    causes: new Map([[drainCause(HOST), now]]),
  };
}

async function passes(simulation: Simulation, random: Random, ms: number): Promise<void> {
  const end = plus(simulation.scheduler.now, ms);
  while (simulation.scheduler.now < end) {
    await simulation.scheduler.runUntil(plus(simulation.scheduler.now, random.between(MINUTE, 10 * MINUTE)));
    if (random.chance(0.3)) simulation.disturb();
  }
}

async function pauseAWhile({ scheduler, store }: Simulation, random: Random): Promise<void> {
  const scope = random.pick<Scope>([{ kind: 'fleet' }, { kind: 'hub', host: HOST }]);
  const pause = { author: 'ann', reason: 'test', at: scheduler.now };
  store.control = withPause(store.control, scope, pause);
  await scheduler.runUntil(plus(scheduler.now, random.between(MINUTE, 20 * MINUTE)));
  store.control = withoutPause(store.control, scope, { ...pause, at: scheduler.now });
}

/** Another writer sets the property of a device, as DPS does when it moves a twin here. */
function edit({ devices, hub }: Simulation, random: Random): void {
  const device = random.pick(devices.filter(({ id }) => id.moduleId === undefined));
  if (hub.twin(device.id) === undefined) return;
  const patch = { properties: { desired: { berth: { leaveHub: random.pick(LEFT) } } } };
  patchTwinOf(hub.local, { deviceId: device.id.deviceId }, patch);
}

/** At rest, the property is what the drain of the hub says, or the stored status says why it is not. */
function checkRequest({ hub, store, fleet, scheduler }: Simulation, { id }: Device): readonly string[] {
  const twin = hub.twin(id);
  const known = store.known(id);
  if (twin === undefined || known.kind !== 'snapshot') return [];
  const { snapshot } = known;
  const value = valueAt(twin.desired.values, PATH);
  const name = twinKey(id);
  if (id.moduleId !== undefined) return value === undefined ? [] : [`${name}: a module was asked to move`];
  const { status, why } = snapshot.lastReconcile;
  const isExcused =
    status === 'rejected' || status === 'contested' || status === 'suspended' || why.includes('twins.scope');
  const isOutside = fleet.twins.scope !== undefined && 'unmanaged' in snapshot.tags;
  if (isExcused || isOutside) return [];
  const drain = drainOfDevice(drainOf(store.control, HOST), HOST, id.deviceId, fleet.allocation);
  if (drain.kind === 'draining') {
    return value === HOST ? [] : [`${name} was not asked: ${JSON.stringify(value)} (${status}: ${why})`];
  }
  if (typeof value === 'string' && (parseHubName(value)?.kind ?? 'other') !== 'other')
    return [`${name} is asked to leave ${value}, and its hub does not drain`];
  const planned = planMoveRequest(snapshot, hub.hub, fleet.twins, drain, scheduler.now);
  return planned.leaf === undefined ? [] : [`${name}: the request must still be written`];
}

/**
 * Each write of the property changes it, and has a reason of its own: since the write before, a drain began or ended, or the value
 * is no longer what Berth had written.
 */
function checkRequestWrites(
  { hub }: Simulation,
  { id }: Device,
  changes: readonly EpochMs[],
): readonly string[] {
  const own = hub.writes.filter(
    (write) => twinKey(write.id) === twinKey(id) && valueAt(write.patch, PATH) !== undefined,
  );
  return own.flatMap((write, index) => {
    const [before, after] = [valueAt(write.before, PATH), valueAt(write.after, PATH)];
    const last = own[index - 1];
    const isOthers = last === undefined || !sameJson(valueAt(last.after, PATH), before);
    // The request of another hub is removed at once. The device is asked when its time comes.
    const isOwnTurn = last !== undefined && valueAt(last.before, PATH) !== HOST && before === undefined;
    // An instance may go by a control row that is half a minute old.
    const isNews =
      last !== undefined && changes.some((at) => at > plus(last.at, -5 * MINUTE) && at <= write.at);
    return sameJson(before, after) || !(isOthers || isNews || isOwnTurn)
      ? [`${twinKey(id)} was written without a reason: ${JSON.stringify([before, after])}`]
      : [];
  });
}
