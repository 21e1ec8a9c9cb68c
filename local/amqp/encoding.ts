/**
 * Finds sections and values in encoded AMQP 1.0 messages without decoding them (OASIS AMQP 1.0, part 1 "types" and
 * part 3 "messaging"). Events are stored and sent as the bytes of the producer. Decoding and encoding would change
 * number types and would join or split body sections.
 */

/** The bytes are not a well-formed AMQP message. */
export class MalformedMessageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedMessageError';
  }
}

/** `message-format` of a standard AMQP message. With this format, rhea sends a Buffer unchanged. */
export const STANDARD_MESSAGE_FORMAT = 0;

/** Descriptor codes of the sections of a message. */
export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78,
} as const;

/** `buffer[start..end)` is the whole section. Its value begins at `valueAt`. */
export interface MessageSection {
  readonly code: number;
  readonly start: number;
  readonly valueAt: number;
  readonly end: number;
}

/** `buffer[start..end)` is one entry of a map, with key and value. The value begins at `valueAt`. */
export interface MapEntry {
  readonly key: string;
  readonly start: number;
  readonly valueAt: number;
  readonly end: number;
}

const SECTION_NAMES: ReadonlyMap<string, number> = new Map([
  ['amqp:header:list', SECTION.header],
  ['amqp:delivery-annotations:map', SECTION.deliveryAnnotations],
  ['amqp:message-annotations:map', SECTION.messageAnnotations],
  ['amqp:properties:list', SECTION.properties],
  ['amqp:application-properties:map', SECTION.applicationProperties],
  ['amqp:data:binary', SECTION.data],
  ['amqp:amqp-sequence:list', SECTION.sequence],
  ['amqp:amqp-value:*', SECTION.value],
  ['amqp:footer:map', SECTION.footer],
]);

/** Every type code of AMQP 1.0, part 1, section 1.6, except 0x00 (described). */
const TYPE_CODES: ReadonlySet<number> = new Set([
  0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x60, 0x61, 0x70, 0x71, 0x72,
  0x73, 0x74, 0x80, 0x81, 0x82, 0x83, 0x84, 0x94, 0x98, 0xa0, 0xa1, 0xa3, 0xb0, 0xb1, 0xb3, 0xc0, 0xc1, 0xd0,
  0xd1, 0xe0, 0xf0,
]);

const LIST: ReadonlySet<number> = new Set([0x45, 0xc0, 0xd0]);
const MAP: ReadonlySet<number> = new Set([0xc1, 0xd1]);
const BINARY: ReadonlySet<number> = new Set([0xa0, 0xb0]);

/** The allowed types of the value of a section. A section that is not listed can have any value. */
const SECTION_TYPES: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [SECTION.header, LIST],
  [SECTION.deliveryAnnotations, MAP],
  [SECTION.messageAnnotations, MAP],
  [SECTION.properties, LIST],
  [SECTION.applicationProperties, MAP],
  [SECTION.data, BINARY],
  [SECTION.sequence, LIST],
  [SECTION.footer, MAP],
]);

const DESCRIBED = 0x00;
const MAX_DEPTH = 32;
/**
 * Elements of width 0 have no bytes, so only this limit bounds how many a decoder would allocate.
 */
const MAX_EMPTY_ELEMENTS = 1024;

/**
 * The sections of a message, in order. It checks every nested value, so that a decoder can read the message without
 * an error.
 *
 * @throws MalformedMessageError
 */
export function decodeSections(message: Buffer): MessageSection[] {
  const sections: MessageSection[] = [];
  let at = 0;
  while (at < message.length) {
    if (message[at] !== DESCRIBED) throw malformed('a section without a descriptor', at);
    const valueAt = skipValue(message, at + 1);
    const code = sectionCode(message, at + 1);
    if (SECTION_TYPES.get(code)?.has(message[valueAt] ?? DESCRIBED) === false) {
      throw malformed('a section with a value of the wrong type', valueAt);
    }
    const end = skipValue(message, valueAt);
    sections.push({ code, start: at, valueAt, end });
    at = end;
  }
  return sections;
}

/**
 * The entries of the map at `at`, whose keys must be symbols or strings.
 *
 * @throws MalformedMessageError
 */
export function readMap(buffer: Buffer, at: number): MapEntry[] {
  const code = buffer[at] ?? DESCRIBED;
  if (!MAP.has(code)) throw malformed('a value that must be a map', at);
  const width = code === 0xc1 ? 1 : 4;
  const count = readSize(buffer, at + 1 + width, width) / 2;
  const entries: MapEntry[] = [];
  let position = at + 1 + 2 * width;
  for (let index = 0; index < count; index += 1) {
    const key = decodeText(buffer, position);
    if (key === undefined) throw malformed('a map key that is not text', position);
    const valueAt = skipValue(buffer, position);
    const end = skipValue(buffer, valueAt);
    entries.push({ key, start: position, valueAt, end });
    position = end;
  }
  return entries;
}

/** Where the items of the list at `at` begin. The list has been checked by `decodeSections`. */
export function listItems(buffer: Buffer, at: number): number[] {
  const code = buffer[at] ?? DESCRIBED;
  if (!LIST.has(code)) throw malformed('a value that must be a list', at);
  if (code === 0x45) return []; // a list without items has no count
  const width = code === 0xc0 ? 1 : 4;
  const items: number[] = [];
  let position = at + 1 + 2 * width;
  for (let left = readSize(buffer, at + 1 + width, width); left > 0; left -= 1) {
    items.push(position);
    position = skipValue(buffer, position);
  }
  return items;
}

/** The string or symbol at `at`; undefined for another type. */
export function decodeText(buffer: Buffer, at: number): string | undefined {
  const code = buffer[at];
  if (code === 0xa1 || code === 0xa3) {
    return buffer.toString('utf8', at + 2, at + 2 + readSize(buffer, at + 1, 1));
  }
  if (code === 0xb1 || code === 0xb3) {
    return buffer.toString('utf8', at + 5, at + 5 + readSize(buffer, at + 1, 4));
  }
  return undefined;
}

/** The bytes of the binary at `at`; undefined for another type. */
export function readBinary(buffer: Buffer, at: number): Buffer | undefined {
  const code = buffer[at];
  if (code === 0xa0) return buffer.subarray(at + 2, at + 2 + readSize(buffer, at + 1, 1));
  if (code === 0xb0) return buffer.subarray(at + 5, at + 5 + readSize(buffer, at + 1, 4));
  return undefined;
}

/**
 * The end of the value at `at`. It checks every nested value.
 *
 * @throws MalformedMessageError
 */
export function valueEnd(buffer: Buffer, at: number): number {
  return skipValue(buffer, at);
}

function sectionCode(buffer: Buffer, at: number): number {
  const type = buffer[at];
  let code: number | undefined;
  if (type === 0x53) code = buffer[at + 1];
  else if (type === 0x80 && buffer.readUInt32BE(at + 1) === 0) code = buffer.readUInt32BE(at + 5);
  else code = SECTION_NAMES.get(decodeText(buffer, at) ?? '');
  if (code === undefined || code < SECTION.header || code > SECTION.footer) {
    throw malformed('an unknown section', at);
  }
  return code;
}

function skipValue(buffer: Buffer, at: number, depth = 0): number {
  if (depth > MAX_DEPTH) throw malformed(`values nested deeper than ${MAX_DEPTH}`, at);
  const code = buffer[at];
  if (code === undefined) throw malformed('a value beyond the end', at);
  if (code === DESCRIBED) return skipValue(buffer, skipValue(buffer, at + 1, depth + 1), depth + 1);
  return skipBody(buffer, code, at + 1, depth);
}

/**
 * The end of a value of type `code`, whose body begins at `at`. The high half byte of the code tells how the size is
 * encoded.
 */
function skipBody(buffer: Buffer, code: number, at: number, depth: number): number {
  if (!TYPE_CODES.has(code)) throw malformed(`type code 0x${code.toString(16)}`, at);
  const category = code >>> 4;
  if (category === 0x4) return at;
  if (category <= 0x9) return within(buffer, at + 2 ** (category - 0x5));
  const width = category % 2 === 0 ? 1 : 4;
  const end = within(buffer, at + width + readSize(buffer, at, width));
  if (category <= 0xb) return end;
  const count = readSize(buffer, at + width, width);
  const last =
    category <= 0xd
      ? skipItems(buffer, code, count, at + 2 * width, end, depth)
      : skipElements(buffer, count, at + 2 * width, end, depth);
  if (last !== end) throw malformed('a list, map or array that does not fill its size', at);
  return end;
}

function skipItems(buffer: Buffer, code: number, count: number, at: number, end: number, depth: number) {
  const isMap = (code & 0x0f) === 1;
  if (isMap && count % 2 !== 0) throw malformed('a map with a key that has no value', at);
  let position = at;
  for (let index = 0; index < count && position <= end; index += 1) {
    position = skipValue(buffer, position, depth + 1);
  }
  return position;
}

function skipElements(buffer: Buffer, count: number, at: number, end: number, depth: number): number {
  let position = at;
  while (buffer[position] === DESCRIBED) position = skipValue(buffer, position + 1, depth + 1);
  const code = buffer[position];
  if (code === undefined) throw malformed('an array without a type', at);
  if (code >>> 4 === 0x4 && count > MAX_EMPTY_ELEMENTS) {
    throw malformed(`an array of ${count} empty elements`, at);
  }
  position += 1;
  for (let index = 0; index < count && position <= end; index += 1) {
    position = skipBody(buffer, code, position, depth + 1);
  }
  return position;
}

function readSize(buffer: Buffer, at: number, width: number): number {
  within(buffer, at + width);
  return width === 1 ? buffer.readUInt8(at) : buffer.readUInt32BE(at);
}

function within(buffer: Buffer, end: number): number {
  if (end > buffer.length) throw malformed('a value that is cut off', end);
  return end;
}

function malformed(what: string, at: number): MalformedMessageError {
  return new MalformedMessageError(`The message has ${what} (byte ${at}).`);
}
