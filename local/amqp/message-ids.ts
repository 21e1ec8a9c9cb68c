import rhea from 'rhea';
import {
  decodeSections,
  decodeText,
  listItems,
  MalformedMessageError,
  readBinary,
  SECTION,
} from './encoding.ts';

/** The ids of a message in the form in which rhea writes them unchanged; undefined: none. */
export interface MessageIds {
  readonly messageId: unknown;
  readonly correlationId: unknown;
}

/* Positions in the properties of a message (OASIS AMQP 1.0, part 3, section 3.2.4). */
const MESSAGE_ID = 0;
const CORRELATION_ID = 5;

const { types } = rhea;

/**
 * Reads the ids of a message, so that an answer can have the same. rhea decodes a UUID, a binary and a large ulong to a Buffer, and
 * would write each of them as a UUID.
 *
 * @throws MalformedMessageError if the message is malformed, or an id is not a ulong, a UUID, a binary or a text (part 3,
 *   sections 3.2.11 to 3.2.14).
 */
export function messageIdsIn(message: Buffer): MessageIds {
  const properties = decodeSections(message).find(({ code }) => code === SECTION.properties);
  const items = properties === undefined ? [] : listItems(message, properties.valueAt);
  return { messageId: idAt(message, items[MESSAGE_ID]), correlationId: idAt(message, items[CORRELATION_ID]) };
}

function idAt(message: Buffer, at: number | undefined): unknown {
  if (at === undefined) return undefined;
  switch (message[at]) {
    case 0x40:
      return undefined;
    case 0x44:
      return types.wrap_ulong(0);
    case 0x53:
      return types.wrap_ulong(message.readUInt8(at + 1));
    case 0x80:
      return types.wrap_ulong(Buffer.from(message.subarray(at + 1, at + 9)));
    case 0x98:
      return types.wrap_uuid(Buffer.from(message.subarray(at + 1, at + 17)));
    case 0xa0:
    case 0xb0:
      return types.wrap_binary(Buffer.from(readBinary(message, at) ?? []));
    case 0xa1:
    case 0xb1:
      return types.wrap_string(decodeText(message, at) ?? '');
    default:
      throw new MalformedMessageError(
        `The message has an id that is not a ulong, a UUID, a binary or a text (byte ${at}).`,
      );
  }
}
