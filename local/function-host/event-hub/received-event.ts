import type { ReceivedEventData } from '@azure/event-hubs';

/** One event as the trigger sees it. */
export interface ReceivedEvent {
  readonly body: Buffer;
  readonly sequenceNumber: number;
  /** Decimal digits in Event Hubs, where it is text on the wire. */
  readonly offset: string;
  readonly partitionKey: string | undefined;
  readonly enqueuedTime: Date;
  /** Application properties. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Message annotations and AMQP properties, by their names on the wire. */
  readonly systemProperties: Readonly<Record<string, unknown>>;
}

/**
 * The JavaScript client's names of AMQP message properties, and those that .NET (and so a function in Azure)
 * knows.
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

/** Times of IoT Hub that the JavaScript client gives as milliseconds, and .NET as text. */
const TIMES = new Set(['iothub-enqueuedtime', 'iothub-creation-time-utc']);

/**
 * Translates what the JavaScript client received. It must not have parsed the body (`skipParsingBodyAsJson`).
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
      // The client takes these annotations out of the system properties; .NET leaves them in.
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

/** An event that nobody sent: the text of a call by hand. */
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
 * Data sections are bytes. A value or sequence section, which a function in Azure cannot read at all, becomes
 * its text.
 */
function toBuffer(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body instanceof Uint8Array) return Buffer.from(body);
  if (Array.isArray(body) && body.every(Buffer.isBuffer)) return Buffer.concat(body);
  if (body === undefined || body === null) return Buffer.alloc(0);
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
