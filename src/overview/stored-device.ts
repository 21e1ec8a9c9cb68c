import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { Control } from '../control/control.ts';
import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Stores } from '../store/stores.ts';
import { type Redaction, redactKept } from '../twin/events/redact.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** What a description of a device reads. */
export interface DeviceSources {
  readonly stores: Pick<Stores, 'twins' | 'control' | 'receipts' | 'keptOut'>;
  /** The fleet file in force. */
  readonly fleet: Fleet;
  /** The redaction of this fleet file. Stored values may be older than the setting that redacts them. */
  readonly redaction: Redaction;
}

/** All that is stored of one device. */
export interface StoredDevice {
  readonly fleet: Fleet;
  readonly control: Control;
  /** The twins of the device and of its modules, on each hub that has one. Values that the fleet file redacts are hashed. */
  readonly twins: readonly { readonly hub: Hub; readonly snapshot: Snapshot }[];
  /** The newest first. */
  readonly receipts: readonly Receipt[];
}

/**
 * Reads a device from the state tables. Calls no hub.
 *
 * @param registrationId differs from the device id only if an individual enrollment gives the device another id.
 * @throws BerthError `BERTH_DEVICE_UNKNOWN`, `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
 */
export async function readStoredDevice(
  { stores, fleet, redaction }: DeviceSources,
  deviceId: string,
  registrationId = deviceId,
): Promise<StoredDevice> {
  const [control, snapshots, receipts] = await Promise.all([
    stores.control.read(),
    Promise.all(fleet.hubs.map((hub) => snapshotsOn(hub, deviceId, stores))),
    stores.receipts.list(registrationId),
  ]);
  const found = snapshots.flat();
  if (found.length === 0 && receipts.length === 0) {
    const id = JSON.stringify(deviceId);
    throw new BerthError(
      'BERTH_DEVICE_UNKNOWN',
      (await stores.keptOut.has(deviceId))
        ? `${id} is kept out, so Berth stores nothing about it. To end that, run "berth forget ${id} --store-again".`
        : `No twin and no registration of ${id} is known.`,
    );
  }
  const twins = found.map(({ hub, snapshot }) => ({ hub, snapshot: redactKept(snapshot, redaction) }));
  return { fleet, control, twins, receipts };
}

async function snapshotsOn(hub: Hub, deviceId: string, { twins }: Pick<Stores, 'twins'>) {
  const id = { host: hub.host, deviceId, moduleId: undefined };
  const records = await Promise.all([id, ...(await twins.modulesOf(id))].map((twin) => twins.load(twin)));
  return records.flatMap(({ known }) =>
    known.kind === 'snapshot' ? [{ hub, snapshot: known.snapshot }] : [],
  );
}
