import { resourceName } from '../arm/resource-id.ts';
import { type JsonObject, ownMember } from '../json/json.ts';
import { hasIdentity } from './identity.ts';
import {
  BERTH_ROUTES,
  ENDPOINT_NAME,
  type HubRoute,
  type HubRouting,
  isSameEndpoint,
  isSameRoute,
  routingOf,
  uriOf,
  wantedEndpoint,
  wantedRoutes,
} from './routing.ts';
import type { Sender, WantedHub } from './wanted.ts';

/** The region of a resource: Azure answers `West Europe` as well as `westeurope`. */
export function regionOf({ location }: JsonObject): string {
  return String(location ?? '')
    .replace(/\s/g, '')
    .toLowerCase();
}

/** Tier and units of a hub. */
export interface Size {
  readonly tier: string;
  readonly units: number;
}

/** One change of a hub. */
export type HubChange =
  | { readonly kind: 'addIdentity'; readonly sender: Sender }
  /** The hub's own identity gets the role to send. For a user-assigned identity, the templates give it. */
  | { readonly kind: 'assignSender'; readonly eventHubId: string }
  | { readonly kind: 'addEndpoint' | 'correctEndpoint'; readonly endpoint: JsonObject }
  | { readonly kind: 'addRoute' | 'correctRoute'; readonly route: HubRoute }
  /** Without the fallback route, the first route would stop telemetry to the built-in endpoint. */
  | { readonly kind: 'keepTelemetry' }
  | { readonly kind: 'resize'; readonly from: Size; readonly to: Size };

/** What to do with a hub. */
export interface HubPlan {
  readonly changes: readonly HubChange[];
  /** What differs or needs a look, and stays as it is. */
  readonly notes: readonly string[];
  /** Why the hub cannot be connected. */
  readonly problems: readonly string[];
}

/** Endpoints and routes that a hub takes (azure-docs, iot-hub-devguide-messages-d2c). */
const MOST = { free: { endpoints: 1, routes: 5 }, paid: { endpoints: 10, routes: 100 } } as const;

/**
 * The changes that connect a hub. Everything else of the hub stays as it is.
 *
 * @param hub the resource, as Azure answers it
 * @param isSender whether the hub's own identity may send to the Event Hub. Only for a hub that sends with it.
 */
export function planHub(hub: JsonObject, wanted: WantedHub, isSender: boolean): HubPlan {
  const routing = routingOf(hub);
  const changes: readonly HubChange[] = [
    ...(hasIdentity(hub, wanted.sender) ? [] : [{ kind: 'addIdentity', sender: wanted.sender } as const]),
    ...(wanted.sender.kind === 'system' && !isSender
      ? [{ kind: 'assignSender', eventHubId: wanted.eventHub.id } as const]
      : []),
    ...endpointChanges(routing, wanted),
    ...routeChanges(routing),
    ...telemetryChanges(routing),
    ...sizeChanges(hub, wanted),
  ];
  return {
    changes,
    notes: [...sizeNotes(hub, wanted), ...regionNotes(hub, wanted), ...routeNotes(routing, wanted)],
    problems: [...nameProblems(routing), ...roomProblems(hub, routing, changes)],
  };
}

function endpointChanges({ endpoints }: HubRouting, wanted: WantedHub): readonly HubChange[] {
  const endpoint = wantedEndpoint(wanted);
  const found = endpoints.eventHubs?.find(({ name }) => name === ENDPOINT_NAME);
  if (found === undefined) return [{ kind: 'addEndpoint', endpoint }];
  return isSameEndpoint(found, endpoint) ? [] : [{ kind: 'correctEndpoint', endpoint }];
}

function routeChanges({ routes }: HubRouting): readonly HubChange[] {
  return wantedRoutes().flatMap((route): readonly HubChange[] => {
    const found = routes.find(({ name }) => name === route.name);
    if (found === undefined) return [{ kind: 'addRoute', route }];
    return isSameRoute(found, route) ? [] : [{ kind: 'correctRoute', route }];
  });
}

/**
 * A hub without routes sends telemetry to the built-in endpoint. The first route ends that, unless the fallback route is
 * on (azure-docs, iot-hub-devguide-endpoints). Where others have made routes, they have decided.
 */
function telemetryChanges({ routes, fallback }: HubRouting): readonly HubChange[] {
  const others = routes.filter(({ name }) => !BERTH_ROUTES.some((route) => route.name === name));
  return others.length === 0 && fallback?.isEnabled !== true ? [{ kind: 'keepTelemetry' }] : [];
}

function sizeChanges(hub: JsonObject, wanted: WantedHub): readonly HubChange[] {
  const from = sizeOf(hub);
  const to = { tier: wanted.tier, units: wanted.units };
  return wanted.isManaged && !isSameSize(from, to) ? [{ kind: 'resize', from, to }] : [];
}

export function sizeOf({ sku }: JsonObject): Size {
  return { tier: String(ownMember(sku, 'name') ?? ''), units: Number(ownMember(sku, 'capacity') ?? 1) };
}

function isSameSize(one: Size, other: Size): boolean {
  return one.tier === other.tier && one.units === other.units;
}

export function sizeText({ tier, units }: Size): string {
  return `${tier} with ${units === 1 ? '1 unit' : `${units} units`}`;
}

function sizeNotes(hub: JsonObject, wanted: WantedHub): readonly string[] {
  const found = sizeOf(hub);
  if (wanted.isManaged || isSameSize(found, wanted)) return [];
  return [
    `Azure has ${sizeText(found)}, and the fleet file has ${sizeText(wanted)}: it is not changed, because the hub exists already. Write tier "${found.tier}" and units ${found.units}.`,
  ];
}

function regionNotes(hub: JsonObject, { region }: WantedHub): readonly string[] {
  const found = regionOf(hub);
  return found === '' || found === region
    ? []
    : [`Azure has the region ${found}, and the fleet file has ${region}: correct the fleet file.`];
}

/** A second way to the same Event Hub brings each event twice. */
function routeNotes({ routes, endpoints }: HubRouting, wanted: WantedHub): readonly string[] {
  const sameHub = (endpoints.eventHubs ?? [])
    .filter(
      ({ name, endpointUri, entityPath }) =>
        name !== ENDPOINT_NAME &&
        uriOf(endpointUri) === uriOf(wanted.eventHub.endpointUri) &&
        entityPath === wanted.eventHub.name,
    )
    .map(({ name }) => name);
  return routes
    .filter(
      ({ source, endpointNames }) =>
        BERTH_ROUTES.some((route) => route.source === source) &&
        Array.isArray(endpointNames) &&
        endpointNames.some((name) => sameHub.includes(name)),
    )
    .map(
      ({ name, source }) =>
        `The route "${name}" sends ${source} to the same Event Hub, so each event arrives twice: remove it.`,
    );
}

function nameProblems({ endpoints }: HubRouting): readonly string[] {
  return Object.entries(endpoints).flatMap(([kind, list]) =>
    kind !== 'eventHubs' && list.some(({ name }) => name === ENDPOINT_NAME)
      ? [`The hub has an endpoint "${ENDPOINT_NAME}" of the kind ${kind}. Rename it: Berth needs this name.`]
      : [],
  );
}

function roomProblems(
  hub: JsonObject,
  { routes, endpoints }: HubRouting,
  changes: readonly HubChange[],
): readonly string[] {
  const { tier } = sizeOf(hub);
  const most = MOST[tier === 'F1' ? 'free' : 'paid'];
  const has = {
    endpoints: Object.values(endpoints).reduce((sum, { length }) => sum + length, 0),
    routes: routes.length,
  };
  const added = {
    endpoints: changes.filter(({ kind }) => kind === 'addEndpoint').length,
    routes: changes.filter(({ kind }) => kind === 'addRoute').length,
  };
  return (['endpoints', 'routes'] as const).flatMap((what) =>
    added[what] > 0 && has[what] + added[what] > most[what]
      ? [
          `The hub has ${has[what]} ${what}, Berth needs ${added[what]} more, and ${tier} takes ${most[what]}: remove some.`,
        ]
      : [],
  );
}

/** A change in one line, for operators. */
export function hubChangeText(change: HubChange): string {
  switch (change.kind) {
    case 'addIdentity':
      return change.sender.kind === 'system'
        ? '+ the system-assigned identity of the hub'
        : `+ the identity ${resourceName(change.sender.identityId)}`;
    case 'assignSender':
      return `+ the role Azure Event Hubs Data Sender on ${resourceName(change.eventHubId)} for the identity of the hub`;
    case 'addEndpoint':
      return `+ endpoint ${endpointText(change.endpoint)}`;
    case 'correctEndpoint':
      return `~ endpoint ${endpointText(change.endpoint)}`;
    case 'addRoute':
      return `+ route ${change.route.name} (${change.route.source})`;
    case 'correctRoute':
      return `~ route ${change.route.name} (${change.route.source})`;
    case 'keepTelemetry':
      return '~ the fallback route is turned on, so that telemetry still goes to the built-in endpoint';
    case 'resize':
      return `~ ${sizeText(change.from)} -> ${sizeText(change.to)}`;
  }
}

function endpointText({ name, endpointUri, entityPath }: JsonObject): string {
  return `${name}: ${String(endpointUri).replace('sb://', '')}/${entityPath}`;
}
