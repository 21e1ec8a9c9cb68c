import { createHash } from 'node:crypto';

/**
 * Berth's hash of a list of texts: the first little-endian uint32 of SHA-256 of the parts joined by newlines.
 * Rollouts divide it by 2³², buckets take it modulo their number. Frozen by test vectors: stored keys depend on
 * it.
 */
export function hash(...parts: readonly string[]): number {
  return createHash('sha256').update(parts.join('\n'), 'utf8').digest().readUInt32LE(0);
}

/** SHA-256 of a text in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
