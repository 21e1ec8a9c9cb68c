import type { Receipt } from '../allocation/receipt/receipt.ts';
import { deviceQuery, readQuery } from '../api/queries.ts';
import type { Control } from '../control/control.ts';
import { BerthError } from '../errors.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import { redactKept } from '../twin/events/redact.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** All that is stored of one device. */
export interface StoredDevice {
  readonly fleet: Fleet;
  readonly control: Control;
  /** The twins of the device and of its modules, on each hub that has one. Without what is to be redacted. */
  readonly twins: readonly { readonly hub: Hub; readonly snapshot: Snapshot }[];
  /** The newest first. */
  readonly receipts: readonly Receipt[];
}

/** @throws BerthError `BERTH_DEVICE_UNKNOWN`, `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER` */
export async function storedDevice(
  instance: Instance,
  deviceId: string,
  query: URLSearchParams,
): Promise<StoredDevice> {
  // Only an individual enrollment can give a device another id than it registers with.
  const { registrationId = deviceId } = readQuery(deviceQuery, query);
  const fleet = instance.fleet.current();
  const { stores } = instance;
  const look = async (hub: Hub) => {
    const id = { host: hub.host, deviceId, moduleId: undefined };
    const records = await Promise.all(
      [id, ...(await stores.twins.modulesOf(id))].map((twin) => stores.twins.load(twin)),
    );
    return records.flatMap(({ known }) =>
      known.kind === 'snapshot' ? [{ hub, snapshot: known.snapshot }] : [],
    );
  };
  const [control, redaction, snapshots, receipts] = await Promise.all([
    stores.control.read(),
    instance.redaction(fleet),
    Promise.all(fleet.hubs.map(look)),
    stores.receipts.list(registrationId),
  ]);
  const found = snapshots.flat();
  if (found.length === 0 && receipts.length === 0) {
    throw new BerthError(
      'BERTH_DEVICE_UNKNOWN',
      `No twin and no registration of ${JSON.stringify(deviceId)} is known.`,
    );
  }
  // What is stored may be older than the path that redacts it.
  const twins = found.map(({ hub, snapshot }) => ({ hub, snapshot: redactKept(snapshot, redaction) }));
  return { fleet, control, twins, receipts };
}
