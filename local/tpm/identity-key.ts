import { createHash, randomBytes } from 'node:crypto';
import { encryptCfb, newSeed, protect } from './protection.ts';
import { objectName, type TpmPublicKey } from './public-key.ts';
import { sized, uint16, uint32 } from './sized-buffers.ts';

/* Identifiers of TPM 2.0, part 2. */
export const KEYED_HASH = 0x0008;
const HMAC = 0x0005;
const SHA256 = 0x000b;
/** userWithAuth, noDA, sign: a key that was imported and signs by HMAC. */
const IDENTITY_ATTRIBUTES = 0x00040440;
const INNER_KEY_BYTES = 16;

/**
 * A key for HMAC-SHA256 that only one TPM can use, in the form in which DPS sends it: `authenticationKey`. The fields, in
 * this order, are those that `activateIdentityKey` of azure-iot-security-tpm reads:
 *
 * 1. `TPM2B_ID_OBJECT` and 2. `TPM2B_ENCRYPTED_SECRET`: the inner key, for ActivateCredential with both keys of the TPM;
 * 3. `TPM2B_PRIVATE` and 4. `TPM2B_ENCRYPTED_SECRET`: the identity key, for Import under the storage root key;
 * 5. `TPM2B_PUBLIC` of the identity key;
 * 6. `TPM2B_DATA`: empty. In Azure it holds encrypted data that no client reads.
 */
export function protectIdentityKey(
  endorsement: TpmPublicKey,
  storageRoot: TpmPublicKey,
  identityKey: Buffer,
): Buffer {
  const innerKey = randomBytes(INNER_KEY_BYTES);
  const credential = newSeed(endorsement, 'IDENTITY');
  const duplicate = newSeed(storageRoot, 'DUPLICATE');
  const obfuscation = randomBytes(createHash('sha256').digest().length);
  const publicArea = identityPublicArea(obfuscation, identityKey);
  const name = objectName(SHA256, 'sha256', publicArea);
  const sensitive = sized(
    Buffer.concat([uint16(KEYED_HASH), sized(Buffer.alloc(0)), sized(obfuscation), sized(identityKey)]),
  );
  const inner = encryptCfb(innerKey, Buffer.concat([sized(innerIntegrity(sensitive, name)), sensitive]));
  return Buffer.concat([
    sized(protect(endorsement, credential.seed, storageRoot.name, sized(innerKey))),
    sized(credential.encrypted),
    sized(protect(storageRoot, duplicate.seed, name, inner)),
    sized(duplicate.encrypted),
    sized(publicArea),
    sized(Buffer.alloc(0)),
  ]);
}

/** The hash inside the inner wrapper of an imported key. */
export function innerIntegrity(sensitive: Buffer, name: Buffer): Buffer {
  return createHash('sha256').update(sensitive).update(name).digest();
}

/** The `TPMT_PUBLIC` of an identity key. It holds a hash of the key, so that a TPM can check it. */
export function identityPublicArea(obfuscation: Buffer, identityKey: Buffer): Buffer {
  return Buffer.concat([
    uint16(KEYED_HASH),
    uint16(SHA256),
    uint32(IDENTITY_ATTRIBUTES),
    sized(Buffer.alloc(0)),
    uint16(HMAC),
    uint16(SHA256),
    sized(createHash('sha256').update(obfuscation).update(identityKey).digest()),
  ]);
}
