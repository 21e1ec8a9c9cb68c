import * as z from 'zod';
import { isProblem, parseHubCondition } from './parse-condition.ts';

/*
 * The routing of a hub, in the form of Azure Resource Manager (Microsoft.Devices/IotHubs, `properties.routing`), so that the
 * routing of a real hub can be copied. Rules: iot-hub-devguide-messages-d2c.md and "IoT Hub quotas and throttling".
 */

/** The name of the built-in endpoint, `messages/events`, in routes. */
export const BUILT_IN_ENDPOINT = 'events';

/** What a route takes events from. */
export const ROUTE_SOURCES = [
  'DeviceMessages',
  'TwinChangeEvents',
  'DeviceLifecycleEvents',
  'DeviceConnectionStateEvents',
  'DeviceJobLifecycleEvents',
  'DigitalTwinChangeEvents',
] as const;
export type RouteSource = (typeof ROUTE_SOURCES)[number];

const NAME = /^[A-Za-z0-9\-._]{1,64}$/;
const NAME_RULE = 'write up to 64 letters, digits and - . _';
/** The names that Azure keeps for itself. */
const RESERVED: ReadonlySet<string> = new Set(['events', 'filenotifications', '$default']);
const MAX_ENDPOINTS = 10;
const MAX_ROUTES = 100;
const MAX_ENRICHMENTS = 10;

const CONDITION = z.string().superRefine((text, context) => {
  const parsed = parseHubCondition(text);
  if (isProblem(parsed))
    context.addIssue({
      code: 'custom',
      message: `is ${JSON.stringify(text)}: at character ${parsed.at}, ${parsed.message}`,
    });
});
const ENDPOINT_NAMES = z.array(z.string()).length(1, 'has another number than one: a route has one endpoint');

const ROUTE = z.strictObject({
  name: z.string().regex(NAME, NAME_RULE),
  source: z.enum(ROUTE_SOURCES),
  /** Default: every event of the source. */
  condition: CONDITION.default('true'),
  endpointNames: ENDPOINT_NAMES,
  isEnabled: z.boolean().default(true),
});

const FALLBACK_ROUTE = z.strictObject({
  name: z.string().default('$fallback'),
  source: z.literal('DeviceMessages').default('DeviceMessages'),
  condition: z.literal('true').default('true'),
  endpointNames: ENDPOINT_NAMES,
  isEnabled: z.boolean().default(true),
});

const ENDPOINT = z.object({
  name: z
    .string()
    .regex(NAME, NAME_RULE)
    .refine((name) => !RESERVED.has(name.toLowerCase()), 'write a name that Azure does not keep for itself'),
  /** The Event Hub. */
  entityPath: z.string().min(1),
});
/** Event Hubs alone are in the local stack. */
const absentEndpoint = (kind: string) =>
  z.array(z.unknown()).max(0, `is not in the local hub: only eventHubs are, not ${kind}`).optional();

const ENRICHMENT = z.strictObject({
  key: z.string().regex(/^[A-Za-z0-9\-._]+$/, 'write letters, digits and - . _'),
  value: z.string().min(1),
  endpointNames: z.array(z.string()).min(1),
});

/** The routing of a hub; see `properties.routing` in Azure Resource Manager. */
export const HUB_ROUTING = z
  .strictObject({
    endpoints: z
      .strictObject({
        eventHubs: z.array(ENDPOINT).max(MAX_ENDPOINTS).default([]),
        serviceBusQueues: absentEndpoint('Service Bus queues'),
        serviceBusTopics: absentEndpoint('Service Bus topics'),
        storageContainers: absentEndpoint('storage containers'),
        cosmosDBSqlContainers: absentEndpoint('Cosmos DB containers'),
      })
      .default({ eventHubs: [] }),
    routes: z.array(ROUTE).max(MAX_ROUTES).default([]),
    fallbackRoute: FALLBACK_ROUTE.default({
      name: '$fallback',
      source: 'DeviceMessages',
      condition: 'true',
      endpointNames: [BUILT_IN_ENDPOINT],
      isEnabled: true,
    }),
    enrichments: z.array(ENRICHMENT).max(MAX_ENRICHMENTS).default([]),
  })
  .superRefine(({ endpoints, routes, fallbackRoute, enrichments }, context) => {
    const known = [BUILT_IN_ENDPOINT, ...endpoints.eventHubs.map(({ name }) => name)];
    const complain = (path: readonly PropertyKey[], message: string): void =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const checkEndpoints = (names: readonly string[], path: readonly PropertyKey[]): void => {
      for (const [index, name] of names.entries()) {
        if (known.includes(name)) continue;
        const message = `is ${JSON.stringify(name)}: unknown endpoint; write ${known.join(' or ')}`;
        complain([...path, 'endpointNames', index], message);
      }
    };
    for (const [index, name] of twice(endpoints.eventHubs.map((each) => each.name)))
      complain(
        ['endpoints', 'eventHubs', index, 'name'],
        `is ${JSON.stringify(name)}: another endpoint has this name`,
      );
    for (const [index, name] of twice(routes.map((each) => each.name)))
      complain(['routes', index, 'name'], `is ${JSON.stringify(name)}: another route has this name`);
    for (const [index, key] of twice(enrichments.map((each) => each.key)))
      complain(['enrichments', index, 'key'], `is ${JSON.stringify(key)}: another enrichment has this key`);
    for (const [index, route] of routes.entries()) checkEndpoints(route.endpointNames, ['routes', index]);
    for (const [index, each] of enrichments.entries())
      checkEndpoints(each.endpointNames, ['enrichments', index]);
    checkEndpoints(fallbackRoute.endpointNames, ['fallbackRoute']);
  });

export type LocalRouting = z.output<typeof HUB_ROUTING>;

/** The routing of a new hub: device messages go to the built-in endpoint, other events nowhere. */
export const NEW_HUB_ROUTING: LocalRouting = HUB_ROUTING.parse({});

/** The names that stand there more than once, with the index of each repetition. Names are not case-sensitive. */
function twice(names: readonly string[]): readonly (readonly [number, string])[] {
  const lower = names.map((name) => name.toLowerCase());
  return names.flatMap((name, index) =>
    lower.indexOf(lower[index] ?? '') < index ? [[index, name] as const] : [],
  );
}
