import { deviceQuery, readQuery } from '../api/queries.ts';
import type { Instance } from '../instance/instance.ts';
import { readStoredDevice, type StoredDevice } from '../overview/stored-device.ts';

/**
 * Reads the device of a request.
 *
 * @throws BerthError `BERTH_DEVICE_UNKNOWN`, `BERTH_REQUEST_INVALID`, `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
 */
export async function storedDevice(
  instance: Instance,
  deviceId: string,
  query: URLSearchParams,
): Promise<StoredDevice> {
  const { registrationId } = readQuery(deviceQuery, query);
  const fleet = await instance.withPreviousContents(instance.fleet.current());
  const redaction = await instance.redaction(fleet);
  return readStoredDevice({ stores: instance.stores, fleet, redaction }, deviceId, registrationId);
}
