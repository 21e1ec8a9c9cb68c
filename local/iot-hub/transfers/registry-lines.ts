import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { shallowJson } from '../../shallow-json.ts';
import {
  deleteConfiguration,
  getConfiguration,
  putConfiguration,
} from '../configurations/configuration-operations.ts';
import type { Entry } from '../hub/device-store.ts';
import type { LocalHub } from '../hub/hub.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { describeSection, twinEtag } from '../model/twin.ts';
import { runBulk } from '../operations/bulk-operation.ts';
import { identityDocument } from '../operations/device-document.ts';

/*
 * The lines of the files of import and export jobs: one JSON object for each device or configuration
 * (iot-hub-bulk-identity-mgmt.md, and ExportImportDevice and ImportConfiguration of azure-iot-sdk-csharp).
 */

/** Each line ends so in Azure (azure-iot-sdk-node, e2etests/test/registry.js). */
const LINE_END = '\r\n';

export function linesOf(objects: readonly JsonObject[]): string {
  return objects.map((object) => `${JSON.stringify(object)}${LINE_END}`).join('');
}

/** The objects of a file. Lines that are not JSON objects are comments. */
export function recordsIn(text: string): readonly JsonObject[] {
  return text.split(/\r?\n/).map(shallowJson).filter(isObject);
}

/** A device in an export. */
export function exportedDevice(hub: LocalHub, entry: Entry, excludesKeys: boolean): JsonObject {
  const { identity, twin } = entry;
  const document = identityDocument(entry, hub.connections.presence(identity));
  const authentication = ownMember(document, 'authentication');
  return {
    id: identity.deviceId,
    eTag: identity.etag,
    status: identity.status,
    ...(identity.statusReason !== null && { statusReason: identity.statusReason }),
    authentication: excludesKeys ? withoutKeys(authentication) : (authentication ?? null),
    twinETag: twinEtag(twin),
    tags: twin.tags,
    properties: { desired: describeSection(twin.desired), reported: describeSection(twin.reported) },
    capabilities: { ...identity.capabilities },
    ...(identity.deviceScope !== undefined && { deviceScope: identity.deviceScope }),
    ...(identity.parentScopes !== undefined && { parentScopes: identity.parentScopes }),
  };
}

function withoutKeys(authentication: JsonValue | undefined): JsonValue {
  const keys = { primaryKey: null, secondaryKey: null };
  return isObject(authentication) ? { ...authentication, symmetricKey: keys } : null;
}

/** Imports devices. Returns the problems, one line each. A device without `importMode` is created or updated. */
export function importDevices(hub: LocalHub, devices: readonly JsonObject[]): readonly JsonObject[] {
  return runBulk(
    hub,
    devices.map((device) => ({ importMode: 'createOrUpdate', ...device })),
  ).errors;
}

/** Imports configurations. Returns the problems, one line each. */
export function importConfigurations(
  hub: LocalHub,
  configurations: readonly JsonObject[],
): readonly JsonObject[] {
  return configurations.flatMap((configuration) => {
    try {
      importConfiguration(hub, configuration);
      return [];
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      const id = ownMember(configuration, 'id') ?? null;
      return [{ configurationId: id, errorCode: error.code, errorStatus: error.message }];
    }
  });
}

/** The modes: ConfigurationImportMode of azure-iot-sdk-csharp. */
function importConfiguration(hub: LocalHub, configuration: JsonObject): void {
  const id = String(ownMember(configuration, 'id') ?? '');
  const mode = String(ownMember(configuration, 'importMode') ?? 'createOrUpdate').toLowerCase();
  const etag = ownMember(configuration, 'etag');
  const ifMatch = mode.endsWith('ifmatchetag') && typeof etag === 'string' ? `"${etag}"` : '"*"';
  if (mode.startsWith('delete')) {
    deleteConfiguration(hub, id, ifMatch);
    return;
  }
  const exists = hub.configurations.get(id) !== undefined;
  putConfiguration(hub, id, configuration, exists ? ifMatch : undefined);
}

/** The configurations in an export. */
export function exportedConfigurations(hub: LocalHub): readonly JsonObject[] {
  return hub.configurations.values().map(({ id }) => getConfiguration(hub, id));
}
