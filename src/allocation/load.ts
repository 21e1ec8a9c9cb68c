import type { HostName } from '../fleet/host-name.ts';
import type { Conditions } from './conditions.ts';

/** A hub that may receive, with its weight for devices in general: what an operator gave it. */
export interface Sharer {
  readonly host: HostName;
  readonly weight: number;
}

/**
 * The hubs with more than (1 + epsilon) of their fair share of the devices, which is their weight over the
 * weights of all sharers. A hub that nobody has counted yet neither shares nor is overloaded.
 */
export function overloaded(
  sharers: readonly Sharer[],
  conditions: Conditions,
  epsilon: number,
): ReadonlySet<HostName> {
  const counted = sharers.flatMap(({ host, weight }) => {
    const devices = conditions.hubs.get(host)?.devices?.count;
    return devices === undefined ? [] : [{ host, weight, devices }];
  });
  const devices = counted.reduce((sum, hub) => sum + hub.devices, 0);
  const weights = counted.reduce((sum, hub) => sum + hub.weight, 0);
  return new Set(
    counted
      .filter((hub) => hub.devices > (1 + epsilon) * (hub.weight / weights) * devices)
      .map(({ host }) => host),
  );
}
