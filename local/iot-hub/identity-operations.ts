import type { JsonObject } from '../../src/json.ts';
import { identityDocument } from './device-document.ts';
import type { Device } from './device-store.ts';
import { ifMatchAllows } from './entity-tag.ts';
import { identityChanged } from './events.ts';
import { deviceOf, disconnectDevice, type Hub } from './hub.ts';
import { HubError } from './hub-error.ts';
import { type IdentityChoice, isDeviceId, newIdentityEtag } from './identity.ts';
import { formatInstant, type Instant, NEVER } from './instant.ts';
import { createTwin, type ServiceSections } from './twin.ts';
import { problemOfContent, problemOfSize } from './twin-limits.ts';

/* Each of these throws a `HubError` when the hub refuses. */

export function readIdentity(hub: Hub, deviceId: string): JsonObject {
  return identityDocument(deviceOf(hub, deviceId), hub.connections.presence(deviceId));
}

/** What a twin starts with; `reported` only for a device that comes from another hub. */
export type InitialTwin = ServiceSections & { readonly reported?: JsonObject };

/** Creates a device and its twin, with what the twin starts with, in one operation. */
export function createDevice(
  hub: Hub,
  deviceId: string,
  choice: IdentityChoice,
  initial: InitialTwin = {},
): JsonObject {
  if (!isDeviceId(deviceId)) throw new HubError('ArgumentInvalid', `${deviceId} is not a device id.`);
  if (hub.store.get(deviceId) !== undefined) {
    throw new HubError('DeviceAlreadyExists', `A device with ID '${deviceId}' is already registered.`);
  }
  checkInitialTwin(initial);
  const at = hub.tick();
  const twin = createTwin(at, initial);
  hub.store.put({
    identity: {
      deviceId,
      generationId: at.toString(),
      etag: newIdentityEtag(),
      statusUpdatedTime: NEVER,
      ...choice,
    },
    twin,
  });
  hub.emit(identityChanged(hub.origin(deviceId, at), 'createDeviceIdentity', twin));
  return readIdentity(hub, deviceId);
}

/** Refuses an initial twin that breaks a limit. */
export function checkInitialTwin(initial: InitialTwin): void {
  for (const name of ['tags', 'desired', 'reported'] as const) {
    const values = initial[name] ?? {};
    const problem = problemOfContent(values) ?? problemOfSize(name, values);
    if (problem !== undefined) throw new HubError('ArgumentInvalid', problem);
  }
}

/** Changes what the owner of a device decides. Its twin is not touched, and no event tells of it. */
export function updateIdentity(
  hub: Hub,
  deviceId: string,
  choice: IdentityChoice,
  ifMatch: string | undefined,
): JsonObject {
  const device = matchingDevice(hub, deviceId, ifMatch);
  const { identity } = device;
  const at = hub.tick();
  hub.store.put({
    ...device,
    identity: {
      ...identity,
      ...choice,
      etag: newIdentityEtag(),
      statusUpdatedTime: choice.status === identity.status ? identity.statusUpdatedTime : formatInstant(at),
    },
  });
  if (choice.status === 'disabled') dropConnection(hub, deviceId);
  return readIdentity(hub, deviceId);
}

export function deleteDevice(hub: Hub, deviceId: string, ifMatch: string | undefined): void {
  const { twin } = matchingDevice(hub, deviceId, ifMatch);
  dropConnection(hub, deviceId);
  const at: Instant = hub.tick();
  hub.store.remove(deviceId);
  hub.connections.forget(deviceId);
  hub.emit(identityChanged(hub.origin(deviceId, at), 'deleteDeviceIdentity', twin));
}

function matchingDevice(hub: Hub, deviceId: string, ifMatch: string | undefined): Device {
  const device = deviceOf(hub, deviceId);
  if (!ifMatchAllows(ifMatch, device.identity.etag)) {
    throw new HubError('PreconditionFailed', 'Precondition failed: the ETag of the identity did not match.');
  }
  return device;
}

function dropConnection(hub: Hub, deviceId: string): void {
  const link = hub.connections.link(deviceId);
  if (link !== undefined) disconnectDevice(hub, deviceId, link);
}
