import type { JsonValue } from '../../src/json/json.ts';
import type { EventHubOptions, EventHubs } from '../event-hubs/index.ts';
import { BUILT_IN_ENDPOINT, builtInPolicies, createRouter, type EventSink } from '../iot-hub/index.ts';
import { builtInEventHub, type LocalPlan, type PlannedHub } from './local-plan.ts';

/** Telemetry of a day of many devices must not fill the memory. Durations are those of every Event Hub. */
const BUILT_IN_RETENTION = { events: 20_000, bytes: 16 * 1024 * 1024 } as const;

/** The Event Hubs of a plan: the built-in endpoints of its hubs, and those of its routes. */
export function eventHubsOf({ hubs, eventHubs }: LocalPlan): readonly EventHubOptions[] {
  return [
    ...eventHubs,
    ...hubs.map(({ host, builtInEndpoint }) => ({
      name: builtInEventHub(host),
      ...builtInEndpoint,
      retention: BUILT_IN_RETENTION,
      policies: READERS,
    })),
  ];
}

/** The policies of a hub that open its built-in endpoint: those with `ServiceConnect` (iot-hub-devguide-security.md). */
const READERS = builtInPolicies().filter(({ rights }) => rights.includes('ServiceConnect'));

/** The connection string of the built-in endpoint of a hub, with the key of its policy `service`. */
export function builtInConnection(host: string, eventHubs: Pick<EventHubs, 'connectionString'>): string {
  return eventHubs.connectionString(
    builtInEventHub(host),
    READERS.find(({ keyName }) => keyName === 'service'),
  );
}

/**
 * The sink of a hub: it appends each event to the Event Hubs to which the routes of the hub lead.
 *
 * @param twinOf the twin of a device or module of this hub; undefined if there is none.
 */
export function routedSink(
  { host, routing }: PlannedHub,
  eventHubs: Pick<EventHubs, 'append'>,
  twinOf: (deviceId: string, moduleId: string | undefined) => JsonValue | undefined,
): EventSink {
  const entities = new Map([
    [BUILT_IN_ENDPOINT, builtInEventHub(host)],
    ...routing.endpoints.eventHubs.map(({ name, entityPath }) => [name, entityPath] as const),
  ]);
  const route = createRouter({ routing, hubName: host.split('.')[0] ?? host, twinOf });
  return (event) => {
    for (const routed of route(event)) {
      const entity = entities.get(routed.endpoint);
      const { partitionKey: placementKey, ...unkeyed } = routed.event;
      if (entity !== undefined) eventHubs.append(entity, { ...unkeyed, placementKey });
    }
  };
}
