import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import { identitiesOf } from './identity.ts';
import { objectsIn } from './routing.ts';

/**
 * Members that Azure computes (`readOnly` in azure-rest-api-specs: iothub 2026-11-01, deviceprovisioningservices 2026-08-31).
 * The clients of Microsoft leave them out of a write, and a write cannot lose them.
 */
export const COMPUTED: ReadonlySet<string> = new Set([
  'id',
  'name',
  'type',
  'systemData',
  'properties.hostName',
  'properties.deviceHostName',
  'properties.serviceHostName',
  'properties.iotHubDetails',
  'properties.locations',
  'properties.state',
  'properties.provisioningState',
  'properties.idScope',
  'properties.deviceProvisioningHostName',
  'properties.serviceOperationsHostName',
  'properties.eventHubEndpoints.events.path',
  'properties.eventHubEndpoints.events.endpoint',
  'properties.eventHubEndpoints.events.partitionIds',
  'properties.rootCertificate.lastUpdatedTimeUtc',
  'sku.tier',
]);

/** A hub or DPS in the form of a write: without what Azure computes. */
export function writable(resource: JsonObject): JsonObject {
  const { identity, ...rest } = without('', resource) as JsonObject;
  return { ...withoutLinkNames(rest), ...(isObject(identity) && { identity: writableIdentity(resource) }) };
}

function without(path: string, value: JsonValue): JsonValue {
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(
    ([key, member]) => [path === '' ? key : `${path}.${key}`, key, member] as const,
  );
  return Object.fromEntries(
    members.filter(([at]) => !COMPUTED.has(at)).map(([at, key, member]) => [key, without(at, member)]),
  );
}

/** The ids of the identities, without those of their principals. */
function writableIdentity(resource: JsonObject): JsonObject {
  const { hasSystem, userAssigned } = identitiesOf(resource);
  const type = [
    ...(hasSystem ? ['SystemAssigned'] : []),
    ...(userAssigned.length > 0 ? ['UserAssigned'] : []),
  ];
  return {
    type: type.length === 0 ? 'None' : type.join(', '),
    ...(userAssigned.length > 0 && {
      userAssignedIdentities: Object.fromEntries(userAssigned.map((id) => [id, {}])),
    }),
  };
}

/** DPS computes the name of a link from its host name or connection string. */
function withoutLinkNames(resource: JsonObject): JsonObject {
  const { properties } = resource;
  if (!isObject(properties) || properties.iotHubs === undefined) return resource;
  const iotHubs = objectsIn(properties.iotHubs).map(({ name: _, ...link }) => link);
  return { ...resource, properties: { ...properties, iotHubs } };
}
