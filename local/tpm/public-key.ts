import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { fieldReader, sized, uint16, uint32 } from './sized-buffers.ts';

/* Identifiers of TPM 2.0, part 2: "TPM_ALG_ID" and "TPMA_OBJECT". */
const ALGORITHM = { rsa: 0x0001, aes: 0x0006, null: 0x0010, cfb: 0x0043 } as const;
const HASHES: Readonly<Record<number, string>> = {
  4: 'sha1',
  11: 'sha256',
  12: 'sha384',
  13: 'sha512',
};
const SHA256 = 11;
/** fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt: the template of an endorsement key. */
const ENDORSEMENT_ATTRIBUTES = 0x000300b2;
/** As before, with userWithAuth and noDA in place of adminWithPolicy: the template of a storage root key. */
const STORAGE_ATTRIBUTES = 0x00030472;
/** PolicySecret(TPM_RH_ENDORSEMENT), the policy of every endorsement key (TCG EK Credential Profile). */
const ENDORSEMENT_POLICY = Buffer.from(
  '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa',
  'hex',
);
const DEFAULT_EXPONENT = 65_537;
const KEY_BITS = 2_048;
const SYMMETRIC_BITS = 128;

/** A public RSA key of a TPM that can protect other data: an endorsement key or a storage root key. */
export interface TpmPublicKey {
  /** The key as `TPM2B_PUBLIC`. */
  readonly bytes: Buffer;
  /** The identifier of its public area: the algorithm of its hash, and the hash. */
  readonly name: Buffer;
  /** The name of this hash in `node:crypto`. */
  readonly hash: string;
  /** The bits of the AES keys that are derived for it. */
  readonly symmetricBits: number;
  readonly key: KeyObject;
}

/** Reads a `TPM2B_PUBLIC`; undefined if it is not an RSA key that can protect data with AES. */
export function readTpmPublicKey(bytes: Buffer): TpmPublicKey | undefined {
  try {
    const whole = fieldReader(bytes);
    const area = whole.sized();
    if (!whole.isAtEnd) return undefined;
    const fields = fieldReader(area);
    if (fields.uint16() !== ALGORITHM.rsa) return undefined;
    const nameAlgorithm = fields.uint16();
    const hash = HASHES[nameAlgorithm];
    fields.uint32(); // attributes
    fields.sized(); // policy
    if (fields.uint16() !== ALGORITHM.aes) return undefined;
    const symmetricBits = fields.uint16();
    if (fields.uint16() !== ALGORITHM.cfb || fields.uint16() !== ALGORITHM.null) return undefined;
    fields.uint16(); // bits of the modulus
    const exponent = fields.uint32() || DEFAULT_EXPONENT;
    const modulus = fields.sized();
    if (hash === undefined || !fields.isAtEnd || modulus.length === 0) return undefined;
    return {
      bytes,
      name: objectName(nameAlgorithm, hash, area),
      hash,
      symmetricBits,
      key: createPublicKey({
        format: 'jwk',
        key: { kty: 'RSA', n: modulus.toString('base64url'), e: uint32(exponent).toString('base64url') },
      }),
    };
  } catch {
    return undefined;
  }
}

/** The name of an object: the algorithm of its hash, then the hash of its public area. */
export function objectName(algorithm: number, hash: string, area: Buffer): Buffer {
  return Buffer.concat([uint16(algorithm), createHash(hash).update(area).digest()]);
}

/** The `TPM2B_PUBLIC` of an RSA-2048 key, with the template of its use. */
export function writeTpmPublicKey(key: KeyObject, use: 'endorsement' | 'storageRoot'): Buffer {
  const { n = '' } = key.export({ format: 'jwk' });
  const isEndorsement = use === 'endorsement';
  return sized(
    Buffer.concat([
      uint16(ALGORITHM.rsa),
      uint16(SHA256),
      uint32(isEndorsement ? ENDORSEMENT_ATTRIBUTES : STORAGE_ATTRIBUTES),
      sized(isEndorsement ? ENDORSEMENT_POLICY : Buffer.alloc(0)),
      uint16(ALGORITHM.aes),
      uint16(SYMMETRIC_BITS),
      uint16(ALGORITHM.cfb),
      uint16(ALGORITHM.null),
      uint16(KEY_BITS),
      uint32(0), // the default exponent
      sized(Buffer.from(n, 'base64url')),
    ]),
  );
}
