import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import type { HubChange } from './hub-plan.ts';
import { withIdentity } from './identity.ts';
import { objectsIn } from './routing.ts';

/**
 * The body of the write that carries out changes: the hub as Azure answered it, with the changes and nothing else. Berth
 * sends back masked keys (`****`); Azure then keeps the keys (hashicorp/terraform-provider-azurerm#13890).
 */
export function changedHub(hub: JsonObject, changes: readonly HubChange[]): JsonObject {
  return changes.reduce(changed, hub);
}

function changed(hub: JsonObject, change: HubChange): JsonObject {
  switch (change.kind) {
    case 'addIdentity':
      return { ...hub, identity: withIdentity(hub, change.sender) };
    case 'assignSender':
      // Not a change of the hub.
      return hub;
    case 'addEndpoint':
    case 'correctEndpoint':
      return inRouting(hub, (routing) => {
        const endpoints = isObject(routing.endpoints) ? routing.endpoints : {};
        return {
          ...routing,
          endpoints: { ...endpoints, eventHubs: put(endpoints.eventHubs, change.endpoint) },
        };
      });
    case 'addRoute':
    case 'correctRoute':
      return inRouting(hub, (routing) => ({ ...routing, routes: put(routing.routes, change.route) }));
    case 'keepTelemetry':
      return inRouting(hub, (routing) => ({ ...routing, fallbackRoute: FALLBACK }));
    case 'resize':
      // `tier` follows the name, and is read-only.
      return { ...hub, sku: { name: change.to.tier, capacity: change.to.units } };
  }
}

const FALLBACK: JsonObject = {
  name: '$fallback',
  source: 'DeviceMessages',
  condition: 'true',
  endpointNames: ['events'],
  isEnabled: true,
};

function inRouting(hub: JsonObject, change: (routing: JsonObject) => JsonObject): JsonObject {
  const properties = isObject(hub.properties) ? hub.properties : {};
  const routing = isObject(properties.routing) ? properties.routing : {};
  return { ...hub, properties: { ...properties, routing: change(routing) } };
}

/** The list with this item in the place of the one of the same name, or at the end. */
function put(list: JsonValue | undefined, item: JsonObject): readonly JsonValue[] {
  const items = objectsIn(list);
  const isThere = items.some(({ name }) => name === item.name);
  return isThere ? items.map((each) => (each.name === item.name ? item : each)) : [...items, item];
}
