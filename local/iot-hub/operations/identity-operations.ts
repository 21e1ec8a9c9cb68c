import type { JsonObject } from '../../../src/json/json.ts';
import type { Entry } from '../hub/device-store.ts';
import { identityChanged } from '../hub/events.ts';
import { disconnectDevice, entryOf, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { isSystemModule, SYSTEM_MODULES } from '../model/edge.ts';
import { ifMatchAllows } from '../model/entity-tag.ts';
import { HubRefusal } from '../model/hub-error.ts';
import {
  type IdentityChoice,
  isDeviceOrModuleId,
  MADE_FOR_EDGE,
  newIdentityEtag,
  scopesOf,
} from '../model/identity.ts';
import { formatInstant, formatTicks, NO_TICKS, type Ticks } from '../model/instant.ts';
import { createTwin, type ServiceSections } from '../model/twin.ts';
import { problemOfContent, problemOfSize } from '../model/twin-limits.ts';
import { identityDocument } from './device-document.ts';

/**
 * A device has at most this many modules ("IoT Hub quotas and throttling"). The two modules of the Edge runtime do not
 * count, so that a manifest can have 50 modules (iot-edge-limits-and-restrictions.md).
 */
const MAX_MODULES = 50;

/* Each of these throws a `HubRefusal` when the hub refuses. */

export function readIdentity(hub: LocalHub, address: Address): JsonObject {
  return identityDocument(entryOf(hub, address), hub.connections.presence(address));
}

/** The initial twin. `reported` is set only for a device that comes from another hub. */
export type IdentityTwin = ServiceSections & { readonly reported?: JsonObject };

/**
 * Creates a device or module with its initial twin, in one operation. An Edge device also gets the modules of the runtime.
 */
export function createIdentity(
  hub: LocalHub,
  address: Address,
  choice: IdentityChoice,
  initial: IdentityTwin = {},
): JsonObject {
  if (address.moduleId === undefined) checkNewDevice(hub, address.deviceId);
  else checkNewModule(hub, address.deviceId, address.moduleId);
  checkInitialTwin(initial);
  const at = hub.tick();
  const twin = createTwin(at, initial);
  const { deviceScope: _scope, parentScopes: _parents, ...chosen } = choice;
  const scopes = scopesOf(choice, undefined, newScope(address, at));
  hub.store.put({
    identity: {
      ...address,
      generationId: at.toString(),
      etag: newIdentityEtag(),
      statusUpdatedTime: NO_TICKS,
      ...chosen,
      ...scopes,
    },
    twin,
  });
  hub.emit(identityChanged(hub.origin(address, at), 'createDeviceIdentity', twin));
  if (address.moduleId === undefined && choice.capabilities.iotEdge) {
    createEdgeModules(hub, address.deviceId, SYSTEM_MODULES);
  }
  return readIdentity(hub, address);
}

/** Creates modules of an Edge device that do not exist yet, as the hub makes them: without keys. */
export function createEdgeModules(hub: LocalHub, deviceId: string, moduleIds: readonly string[]): void {
  for (const moduleId of moduleIds) {
    if (hub.store.get({ deviceId, moduleId }) !== undefined) continue;
    createIdentity(hub, { deviceId, moduleId }, MADE_FOR_EDGE);
  }
}

function checkNewDevice(hub: LocalHub, deviceId: string): void {
  if (!isDeviceOrModuleId(deviceId))
    throw new HubRefusal('ArgumentInvalid', `${deviceId} is not a device id.`);
  if (hub.store.get({ deviceId }) !== undefined) {
    throw new HubRefusal('DeviceAlreadyExists', `A device with ID '${deviceId}' is already registered.`);
  }
}

function checkNewModule(hub: LocalHub, deviceId: string, moduleId: string): void {
  entryOf(hub, { deviceId });
  if (!isDeviceOrModuleId(moduleId))
    throw new HubRefusal('ArgumentInvalid', `${moduleId} is not a module id.`);
  if (hub.store.get({ deviceId, moduleId }) !== undefined) {
    throw new HubRefusal(
      'ModuleAlreadyExistsOnDevice',
      `A module with ID '${moduleId}' is already registered on device '${deviceId}'.`,
    );
  }
  if (!isSystemModule({ deviceId, moduleId })) checkRoomForModules(hub, deviceId, 1);
}

/** @throws HubRefusal `TooManyModulesOnDevice` if a device cannot get this number of new modules */
export function checkRoomForModules(hub: LocalHub, deviceId: string, count: number): void {
  const own = hub.store.modulesOf(deviceId).filter(({ identity }) => !isSystemModule(identity));
  if (own.length + count <= MAX_MODULES) return;
  throw new HubRefusal(
    'TooManyModulesOnDevice',
    count === 1
      ? `Device ${deviceId} has ${MAX_MODULES} modules already.`
      : `Device ${deviceId} would have ${own.length + count} modules, ${MAX_MODULES} are allowed.`,
  );
}

/** Refuses an initial twin that exceeds a limit. */
export function checkInitialTwin(initial: IdentityTwin): void {
  for (const name of ['tags', 'desired', 'reported'] as const) {
    const values = initial[name] ?? {};
    const problem = problemOfContent(values) ?? problemOfSize(name, values);
    if (problem !== undefined) throw new HubRefusal('ArgumentInvalid', problem);
  }
}

/** Updates the identity of a device or module. It does not change the twin and sends no event. */
export function updateIdentity(
  hub: LocalHub,
  address: Address,
  choice: IdentityChoice,
  ifMatch: string | undefined,
): JsonObject {
  const entry = matchingEntry(hub, address, ifMatch);
  const { deviceScope: _before, parentScopes: _parentsBefore, ...identity } = entry.identity;
  const { deviceScope: _scope, parentScopes: _parents, ...chosen } = choice;
  const at = hub.tick();
  const scopes = scopesOf(choice, entry.identity, newScope(address, at));
  hub.store.put({
    ...entry,
    identity: {
      ...identity,
      ...chosen,
      ...scopes,
      etag: newIdentityEtag(),
      statusUpdatedTime: choice.status === identity.status ? identity.statusUpdatedTime : formatInstant(at),
    },
  });
  if (address.moduleId === undefined && choice.capabilities.iotEdge) {
    createEdgeModules(hub, address.deviceId, SYSTEM_MODULES);
  }
  if (choice.status === 'disabled') {
    for (const part of withModules(hub, entry)) dropConnection(hub, part.identity);
  }
  return readIdentity(hub, address);
}

/**
 * Refuses a new parent that is not an IoT Edge device of this hub (azure-iot-sdk-node, e2etests/test/registry.js: a device
 * cannot get any text as its scope). Bulk calls take any text (azure-iot-sdk-csharp, RegistryManager_AddDevices2Async_Works).
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function checkParent(hub: LocalHub, address: Address, choice: IdentityChoice): void {
  const before = hub.store.get(address)?.identity;
  const scope = scopesOf(choice, before, '').parentScopes?.[0];
  if (scope === undefined || scope === before?.parentScopes?.[0]) return;
  const deviceId = /^ms-azure-iot-edge:\/\/(.+)-\d+$/.exec(scope)?.[1];
  const parent = deviceId === undefined ? undefined : hub.store.get({ deviceId })?.identity;
  if (parent?.capabilities.iotEdge === true && parent.deviceScope === scope) return;
  throw new HubRefusal(
    'ArgumentInvalid',
    `The scope ${scope.slice(0, 100)} is not the scope of an IoT Edge device.`,
  );
}

/** @example 'ms-azure-iot-edge://gateway-1-637176526047419634' */
function newScope({ deviceId }: Address, at: Ticks): string {
  return `ms-azure-iot-edge://${deviceId}-${formatTicks(at)}`;
}

/** Deletes a module, or the modules of a device and then the device. Each deletion sends an event. */
export function deleteIdentity(hub: LocalHub, address: Address, ifMatch: string | undefined): void {
  const entry = matchingEntry(hub, address, ifMatch);
  for (const { identity, twin } of withModules(hub, entry)) {
    dropConnection(hub, identity);
    const at = hub.tick();
    hub.store.remove(identity);
    hub.connections.forget(identity);
    hub.emit(identityChanged(hub.origin(identity, at), 'deleteDeviceIdentity', twin));
  }
}

/** The entries that are deleted together: a module, or the modules of a device and then the device. */
function withModules(hub: LocalHub, entry: Entry): readonly Entry[] {
  const { deviceId, moduleId } = entry.identity;
  return moduleId === undefined ? [...hub.store.modulesOf(deviceId), entry] : [entry];
}

function matchingEntry(hub: LocalHub, address: Address, ifMatch: string | undefined): Entry {
  const entry = entryOf(hub, address);
  if (!ifMatchAllows(ifMatch, entry.identity.etag)) {
    throw new HubRefusal(
      'PreconditionFailed',
      'Precondition failed: the ETag of the identity did not match.',
    );
  }
  return entry;
}

function dropConnection(hub: LocalHub, address: Address): void {
  const link = hub.connections.link(address);
  if (link !== undefined) disconnectDevice(hub, address, link);
}
