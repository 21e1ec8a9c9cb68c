import rhea from 'rhea';
import { type MessageIds, messageIdsIn } from './message-ids.ts';

/** A decoded message. rhea returns UUIDs and binaries as Buffers. */
export interface DecodedMessage {
  readonly messageId: unknown;
  readonly userId: unknown;
  readonly to: unknown;
  readonly correlationId: unknown;
  /** Both ids as rhea writes them unchanged. */
  readonly ids: MessageIds;
  readonly contentType: unknown;
  readonly contentEncoding: unknown;
  readonly expires: unknown;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly application: Readonly<Record<string, unknown>>;
  /** The content of each data section; one Buffer with the text of a value section. */
  readonly data: readonly Buffer[];
}

/**
 * Reads a message.
 *
 * @throws MalformedMessageError
 */
export function decodeMessage(bytes: Buffer): DecodedMessage {
  const ids = messageIdsIn(bytes);
  const message = rhea.message.decode(bytes);
  return {
    messageId: message.message_id,
    userId: message.user_id,
    to: message.to,
    correlationId: message.correlation_id,
    ids,
    contentType: message.content_type,
    contentEncoding: message.content_encoding,
    expires: message.absolute_expiry_time,
    annotations: message.message_annotations ?? {},
    application: message.application_properties ?? {},
    data: dataOf(message.body),
  };
}

function dataOf(body: unknown): readonly Buffer[] {
  if (typeof body === 'string') return [Buffer.from(body)];
  if (Buffer.isBuffer(body)) return [body];
  if (typeof body !== 'object' || body === null || !('content' in body)) return [];
  const contents: readonly unknown[] = Array.isArray(body.content) ? body.content : [body.content];
  return contents.flatMap((content) => (Buffer.isBuffer(content) ? [content] : []));
}

/** An id as text: a UUID in its usual form, other binaries as UTF-8; undefined for none. */
export function idText(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (!Buffer.isBuffer(id)) return String(id);
  return id.length === 16 ? rhea.uuid_to_string(id) : id.toString('utf8');
}
