import { createIdentity } from '../../../local/iot-hub/operations/identity-operations.ts';
import { HEARTBEAT_DEVICE } from '../../../src/iot-hub/heartbeat-device.ts';
import { beatEveryMs } from '../../../src/liveness/liveness.ts';
import { type EpochMs, plus } from '../../../src/time/epoch-ms.ts';
import { Berth } from './berth.ts';
import { Random } from './random.ts';
import { checkBudgets, checkTwin, comeToRest } from './run.ts';
import { HOST, Simulation } from './simulation.ts';
import { beginTrouble, endTrouble } from './trouble.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A heartbeat when no event came for a while, and its event ten minutes later, with failed calls and the runs in between. */
function noticedMs({ hub }: Simulation): number {
  return 2 * beatEveryMs(hub.hub.tier) + 15 * MINUTE;
}

/**
 * Runs one random fleet whose route of twin changes dies and comes back, once or several times, while twins change. Nobody asks for
 * an audit. Answers what does not hold: the silence is noticed, it ends, and every twin is known as it is.
 */
export async function runSilence(seed: number): Promise<readonly string[]> {
  const random = new Random(seed);
  const simulation = new Simulation(random);
  createIdentity(
    simulation.hub.local,
    { deviceId: HEARTBEAT_DEVICE },
    {
      status: 'enabled',
      statusReason: null,
      authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } },
      capabilities: { iotEdge: false },
    },
  );
  const berth = new Berth(simulation);
  berth.watches = true;
  beginTrouble(simulation, berth, random, { calls: { error: 0.05, throttle: 0.05, timeout: 0.02 } });
  const problems: string[] = [];
  for (let deaths = random.between(1, 3); deaths > 0; deaths -= 1) {
    await passes(simulation, random, random.between(MINUTE, 30 * MINUTE));
    simulation.log.route = ({ annotations }) => annotations['iothub-message-source'] !== 'twinChangeEvents';
    const diedAt = simulation.scheduler.now;
    // A shorter death may have no write of Berth in it. Only the next event of a twin, or the weekly audit, shows what it lost.
    await passes(simulation, random, noticedMs(simulation) + random.between(0, 2 * HOUR));
    if (!isNoticed(berth, diedAt)) problems.push('a dead route was not noticed');
    simulation.log.route = () => true;
  }
  endTrouble(simulation, berth);
  // The last audit starts half an hour after the end of the silence.
  await simulation.scheduler.runUntil(plus(simulation.scheduler.now, 6 * HOUR));
  const state = berth.liveness.hubs.get(HOST)?.state;
  if (state !== 'live') problems.push(`the hub is ${state} six hours after the repair`);
  await comeToRest(simulation, berth);
  return [
    ...problems,
    ...berth.defects,
    ...checkBudgets(simulation),
    ...simulation.devices.flatMap((device) => checkTwin(simulation, device)),
    ...(berth.isCaughtUp ? [] : ['events are left in the Event Hub']),
  ];
}

function isNoticed(berth: Berth, diedAt: EpochMs): boolean {
  const known = berth.liveness.hubs.get(HOST);
  return known?.state === 'silent' || (known?.silence?.noticedAt ?? 0) > diedAt;
}

/** Time in which twins change. */
async function passes(simulation: Simulation, random: Random, ms: number): Promise<void> {
  const end = plus(simulation.scheduler.now, ms);
  while (simulation.scheduler.now < end) {
    await simulation.scheduler.runUntil(plus(simulation.scheduler.now, random.between(MINUTE, 10 * MINUTE)));
    if (random.chance(0.5)) simulation.disturb();
  }
}
