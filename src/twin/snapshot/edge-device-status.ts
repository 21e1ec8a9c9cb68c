/**
 * How an IoT Edge device stands, as lists count it.
 * - `running`: it runs what is wanted.
 * - `applied`: the hub has the manifest, and the device has not taken it yet.
 * - `pending`: Berth waits to apply, or the device works on the manifest.
 * - `backingOff`, `unhealthy`, `failed`: the worst module, or the manifest cannot be used.
 * - `offline`: its runtime is not connected, or has not answered in time.
 * - `contested`: another writer or a hub configuration sets its manifest.
 * - `notMatched`: no deployment matches it, so Berth leaves it alone.
 */
export const EDGE_DEVICE_STATUSES = [
  'running',
  'applied',
  'pending',
  'backingOff',
  'unhealthy',
  'failed',
  'offline',
  'contested',
  'notMatched',
] as const;
export type EdgeDeviceStatus = (typeof EDGE_DEVICE_STATUSES)[number];

/** A device of a deployment. `unreached`: its rollout has not reached the device, which keeps what it has. */
export const EDGE_COUNTS = [...EDGE_DEVICE_STATUSES, 'unreached'] as const;
export type EdgeCount = (typeof EDGE_COUNTS)[number];

/** The number of IoT Edge devices by status. */
export type EdgeStatusCounts = Readonly<Partial<Record<EdgeCount, number>>>;
