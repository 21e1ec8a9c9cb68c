import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import { COMPUTED } from './writable.ts';

/** Further members that Azure computes, or whose resources are their own. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  'etag',
  'properties.privateEndpointConnections',
  'properties.portalOperationsHostName',
]);

/**
 * The members of a resource that another version of the API shows and Berth's version does not. A write with Berth's
 * version would remove them, so Berth does not write such a resource.
 *
 * @param known the resource in Berth's version of the API
 * @param newest the resource in the other version
 */
export function unknownFeatures(known: JsonObject, newest: JsonObject): readonly string[] {
  return missing('', known, newest);
}

function missing(path: string, known: JsonValue | undefined, newest: JsonValue): readonly string[] {
  if (COMPUTED.has(path) || NOT_WRITTEN.has(path) || isOff(newest)) return [];
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

/** Whether a member has no value, or the value that means "off". Then the resource does not use the feature. */
function isOff(value: JsonValue): boolean {
  if (value === null || value === false || value === '' || value === 'None' || value === 'Disabled')
    return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.values(value).every(isOff);
}
