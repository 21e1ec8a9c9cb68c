import { BerthError } from '../../errors.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { HubPort } from '../../hub/port.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { Environment } from '../../settings/settings.ts';
import { openHubsAsOperator } from '../shell/operator-hubs.ts';

/**
 * The hubs of the fleet that have the identity of a device, asked with the operator's sign-in.
 *
 * @throws BerthError `BERTH_HUB_…` if a hub does not answer: it is then not known whether the device is gone
 */
export async function hubsWithIdentity(
  fleet: Fleet,
  env: Environment,
  deviceId: string,
): Promise<readonly HostName[]> {
  const hubs = openHubsAsOperator(fleet, env);
  try {
    const found = await Promise.all(
      fleet.hubs.map(async ({ host }) => ({ host, status: await statusOn(hubs, host, deviceId) })),
    );
    return found.filter(({ status }) => status !== 'missing').map(({ host }) => host);
  } finally {
    await hubs.close();
  }
}

async function statusOn(hubs: Pick<HubPort, 'identityStatus'>, host: HostName, deviceId: string) {
  try {
    return await hubs.identityStatus({ host, deviceId, moduleId: undefined });
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    throw new BerthError(
      error.code,
      `${error.message} Nothing was deleted, because ${host} may have the device. Your sign-in needs the role IoT Hub Data Reader on each hub of the fleet file. With --keep-out, no hub is asked.`,
    );
  }
}
