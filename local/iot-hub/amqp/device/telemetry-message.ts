import { decodeMessage, idText } from '../../../amqp/message.ts';
import type { Telemetry } from '../../hub/events.ts';

/** `message-format` of a batch: each data section is a whole message (Microsoft.Azure.Amqp, AmqpBatchedMessageFormat). */
const BATCH_FORMAT = 0x80013700;

/** Message annotations that are system properties, by their names in the topic of a message (the SDKs over AMQP). */
const ANNOTATIONS: readonly (readonly [string, string])[] = [
  ['iothub-interface-id', '$.ifid'],
  ['dt-subject', '$.sub'],
  ['Diagnostic-Id', '$.diagid'],
  ['Correlation-Context', '$.diagctx'],
  ['x-opt-output-name', '$.on'],
];

/**
 * Reads the messages of one transfer of a device or module. System properties have the names that they have in a topic.
 *
 * @throws MalformedMessageError
 */
export function readTelemetry(bytes: Buffer, format: number): readonly Telemetry[] {
  if (format === BATCH_FORMAT) return decodeMessage(bytes).data.map(readOne);
  return [readOne(bytes)];
}

function readOne(bytes: Buffer): Telemetry {
  const message = decodeMessage(bytes);
  const system = new Map<string, string>();
  const keep = (name: string, value: string | undefined) => {
    if (value !== undefined) system.set(name, value);
  };
  keep('$.mid', idText(message.messageId));
  keep('$.cid', idText(message.correlationId));
  keep('$.uid', Buffer.isBuffer(message.userId) ? message.userId.toString('utf8') : idText(message.userId));
  keep('$.ct', idText(message.contentType));
  keep('$.ce', idText(message.contentEncoding));
  for (const [annotation, name] of ANNOTATIONS) keep(name, idText(message.annotations[annotation]));
  return {
    body: Buffer.concat(message.data),
    system,
    application: new Map(
      Object.entries(message.application).flatMap(([name, value]) => entryOf(name, value)),
    ),
  };
}

/** Properties of IoT Hub are texts. Lists and maps are dropped. */
function entryOf(name: string, value: unknown): readonly (readonly [string, string])[] {
  if (value === null || value === undefined) return [];
  if (value instanceof Date) return [[name, value.toISOString()]];
  if (Buffer.isBuffer(value)) return [[name, idText(value) ?? '']];
  return typeof value === 'object' ? [] : [[name, String(value)]];
}
