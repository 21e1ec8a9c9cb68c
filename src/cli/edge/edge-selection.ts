import { BerthError } from '../../errors.ts';
import { type Fleet, hostsOf } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type StoredEdgeDevice, storedEdgeDevice } from '../../overview/edge-devices.ts';
import { type Environment, stamp } from '../../settings/settings.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import { knownHub } from '../shell/known.ts';
import type { State } from '../shell/state.ts';

/** The hubs that a command looks at: those of the deployment, or one of them. @throws BerthError `BERTH_HUB_UNKNOWN` */
export function chosenHosts(fleet: Fleet, only: string | undefined, env: Environment): readonly HostName[] {
  const hosts = hostsOf(fleet, stamp(env));
  return only === undefined ? hosts : [knownHub(only, hosts, 'The fleet file')];
}

/** One IoT Edge device. @throws BerthError `BERTH_DEVICE_UNKNOWN` */
export async function namedDevice(
  state: State,
  hosts: readonly HostName[],
  deviceId: string,
  redaction: Redaction,
): Promise<StoredEdgeDevice> {
  const found = await storedEdgeDevice(state.twins, hosts, deviceId, redaction);
  const [first] = found.filter(({ agent, device }) => agent !== undefined || device?.isEdge === true);
  if (first !== undefined) return first;
  throw new BerthError(
    'BERTH_DEVICE_UNKNOWN',
    found.length === 0
      ? `No twin of ${JSON.stringify(deviceId)} is known in ${state.place}.`
      : `${JSON.stringify(deviceId)} is not known to be an IoT Edge device: neither its twin says so, nor is its $edgeAgent stored.`,
  );
}
