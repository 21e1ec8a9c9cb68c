import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { innerIntegrity, KEYED_HASH } from './identity-key.ts';
import { decryptCfb, openSeed, unprotect } from './protection.ts';
import { objectName, readTpmPublicKey, writeTpmPublicKey } from './public-key.ts';
import { fieldReader } from './sized-buffers.ts';

/** The keys of a simulated TPM, as PEM (PKCS #8). They are a secret of its device. */
export interface TpmKeys {
  readonly endorsement: string;
  readonly storageRoot: string;
}

/** A TPM 2.0 in software: as much of it as a registration with DPS uses. It protects nothing. */
export interface SimulatedTpm {
  /** The public endorsement key as `TPM2B_PUBLIC`, for an enrollment. */
  readonly endorsementKey: Buffer;
  /** The public storage root key as `TPM2B_PUBLIC`. */
  readonly storageRootKey: Buffer;
  /**
   * Opens the identity key that DPS made for this TPM (ActivateCredential, then Import), and keeps it.
   *
   * @throws Error if the data was made for another TPM or was changed.
   */
  activateIdentityKey(authenticationKey: Buffer): void;
  /** HMAC-SHA256 with the identity key. @throws Error if no identity key was activated. */
  sign(data: Buffer): Buffer;
}

const KEY_BITS = 2_048;
const SHA256 = { algorithm: 11, hash: 'sha256', symmetricBits: 128 } as const;

/** Generates the two keys of a TPM. It takes up to a second. */
export function generateTpmKeys(): TpmKeys {
  const generate = () =>
    generateKeyPairSync('rsa', {
      modulusLength: KEY_BITS,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey;
  return { endorsement: generate(), storageRoot: generate() };
}

/** A TPM with these keys. The same keys make the same device. */
export function createSimulatedTpm(keys: TpmKeys): SimulatedTpm {
  const endorsement = createPrivateKey(keys.endorsement);
  const storageRoot = createPrivateKey(keys.storageRoot);
  const endorsementKey = writeTpmPublicKey(createPublicKey(endorsement), 'endorsement');
  const storageRootKey = writeTpmPublicKey(createPublicKey(storageRoot), 'storageRoot');
  const storageRootName = readTpmPublicKey(storageRootKey)?.name ?? Buffer.alloc(0);
  let identityKey: Buffer | undefined;

  return {
    endorsementKey,
    storageRootKey,
    activateIdentityKey(authenticationKey) {
      const fields = fieldReader(authenticationKey);
      const credential = { data: fields.sized(), secret: fields.sized() };
      const duplicate = { data: fields.sized(), secret: fields.sized() };
      const publicArea = fields.sized();
      fields.sized(); // the data that no client reads
      const innerKey = activateCredential(endorsement, storageRootName, credential);
      identityKey = importKey(storageRoot, innerKey, publicArea, duplicate);
    },
    sign(data) {
      if (identityKey === undefined)
        throw new Error('The TPM has no identity key. Register the device first.');
      return createHmac('sha256', identityKey).update(data).digest();
    },
  };
}

interface Protected {
  readonly data: Buffer;
  readonly secret: Buffer;
}

/** TPM2_ActivateCredential: the credential opens only where both keys are in one TPM. */
function activateCredential(endorsement: KeyObject, name: Buffer, { data, secret }: Protected): Buffer {
  const seed = openSeed(endorsement, SHA256.hash, 'IDENTITY', secret);
  return fieldReader(unprotect(SHA256, seed, name, data)).sized();
}

/** TPM2_Import and TPM2_Load, with their checks. */
function importKey(
  storageRoot: KeyObject,
  innerKey: Buffer,
  publicArea: Buffer,
  { data, secret }: Protected,
): Buffer {
  const name = objectName(SHA256.algorithm, SHA256.hash, publicArea);
  const seed = openSeed(storageRoot, SHA256.hash, 'DUPLICATE', secret);
  const inner = decryptCfb(innerKey, unprotect(SHA256, seed, name, data));
  const given = fieldReader(inner).sized();
  const sensitive = inner.subarray(given.length + 2);
  if (!given.equals(innerIntegrity(sensitive, name))) throw new Error('The imported key was changed.');
  const fields = fieldReader(fieldReader(sensitive).sized());
  if (fields.uint16() !== KEYED_HASH) throw new Error('The imported key is not a key for HMAC.');
  fields.sized(); // its password
  const obfuscation = fields.sized();
  const key = fields.sized();
  const unique = createHash(SHA256.hash).update(obfuscation).update(key).digest();
  if (!publicArea.subarray(-unique.length).equals(unique))
    throw new Error('The imported key is not the key of its public area.');
  return key;
}
