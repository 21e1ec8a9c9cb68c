/** The value of an annotation. Event Hubs uses only these types. */
export type AnnotationValue =
  | { readonly long: number }
  | { readonly text: string }
  /** Milliseconds since the epoch. */
  | { readonly timestamp: number };

const LONG = 0x81;
const TIMESTAMP = 0x83;
const TEXT_32 = 0xb1;
const SYMBOL_8 = 0xa3;
const MAP_32 = 0xd1;

/** One encoded map entry. Keys are ASCII and at most 255 characters. */
export function encodeAnnotation(key: string, value: AnnotationValue): Buffer {
  const start = Buffer.from([SYMBOL_8, key.length, ...Buffer.from(key, 'ascii')]);
  if ('text' in value) {
    const text = Buffer.from(value.text, 'utf8');
    return Buffer.concat([start, Buffer.from([TEXT_32]), uint32(text.length), text]);
  }
  const number = Buffer.alloc(9);
  number.writeUInt8('long' in value ? LONG : TIMESTAMP);
  number.writeBigInt64BE(BigInt('long' in value ? value.long : value.timestamp), 1);
  return Buffer.concat([start, number]);
}

/** A whole section with the descriptor `code`, from encoded map entries. */
export function encodeAnnotations(code: number, entries: readonly Buffer[]): Buffer {
  const size = entries.reduce((sum, entry) => sum + entry.length, 4);
  const start = Buffer.from([0x00, 0x53, code, MAP_32]);
  return Buffer.concat([start, uint32(size), uint32(2 * entries.length), ...entries]);
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
