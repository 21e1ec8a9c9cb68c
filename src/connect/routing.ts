import { parseResourceId } from '../arm/resource-id.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../json/json.ts';
import type { WantedHub } from './wanted.ts';

/** Name of Berth's endpoint in a hub. Names that begin with `berth-` are reserved for Berth. */
export const ENDPOINT_NAME = 'berth-twin-events';

/**
 * Berth's routes in each hub. They have no condition: a route that leaves events out makes gaps, and every gap costs a
 * read.
 */
export const BERTH_ROUTES = [
  { name: 'berth-twin-changes', source: 'TwinChangeEvents' },
  { name: 'berth-device-lifecycle', source: 'DeviceLifecycleEvents' },
] as const;

/** A route as Azure has it. */
export type HubRoute = JsonObject & { readonly name: string };

export function wantedRoutes(): readonly HubRoute[] {
  return BERTH_ROUTES.map(({ name, source }) => ({
    name,
    source,
    condition: 'true',
    endpointNames: [ENDPOINT_NAME],
    isEnabled: true,
  }));
}

/** Berth's endpoint, without a key: the hub signs in with an identity. */
export function wantedEndpoint({ sender, eventHub }: WantedHub): JsonObject {
  const place = parseResourceId(eventHub.id);
  return {
    name: ENDPOINT_NAME,
    authenticationType: 'identityBased',
    endpointUri: eventHub.endpointUri,
    entityPath: eventHub.name,
    subscriptionId: place?.subscription ?? '',
    resourceGroup: place?.resourceGroup ?? '',
    // Without an identity, the endpoint uses the hub's own.
    ...(sender.kind === 'userAssigned' && { identity: { userAssignedIdentity: sender.identityId } }),
  };
}

/** The routing of a hub as Azure answers it. What is missing is empty. */
export interface HubRouting {
  readonly routes: readonly HubRoute[];
  /** The endpoints of each kind, such as `eventHubs`. */
  readonly endpoints: Readonly<Record<string, readonly JsonObject[]>>;
  readonly fallback: JsonObject | undefined;
}

export function routingOf(hub: JsonObject): HubRouting {
  const routing = ownMember(hub.properties, 'routing');
  const endpoints = ownMember(routing, 'endpoints');
  const fallback = ownMember(routing, 'fallbackRoute');
  return {
    routes: objectsIn(ownMember(routing, 'routes')).flatMap((route) =>
      typeof route.name === 'string' ? [{ ...route, name: route.name }] : [],
    ),
    endpoints: Object.fromEntries(
      Object.entries(isObject(endpoints) ? endpoints : {}).map(([kind, list]) => [kind, objectsIn(list)]),
    ),
    fallback: isObject(fallback) ? fallback : undefined,
  };
}

export function objectsIn(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Whether an endpoint of a hub goes where the wanted one goes, in the same way. Azure adds members, such as `id`. */
export function isSameEndpoint(found: JsonObject, wanted: JsonObject): boolean {
  const sender = (endpoint: JsonObject) =>
    String(ownMember(endpoint.identity, 'userAssignedIdentity') ?? '').toLowerCase();
  return (
    sender(found) === sender(wanted) &&
    (['authenticationType', 'entityPath', 'subscriptionId', 'resourceGroup'] as const).every(
      (member) => textOf(found[member]) === textOf(wanted[member]),
    ) &&
    uriOf(found.endpointUri) === uriOf(wanted.endpointUri)
  );
}

export function isSameRoute(found: JsonObject, wanted: JsonObject): boolean {
  return (
    found.source === wanted.source &&
    (found.condition ?? 'true') === wanted.condition &&
    found.isEnabled === true &&
    Array.isArray(found.endpointNames) &&
    found.endpointNames.length === 1 &&
    found.endpointNames[0] === ENDPOINT_NAME
  );
}

const textOf = (value: JsonValue | undefined) => String(value ?? '').toLowerCase();

/** Azure may add a port or a slash at the end. */
export function uriOf(value: JsonValue | undefined): string {
  return textOf(value)
    .replace(/\/+$/, '')
    .replace(/:5671$/, '');
}
