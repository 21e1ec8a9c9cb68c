import { isObject, type JsonValue } from '../../../src/json/json.ts';
import type { HubEvent } from '../hub/event-sink.ts';
import type { HubCondition, PathStep } from './condition-syntax.ts';
import { type MessageFacts, matchesCondition, memberAt } from './evaluate-condition.ts';
import type { LocalRouting, RouteSource } from './hub-routing.ts';
import { factsOf } from './message-facts.ts';
import { isProblem, parseHubCondition } from './parse-condition.ts';

export interface RouterOptions {
  readonly routing: LocalRouting;
  /** The short name of the hub. */
  readonly hubName: string;
  /** The twin of a device or module, in the form of the service API; undefined if there is none. */
  readonly twinOf: (deviceId: string, moduleId: string | undefined) => JsonValue | undefined;
}

/** The events for the endpoints of a hub. */
export interface RoutedEvent {
  readonly endpoint: string;
  readonly event: HubEvent;
}

/** The sources by the values of `iothub-message-source` (iot-hub-non-telemetry-event-schema.md), in lower case. */
const SOURCES: Readonly<Record<string, RouteSource>> = {
  telemetry: 'DeviceMessages',
  twinchangeevents: 'TwinChangeEvents',
  devicelifecycleevents: 'DeviceLifecycleEvents',
  deviceconnectionstateevents: 'DeviceConnectionStateEvents',
  devicejoblifecycleevents: 'DeviceJobLifecycleEvents',
  digitaltwinchangeevents: 'DigitalTwinChangeEvents',
};
/** Size of a message with its enrichments (iot-hub-message-enrichments-overview.md). */
const MAX_BYTES = 256 * 1024;

/**
 * Makes the router of a hub: it gives each event to the endpoints of its routes, once to each endpoint. A device message that
 * matches no route goes to the fallback route. It evaluates conditions on the twin after the change.
 */
export function createRouter({
  routing,
  hubName,
  twinOf,
}: RouterOptions): (event: HubEvent) => readonly RoutedEvent[] {
  const routes = routing.routes
    .filter(({ isEnabled }) => isEnabled)
    .map(({ source, condition, endpointNames }) => ({
      source,
      condition: compiled(condition),
      endpointNames,
    }));
  const { fallbackRoute, enrichments } = routing;

  const endpointsOf = (source: RouteSource, facts: MessageFacts): readonly string[] => {
    const matching = routes.filter(
      (route) => route.source === source && matchesCondition(route.condition, facts),
    );
    if (matching.length > 0) return [...new Set(matching.flatMap(({ endpointNames }) => endpointNames))];
    return source === fallbackRoute.source && fallbackRoute.isEnabled ? fallbackRoute.endpointNames : [];
  };

  return (event) => {
    const source = sourceOf(event);
    if (source === undefined) return [];
    const { deviceId, moduleId } = senderOf(event);
    const facts = factsOf(event, () => twinOf(deviceId, moduleId));
    return endpointsOf(source, facts).flatMap((endpoint) => {
      const stamps =
        source === 'DigitalTwinChangeEvents'
          ? []
          : enrichments.filter(({ endpointNames }) => endpointNames.includes(endpoint));
      if (stamps.length === 0) return [{ endpoint, event }];
      const added = Object.fromEntries(stamps.map(({ key, value }) => [key, stampOf(value, hubName, facts)]));
      const enriched = { ...event, properties: { ...event.properties, ...added } };
      return sizeOf(enriched) > MAX_BYTES ? [] : [{ endpoint, event: enriched }];
    });
  };
}

/** The source of an event in the words of routes; undefined for an event that no route can take. */
function sourceOf({ annotations }: HubEvent): RouteSource | undefined {
  return SOURCES[String(annotations['iothub-message-source']).toLowerCase()];
}

function senderOf({ partitionKey, annotations }: HubEvent) {
  const moduleId = annotations['iothub-connection-module-id'];
  return { deviceId: partitionKey, moduleId: typeof moduleId === 'string' ? moduleId : undefined };
}

function compiled(text: string): HubCondition {
  const parsed = parseHubCondition(text);
  // A routing is checked when it is read.
  return isProblem(parsed) ? { kind: 'constant', value: undefined } : parsed;
}

const TWIN_PATH = /^\$twin\.(tags|properties\.desired|properties\.reported)\.(.+)$/i;

/** The value of an enrichment. A path that the twin does not have stays as the text that it is (same page). */
function stampOf(value: string, hubName: string, facts: MessageFacts): unknown {
  if (/^\$(?:iot)?hubname$/i.test(value)) return hubName;
  if (!TWIN_PATH.test(value)) return value;
  const path = value
    .split('.')
    .slice(1)
    .map((name): PathStep => ({ name, index: undefined }));
  const found = memberAt(facts.twin(), path, true);
  if (found === undefined || found === null) return value;
  return isObject(found) || Array.isArray(found) ? JSON.stringify(found) : found;
}

function sizeOf({ body, properties }: HubEvent): number {
  return Object.entries(properties).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(String(value)),
    body.length,
  );
}
