import type { ReceivedEventData } from '@azure/event-hubs';

/** One event of the trigger. */
export interface ReceivedEvent {
  readonly body: Buffer;
  readonly sequenceNumber: number;
  /** Decimal digits. Event Hubs sends the offset as text. */
  readonly offset: string;
  readonly partitionKey: string | undefined;
  readonly enqueuedTime: Date;
  /** Application properties. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Message annotations and AMQP properties, by their wire names. */
  readonly systemProperties: Readonly<Record<string, unknown>>;
}

/**
 * The names of AMQP message properties: in the JavaScript client, and in .NET, which a function in Azure sees.
 */
const AMQP_PROPERTIES: Readonly<Record<string, string>> = {
  messageId: 'message-id',
  userId: 'user-id',
  to: 'to',
  subject: 'subject',
  replyTo: 'reply-to',
  correlationId: 'correlation-id',
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  absoluteExpiryTime: 'absolute-expiry-time',
  creationTime: 'creation-time',
  groupId: 'group-id',
  groupSequence: 'group-sequence',
  replyToGroupId: 'reply-to-group-id',
};

/** Times of IoT Hub. The JavaScript client returns milliseconds, .NET returns text. */
const TIMES = new Set(['iothub-enqueuedtime', 'iothub-creation-time-utc']);

/**
 * Converts an event of the JavaScript client. The client must not parse the body (`skipParsingBodyAsJson`).
 */
export function toReceivedEvent(event: ReceivedEventData): ReceivedEvent {
  return {
    body: toBuffer(event.body),
    sequenceNumber: event.sequenceNumber,
    offset: String(event.offset),
    partitionKey: event.partitionKey || undefined,
    enqueuedTime: event.enqueuedTimeUtc,
    properties: event.properties ?? {},
    systemProperties: {
      // The client removes these annotations from the system properties, .NET keeps them.
      'x-opt-sequence-number': event.sequenceNumber,
      'x-opt-offset': String(event.offset),
      'x-opt-enqueued-time': event.enqueuedTimeUtc.toISOString(),
      ...(event.partitionKey ? { 'x-opt-partition-key': event.partitionKey } : {}),
      ...Object.fromEntries(
        Object.entries(event.systemProperties ?? {}).map(([name, value]) => [
          AMQP_PROPERTIES[name] ?? name,
          TIMES.has(name) && typeof value === 'number' ? new Date(value).toISOString() : value,
        ]),
      ),
    },
  };
}

/** An event with the text of a manual run (`POST /admin/functions/{name}`). */
export const eventFromText = (text: string, now: Date): ReceivedEvent => ({
  body: Buffer.from(text),
  sequenceNumber: 0,
  offset: '0',
  partitionKey: undefined,
  enqueuedTime: now,
  properties: {},
  systemProperties: {},
});

/**
 * Data sections are bytes. A value or sequence section becomes text. A function in Azure cannot read such a section.
 */
function toBuffer(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body instanceof Uint8Array) return Buffer.from(body);
  if (Array.isArray(body) && body.every(Buffer.isBuffer)) return Buffer.concat(body);
  if (body === undefined || body === null) return Buffer.alloc(0);
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
