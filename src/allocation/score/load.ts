import type { HostName } from '../../iot-hub/host-name.ts';

/** A hub that may receive, with its weight for devices in general: what an operator gave it. */
export interface Sharer {
  readonly host: HostName;
  readonly weight: number;
  /** Undefined: nobody has counted it yet. */
  readonly devices: number | undefined;
}

/**
 * The hubs with more than (1 + epsilon) of their fair share of the devices, which is their weight over the
 * weights of all sharers. A hub without a count neither shares nor is overloaded.
 */
export function overloaded(sharers: readonly Sharer[], epsilon: number): ReadonlySet<HostName> {
  let allDevices = 0;
  let allWeights = 0;
  for (const { devices, weight } of sharers) {
    if (devices === undefined) continue;
    allDevices += devices;
    allWeights += weight;
  }
  const over = new Set<HostName>();
  for (const { host, devices, weight } of sharers) {
    const cap = (1 + epsilon) * (weight / allWeights) * allDevices;
    if (devices !== undefined && devices > cap) over.add(host);
  }
  return over;
}
