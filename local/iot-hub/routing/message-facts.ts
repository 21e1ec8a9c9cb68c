import { type JsonValue, jsonOrUndefined } from '../../../src/json/json.ts';
import type { HubEvent } from '../hub/event-sink.ts';
import type { MessageFacts } from './evaluate-condition.ts';

/** Bodies that a condition can read (iot-hub-devguide-routing-query-syntax.md). */
const JSON_TYPE = 'application/json';

/** What a condition can read of an event. The body and the twin are read only where the condition asks for them. */
export function factsOf(event: HubEvent, twinOf: () => JsonValue | undefined): MessageFacts {
  const system = byName(systemProperties(event));
  const properties = byName(Object.entries(event.properties));
  let body: { readonly json: JsonValue | undefined } | undefined;
  let twin: { readonly json: JsonValue | undefined } | undefined;
  return {
    property(name) {
      const value = properties.get(name.toLowerCase());
      return ['string', 'number', 'boolean'].includes(typeof value)
        ? (value as string | number | boolean)
        : undefined;
    },
    system(name) {
      const value = system.get(name.toLowerCase());
      return value === undefined ? undefined : String(value);
    },
    body() {
      body ??= { json: jsonBody(event) };
      return body.json;
    },
    twin() {
      twin ??= { json: twinOf() };
      return twin.json;
    },
  };
}

/**
 * The system properties by the names of conditions, and by their names in events (iot-hub-devguide-routing-query-syntax.md,
 * iot-hub-devguide-messages-construct.md).
 */
function systemProperties(event: HubEvent): readonly (readonly [string, unknown])[] {
  const { annotations, contentType, contentEncoding, correlationId, userId, messageId } = event;
  const source = annotations['iothub-message-source'];
  const enqueued = annotations['iothub-enqueuedtime'];
  const enqueuedTime = typeof enqueued === 'number' ? new Date(enqueued).toISOString() : undefined;
  return [
    ...Object.entries(annotations),
    ['contentType', contentType],
    ['content-type', contentType],
    ['contentEncoding', contentEncoding],
    ['content-encoding', contentEncoding],
    ['correlationId', correlationId],
    ['correlation-id', correlationId],
    ['userId', userId],
    ['user-id', userId],
    ['messageId', messageId],
    ['message-id', messageId],
    ['connectionDeviceId', annotations['iothub-connection-device-id']],
    ['connectionModuleId', annotations['iothub-connection-module-id']],
    ['connectionDeviceGenerationId', annotations['iothub-connection-auth-generation-id']],
    ['connectionAuthMethod', annotations['iothub-connection-auth-method']],
    ['enqueuedTime', enqueuedTime],
    ['iothub-enqueuedtime', enqueuedTime],
    ['iothub-message-source', source === 'Telemetry' ? 'deviceMessages' : source],
  ];
}

function byName(entries: readonly (readonly [string, unknown])[]): ReadonlyMap<string, unknown> {
  return new Map(entries.map(([name, value]) => [name.toLowerCase(), value]));
}

/** The content type can hold the encoding: `application/json;charset=utf-8` (iot-mqtt-connect-to-iot-hub.md). */
function jsonBody({ body, contentType = '', contentEncoding = '' }: HubEvent): JsonValue | undefined {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  if (type.trim() !== JSON_TYPE) return undefined;
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='))?.split('=')[1];
  const text = decoded(body, contentEncoding.toLowerCase() || (charset ?? '').trim());
  return text === undefined ? undefined : jsonOrUndefined(text);
}

function decoded(body: Buffer, encoding: string): string | undefined {
  switch (encoding) {
    case 'utf-8':
      return withoutMark(body.toString('utf8'));
    case 'utf-16':
      return withoutMark(body.toString('utf16le'));
    case 'utf-32':
      return body.length % 4 === 0 ? withoutMark(ofUtf32(body)) : undefined;
    default:
      return undefined;
  }
}

function ofUtf32(body: Buffer): string | undefined {
  const points = Array.from({ length: body.length / 4 }, (_, index) => body.readUInt32LE(index * 4));
  if (points.some((point) => point > 0x10ffff)) return undefined;
  return points.map((point) => String.fromCodePoint(point)).join('');
}

function withoutMark(text: string | undefined): string | undefined {
  return text?.startsWith('\ufeff') ? text.slice(1) : text;
}
