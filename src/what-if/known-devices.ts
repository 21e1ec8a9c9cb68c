import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { TwinId } from '../twin/snapshot/twin.ts';
import type { KnownDevice } from './known-device.ts';

/**
 * Lists the devices that have a receipt or a snapshot, each once. The snapshot gives the hub of a device, the
 * receipt its registration. Devices whose twin was deleted are left out.
 *
 * @param snapshots every device with a snapshot
 * @param receipts those of each registration id, the newest first
 */
export async function* knownDevices(
  snapshots: AsyncIterable<{ readonly id: TwinId; readonly isDeleted: boolean }>,
  receipts: AsyncIterable<readonly Receipt[]>,
): AsyncGenerator<KnownDevice> {
  // All ids of a fleet fit into memory; its twins do not.
  const hubs: Places = new Map();
  const deleted: Places = new Map();
  for await (const { id, isDeleted } of snapshots) {
    const places = isDeleted ? deleted : hubs;
    const known = places.get(id.deviceId);
    // Most devices are on one hub. A list for each would double the memory.
    places.set(id.deviceId, known === undefined ? id.host : [...listOf(known), id.host]);
  }
  for await (const [newest, ...older] of receipts) {
    if (newest === undefined) continue;
    const { inputs } = newest;
    const deviceId = inputs.currentDeviceId ?? inputs.deviceId ?? inputs.registrationId;
    const assigned = [newest, ...older].map(hubOf).find((host) => host !== undefined);
    const places = listOf(hubs.get(deviceId));
    hubs.delete(deviceId);
    const isAssigned = (host: HostName) => host === assigned;
    if (places.length === 0 && listOf(deleted.get(deviceId)).some(isAssigned)) continue;
    yield { deviceId, hub: places.find(isAssigned) ?? places[0] ?? assigned, inputs };
  }
  for (const [deviceId, places] of hubs) yield { deviceId, hub: listOf(places)[0], inputs: undefined };
}

/** The hub or the hubs of a device, by device id. */
type Places = Map<string, HostName | readonly HostName[]>;

function listOf(places: HostName | readonly HostName[] | undefined): readonly HostName[] {
  if (places === undefined) return [];
  return typeof places === 'string' ? [places] : places;
}

function hubOf({ result }: Receipt): HostName | undefined {
  return result.kind === 'assigned' ? result.host : undefined;
}
