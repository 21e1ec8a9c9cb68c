import { join } from 'node:path';
import type { Cloud } from '../cloud.ts';
import { openBatteries } from '../devices/batteries.ts';
import type { DeviceProfile } from '../devices/device-profiles.ts';
import type { DeviceNews, DeviceProof, StartDevices } from '../devices/messages.ts';
import { deriveDeviceKey } from '../dps/index.ts';
import { GROUP_KEY, ID_SCOPE } from '../enrollments.ts';
import type { LocalLog } from '../log.ts';
import { logToFile } from '../log-file.ts';
import { startChild } from '../processes/child.ts';
import { type KeptRunning, keepRunning } from '../processes/kept-running.ts';

export interface DevicesOptions {
  readonly profiles: readonly DeviceProfile[];
  readonly bundles: string;
  readonly cloud: Cloud;
  readonly stateDirectory: string;
  /** True: batteries change all the time, and devices register again. */
  readonly lively: boolean;
  readonly logFile: string;
  readonly log: LocalLog;
  readonly onNews: (news: DeviceNews) => void;
}

/**
 * Runs the simulated devices in their own process, so that an error in an SDK ends only this process.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export async function runDevices(options: DevicesOptions): Promise<KeptRunning> {
  const { profiles, bundles, cloud, stateDirectory, lively, logFile, log, onNews } = options;
  const start: StartDevices = {
    type: 'start',
    devices: await withProofs(profiles, cloud),
    idScope: ID_SCOPE,
    ca: cloud.authority.root,
    httpsPort: cloud.ports.https,
    mqttPort: cloud.ports.mqtt,
    controlUrl: `http://127.0.0.1:${cloud.ports.control}`,
    batteries: join(stateDirectory, 'batteries.jsonl'),
    lively,
  };
  // A damaged file would end the process after each restart.
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
      // The message contains keys, which must not be on a command line.
      child.send(start);
      return child;
    },
    log,
  });
}

/** One after the other, because the first Edge device makes the enrollment group of the next ones. */
async function withProofs(
  profiles: readonly DeviceProfile[],
  cloud: Cloud,
): Promise<StartDevices['devices']> {
  const devices: { readonly profile: DeviceProfile; readonly proof: DeviceProof }[] = [];
  for (const profile of profiles) devices.push({ profile, proof: await proofOf(profile, cloud) });
  return devices;
}

async function proofOf(profile: DeviceProfile, { authority, control }: Cloud): Promise<DeviceProof> {
  if (profile.isEdge === true) {
    // The enrollment group of the user's own Edge devices.
    const request = { registrationId: profile.deviceId, proof: 'key', group: undefined, edge: true } as const;
    return { kind: 'key', key: (await control.ownDevice(request)).key ?? '' };
  }
  if (profile.proof === 'key') return { kind: 'key', key: deriveDeviceKey(GROUP_KEY, profile.deviceId) };
  const { certificate, key } = await authority.issueDevice(profile.deviceId);
  return { kind: 'certificate', certificate, key };
}
