import rhea, { type Message } from 'rhea';
import { HubRefusal } from '../model/hub-error.ts';
import type { NewCloudMessage } from '../operations/cloud-messages.ts';

const ACKNOWLEDGEMENT = 'iothub-ack';
const ACKNOWLEDGEMENTS = ['none', 'positive', 'negative', 'full'];

/** A message of a service, and the address of its device: its property `to`. */
export interface SentCloudMessage {
  readonly to: string;
  readonly message: NewCloudMessage;
}

/**
 * Reads a cloud-to-device message (azure-iothub, common-amqp/amqp_message.js; iot-hub-devguide-messages-construct.md).
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readSentMessage(encoded: Buffer): SentCloudMessage {
  const sent = decodeMessage(encoded);
  const properties = new Map(
    Object.entries(sent.application_properties ?? {}).map(([name, value]) => [
      name,
      value === null ? null : textOf(value),
    ]),
  );
  const acknowledgement = properties.get(ACKNOWLEDGEMENT)?.toLowerCase();
  if (acknowledgement && !ACKNOWLEDGEMENTS.includes(acknowledgement)) {
    throw new HubRefusal('ArgumentInvalid', `iothub-ack must be one of ${ACKNOWLEDGEMENTS.join(', ')}.`);
  }
  properties.delete(ACKNOWLEDGEMENT);
  const system: readonly (readonly [string, unknown])[] = [
    ['$.mid', sent.message_id],
    ['$.to', sent.to], // the device gets it as the service has written it (azure-iot-sdk-csharp, e2e)
    ['$.cid', sent.correlation_id],
    ['$.uid', Buffer.isBuffer(sent.user_id) ? sent.user_id.toString('utf8') : sent.user_id], // never a UUID
    ['$.ct', sent.content_type],
    ['$.ce', sent.content_encoding],
  ];
  return {
    to: typeof sent.to === 'string' ? sent.to : '',
    message: {
      body: bodyOf(sent),
      system: Object.fromEntries([
        ...system.flatMap(([name, value]) => {
          const text = textOf(value);
          return text === '' ? [] : [[name, text] as const];
        }),
        ...(acknowledgement ? [[ACKNOWLEDGEMENT, acknowledgement] as const] : []),
      ]),
      properties: Object.fromEntries(properties),
      expires: sent.absolute_expiry_time === undefined ? undefined : Number(sent.absolute_expiry_time),
    },
  };
}

function decodeMessage(encoded: Buffer): Message {
  try {
    return rhea.message.decode(encoded) as unknown as Message;
  } catch {
    throw new HubRefusal('ArgumentInvalid', 'The message is not a well-formed AMQP message.');
  }
}

/** The bytes of a message with data sections, as all SDKs send it. A text counts as its UTF-8 bytes. */
function bodyOf({ body }: Message): Buffer {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  const content: unknown = typeof body === 'object' ? (body as { content?: unknown }).content : undefined;
  if (Buffer.isBuffer(content)) return content;
  if (Array.isArray(content) && content.every((part) => Buffer.isBuffer(part))) return Buffer.concat(content);
  throw new HubRefusal('ArgumentInvalid', 'The body of the message must be a data section.');
}

/** A value of a property as text. An AMQP UUID is decoded as 16 bytes. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Buffer.isBuffer(value))
    return value.length === 16 ? rhea.uuid_to_string(value) : value.toString('utf8');
  if (value instanceof Date) return value.toISOString();
  return String(value);
}
