import type { HostName } from '../../iot-hub/host-name.ts';

/** A hub that may receive devices, with the weight that the operator gave it. */
export interface Sharer {
  readonly host: HostName;
  readonly weight: number;
  /** Undefined if its devices are not counted yet. */
  readonly devices: number | undefined;
}

/**
 * The hubs with more than (1 + epsilon) times their fair share of the devices. The fair share is their part
 * of the weights of all sharers. A hub without a count is not a sharer and never overloaded.
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
