import { sha256Hex } from '../../json/hash.ts';
import type { Table } from '../tables/tables.ts';

export const KEPT_OUT_PARTITION = 'kept-out';

/** Says of a device id whether Berth may store nothing about it. */
export type KeptOutDevices = (deviceId: string) => boolean;

/** No device is kept out. */
export const NONE_KEPT_OUT: KeptOutDevices = () => false;

/** All kept-out devices. A row keeps its device out whatever its document is. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
export async function readKeptOut(table: Table): Promise<KeptOutDevices> {
  const rows = await table.list({ partitionKey: KEPT_OUT_PARTITION, select: [] });
  if (rows.length === 0) return NONE_KEPT_OUT;
  const hashes = new Set(rows.map(({ rowKey }) => rowKey));
  return (deviceId) => hashes.has(keptOutHash(deviceId));
}

/** The row key of a device. Registration ids are not case-sensitive, so case does not matter. Stored lists depend on it. */
export function keptOutHash(deviceId: string): string {
  return sha256Hex(`berth kept-out device ${deviceId.toLowerCase()}`);
}
