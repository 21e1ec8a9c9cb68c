import type { JsonObject } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { Authentication } from '../model/identity.ts';
import { checkInitialTwin, createIdentity, deleteIdentity, updateIdentity } from './identity-operations.ts';

/**
 * A device that DPS moves to another hub: without versions, etags and times, which belong to the old hub, and without
 * its modules (iotedge#6697).
 */
export interface PortableDevice {
  readonly authentication: Authentication;
  readonly capabilities: { readonly iotEdge: boolean };
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  readonly reported: JsonObject;
}

/**
 * The access of DPS to a linked hub. Its writes are not throttled and not counted as calls of the service API.
 */
export interface ProvisioningAccess {
  readonly host: string;
  read(deviceId: string): PortableDevice | undefined;
  /**
   * Creates identity and twin in one operation. An existing device with this id is removed first.
   *
   * @throws HubRefusal `ArgumentInvalid` if the twin exceeds a limit
   */
  create(deviceId: string, device: PortableDevice): void;
  /** Changes the authentication of a device. Its twin does not change. */
  authenticate(deviceId: string, authentication: Authentication): void;
  /** Deletes the device and its modules. */
  remove(deviceId: string): void;
}

export function provisioningAccess(hub: LocalHub): ProvisioningAccess {
  const count = () => {
    hub.counters.provisioningWrites += 1;
  };
  const access: ProvisioningAccess = {
    host: hub.host,
    read(deviceId) {
      const device = hub.store.get({ deviceId });
      return (
        device && {
          authentication: device.identity.authentication,
          capabilities: device.identity.capabilities,
          tags: device.twin.tags,
          desired: device.twin.desired.values,
          reported: device.twin.reported.values,
        }
      );
    },
    create(deviceId, { authentication, capabilities, tags, desired, reported }) {
      checkInitialTwin({ tags, desired, reported });
      access.remove(deviceId);
      createIdentity(
        hub,
        { deviceId },
        { status: 'enabled', statusReason: null, authentication, capabilities },
        { tags, desired, reported },
      );
      count();
    },
    authenticate(deviceId, authentication) {
      const device = hub.store.get({ deviceId });
      if (device === undefined || sameAuthentication(device.identity.authentication, authentication)) return;
      const { status, statusReason, capabilities, deviceScope, parentScopes } = device.identity;
      updateIdentity(
        hub,
        { deviceId },
        {
          status,
          statusReason,
          capabilities,
          authentication,
          ...(deviceScope !== undefined && { deviceScope }),
          ...(parentScopes !== undefined && { parentScopes }),
        },
        undefined,
      );
      count();
    },
    remove(deviceId) {
      if (hub.store.get({ deviceId }) === undefined) return;
      deleteIdentity(hub, { deviceId }, undefined);
      count();
    },
  };
  return access;
}

function sameAuthentication(left: Authentication, right: Authentication): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
