import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import { identitiesOf } from './identity.ts';

/** Members that Azure changes with each write, or by itself. */
const VOLATILE: ReadonlySet<string> = new Set([
  'etag',
  'systemData',
  'properties.provisioningState',
  'properties.state',
]);

/** Members by which the items of a list are told apart. */
const ITEM_NAMES = ['name', 'filterName', 'keyName', 'hostName', 'role'] as const;

/** An item of a list that Berth has written itself. It is not compared. */
export type IsOwn = (path: string, item: JsonObject) => boolean;

/**
 * The paths at which a resource differs from what Berth sent. Values are left out, because they may be secrets.
 *
 * @param sent the body of the write: the resource before, with Berth's changes
 * @param found the resource afterwards
 */
export function differingPaths(sent: JsonObject, found: JsonObject, isOwn: IsOwn): readonly string[] {
  return compare('', comparable(sent), comparable(found), isOwn);
}

/** The resource with one form for what Azure writes in several forms. */
function comparable(resource: JsonObject): JsonObject {
  const { hasSystem, userAssigned } = identitiesOf(resource);
  const { sku, properties } = resource;
  return {
    ...resource,
    properties: isObject(properties) ? comparableLinks(properties) : null,
    identity: { hasSystem, userAssigned: userAssigned.map((id) => id.toLowerCase()).sort() },
    sku: isObject(sku) ? { name: sku.name ?? null, capacity: sku.capacity ?? null } : null,
  };
}

/** Old links have no host name and no kind of sign-in. A write with a newer version of the API may add them. */
function comparableLinks(properties: JsonObject): JsonObject {
  const { iotHubs } = properties;
  if (!Array.isArray(iotHubs)) return properties;
  const links = iotHubs.filter(isObject).map((link) => ({
    ...link,
    hostName: link.hostName ?? link.name ?? null,
    authenticationType: link.authenticationType ?? 'KeyBased',
  }));
  return { ...properties, iotHubs: links };
}

function compare(
  path: string,
  sent: JsonValue | undefined,
  found: JsonValue | undefined,
  isOwn: IsOwn,
): readonly string[] {
  if (VOLATILE.has(path) || (isEmpty(sent) && isEmpty(found))) return [];
  if (Array.isArray(sent) || Array.isArray(found)) {
    return compareLists(path, asList(sent), asList(found), isOwn);
  }
  if (isObject(sent) || isObject(found)) {
    const [one, other] = [asObject(sent), asObject(found)];
    return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) =>
      compare(path === '' ? key : `${path}.${key}`, one[key], other[key], isOwn),
    );
  }
  return masked(sent) === masked(found) ? [] : [path];
}

/** Azure answers keys masked, also those that Berth sent. */
function masked(value: JsonValue | undefined): JsonValue | undefined {
  return typeof value === 'string' ? value.replace(/(SharedAccessKey|AccountKey)=[^;]+/gi, '$1=****') : value;
}

/** Azure may order a list in another way, so items are matched by their names. */
function compareLists(
  path: string,
  sent: readonly JsonValue[],
  found: readonly JsonValue[],
  isOwn: IsOwn,
): readonly string[] {
  const [one, other] = [itemsOf(path, sent, isOwn), itemsOf(path, found, isOwn)];
  return [...new Set([...one.keys(), ...other.keys()])].flatMap((key) =>
    compare(`${path}[${key}]`, one.get(key), other.get(key), isOwn),
  );
}

function itemsOf(path: string, list: readonly JsonValue[], isOwn: IsOwn): ReadonlyMap<string, JsonValue> {
  const others = list.filter((item) => !(isObject(item) && isOwn(path, item)));
  const items = new Map<string, JsonValue>();
  for (const [index, item] of others.entries()) {
    const name = nameOf(item);
    items.set(name === undefined || items.has(name) ? String(index) : name, item);
  }
  return items;
}

function nameOf(item: JsonValue): string | undefined {
  if (!isObject(item)) return undefined;
  const member = ITEM_NAMES.find((each) => typeof item[each] === 'string');
  return member === undefined ? undefined : String(item[member]);
}

/** Azure answers what is not set in different ways. */
function isEmpty(value: JsonValue | undefined): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    (Array.isArray(value) && value.length === 0) ||
    (isObject(value) && Object.values(value).every(isEmpty))
  );
}

function asList(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function asObject(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}
