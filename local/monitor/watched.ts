import type { JsonValue } from '../../src/json/json.ts';
import type { HubEvent, Traffic } from '../iot-hub/index.ts';
import { shallowJson } from '../shallow-json.ts';

/** Something that a hub sent or got, for `GET /monitor` and `npm run monitor`. */
export interface Watched {
  /** ISO 8601, UTC. */
  readonly at: string;
  /**
   * The source of an event as a route names it (`DeviceMessages`, `TwinChangeEvents`, …), or `CloudToDevice` for a message
   * and `DirectMethod` for a method of a service.
   */
  readonly source: string;
  readonly hub: string;
  readonly deviceId: string;
  readonly moduleId: string | null;
  /** JSON where the body is JSON that is not nested too deep, otherwise text, or base64 (`{ base64 }`) where it is not UTF-8. */
  readonly payload: JsonValue;
  readonly properties: {
    readonly system: Readonly<Record<string, JsonValue>>;
    readonly application: Readonly<Record<string, JsonValue>>;
  };
  /** Message annotations of an event. */
  readonly annotations: Readonly<Record<string, JsonValue>>;
}

/** The value of `iothub-message-source` of device messages. The other sources have the name of the route. */
const TELEMETRY = 'Telemetry';

/** @param at milliseconds since the epoch */
export function watchedEvent(hub: string, event: HubEvent, at: number): Watched {
  const { body, properties, annotations, contentType, contentEncoding, correlationId, userId, messageId } =
    event;
  const source = String(annotations['iothub-message-source'] ?? '');
  const moduleId = annotations['iothub-connection-module-id'];
  return {
    at: new Date(at).toISOString(),
    source: source === TELEMETRY ? 'DeviceMessages' : source.slice(0, 1).toUpperCase() + source.slice(1),
    hub,
    deviceId: event.partitionKey,
    moduleId: typeof moduleId === 'string' ? moduleId : null,
    payload: payloadOf(body),
    properties: {
      system: present({
        'content-type': contentType,
        'content-encoding': contentEncoding,
        'correlation-id': correlationId,
        'user-id': userId,
        'message-id': messageId,
      }),
      application: present(properties),
    },
    annotations: present(annotations),
  };
}

/** @param at milliseconds since the epoch */
export function watchedTraffic(hub: string, traffic: Traffic, at: number): Watched {
  const { deviceId, moduleId } = traffic.address;
  const about = {
    at: new Date(at).toISOString(),
    hub,
    deviceId,
    moduleId: moduleId ?? null,
    annotations: {},
  };
  if (traffic.kind === 'message') {
    const { body, system, properties: application } = traffic;
    return {
      ...about,
      source: 'CloudToDevice',
      payload: payloadOf(body),
      properties: { system, application },
    };
  }
  const { name: method, payload: request, answer = null } = traffic;
  return {
    ...about,
    source: 'DirectMethod',
    payload: { method, request, answer },
    properties: { system: {}, application: {} },
  };
}

function payloadOf(body: Buffer): JsonValue {
  const text = body.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(body)) return { base64: body.toString('base64') };
  return shallowJson(text) ?? text;
}

function present(values: Readonly<Record<string, unknown>>): Record<string, JsonValue> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, JSON.parse(JSON.stringify(value)) as JsonValue]];
    }),
  );
}
