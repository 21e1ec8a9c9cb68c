import { BerthError } from '../../errors.ts';
import { type HostName, hostName, shownHub } from '../../iot-hub/host-name.ts';
import { nearest } from '../../nearest.ts';

/**
 * Finds the hub by any of its host names, in any case.
 *
 * @param file the file that defines `hosts`, for the message.
 * @throws BerthError `BERTH_HUB_UNKNOWN` with the defined hubs
 */
export function knownHub(name: string, hosts: readonly HostName[], file: string): HostName {
  const host = hostName(name);
  if (hosts.includes(host)) return host;
  throw new BerthError(
    'BERTH_HUB_UNKNOWN',
    `Unknown hub: ${shownHub(name)}.${meant(name, hosts)} ${file} defines: ${list(hosts)}.`,
  );
}

/** @throws BerthError `BERTH_POLICY_UNKNOWN` with the defined policies */
export function knownPolicy(name: string, names: readonly string[], file: string): string {
  if (names.includes(name)) return name;
  throw new BerthError(
    'BERTH_POLICY_UNKNOWN',
    `Unknown policy: "${name}".${meant(name, names)} ${file} defines: ${list(names)}.`,
  );
}

function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? '' : ` Did you mean ${near}?`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
