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
 * The versions of the API in which a resource may show more than in Berth's version: a newer stable version, and the newest
 * preview, also an older one. A stable version may lack what a preview before it has, such as `deviceRegistryNamespace` of DPS.
 *
 * @param provider the answer of "Providers - Get" for Microsoft.Devices
 */
export function otherVersions(
  provider: JsonObject,
  type: typeof HUB_TYPE | typeof DPS_TYPE,
  own: string,
): readonly string[] {
  const versions = versionsOf(provider, type);
  const stable = newestOf(versions.filter((version) => version.length === own.length && version > own));
  const preview = newestOf(versions.filter((version) => version.endsWith('-preview')));
  return [stable, preview].flatMap((version) => version ?? []);
}

function versionsOf(provider: JsonObject, type: string): readonly string[] {
  const name = type.slice(type.indexOf('/') + 1).toLowerCase();
  const types = ownMember(provider, 'resourceTypes');
  const found = (Array.isArray(types) ? types : []).find(
    (each) => String(ownMember(each, 'resourceType') ?? '').toLowerCase() === name,
  );
  const versions = ownMember(found, 'apiVersions');
  return (Array.isArray(versions) ? versions : []).map(String);
}

/** Versions begin with their date, so that their order is that of texts. */
function newestOf(versions: readonly string[]): string | undefined {
  return [...versions].sort().at(-1);
}
