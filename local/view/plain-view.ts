import type { Cloud } from '../cloud.ts';
import type { ProcessStatus } from '../control-api/index.ts';
import { duration, pluralText, table } from './text.ts';

/** The live view without Berth, as lines: hubs with their devices and messages, and processes that are down or restarted. */
export function renderPlain(
  { hubs }: Pick<Cloud, 'hubs'>,
  processes: readonly ProcessStatus[],
  upMs: number,
): readonly string[] {
  return [
    `The local Azure IoT without Berth, up ${duration(upMs)}`,
    '',
    ...table([
      ['hub', 'online', 'telemetry', 'twin reads', 'twin writes'],
      ...hubs.views.map(({ host, deviceCount, connectedDevices, counters }) => [
        host,
        `${connectedDevices} of ${deviceCount}`,
        String(counters.deviceTelemetry),
        String(counters.twinReads),
        String(counters.twinWrites + counters.deviceTwinWrites),
      ]),
    ]),
    '',
    ...processes.flatMap(({ name, running, restarts }) => {
      if (!running) return [`The ${name} is down and restarts.`];
      return restarts === 0 ? [] : [`The ${name} was restarted ${pluralText(restarts, 'time')}.`];
    }),
    'npm run monitor shows every message. Ctrl-C stops the stack.',
  ];
}
