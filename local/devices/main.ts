import { setTimeout as delay } from 'node:timers/promises';
import { openBatteries } from './batteries.ts';
import { SimulatedDevice } from './device.ts';
import type { DeviceNews, StartDevices } from './messages.ts';

/** The simulated devices as a process: told what to do by its parent, and gone with it. */

/**
 * So many devices begin in a second: a fleet does not power on in one instant, and DPS takes 1,000
 * registrations a minute.
 */
const STARTS_PER_SECOND = 16;
const LAST_WORDS_MS = 3_000;

const ending = new AbortController();

function end(): void {
  ending.abort();
  setTimeout(() => process.exit(0), LAST_WORDS_MS).unref();
}

async function play({ devices, ...world }: StartDevices): Promise<void> {
  const batteries = openBatteries(world.batteries);
  const tell = (news: DeviceNews) => {
    if (process.connected) process.send?.(news);
  };
  await Promise.all(
    devices.map(async ({ profile, proof }, index) => {
      await delay((index * 1_000) / STARTS_PER_SECOND, undefined, { signal: ending.signal }).catch(() => {});
      await new SimulatedDevice({ profile, proof, world, batteries, tell, signal: ending.signal }).run();
    }),
  );
  batteries.close();
  process.exit(0);
}

process.on('message', (message: StartDevices) => void play(message));
process.on('SIGTERM', end);
process.on('disconnect', end);
