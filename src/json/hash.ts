import { createHash, hash as hashOf } from 'node:crypto';

/**
 * Berth's hash of a list of texts: the first four bytes of SHA-256 of the parts, joined by newlines, as a little-endian
 * uint32. Rollouts divide it by 2³², and buckets take it modulo their number. It must never change, because stored keys
 * depend on it. Test vectors check this.
 */
export function hash(...parts: readonly string[]): number {
  return littleEndian(sha256Bytes(parts.join('\n')), 0);
}

/** SHA-256 of a text. Each character of the result is one byte: creating a buffer takes longer than the hash. */
export function sha256Bytes(text: string): string {
  return hashOf('sha256', text, 'binary');
}

/** The uint32 that begins at a byte of a digest, the lowest byte first. */
export function littleEndian(digest: string, at: number): number {
  return (
    (digest.charCodeAt(at) |
      (digest.charCodeAt(at + 1) << 8) |
      (digest.charCodeAt(at + 2) << 16) |
      (digest.charCodeAt(at + 3) << 24)) >>>
    0
  );
}

/** SHA-256 of a text in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
