import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { openBatteries } from './batteries.ts';
import { SimulatedDevice } from './device.ts';
import { EdgeCompanion } from './edge-companion.ts';
import type { DeviceNews, StartDevices } from './messages.ts';

/** The process of the simulated devices. Its parent sends the configuration, and it ends when the parent ends. */

/**
 * Devices that start in each second. DPS accepts 1,000 registrations in a minute, and the devices of a real fleet do
 * not all start at once.
 */
const STARTS_PER_SECOND = 16;
/** Time for the last messages of the devices. */
const GRACE_MS = 3_000;

const ending = new AbortController();
setMaxListeners(0, ending.signal); // each device and each wait adds a listener

function end(): void {
  ending.abort();
  setTimeout(() => process.exit(0), GRACE_MS).unref();
}

async function run({ devices, ...stack }: StartDevices): Promise<void> {
  const batteries = openBatteries(stack.batteries);
  const publish = (news: DeviceNews) => {
    if (process.connected) process.send?.(news);
  };
  await Promise.all(
    devices.map(async ({ profile, proof }, index) => {
      await delay((index * 1_000) / STARTS_PER_SECOND, undefined, { signal: ending.signal }).catch(() => {});
      const runtime = profile.isEdge === true ? new EdgeCompanion(profile.deviceId, proof, stack) : undefined;
      const tell = (news: DeviceNews) => {
        if (news.type === 'registered') void runtime?.moveTo(news.hub);
        publish(news);
      };
      await new SimulatedDevice({
        profile,
        proof,
        stack,
        batteries,
        publish: tell,
        signal: ending.signal,
      }).run();
      await runtime?.stop();
    }),
  );
  batteries.close();
  process.exit(0);
}

process.on('message', (message: StartDevices) => void run(message));
process.on('SIGTERM', end);
process.on('disconnect', end);
