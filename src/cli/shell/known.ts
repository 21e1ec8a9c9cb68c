import { BerthError } from '../../errors.ts';
import { type HostName, hostName, shownHub } from '../../iot-hub/host-name.ts';

/**
 * The hub that one of its host names means, whatever the case.
 *
 * @param file which file they are from, for people.
 * @throws BerthError `BERTH_HUB_UNKNOWN` with those that there are
 */
export function knownHub(name: string, hosts: readonly HostName[], file: string): HostName {
  const host = hostName(name);
  if (hosts.includes(host)) return host;
  throw new BerthError(
    'BERTH_HUB_UNKNOWN',
    `Unknown hub: ${shownHub(name)}. ${file} defines: ${list(hosts)}.`,
  );
}

/** @throws BerthError `BERTH_POLICY_UNKNOWN` with those that there are */
export function knownPolicy(name: string, names: readonly string[], file: string): string {
  if (names.includes(name)) return name;
  throw new BerthError('BERTH_POLICY_UNKNOWN', `Unknown policy: "${name}". ${file} defines: ${list(names)}.`);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
