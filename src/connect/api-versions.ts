import { type JsonObject, ownMember } from '../json/json.ts';
import type { DPS_TYPE, HUB_TYPE } from './wanted.ts';

/** Microsoft.Devices/IotHubs: the newest stable version (azure-rest-api-specs, iothub, stable/2026-11-01). */
export const HUB_API = '2026-11-01';
/** Microsoft.Devices/provisioningServices: the newest stable version, the first one with links by identity. */
export const DPS_API = '2026-08-31';
/** Role assignments. */
export const AUTHORIZATION_API = '2022-04-01';
/** Resource providers and deployments. */
export const RESOURCES_API = '2021-04-01';

/**
 * The newest version of the API of a type, from the answer of "Providers - Get" for Microsoft.Devices. Undefined if the
 * answer does not list the type.
 */
export function newestVersion(
  provider: JsonObject,
  type: typeof HUB_TYPE | typeof DPS_TYPE,
): string | undefined {
  const name = type.slice(type.indexOf('/') + 1).toLowerCase();
  const types = ownMember(provider, 'resourceTypes');
  const found = (Array.isArray(types) ? types : []).find(
    (each) => String(ownMember(each, 'resourceType') ?? '').toLowerCase() === name,
  );
  const versions = ownMember(found, 'apiVersions');
  return (Array.isArray(versions) ? versions : [])
    .map(String)
    .reduce<string | undefined>(
      (newest, each) => (newest === undefined || isNewerVersion(each, newest) ? each : newest),
      undefined,
    );
}

/** Whether a version is newer. Of one day, the stable version is newer than the preview. */
export function isNewerVersion(version: string, than: string): boolean {
  const [day, other] = [version.slice(0, 10), than.slice(0, 10)];
  return day === other ? than.length > version.length : day > other;
}
