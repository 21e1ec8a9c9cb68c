/**
 * The partition of a partition key, as Azure computes it. The UTF-8 bytes are hashed by Bob Jenkins' lookup3
 * (`hashlittle2`, public domain) with both seeds 0. The two results are xor-ed and cut to a signed 16-bit number. The
 * partition is the absolute remainder by the number of partitions. Each SDK contains this code, so that buffered
 * producers agree with the service (azure-sdk-for-net, PartitionResolver).
 */
export function partitionOfKey(partitionKey: string, partitionCount: number): number {
  return Math.abs(hashPartitionKey(partitionKey) % partitionCount);
}

/** Signed, 16 bits. */
export function hashPartitionKey(partitionKey: string): number {
  const [b, c] = lookup3(Buffer.from(partitionKey, 'utf8'));
  return ((b ^ c) << 16) >> 16;
}

const BLOCK = 12;
const SEED = 0xdeadbeef;

function lookup3(key: Buffer): readonly [b: number, c: number] {
  let a = (SEED + key.length) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (; key.length - at > BLOCK; at += BLOCK) {
    a = (a + key.readInt32LE(at)) | 0;
    b = (b + key.readInt32LE(at + 4)) | 0;
    c = (c + key.readInt32LE(at + 8)) | 0;

    a = (a - c) ^ rotate(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4);
    b = (b + a) | 0;
  }
  if (at === key.length) return [b, c];

  // The reference code reads the rest byte by byte. Zeros at the end give the same result.
  const rest = Buffer.alloc(BLOCK);
  key.copy(rest, 0, at);
  a = (a + rest.readInt32LE(0)) | 0;
  b = (b + rest.readInt32LE(4)) | 0;
  c = (c + rest.readInt32LE(8)) | 0;

  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return [b, c];
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
