import type { Receipt } from '../allocation/receipt.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { TwinId } from '../twin/twin.ts';
import type { KnownDevice } from './known-device.ts';

/**
 * The devices that receipts and shadows know, each once. A shadow says where a device is; a receipt, what it
 * registered with. A device whose twin was deleted is left out.
 *
 * @param shadows every device with a shadow
 * @param receipts those of each registration id, the newest first
 */
export async function* knownDevices(
  shadows: AsyncIterable<{ readonly id: TwinId; readonly isDeleted: boolean }>,
  receipts: AsyncIterable<readonly Receipt[]>,
): AsyncGenerator<KnownDevice> {
  // Ids in full, since a fleet's ids fit into memory and its twins do not.
  const hubs = new Map<string, Set<HostName>>();
  const deleted = new Map<string, Set<HostName>>();
  for await (const { id, isDeleted } of shadows) {
    const places = isDeleted ? deleted : hubs;
    const known = places.get(id.deviceId);
    if (known === undefined) places.set(id.deviceId, new Set([id.host]));
    else known.add(id.host);
  }
  for await (const [newest, ...older] of receipts) {
    if (newest === undefined) continue;
    const { inputs } = newest;
    const deviceId = inputs.currentDeviceId ?? inputs.registrationId;
    const assigned = [newest, ...older].map(hubOf).find((host) => host !== undefined);
    const places = hubs.get(deviceId);
    hubs.delete(deviceId);
    if (places === undefined && assigned !== undefined && deleted.get(deviceId)?.has(assigned)) continue;
    const hub = assigned !== undefined && places?.has(assigned) ? assigned : (first(places) ?? assigned);
    yield { deviceId, hub, inputs };
  }
  for (const [deviceId, places] of hubs) yield { deviceId, hub: first(places), inputs: undefined };
}

function hubOf({ outcome }: Receipt): HostName | undefined {
  return outcome.kind === 'assigned' ? outcome.host : undefined;
}

function first<Item>(items: ReadonlySet<Item> | undefined): Item | undefined {
  return items === undefined ? undefined : [...items][0];
}
