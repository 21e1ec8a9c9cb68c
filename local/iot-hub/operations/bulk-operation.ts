import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { readIdentityChoice } from '../model/identity.ts';
import { createIdentity, deleteIdentity, updateIdentity } from './identity-operations.ts';
import { readServiceSections } from './twin-operations.ts';

/** Most devices in a bulk call (identity registry REST API). */
const MAX_DEVICES = 100;

/** The result of a bulk call. The hub processes the other devices if one fails. */
export interface BulkResult {
  readonly isSuccessful: boolean;
  readonly errors: readonly JsonObject[];
}

/**
 * Checks the body of POST `/devices`.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readBulk(body: JsonValue | undefined): readonly JsonObject[] {
  if (!Array.isArray(body) || body.length === 0 || body.length > MAX_DEVICES || !body.every(isObject)) {
    throw new HubRefusal('ArgumentInvalid', `The body must be an array of 1 to ${MAX_DEVICES} devices.`);
  }
  return body;
}

/** Creates, updates or deletes each device as its `importMode` says. */
export function runBulk(hub: LocalHub, devices: readonly JsonObject[]): BulkResult {
  const errors: JsonObject[] = [];
  for (const device of devices) {
    const id = ownMember(device, 'id');
    const deviceId = typeof id === 'string' ? id : '';
    try {
      runOne(hub, deviceId, device);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      errors.push({ deviceId, errorCode: error.code, errorStatus: error.message });
    }
  }
  return { isSuccessful: errors.length === 0, errors };
}

function runOne(hub: LocalHub, deviceId: string, device: JsonObject): void {
  if (ownMember(device, 'moduleId') !== undefined) {
    throw new HubRefusal('ArgumentInvalid', 'The local hub does not support modules in bulk calls.');
  }
  const mode = importModeOf(hub, deviceId, device);
  const etag = ownMember(device, 'eTag') ?? ownMember(device, 'etag');
  const ifMatch = typeof etag === 'string' ? `"${etag.replaceAll('"', '')}"` : undefined;
  switch (mode) {
    case 'create':
      createIdentity(
        hub,
        { deviceId },
        readIdentityChoice(device),
        readServiceSections(device, () => undefined),
      );
      return;
    case 'update':
    case 'updateifmatchetag':
      updateIdentity(hub, { deviceId }, readIdentityChoice(device), mode === 'update' ? undefined : ifMatch);
      return;
    case 'delete':
    case 'deleteifmatchetag':
      deleteIdentity(hub, { deviceId }, mode === 'delete' ? undefined : ifMatch);
      return;
    default:
      throw new HubRefusal('ArgumentInvalid', `The local hub does not support importMode ${mode}.`);
  }
}

function importModeOf(hub: LocalHub, deviceId: string, device: JsonObject): string {
  const mode = String(ownMember(device, 'importMode') ?? '').toLowerCase();
  if (mode !== 'createorupdate') return mode;
  return hub.store.get({ deviceId }) === undefined ? 'create' : 'update';
}
