import { createHash, hash as digestOf } from 'node:crypto';

/**
 * Berth's hash of a list of texts: the first four bytes of SHA-256 of the parts, joined by newlines, as a little-endian
 * uint32. Rollouts divide it by 2³², and buckets take it modulo their number. It must never change, because stored keys
 * depend on it. Test vectors check this.
 */
export function hash(...parts: readonly string[]): number {
  return Buffer.from(digestOf('sha256', parts.join('\n'), 'hex').slice(0, 8), 'hex').readUInt32LE(0);
}

/** SHA-256 of a text in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
