import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { LocalHub } from '../hub/hub.ts';
import { addressOf } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { readIdentityChoice } from '../model/identity.ts';
import { createIdentity, deleteIdentity, updateIdentity } from './identity-operations.ts';
import { importTwin, patchTwinOf, readServiceSections } from './twin-operations.ts';

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
    const moduleId = ownMember(device, 'moduleId') ?? undefined;
    const attempt = (write: () => void): void => {
      try {
        write();
      } catch (error) {
        if (!(error instanceof HubRefusal)) throw error;
        errors.push({
          deviceId,
          ...(typeof moduleId === 'string' && { moduleId }),
          errorCode: error.code,
          errorStatus: error.message,
        });
      }
    };
    const mode = importModeOf(device);
    const overwritesTwin = CREATE_OR_UPDATE.has(mode) && hub.store.get({ deviceId }) !== undefined;
    attempt(() => runOne(hub, deviceId, device, mode));
    if (overwritesTwin && moduleId === undefined) {
      attempt(() => overwriteTwin(hub, deviceId, device, mode === 'createorupdateifmatchetag'));
    }
  }
  return { isSuccessful: errors.length === 0, errors };
}

const CREATE_OR_UPDATE: ReadonlySet<string> = new Set(['createorupdate', 'createorupdateifmatchetag']);

function runOne(hub: LocalHub, deviceId: string, device: JsonObject, asked: string): void {
  const mode = modeOf(hub, deviceId, asked);
  if (mode === 'updatetwin' || mode === 'updatetwinifmatchetag') {
    updateTwin(hub, deviceId, device, mode === 'updatetwinifmatchetag');
    return;
  }
  if ((ownMember(device, 'moduleId') ?? undefined) !== undefined) {
    throw new HubRefusal(
      'ArgumentInvalid',
      `importMode ${mode} of a module is not in the local hub. Only updateTwin and updateTwinIfMatchETag are.`,
    );
  }
  const ifMatch = quoted(ownMember(device, 'eTag') ?? ownMember(device, 'etag'));
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

/**
 * Updates a twin as a PATCH does. `twinETag` is the etag of the twin, `eTag` the one of the identity (ExportImportDevice of
 * azure-iot-sdk-csharp).
 */
function updateTwin(hub: LocalHub, deviceId: string, device: JsonObject, isConditional: boolean): void {
  const moduleId = ownMember(device, 'moduleId') ?? undefined;
  if (moduleId !== undefined && typeof moduleId !== 'string') {
    throw new HubRefusal('ArgumentInvalid', 'moduleId must be a string.');
  }
  const ifMatch = quoted(ownMember(device, 'twinETag') ?? ownMember(device, 'twinEtag'));
  if (isConditional && ifMatch === undefined) {
    throw new HubRefusal('ArgumentInvalid', 'importMode updateTwinIfMatchETag needs a twinETag.');
  }
  patchTwinOf(hub, addressOf(deviceId, moduleId), device, isConditional ? ifMatch : undefined);
}

function quoted(etag: JsonValue | undefined): string | undefined {
  return typeof etag === 'string' && etag !== '' ? `"${etag.replaceAll('"', '')}"` : undefined;
}

function importModeOf(device: JsonObject): string {
  return String(ownMember(device, 'importMode') ?? '').toLowerCase();
}

/** A mode that creates or updates, as the one that applies to this device. */
function modeOf(hub: LocalHub, deviceId: string, mode: string): string {
  if (!CREATE_OR_UPDATE.has(mode)) return mode;
  return hub.store.get({ deviceId }) === undefined ? 'create' : mode.replace('createorupdate', 'update');
}

/**
 * Overwrites the given sections of the twin of a device that existed before. Its etag counts separately from that of the identity
 * (iot-hub-bulk-identity-mgmt.md).
 */
function overwriteTwin(hub: LocalHub, deviceId: string, device: JsonObject, isConditional: boolean): void {
  const ifMatch = isConditional
    ? quoted(ownMember(device, 'twinETag') ?? ownMember(device, 'twinEtag'))
    : undefined;
  importTwin(hub, { deviceId }, device, ifMatch);
}
