/* The structures `TPM2B_…` of TPM 2.0 (Trusted Platform Module Library, part 2): a size of two bytes, then the bytes. */

/** Bytes with their size. */
export function sized(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads fields one after the other. Each method throws `RangeError` if too few bytes are left. */
export interface FieldReader {
  uint16(): number;
  uint32(): number;
  /** The bytes after a size. */
  sized(): Buffer;
  readonly isAtEnd: boolean;
}

export function fieldReader(bytes: Buffer): FieldReader {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('The structure of the TPM is too short.');
    at += length;
    return bytes.subarray(at - length, at);
  };
  return {
    uint16: () => take(2).readUInt16BE(),
    uint32: () => take(4).readUInt32BE(),
    sized: () => take(take(2).readUInt16BE()),
    get isAtEnd() {
      return at === bytes.length;
    },
  };
}
