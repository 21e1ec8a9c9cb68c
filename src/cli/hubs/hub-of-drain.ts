import type { Fleet } from '../../fleet/fleet.ts';
import { type HostName, parseHubName } from '../../iot-hub/host-name.ts';
import { isOut } from '../../silent-devices/disabled-device.ts';
import { knownHub } from '../shell/known.ts';
import type { State } from '../shell/state.ts';
import { plural } from '../shell/terminal.ts';

/**
 * A hub of the fleet file in force. Or a hub that has left the file, while the state tables have records of devices that
 * `berth hub drain --disable-silent` has disabled there, so that they can be looked at and enabled again.
 *
 * @throws BerthError `BERTH_HUB_UNKNOWN`
 */
export async function hubOfDrain(
  name: string,
  fleet: Fleet,
  { disabledDevices }: Pick<State, 'disabledDevices'>,
): Promise<HostName> {
  const host = parseHubName(name)?.host;
  if (host !== undefined && !fleet.hubByHost.has(host)) {
    const { devices, damaged } = await disabledDevices.list(host);
    if (devices.length + damaged.length > 0) return host;
  }
  return knownHub(
    name,
    fleet.hubs.map((hub) => hub.host),
    'The fleet file in force',
  );
}

/** The ids of the devices of a hub that are, or may be, disabled by Berth now. */
export async function devicesOut(
  host: HostName,
  { disabledDevices }: Pick<State, 'disabledDevices'>,
): Promise<readonly string[]> {
  return (await disabledDevices.list(host)).devices.filter(isOut).map(({ deviceId }) => deviceId);
}

/** How to enable the devices that are disabled now; undefined if there are none. */
export function enableText(host: HostName, disabled: readonly string[]): string | undefined {
  if (disabled.length === 0) return undefined;
  return `${plural(disabled.length, 'device')} disabled by --disable-silent. If no such command runs now, enable them: berth hub drain ${host} --enable-again`;
}
