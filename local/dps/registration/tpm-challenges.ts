import { randomBytes } from 'node:crypto';
import { protectIdentityKey, readTpmPublicKey, type TpmPublicKey } from '../../tpm/index.ts';

/** The public keys that a device sends, as `TPM2B_PUBLIC`. */
export interface TpmKeysOfDevice {
  readonly endorsementKey: Buffer;
  /** Undefined if the device sent none. */
  readonly storageRootKey: Buffer | undefined;
}

/** The public keys of a TPM, read. */
export interface TpmOfDevice {
  readonly endorsement: TpmPublicKey;
  readonly storageRoot: TpmPublicKey;
}

/** A key that only the TPM of the device can open, and the TPM for which it was made. */
export interface TpmChallenge {
  /** Base64. */
  readonly key: string;
  readonly tpm: TpmOfDevice;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** The challenges to devices with a TPM. A device answers with a token that is signed with the key. */
export interface TpmChallenges {
  /** A new challenge, in the protected form for the TPM. Earlier challenges to the device stay valid. */
  issue(registrationId: string, tpm: TpmOfDevice): Buffer;
  /** The challenges of a device that have not expired. */
  valid(registrationId: string): readonly TpmChallenge[];
}

const KEY_BYTES = 32;
/** The tokens of the SDKs are valid for an hour. */
const LIFETIME_MS = 3_600_000;
/** Challenges need no proof, so a device keeps a few, and other callers cannot end its registration. */
const MAX_PER_DEVICE = 8;

export function createTpmChallenges(now: () => number): TpmChallenges {
  /** By registration id in lower case, the newest last. */
  const challenges = new Map<string, readonly TpmChallenge[]>();
  const valid = (registrationId: string) =>
    (challenges.get(registrationId.toLowerCase()) ?? []).filter(({ expires }) => expires > now());
  return {
    valid,
    issue(registrationId, tpm) {
      const key = randomBytes(KEY_BYTES);
      const challenge = { key: key.toString('base64'), tpm, expires: now() + LIFETIME_MS };
      const kept = [...valid(registrationId), challenge].slice(-MAX_PER_DEVICE);
      challenges.set(registrationId.toLowerCase(), kept);
      return protectIdentityKey(tpm.endorsement, tpm.storageRoot, key);
    },
  };
}

/** Reads both keys; undefined if one is not an RSA key of a TPM 2.0. */
export function readTpm({ endorsementKey, storageRootKey }: TpmKeysOfDevice): TpmOfDevice | undefined {
  const endorsement = readTpmPublicKey(endorsementKey);
  const storageRoot = storageRootKey && readTpmPublicKey(storageRootKey);
  return endorsement && storageRoot && { endorsement, storageRoot };
}
