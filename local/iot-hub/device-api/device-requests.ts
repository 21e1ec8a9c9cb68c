import type { JsonObject } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { parseRequestJson } from '../model/json.ts';
import { reportProperties, twinForDevice } from '../operations/twin-operations.ts';

/**
 * Reads the twin for its device or module.
 *
 * @throws HubRefusal `ThrottlingException`, `IotHubQuotaExceeded`, `DeviceNotFound`, `ModuleNotFound`
 */
export async function readOwnTwin(hub: LocalHub, address: Address): Promise<JsonObject> {
  await hub.admit('twinReads');
  const twin = twinForDevice(hub, address);
  hub.counters.deviceTwinReads += 1;
  hub.spend(JSON.stringify(twin).length);
  return twin;
}

/**
 * Takes a report of a device or module. Returns the new version of its reported properties.
 *
 * @param baseVersion the version of the reported properties that the report is for; undefined: any.
 * @throws HubRefusal as `readOwnTwin`, and `ArgumentInvalid`, `PreconditionFailed`
 */
export async function report(
  hub: LocalHub,
  address: Address,
  payload: Buffer,
  baseVersion?: string,
): Promise<number> {
  await hub.admit('twinUpdates');
  const version = reportProperties(hub, address, parseRequestJson(payload), versionIn(baseVersion));
  hub.counters.deviceTwinWrites += 1;
  hub.spend(payload.length);
  return version;
}

function versionIn(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new HubRefusal('ArgumentInvalid', `$version must be a whole number, not ${text.slice(0, 40)}.`);
}

/** Counts a refusal of a device's request. */
export function countRefusal(hub: LocalHub, { refusal }: HubRefusal): void {
  if (refusal === 'ThrottlingException') hub.counters.deviceThrottled += 1;
  else if (refusal === 'IotHubQuotaExceeded') hub.counters.deviceQuotaRefused += 1;
  else if (refusal === 'ArgumentInvalid' || refusal === 'PreconditionFailed')
    hub.counters.deviceTwinWritesRefused += 1;
}
