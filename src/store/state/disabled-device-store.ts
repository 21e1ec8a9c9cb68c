import type { HostName } from '../../iot-hub/host-name.ts';
import { sha256Hex } from '../../json/hash.ts';
import { DISABLED_DEVICE_FORMAT, type DisabledDevice, isOpen } from '../../silent-devices/disabled-device.ts';
import { escapeId, prefixRange } from '../tables/keys.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';
import { Lease } from './lease.ts';

export const DISABLED_DEVICES_PARTITION = 'disabled-devices';
/** A key may have 512 UTF-16 characters (Azure Table storage data model). */
const MAX_ROW_KEY = 500;

/** The disabled devices of a hub, or of all hubs. */
export interface DisabledDevices {
  readonly devices: readonly DisabledDevice[];
  /** The keys of rows that cannot be read. Their devices may be disabled. */
  readonly damaged: readonly string[];
}

/**
 * The devices that `berth hub drain --disable-silent` has disabled. A row is stored before the call that disables a device, so that no
 * crash loses it. It is deleted when the device has moved.
 */
export class DisabledDeviceStore {
  readonly #table: Table;
  readonly #documents: StoredDocuments<DisabledDevice>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#documents = new StoredDocuments(DISABLED_DEVICE_FORMAT, onNewer);
  }

  /**
   * The rows of one hub, or of all hubs.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has written one
   */
  async list(host?: HostName): Promise<DisabledDevices> {
    const rows = await this.#table.list({
      partitionKey: DISABLED_DEVICES_PARTITION,
      ...(host !== undefined && { range: prefixRange(`${host}|`) }),
    });
    const devices: DisabledDevice[] = [];
    const damaged: string[] = [];
    for (const row of rows) {
      const device = this.#documents.readOrRefuse(row, row.rowKey);
      if (device === undefined) damaged.push(row.rowKey);
      else devices.push(device);
    }
    return { devices, damaged };
  }

  /**
   * Stores the intent to disable a device. Returns false, and stores nothing, if an earlier run has not finished with the device.
   *
   * @throws as `list`
   */
  begin(device: DisabledDevice): Promise<boolean> {
    return this.#table.update(DISABLED_DEVICES_PARTITION, keyOf(device), (row) => {
      if (row !== undefined && !this.#mayReplace(row)) return { put: 'unchanged', result: false };
      return { put: this.#documents.columns(device), result: true };
    });
  }

  /** A damaged row may belong to a device that is still disabled. */
  #mayReplace(row: Row): boolean {
    const before = this.#documents.readOrRefuse(row, row.rowKey);
    return before !== undefined && !isOpen(before);
  }

  /** Stores what has happened to a device, and returns the changed document. */
  async change(device: DisabledDevice, change: Partial<DisabledDevice>): Promise<DisabledDevice> {
    const changed = { ...device, ...change };
    await this.#table.put(DISABLED_DEVICES_PARTITION, keyOf(device), this.#documents.columns(changed));
    return changed;
  }

  async remove(device: Pick<DisabledDevice, 'host' | 'deviceId'>): Promise<void> {
    await this.#table.delete(DISABLED_DEVICES_PARTITION, keyOf(device));
  }

  /** Allows only one command at a time to disable or enable devices of a hub. @param owner identifies the command. */
  lease(host: HostName, owner: string): Lease {
    return new Lease(this.#table, `disabled-devices|${host}`, owner);
  }
}

function keyOf({ host, deviceId }: Pick<DisabledDevice, 'host' | 'deviceId'>): string {
  const key = `${host}|${escapeId(deviceId)}`;
  return key.length <= MAX_ROW_KEY ? key : `${host}|~${sha256Hex(deviceId)}`;
}
