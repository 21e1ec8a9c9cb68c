import { join } from 'node:path';
import type { CertificateAuthority } from '../ca/index.ts';
import type { Cloud } from '../cloud.ts';
import { openBatteries } from '../devices/batteries.ts';
import type { Part } from '../devices/cast.ts';
import type { DeviceNews, Proof, StartDevices } from '../devices/messages.ts';
import { deriveDeviceKey } from '../dps/index.ts';
import { GROUP_KEY, ID_SCOPE } from '../enrollments.ts';
import type { Log } from '../log.ts';
import { logToFile } from '../log-file.ts';
import { startChild } from '../processes/child.ts';
import { type KeptRunning, keepRunning } from '../processes/kept-running.ts';

export interface DevicesOptions {
  readonly parts: readonly Part[];
  readonly bundles: string;
  readonly cloud: Cloud;
  readonly stateDirectory: string;
  /** True: batteries go up and down for ever. */
  readonly lively: boolean;
  readonly logFile: string;
  readonly log: Log;
  readonly onNews: (news: DeviceNews) => void;
}

/**
 * Runs the simulated devices in a process of their own, so that an error in an SDK takes nothing else down.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export async function runDevices(options: DevicesOptions): Promise<KeptRunning> {
  const { parts, bundles, cloud, stateDirectory, lively, logFile, log, onNews } = options;
  const start: StartDevices = {
    type: 'start',
    devices: await Promise.all(
      parts.map(async (part) => ({ part, proof: await proofOf(part, cloud.authority) })),
    ),
    idScope: ID_SCOPE,
    ca: cloud.authority.root,
    httpsPort: cloud.ports.https,
    mqttPort: cloud.ports.mqtt,
    batteries: join(stateDirectory, 'batteries.jsonl'),
    lively,
  };
  // Damaged, they would end the process again and again.
  openBatteries(start.batteries).close();
  const onLine = logToFile(logFile, log);
  return keepRunning({
    name: 'simulated devices',
    start() {
      const child = startChild({
        name: 'devices',
        file: join(bundles, 'devices.cjs'),
        args: [],
        onLine,
        onMessage: (message) => onNews(message as DeviceNews),
      });
      // Keys go over the channel between the processes, never over a command line.
      child.send(start);
      return child;
    },
    log,
  });
}

async function proofOf(part: Part, authority: CertificateAuthority): Promise<Proof> {
  if (part.proof === 'key') return { kind: 'key', key: deriveDeviceKey(GROUP_KEY, part.deviceId) };
  const { certificate, key } = await authority.issueDevice(part.deviceId);
  return { kind: 'certificate', certificate, key };
}
