import { describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import { createRouter, HUB_ROUTING, type HubEvent } from '../../../../local/iot-hub/index.ts';

const TWIN = { tags: { site: 'ams', place: { floor: 2 } }, properties: { desired: {}, reported: {} } };

function event(source: string, properties: HubEvent['properties'] = {}, body = '{}'): HubEvent {
  return {
    body: Buffer.from(body),
    partitionKey: 'lamp',
    properties,
    annotations: { 'iothub-connection-device-id': 'lamp', 'iothub-message-source': source },
    contentType: 'application/json',
    contentEncoding: 'utf-8',
  };
}
const routerOf = (routing: z.input<typeof HUB_ROUTING>) =>
  createRouter({
    routing: HUB_ROUTING.parse(routing),
    hubName: 'contoso-weu',
    twinOf: (deviceId) => (deviceId === 'lamp' ? TWIN : undefined),
  });
const ENDPOINTS = {
  eventHubs: [
    { name: 'alerts', entityPath: 'alerts' },
    { name: 'all', entityPath: 'all' },
  ],
};

describe('the routes of a hub', () => {
  test('a new hub sends device messages to the built-in endpoint, and other events nowhere', () => {
    const route = routerOf({});

    expect(route(event('Telemetry')).map(({ endpoint }) => endpoint)).toEqual(['events']);
    expect(route(event('twinChangeEvents'))).toEqual([]);
  });

  test.each([
    ['Telemetry', 'DeviceMessages'],
    ['twinChangeEvents', 'TwinChangeEvents'],
    ['deviceLifecycleEvents', 'DeviceLifecycleEvents'],
    ['deviceConnectionStateEvents', 'DeviceConnectionStateEvents'],
    ['deviceJobLifecycleEvents', 'DeviceJobLifecycleEvents'],
    ['digitalTwinChangeEvents', 'DigitalTwinChangeEvents'],
  ] as const)('an event of %s is routed by the source %s alone', (annotation, source) => {
    const route = routerOf({
      endpoints: ENDPOINTS,
      routes: [{ name: 'r', source, endpointNames: ['alerts'] }],
      fallbackRoute: { endpointNames: ['events'], isEnabled: false },
    });
    const others = ['Telemetry', 'twinChangeEvents', 'deviceLifecycleEvents'].filter(
      (each) => each !== annotation,
    );

    expect(route(event(annotation)).map(({ endpoint }) => endpoint)).toEqual(['alerts']);
    expect(others.flatMap((each) => route(event(each)))).toEqual([]);
  });

  test('a device message goes to each endpoint once, and to the fallback only if no route matches', () => {
    const route = routerOf({
      endpoints: ENDPOINTS,
      routes: [
        { name: 'high', source: 'DeviceMessages', condition: "level = 'high'", endpointNames: ['alerts'] },
        { name: 'urgent', source: 'DeviceMessages', condition: "urgent = 'yes'", endpointNames: ['alerts'] },
        {
          name: 'site',
          source: 'DeviceMessages',
          condition: "$twin.tags.site = 'ams' AND level = 'high'",
          endpointNames: ['all'],
        },
        { name: 'off', source: 'DeviceMessages', endpointNames: ['all'], isEnabled: false },
      ],
    });
    const endpoints = (properties: HubEvent['properties']) =>
      route(event('Telemetry', properties)).map(({ endpoint }) => endpoint);

    expect(endpoints({ level: 'high', urgent: 'yes' })).toEqual(['alerts', 'all']);
    expect(endpoints({ level: 'low' })).toEqual(['events']);
  });

  test('a route to a custom endpoint takes messages away from the built-in endpoint, as in Azure', () => {
    const route = routerOf({
      endpoints: ENDPOINTS,
      routes: [{ name: 'r', source: 'DeviceMessages', endpointNames: ['all'] }],
    });

    expect(route(event('Telemetry')).map(({ endpoint }) => endpoint)).toEqual(['all']);
  });
});

describe('the enrichments of a hub', () => {
  const route = routerOf({
    endpoints: ENDPOINTS,
    routes: [
      { name: 'twins', source: 'TwinChangeEvents', endpointNames: ['all'] },
      { name: 'digital', source: 'DigitalTwinChangeEvents', endpointNames: ['all'] },
    ],
    enrichments: [
      { key: 'hub', value: '$iothubname', endpointNames: ['events', 'all'] },
      { key: 'site', value: '$twin.tags.site', endpointNames: ['events'] },
      { key: 'floor', value: '$twin.tags.place.floor', endpointNames: ['events'] },
      { key: 'missing', value: '$twin.tags.missing', endpointNames: ['events'] },
      { key: 'literal', value: 'plant 7', endpointNames: ['events'] },
    ],
  });

  test('stamp the name of the hub, values of the twin, and texts; a path without a value stays as it is', () => {
    const [sent] = route(event('Telemetry', { own: 'x' }));

    expect(sent?.event.properties).toEqual({
      own: 'x',
      hub: 'contoso-weu',
      site: 'ams',
      floor: 2,
      missing: '$twin.tags.missing',
      literal: 'plant 7',
    });
  });

  test('are stamped for each endpoint, and not on digital twin events', () => {
    expect(route(event('twinChangeEvents')).map((sent) => sent.event.properties)).toEqual([
      { hub: 'contoso-weu' },
    ]);
    expect(route(event('digitalTwinChangeEvents')).map((sent) => sent.event.properties)).toEqual([{}]);
  });

  test('drop a message that is larger than 256 KB with them', () => {
    expect(route(event('Telemetry', {}, 'x'.repeat(256 * 1024 - 10)))).toEqual([]);
    expect(route(event('Telemetry', {}, 'x'.repeat(255 * 1024)))).toHaveLength(1);
  });
});

describe('the routing of a hub is refused', () => {
  const problems = (routing: unknown) => {
    const parsed = HUB_ROUTING.safeParse(routing);
    return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')} ${message}`);
  };
  const route = { name: 'r', source: 'DeviceMessages', endpointNames: ['events'] };

  test.each([
    [
      'for a wrong condition, with the character',
      { routes: [{ ...route, condition: 'a = ' }] },
      /routes.0.condition is "a = ": at character 5, a value is expected/,
    ],
    [
      'for an unknown endpoint',
      { routes: [{ ...route, endpointNames: ['nowhere'] }] },
      /routes.0.endpointNames.0 is "nowhere": unknown endpoint; write events/,
    ],
    [
      'for two endpoints of a route',
      { routes: [{ ...route, endpointNames: ['events', 'events'] }] },
      /a route has one endpoint/,
    ],
    [
      'for two routes of a name',
      { routes: [route, { ...route, name: 'R' }] },
      /routes.1.name is "R": another route has this name/,
    ],
    ['for an unknown source', { routes: [{ ...route, source: 'Telemetry' }] }, /routes.0.source/],
    [
      'for an endpoint with a kept name',
      { endpoints: { eventHubs: [{ name: 'Events', entityPath: 'x' }] } },
      /a name that Azure does not keep/,
    ],
    [
      'for endpoints that are not in the local hub',
      { endpoints: { serviceBusQueues: [{}] } },
      /is not in the local hub: only eventHubs are, not Service Bus queues/,
    ],
    [
      'for more than ten enrichments',
      {
        enrichments: Array.from({ length: 11 }, (_, n) => ({
          key: `k${n}`,
          value: 'v',
          endpointNames: ['events'],
        })),
      },
      /enrichments/,
    ],
    [
      'for a wrong key of an enrichment',
      { enrichments: [{ key: 'a b', value: 'v', endpointNames: ['events'] }] },
      /enrichments.0.key/,
    ],
    [
      'for more than a hundred routes',
      { routes: Array.from({ length: 101 }, (_, n) => ({ ...route, name: `r${n}` })) },
      /routes/,
    ],
  ])('%s', (_what, routing, message) => {
    expect(problems(routing)).toContainEqual(expect.stringMatching(message));
  });
});
