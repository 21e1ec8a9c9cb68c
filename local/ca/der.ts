/* DER, the encoding of certificates (ITU-T X.690): what the local certificate authority writes and reads. */

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const PRINTABLE_STRING = 0x13;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

/** The characters of a PrintableString (X.680, 41.4). */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

export const sequence = (...parts: readonly Uint8Array[]): Buffer => encoded(SEQUENCE, parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => encoded(SET, parts);
export const octets = (...parts: readonly Uint8Array[]): Buffer => encoded(OCTET_STRING, parts);
export const isTrue = (): Buffer => encoded(BOOLEAN, [Buffer.of(0xff)]);

/** A BIT STRING. @param unused how many of the last bits do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer =>
  encoded(BIT_STRING, [Buffer.of(unused), bytes]);

/** An INTEGER that is not negative. @param bytes the highest first, without leading zeros. */
export const integer = (...bytes: readonly number[]): Buffer =>
  encoded(INTEGER, [Buffer.from((bytes[0] ?? 0) > 0x7f ? [0, ...bytes] : [...bytes])]);

/** The parts of a field with a tag of its own, such as `[0] EXPLICIT`. */
export const contextField = (tag: number, ...parts: readonly Uint8Array[]): Buffer =>
  encoded(CONTEXT | CONSTRUCTED | tag, parts);

/** A field whose tag replaces that of its type, such as `[2] IMPLICIT IA5String`. */
export const contextBytes = (tag: number, bytes: Uint8Array): Buffer => encoded(CONTEXT | tag, [bytes]);

/** A text in a name: a PrintableString where all its characters allow that, else a UTF8String (RFC 5280, 4.1.2.4). */
export const nameText = (value: string): Buffer =>
  encoded(PRINTABLE.test(value) ? PRINTABLE_STRING : UTF8_STRING, [Buffer.from(value)]);

/** An object identifier. @param dotted such as `2.5.29.19`. */
export function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return encoded(OBJECT_IDENTIFIER, [Buffer.from([first * 40 + second, ...others].flatMap(inBase128))]);
}

/** A time in whole seconds: with two digits for the year until 2049, with four from 2050 on (RFC 5280, 4.1.2.5). */
export function certificateTime(epochMs: number): Buffer {
  const digits = new Date(epochMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return digits < '2050'
    ? encoded(UTC_TIME, [Buffer.from(digits.slice(2))])
    : encoded(GENERALIZED_TIME, [Buffer.from(digits)]);
}

/** One encoded value. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Its tag, its length and its content. */
  readonly whole: Buffer;
}

/** The tag of a field that `contextField` has made. */
export const tagOf = (tag: number): number => CONTEXT | CONSTRUCTED | tag;

/**
 * The values that follow each other in `der`, such as the content of a sequence.
 *
 * @throws RangeError if a value is longer than the bytes that are there.
 */
export function elementsOf(der: Buffer): readonly Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at);
    const first = der.readUInt8(at + 1);
    const bytesOfLength = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + bytesOfLength;
    const end = start + (bytesOfLength === 0 ? first : der.readUIntBE(at + 2, bytesOfLength));
    if (end > der.length) throw new RangeError('a value of a certificate is cut off');
    elements.push({ tag, content: der.subarray(start, end), whole: der.subarray(at, end) });
    at = end;
  }
  return elements;
}

function encoded(tag: number, parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const bytes = length < 0x80 ? [length] : bytesOf(length);
  const prefix = length < 0x80 ? bytes : [0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.of(tag, ...prefix), content]);
}

function bytesOf(number: number): number[] {
  return number < 0x100 ? [number] : [...bytesOf(Math.floor(number / 0x100)), number % 0x100];
}

/** Seven bits a byte, the highest first. All bytes but the last have the eighth bit. */
function inBase128(number: number): number[] {
  const bytes = [number & 0x7f];
  for (let rest = Math.floor(number / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) {
    bytes.unshift(0x80 | (rest & 0x7f));
  }
  return bytes;
}
