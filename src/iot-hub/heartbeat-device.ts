/**
 * The device id that Berth reserves on each hub. `resyncFleet` writes a tag on the twin of this identity, to see whether twin
 * change events arrive. No device connects with it, and Berth does not reconcile, count or list it.
 */
export const HEARTBEAT_DEVICE = 'berth-heartbeat';

/** The tag of its twin. Its value is the time of the heartbeat: ISO 8601, UTC. */
export const HEARTBEAT_TAG = 'berthHeartbeat';

/**
 * Whether a device may not register with this id. A registration id has no case (Microsoft, concepts-service, "Registration
 * ID"), so neither has the reserved one.
 */
export function isReservedDeviceId(id: string): boolean {
  return id.toLowerCase() === HEARTBEAT_DEVICE;
}
