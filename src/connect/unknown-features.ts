import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';

/** Members that Azure computes. A write cannot lose them (Microsoft.Devices types, marked as read-only). */
const READ_ONLY: ReadonlySet<string> = new Set([
  'properties.hostName',
  'properties.deviceHostName',
  'properties.serviceHostName',
  'properties.iotHubDetails',
  'properties.locations',
  'properties.state',
  'properties.provisioningState',
  'properties.privateEndpointConnections',
  'properties.portalOperationsHostName',
  'properties.deviceProvisioningHostName',
  'properties.serviceOperationsHostName',
  'properties.idScope',
  'systemData',
  'etag',
]);

/**
 * The members of a resource that a newer version of the API shows and Berth's version does not. A write with Berth's
 * version would remove them, so Berth does not write such a resource.
 *
 * @param known the resource in Berth's version of the API
 * @param newest the resource in the newest version
 */
export function unknownFeatures(known: JsonObject, newest: JsonObject): readonly string[] {
  return missing('', known, newest);
}

function missing(path: string, known: JsonValue | undefined, newest: JsonValue): readonly string[] {
  if (READ_ONLY.has(path) || isOff(newest)) return [];
  if (known === undefined) return [path];
  if (isObject(newest)) {
    const inner = isObject(known) ? known : {};
    return Object.entries(newest).flatMap(([key, value]) =>
      missing(path === '' ? key : `${path}.${key}`, inner[key], value),
    );
  }
  if (Array.isArray(newest)) {
    const items = Array.isArray(known) ? known : [];
    return newest.flatMap((item, index) => missing(`${path}[${index}]`, items[index], item));
  }
  return [];
}

/** Whether a member says that nothing is set. The default of a new feature is no use of it. */
function isOff(value: JsonValue): boolean {
  if (value === null || value === false || value === '' || value === 'None' || value === 'Disabled')
    return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.values(value).every(isOff);
}
