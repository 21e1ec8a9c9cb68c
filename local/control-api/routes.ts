import * as z from 'zod';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import type { TrustFiles } from '../ca/index.ts';
import type { Dps } from '../dps/index.ts';
import type { EventHubs } from '../event-hubs/index.ts';
import { HubRefusal, type HubView, type IotHubs, type Writer } from '../iot-hub/index.ts';
import type { Watchers } from '../monitor/watchers.ts';
import type { Ports } from '../options.ts';
import type { OwnDevice, OwnDeviceRequest } from '../own-device/credentials.ts';
import { type ControlAnswer, failedAnswer, methodNotAllowed, ok } from './answers.ts';
import { commandRoute, type RunCommand } from './commands.ts';
import { type EventStatus, eventStatus } from './event-counters.ts';
import type { EventFeed } from './event-feed.ts';
import { faultRoute } from './fault-routes.ts';
import { ownDeviceRoute } from './own-device-route.ts';
import type { ControlRequest } from './request.ts';
import { unknownHub, unknownRoute, unusableBody } from './usage.ts';

/** One process of the local stack, as `GET /processes` shows it. */
export interface ProcessStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly running: boolean;
  /** How often it was restarted after an unexpected end. */
  readonly restarts: number;
}

export interface ControlOptions {
  /** The function key for `/api/…`. Default: the key of the local function host. */
  readonly functionKey?: string;
  readonly hubs: IotHubs;
  readonly dps: Dps;
  readonly eventHubs: EventHubs;
  readonly eventHub: string;
  readonly consumerGroups: readonly string[];
  /** The built-in endpoint of a hub: where programs read its device messages. */
  readonly builtInEndpoint: (host: string) => BuiltInEndpoint;
  /** Connection string of the storage account with the checkpoints. */
  readonly storage: string;
  readonly processes: () => readonly ProcessStatus[];
  /** Addresses and keys of the stack, for its clients. */
  readonly stack: () => Stack;
  /** Gives a device of the user what it needs to register, and makes the enrollment that it needs. */
  readonly ownDevice: (request: OwnDeviceRequest) => Promise<OwnDevice>;
  /** What happened lately. */
  readonly feed: EventFeed;
  /** Those who watch the hubs: `GET /monitor`. */
  readonly watchers: Watchers;
  /** Runs a `berth` command against the local stack. */
  readonly runCommand: RunCommand;
  /** Where the built console is. */
  readonly consoleFolder: string;
}

/** The Event Hub-compatible name and connection string of a hub. The key in it is public. */
export interface BuiltInEndpoint {
  readonly eventHubName: string;
  readonly connectionString: string;
}

/** The local stack for clients: `GET /stack`. It contains only public development values. */
export interface Stack {
  readonly ports: Ports;
  readonly idScope: string;
  /** PEM of the root that issued the certificates of the local servers. */
  readonly root: string;
  /** The stack runs without Berth. */
  readonly plain: boolean;
  /** Files with the root, for programs that read it from a file. */
  readonly certificates: TrustFiles;
  /** App settings for the functions and for the `berth` command. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Answers a request to the control API. Tests and people use this API to read and change the local stack. */
export async function route(request: ControlRequest, options: ControlOptions): Promise<ControlAnswer> {
  const [resource, ...rest] = request.path;
  const { method } = request;
  if (resource === 'processes' && rest.length === 0 && method === 'GET') return ok(options.processes());
  if (resource === 'stack' && rest.length === 0 && method === 'GET') return ok(options.stack());
  if (resource === 'registrations' && rest.length === 0 && method === 'GET')
    return ok(options.dps.registrations());
  if (resource === 'enrollments' && rest.length === 0 && method === 'GET')
    return ok(options.dps.enrollments());
  if (resource === 'events' && rest.length === 0 && method === 'GET') return ok(await events(options));
  if (resource === 'events' && rest[0] === 'feed' && rest.length === 1 && method === 'GET')
    return feedRoute(request, options.feed);
  if (resource === 'commands' && rest.length === 0) return commandRoute(request, options.runCommand);
  if (resource === 'events' && rest.length === 0 && method === 'POST')
    return appendEvent(request.body, options);
  if (resource === 'faults' && rest.length === 0) return faultRoute(request, options.hubs, options.feed);
  if (resource === 'devices' && rest.length === 0) return ownDeviceRoute(request, options.ownDevice);
  if (resource === 'hubs') return hubRoute(rest, request, options);
  if (resource === 'monitor' && rest.length === 0) return methodNotAllowed(request, 'GET');
  return unknownRoute(method, request.path, OWN_ROUTES);
}

const OWN_ROUTES = [
  'processes',
  'stack',
  'registrations',
  'enrollments',
  'events',
  'faults',
  'devices',
  'hubs',
  'commands',
  'monitor',
];

/** Whether a path is one of these routes, and not that of a file of the console. */
export function isOwnRoute([resource = '']: readonly string[]): boolean {
  return OWN_ROUTES.includes(resource);
}

/** `GET /events/feed?after=N` */
function feedRoute({ query }: ControlRequest, feed: EventFeed): ControlAnswer {
  const after = query.get('after');
  if (after === null || /^\d{1,15}$/.test(after))
    return ok(feed.after(after === null ? undefined : Number(after)));
  return failedAnswer(
    400,
    'BERTH_LOCAL_REQUEST_INVALID',
    `after is ${JSON.stringify(after)}: give the number that "next" had, or leave it out.`,
  );
}

export function events({
  eventHubs,
  eventHub,
  consumerGroups,
  storage,
}: ControlOptions): Promise<EventStatus> {
  return eventStatus(eventHubs, eventHub, consumerGroups, storage);
}

function hubRoute(
  path: readonly string[],
  request: ControlRequest,
  { hubs, builtInEndpoint }: Pick<ControlOptions, 'hubs' | 'builtInEndpoint'>,
): ControlAnswer {
  const summary = (view: HubView): JsonObject => ({
    ...countsOf(view),
    builtInEndpoint: { ...builtInEndpoint(view.host) },
  });
  const [host, collection, deviceId, modules, moduleId, ...more] = path;
  if (host === undefined)
    return request.method === 'GET' ? ok(hubs.views.map(summary)) : methodNotAllowed(request, 'GET');
  const hub = hubs.view(host);
  if (hub === undefined) return unknownHub(host, hubs);
  if (collection === 'devices' && deviceId !== undefined && modules === 'manifest' && moduleId === undefined)
    return manifestRoute(hub, deviceId, request);
  if (collection === undefined)
    return request.method === 'GET' ? ok(summary(hub)) : methodNotAllowed(request, 'GET');
  if (collection !== 'devices' || (modules ?? 'modules') !== 'modules' || more.length > 0) {
    return failedAnswer(
      404,
      'BERTH_LOCAL_NOT_FOUND',
      `Unknown route /${request.path.join('/')}. Below a hub, there is only devices/ID, devices/ID/modules/ID and devices/ID/manifest.`,
    );
  }
  if (deviceId === undefined) {
    return request.method === 'GET' ? ok([...hub.deviceIds()]) : methodNotAllowed(request, 'GET');
  }
  if (modules !== undefined && moduleId === undefined) return moduleList(hub, deviceId, request);
  return twinRoute(hub, deviceId, moduleId, request);
}

/** Writes a manifest to an Edge device. */
function manifestRoute(hub: HubView, deviceId: string, request: ControlRequest): ControlAnswer {
  if (request.method !== 'PUT') return methodNotAllowed(request, 'PUT');
  if (!isObject(request.body)) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      'The body must be a manifest: {"modulesContent": {"$edgeAgent": {"properties.desired": …}, …}}.',
    );
  }
  try {
    hub.applyManifest(deviceId, request.body);
    return { status: 204, body: undefined };
  } catch (error) {
    if (!(error instanceof HubRefusal)) throw error;
    if (error.refusal === 'DeviceNotFound') return unknown(hub, deviceId);
    return failedAnswer(error.status, 'BERTH_LOCAL_REQUEST_INVALID', error.message);
  }
}

function moduleList(hub: HubView, deviceId: string, request: ControlRequest): ControlAnswer {
  if (request.method !== 'GET') return methodNotAllowed(request, 'GET');
  return hub.twin(deviceId) === undefined ? unknown(hub, deviceId) : ok(hub.moduleIds(deviceId));
}

/** The twin of a device or, with a module id, of a module. */
function twinRoute(
  hub: HubView,
  deviceId: string,
  moduleId: string | undefined,
  request: ControlRequest,
): ControlAnswer {
  try {
    switch (request.method) {
      case 'GET': {
        const twin = hub.twin(deviceId, moduleId);
        return twin === undefined ? unknown(hub, deviceId, moduleId) : ok(twin);
      }
      case 'PUT': {
        // Devices come from DPS.
        if (moduleId === undefined) return methodNotAllowed(request, 'GET', 'PATCH', 'DELETE');
        const identity = request.body ?? {};
        if (isObject(identity)) return { status: 201, body: hub.createModule(deviceId, moduleId, identity) };
        return failedAnswer(
          400,
          'BERTH_LOCAL_REQUEST_INVALID',
          'The body must be a module identity or empty.',
        );
      }
      case 'PATCH':
        return patchTwin(hub, deviceId, moduleId, request);
      case 'DELETE':
        hub.remove(deviceId, moduleId);
        return { status: 204, body: undefined };
      default:
        return methodNotAllowed(request, 'GET', 'PUT', 'PATCH', 'DELETE');
    }
  } catch (error) {
    if (!(error instanceof HubRefusal)) throw error;
    if (error.status === 404) return unknown(hub, deviceId, moduleId);
    return failedAnswer(error.status, 'BERTH_LOCAL_REQUEST_INVALID', error.message);
  }
}

function patchTwin(
  hub: HubView,
  deviceId: string,
  moduleId: string | undefined,
  { body, query }: ControlRequest,
): ControlAnswer {
  if (!isObject(body)) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      'The body must be a twin patch: {"tags": …, "properties": {"desired": …}}.',
    );
  }
  const writer = writerOf(query);
  if (writer !== undefined) return ok(hub.edit(deviceId, body, writer, moduleId));
  return failedAnswer(
    400,
    'BERTH_LOCAL_REQUEST_INVALID',
    `Unknown writer ?${query}. Use ?as=service, ?as=portal or ?as=configuration&name=NAME. NAME has up to 128 characters, without capitals, spaces and slashes.`,
  );
}

/** The id of a configuration: up to 128 characters without capitals (iot-hub-auto-device-config-cli.md). */
const CONFIGURATION_NAME = /^[a-z0-9\-:+%_#*?!(),=@;$']{1,128}$/;

function writerOf(query: URLSearchParams): Writer | undefined {
  const as = query.get('as') ?? 'service';
  const name = query.get('name') ?? '';
  if (as === 'service' || as === 'portal') return as;
  return as === 'configuration' && CONFIGURATION_NAME.test(name) ? { configuration: name } : undefined;
}

const EVENT = z.object({
  /** Base64. */
  body: z.base64().default(''),
  partitionKey: z.string().optional(),
  properties: z.record(z.string(), z.json()).default({}),
  systemProperties: z.record(z.string(), z.json()).default({}),
});

/** Appends a raw message, such as an event that no hub would send. */
function appendEvent(body: unknown, { eventHubs, eventHub }: ControlOptions): ControlAnswer {
  const parsed = EVENT.safeParse(body);
  if (!parsed.success) {
    return unusableBody('The event is', parsed.error, body, EVENT);
  }
  const { partitionKey, properties, systemProperties } = parsed.data;
  const position = eventHubs.append(eventHub, {
    body: Buffer.from(parsed.data.body, 'base64'),
    partitionKey,
    properties,
    annotations: systemProperties,
  });
  return { status: 201, body: position };
}

function countsOf({ host, deviceCount, connectedDevices, counters, messagesToday }: HubView): JsonObject {
  return { host, devices: deviceCount, connected: connectedDevices, messagesToday, ...counters };
}

function unknown(hub: HubView, deviceId: string, moduleId?: string): ControlAnswer {
  const device = `device ${JSON.stringify(deviceId)}`;
  const what =
    moduleId === undefined || hub.twin(deviceId) === undefined
      ? device
      : `module ${JSON.stringify(moduleId)} of ${device}`;
  return failedAnswer(404, 'BERTH_LOCAL_NOT_FOUND', `${hub.host} has no ${what}.`);
}
