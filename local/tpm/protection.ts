import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { fieldReader, sized, uint32 } from './sized-buffers.ts';

/*
 * How TPM 2.0 protects data for a key (Trusted Platform Module Library, part 1: "Key Derivation Function", "Protected
 * Storage", "Credential Protection"). A seed is encrypted with RSA-OAEP. The keys for AES and HMAC come from the seed.
 */

/** What one key of a TPM needs to protect data, or to open it. */
export interface Protector {
  readonly hash: string;
  readonly symmetricBits: number;
}

/** The purpose of a seed, as a label of OAEP. */
export type SeedLabel = 'IDENTITY' | 'DUPLICATE';

/** A new seed and its encrypted form. */
export function newSeed(
  protector: Protector & { readonly key: KeyObject },
  label: SeedLabel,
): { readonly seed: Buffer; readonly encrypted: Buffer } {
  const seed = randomBytes(createHash(protector.hash).digest().length);
  const encrypted = publicEncrypt({ key: protector.key, ...oaep(protector.hash, label) }, seed);
  return { seed, encrypted };
}

/** Decrypts a seed with the private key. @throws Error if it was not encrypted for this key and label. */
export function openSeed(key: KeyObject, hash: string, label: SeedLabel, encrypted: Buffer): Buffer {
  return privateDecrypt({ key, ...oaep(hash, label) }, encrypted);
}

/** Protects data for the object `name`: the HMAC of the encrypted data with its size, then the encrypted data. */
export function protect(
  { hash, symmetricBits }: Protector,
  seed: Buffer,
  name: Buffer,
  data: Buffer,
): Buffer {
  const encrypted = encryptCfb(deriveKey(hash, seed, 'STORAGE', name, symmetricBits), data);
  return Buffer.concat([sized(integrity(hash, seed, encrypted, name)), encrypted]);
}

/** Opens protected data. @throws Error if it was changed, or was protected for another object. */
export function unprotect(
  { hash, symmetricBits }: Protector,
  seed: Buffer,
  name: Buffer,
  protectedData: Buffer,
): Buffer {
  const given = fieldReader(protectedData).sized();
  const encrypted = protectedData.subarray(given.length + 2);
  const wanted = integrity(hash, seed, encrypted, name);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new Error('The integrity of the data for the TPM is not valid.');
  }
  return decryptCfb(deriveKey(hash, seed, 'STORAGE', name, symmetricBits), encrypted);
}

/** AES in mode CFB with an IV of zeros, as everywhere in a TPM. The key has 16, 24 or 32 bytes. */
export function encryptCfb(key: Buffer, data: Buffer): Buffer {
  return createCipheriv(`aes-${key.length * 8}-cfb`, key, Buffer.alloc(16)).update(data);
}

/** The inverse of `encryptCfb`. */
export function decryptCfb(key: Buffer, data: Buffer): Buffer {
  return createDecipheriv(`aes-${key.length * 8}-cfb`, key, Buffer.alloc(16)).update(data);
}

/** KDFa: the derivation function of TPM 2.0, in counter mode (NIST SP 800-108). `bits` is a multiple of eight. */
export function deriveKey(hash: string, seed: Buffer, label: string, context: Buffer, bits: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 1, length = 0; length < bits / 8; counter += 1) {
    const block = createHmac(hash, seed)
      .update(uint32(counter))
      .update(`${label}\0`)
      .update(context)
      .update(uint32(bits))
      .digest();
    blocks.push(block);
    length += block.length;
  }
  return Buffer.concat(blocks).subarray(0, bits / 8);
}

function integrity(hash: string, seed: Buffer, encrypted: Buffer, name: Buffer): Buffer {
  const bits = createHash(hash).digest().length * 8;
  const key = deriveKey(hash, seed, 'INTEGRITY', Buffer.alloc(0), bits);
  return createHmac(hash, key).update(encrypted).update(name).digest();
}

/** The label of OAEP ends with a zero byte. */
function oaep(hash: string, label: SeedLabel) {
  return {
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash: hash,
    oaepLabel: Buffer.from(`${label}\0`),
  } as const;
}
