import { type JsonObject, sameJson } from '../../../src/json/json.ts';
import type { Entry } from '../hub/device-store.ts';
import { twinUpdated } from '../hub/events.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import { type Address, addressOf } from '../model/address.ts';
import { EDGE_AGENT } from '../model/edge.ts';
import {
  type DesiredContent,
  desiredAfter,
  type EdgeContent,
  namedModules,
  readEdgeContent,
  writeContent,
} from '../model/edge-content.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { isDeviceOrModuleId } from '../model/identity.ts';
import { withoutNulls } from '../model/merge.ts';
import { problemOfContent, problemOfSize } from '../model/twin-limits.ts';
import { checkRoomForModules, createEdgeModules } from './identity-operations.ts';
import { emitChange, notify, writableEntry } from './twin-operations.ts';

/**
 * POST `/devices/{id}/applyConfigurationContent`: writes a manifest to an Edge device. It creates the modules that the
 * manifest names, and writes the desired properties of each module that has content. It deletes no module: the runtime of
 * the device does. Everything is checked before the first write.
 *
 * @throws HubRefusal `DeviceNotFound`, `ArgumentInvalid` (not an Edge device, a key or value that a twin cannot hold),
 *   `InvalidConfigurationContent`, `DeviceModelMaxPropertiesExceeded`, `TooManyModulesOnDevice`
 */
export function applyConfigurationContent(hub: LocalHub, deviceId: string, body: JsonObject): void {
  const device = writableEntry(hub, { deviceId }, undefined);
  if (!device.identity.capabilities.iotEdge) {
    throw new HubRefusal('ArgumentInvalid', `BadRequest: Device ${deviceId} is not an IoT Edge device.`);
  }
  applyEdgeContent(hub, deviceId, readEdgeContent(body), 'all');
}

/**
 * Creates the modules that a manifest names, and writes its twins: all of them, or only those that change.
 *
 * @throws HubRefusal `ArgumentInvalid`, `DeviceModelMaxPropertiesExceeded`, `TooManyModulesOnDevice`
 */
export function applyEdgeContent(
  hub: LocalHub,
  deviceId: string,
  content: EdgeContent,
  which: 'all' | 'changes',
): void {
  const created = missingModules(hub, deviceId, content);
  checkContent(hub, deviceId, content);
  checkRoomForModules(hub, deviceId, created.length);
  createEdgeModules(hub, deviceId, created);
  if (content.device !== undefined) write(hub, { deviceId }, content.device);
  for (const [moduleId, desired] of content.modules) {
    const address = { deviceId, moduleId };
    if (which === 'all' || isChange(hub, address, desired)) write(hub, address, desired);
  }
}

function isChange(hub: LocalHub, address: Address, content: DesiredContent): boolean {
  const current = entryOf(hub, address).twin.desired.values;
  return !sameJson(current, withoutNulls(desiredAfter(current, content)));
}

function missingModules(hub: LocalHub, deviceId: string, content: EdgeContent): readonly string[] {
  const missing = namedModules(content, EDGE_AGENT).filter(
    (moduleId) => hub.store.get({ deviceId, moduleId }) === undefined,
  );
  const wrong = missing.find((moduleId) => !isDeviceOrModuleId(moduleId));
  if (wrong !== undefined) throw new HubRefusal('ArgumentInvalid', `${wrong} is not a module id.`);
  return missing;
}

function checkContent(hub: LocalHub, deviceId: string, { modules, device }: EdgeContent): void {
  const check = (moduleId: string | undefined, content: DesiredContent): void => {
    const current: Entry | undefined = hub.store.get(addressOf(deviceId, moduleId));
    const desired = withoutNulls(desiredAfter(current?.twin.desired.values ?? {}, content));
    const problem = problemOfContent(desired);
    if (problem !== undefined) throw new HubRefusal('ArgumentInvalid', problem);
    const tooLarge = problemOfSize('desired', desired);
    if (tooLarge !== undefined) {
      const of = moduleId === undefined ? `device ${deviceId}` : `module ${moduleId}`;
      throw new HubRefusal('DeviceModelMaxPropertiesExceeded', `${tooLarge} It is the twin of ${of}.`);
    }
  };
  if (device !== undefined) check(undefined, device);
  for (const [moduleId, content] of modules) check(moduleId, content);
}

/** Writes one twin. The event holds the desired properties after the write, and `null` for removed ones. */
function write(hub: LocalHub, address: Address, content: DesiredContent): void {
  const entry = entryOf(hub, address);
  const at = hub.tick();
  const { twin, notice } = writeContent(entry.twin, content, at);
  if (notice === undefined) return;
  hub.store.put({ ...entry, twin });
  emitChange(hub, entry, twin, twinUpdated(hub.origin(address, at), twin, { desired: notice }), at);
  hub.spend(JSON.stringify(notice.values).length);
  notify(hub, address, notice);
}
