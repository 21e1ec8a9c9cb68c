import rhea from 'rhea';
import {
  decodeSections,
  decodeText,
  MalformedMessageError,
  readBinary,
  readMap,
  SECTION,
} from '../../amqp/encoding.ts';
import type { EventPlace, EventToAppend, ProducedEvent, StoredEvent } from '../event.ts';
import { encodeAnnotation, encodeAnnotations } from './annotations.ts';

/**
 * `message-format` of a batch: an envelope with one data section for each event, which contains the whole encoded
 * message of the event (`AmqpConstants.AmqpBatchedMessageFormat` in Azure's SDKs).
 */
export const BATCH_MESSAGE_FORMAT = 0x80013700;

const PARTITION_KEY = 'x-opt-partition-key';

/** Annotations that Event Hubs writes. Values of a producer under these names are dropped. */
const SERVICE_ANNOTATIONS: ReadonlySet<string> = new Set([
  'x-opt-sequence-number',
  'x-opt-offset',
  'x-opt-enqueued-time',
  PARTITION_KEY,
]);

const { types } = rhea;
const NOTHING = Buffer.alloc(0);

/**
 * The events in a transfer of a producer. All events of a batch get the partition key of the envelope. Clients also
 * write it on each event.
 *
 * @throws MalformedMessageError
 */
export function readProducedEvents(message: Buffer, format: number): ProducedEvent[] {
  if (format !== BATCH_MESSAGE_FORMAT) return [readProducedEvent(message)];
  const sections = decodeSections(message);
  const envelopeKey = readAnnotations(message, sections).partitionKey;
  const events = sections
    .filter((section) => section.code === SECTION.data)
    .map((section) => {
      const event = readBinary(message, section.valueAt);
      if (event === undefined)
        throw new MalformedMessageError('The batch has a data section that is not binary.');
      return readProducedEvent(event);
    });
  const partitionKey = envelopeKey ?? events[0]?.partitionKey;
  return events.map((event) => ({ ...event, partitionKey }));
}

/**
 * The AMQP message of an event of an in-process producer.
 *
 * @throws TypeError for a property or annotation that has no AMQP form, such as a function.
 */
export function encodeEvent(event: EventToAppend): Buffer {
  const { userId } = event;
  const properties = {
    content_type: event.contentType,
    content_encoding: event.contentEncoding,
    correlation_id: event.correlationId,
    user_id: typeof userId === 'string' ? Buffer.from(userId, 'utf8') : userId,
    message_id: event.messageId,
    subject: event.subject,
  };
  const message = rhea.message.encode({
    body: rhea.message.data_section(event.body),
    message_annotations: {
      ...toAmqpMap(event.annotations),
      ...(event.partitionKey === undefined ? {} : { [PARTITION_KEY]: event.partitionKey }),
    },
    ...(event.properties === undefined ? {} : { application_properties: toAmqpMap(event.properties) }),
    ...properties,
  });
  const isBare = Object.values(properties).every((value) => value === undefined);
  return isBare ? withoutProperties(message) : message;
}

/**
 * Without the properties section, which rhea always writes. Azure sends none for a message without system properties
 * (azure-iot-sdk-python, test_sends_json_string).
 */
function withoutProperties(message: Buffer): Buffer {
  const section = decodeSections(message).find(({ code }) => code === SECTION.properties);
  if (section === undefined) return message;
  return Buffer.concat([message.subarray(0, section.start), message.subarray(section.end)]);
}

/** Adds the annotations of Event Hubs, with the position, to the annotations of the producer. */
export function placeEvent(event: ProducedEvent, place: EventPlace): StoredEvent {
  const own = [
    encodeAnnotation('x-opt-sequence-number', { long: place.sequenceNumber }),
    encodeAnnotation('x-opt-offset', { text: String(place.offset) }),
    encodeAnnotation('x-opt-enqueued-time', { timestamp: place.enqueuedTime }),
  ];
  if (event.partitionKey !== undefined)
    own.push(encodeAnnotation(PARTITION_KEY, { text: event.partitionKey }));
  const annotations = encodeAnnotations(SECTION.messageAnnotations, [...own, ...event.annotations]);
  const bytes = ownMemory([event.header, annotations, event.sections]);
  const headerLength = event.header.length;
  return { ...place, header: bytes.subarray(0, headerLength), message: bytes.subarray(headerLength) };
}

/**
 * Joins buffers in new memory outside Node's buffer pool. A stored part of the pool would keep its whole slab of 8 KiB.
 */
function ownMemory(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(bytes, at);
  return bytes;
}

/**
 * Delivery annotations for readers with runtime metrics, as an encoded section: the last position of the partition
 * when the event was sent.
 */
export function encodeRuntimeMetrics(last: EventPlace, now: number): Buffer {
  return encodeAnnotations(SECTION.deliveryAnnotations, [
    encodeAnnotation('last_enqueued_sequence_number', { long: last.sequenceNumber }),
    encodeAnnotation('last_enqueued_offset', { text: String(last.offset) }),
    encodeAnnotation('last_enqueued_time_utc', { timestamp: last.enqueuedTime }),
    encodeAnnotation('runtime_info_retrieval_time_utc', { timestamp: now }),
  ]);
}

function readProducedEvent(message: Buffer): ProducedEvent {
  const sections = decodeSections(message);
  const header = sections.find((section) => section.code === SECTION.header);
  const rest = sections.filter(
    ({ code }) =>
      code !== SECTION.header && code !== SECTION.deliveryAnnotations && code !== SECTION.messageAnnotations,
  );
  return {
    ...readAnnotations(message, sections),
    header: header === undefined ? NOTHING : message.subarray(header.start, header.end),
    sections: Buffer.concat(rest.map((section) => message.subarray(section.start, section.end))),
  };
}

function readAnnotations(
  message: Buffer,
  sections: ReturnType<typeof decodeSections>,
): Pick<ProducedEvent, 'partitionKey' | 'annotations'> {
  const section = sections.find(({ code }) => code === SECTION.messageAnnotations);
  const entries = section === undefined ? [] : readMap(message, section.valueAt);
  const key = entries.find((entry) => entry.key === PARTITION_KEY);
  return {
    partitionKey: key === undefined ? undefined : decodeText(message, key.valueAt),
    annotations: entries
      .filter((entry) => !SERVICE_ANNOTATIONS.has(entry.key))
      .map((entry) => message.subarray(entry.start, entry.end)),
  };
}

function toAmqpMap(values: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, toAmqp(value)]));
}

/** Converts a value for rhea. rhea would encode 5 as an unsigned number, but Azure's services write longs. */
function toAmqp(value: unknown): unknown {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? types.wrap_long(value) : types.wrap_double(value);
  if (typeof value === 'string' || typeof value === 'boolean' || value === null || value === undefined)
    return value;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(toAmqp);
  if (typeof value === 'object') return toAmqpMap({ ...value });
  throw new TypeError(`A value of type ${typeof value} cannot be sent in an event.`);
}
