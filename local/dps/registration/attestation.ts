import { createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { commonName, isValidAt, signerOf } from '../../ca/index.ts';
import type { Authentication } from '../../iot-hub/index.ts';
import {
  isSignedBy,
  parseSharedAccessSignature,
  resourcesOf,
} from '../../iot-hub/service-api/shared-access-signature.ts';
import { thumbprint } from '../certificates/certificate-info.ts';
import { type Attestation, isEnabled, isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';
import { readTpm, type TpmChallenges, type TpmKeysOfDevice, type TpmOfDevice } from './tpm-challenges.ts';

/** What a device sends to prove its identity. */
export interface Evidence {
  /** A shared access signature; undefined if the device sent none. */
  readonly token: string | undefined;
  /** Leaf first. TLS has proved that the device holds the key of the leaf. */
  readonly certificates: readonly X509Certificate[];
  /** The public keys of the TPM of a device that asks for a challenge; absent for others. */
  readonly tpm?: TpmKeysOfDevice | undefined;
}

/** How a device proved its identity. */
export type Proof =
  | { readonly type: 'symmetricKey' }
  /** The certificate of the device and, for groups, the certificate of the group that signed its chain. */
  | { readonly type: 'x509'; readonly leaf: X509Certificate; readonly signer: X509Certificate | undefined }
  | { readonly type: 'tpm'; readonly tpm: TpmOfDevice };

/** A device with a proved identity, and its enrollment. */
export interface AttestedDevice {
  readonly registrationId: string;
  readonly enrollment: StoredEnrollment;
  /** How the device authenticates with its hub: by the same key or certificate. For a TPM, DPS makes the key. */
  readonly authentication: Authentication;
  readonly proof: Proof;
}

/** What DPS finds out about a device that wants to register. */
export type AttestationResult =
  | AttestedDevice
  /** The device has a TPM and must first open this key, which only its TPM can open. */
  | { readonly challenge: Buffer }
  /** `notEnrolled`: a device with a TPM has no individual enrollment. `tpmKeyUnknown`: it has no RSA keys. */
  | 'notEnrolled'
  | 'tpmKeyUnknown'
  | undefined;

/** Length of the keys that DPS makes for devices with a TPM. It is an assumption. */
const TPM_HUB_KEY_BYTES = 32;

/**
 * Finds the enrollment of a device: its individual enrollment or, if it has none, a group. Disabled groups are
 * ignored. A disabled individual enrollment is found, so that DPS can answer its device that it is disabled. Only an
 * individual enrollment can attest by TPM.
 */
export function attest(
  enrollments: readonly StoredEnrollment[],
  claim: {
    readonly idScope: string;
    readonly registrationId: string;
    readonly now: number;
    /** The verified CA certificate (PEM) of a name; undefined if there is none. */
    readonly authority: (name: string) => string | undefined;
    readonly challenges: TpmChallenges;
  },
  evidence: Evidence,
): AttestationResult {
  const { registrationId } = claim;
  const individual = enrollments.find(
    (enrollment) => !isGroup(enrollment) && sameId(enrollment.registrationId, registrationId),
  );
  const candidates = individual
    ? [individual]
    : enrollments.filter((enrollment) => isGroup(enrollment) && isEnabled(enrollment));
  if (individual?.attestation.type === 'tpm') return byTpm(individual, claim, evidence);
  if (evidence.tpm !== undefined) return individual === undefined ? 'notEnrolled' : undefined;
  for (const enrollment of candidates) {
    const proof = enrollment.attestation.type === 'x509' ? byCertificate : byKey;
    const attested = proof(enrollment, claim, evidence);
    if (attested !== undefined) return attested;
  }
  return undefined;
}

/**
 * The key of a device in a symmetric-key group: base64 of HMAC-SHA256 over its registration id
 * (tutorial-custom-allocation-policies.md).
 */
export function deriveDeviceKey(groupKey: string, registrationId: string): string {
  return createHmac('sha256', Buffer.from(groupKey, 'base64'))
    .update(registrationId, 'utf8')
    .digest('base64');
}

type Claim = Parameters<typeof attest>[1];

function byKey(enrollment: StoredEnrollment, claim: Claim, { token }: Evidence): AttestedDevice | undefined {
  const { attestation } = enrollment;
  if (attestation.type !== 'symmetricKey' || token === undefined) return undefined;
  const signature = signatureFor(token, claim);
  if (signature === undefined) return undefined;
  const { registrationId } = claim;
  const { primaryKey, secondaryKey } = attestation;
  const spellings = new Set([registrationId, registrationId.toLowerCase()]);
  const keys = isGroup(enrollment)
    ? [...spellings].map(
        (id) => [deriveDeviceKey(primaryKey, id), deriveDeviceKey(secondaryKey, id)] as const,
      )
    : [[primaryKey, secondaryKey] as const];
  const used = keys.find((pair) => isSignedBy(signature, pair, claim.now));
  if (used === undefined) return undefined;
  return {
    registrationId,
    enrollment,
    authentication: { type: 'sas', symmetricKey: { primaryKey: used[0], secondaryKey: used[1] } },
    proof: { type: 'symmetricKey' },
  };
}

/**
 * A device with a TPM first asks without a token, and gets a challenge if its endorsement key is enrolled. Then it sends a
 * token that is signed with the key of the challenge (concepts-tpm-attestation.md).
 */
function byTpm(
  enrollment: StoredEnrollment,
  claim: Claim,
  { token, tpm: sent }: Evidence,
): AttestationResult {
  const { attestation } = enrollment;
  if (attestation.type !== 'tpm') return undefined;
  const enrolled = {
    endorsementKey: Buffer.from(attestation.endorsementKey, 'base64'),
    storageRootKey:
      attestation.storageRootKey === undefined
        ? undefined
        : Buffer.from(attestation.storageRootKey, 'base64'),
  };
  const isEnrolled = ({ endorsementKey, storageRootKey }: TpmKeysOfDevice) =>
    endorsementKey.equals(enrolled.endorsementKey) &&
    (enrolled.storageRootKey === undefined || storageRootKey?.equals(enrolled.storageRootKey) !== false);
  if (token === undefined) {
    if (sent === undefined || !isEnrolled(sent)) return undefined;
    const tpm = readTpm({ ...sent, storageRootKey: sent.storageRootKey ?? enrolled.storageRootKey });
    return tpm === undefined
      ? 'tpmKeyUnknown'
      : { challenge: claim.challenges.issue(claim.registrationId, tpm) };
  }
  const signature = signatureFor(token, claim);
  if (signature === undefined) return undefined;
  const answered = claim.challenges
    .valid(claim.registrationId)
    .find(({ key }) => isSignedBy(signature, [key], claim.now));
  if (answered === undefined) return undefined;
  const { endorsement, storageRoot } = answered.tpm;
  if (!isEnrolled({ endorsementKey: endorsement.bytes, storageRootKey: storageRoot.bytes })) return undefined;
  const newKey = () => randomBytes(TPM_HUB_KEY_BYTES).toString('base64');
  return {
    registrationId: claim.registrationId,
    enrollment,
    authentication: { type: 'sas', symmetricKey: { primaryKey: newKey(), secondaryKey: newKey() } },
    proof: { type: 'tpm', tpm: answered.tpm },
  };
}

/** The signature of a token for this registration; undefined if it is not a token, or one for something else. */
function signatureFor(token: string, { idScope, registrationId }: Claim) {
  const signature = parseSharedAccessSignature(token);
  const resource = `${idScope}/registrations/${registrationId}`;
  const isFor = signature && resourcesOf(signature).some((signed) => sameId(signed, resource));
  return isFor ? signature : undefined;
}

function byCertificate(
  enrollment: StoredEnrollment,
  { registrationId, now, authority }: Claim,
  { certificates }: Evidence,
): AttestedDevice | undefined {
  const { attestation } = enrollment;
  const [leaf, ...rest] = certificates;
  if (attestation.type !== 'x509' || leaf === undefined || !isValidAt(leaf, now)) return undefined;
  if (!sameId(commonName(leaf) ?? '', registrationId)) return undefined;
  const trusted = certificatesOf(attestation, authority).map((pem) => new X509Certificate(pem));
  const signer = isGroup(enrollment) ? signerOf(leaf, rest, trusted, now) : undefined;
  const isKnown = signer ?? trusted.find(({ fingerprint256 }) => fingerprint256 === leaf.fingerprint256);
  if (isKnown === undefined) return undefined;
  const primaryThumbprint = thumbprint(leaf.fingerprint256);
  return {
    registrationId,
    enrollment,
    authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint, secondaryThumbprint: null } },
    proof: { type: 'x509', leaf, signer },
  };
}

function certificatesOf(
  attestation: Extract<Attestation, { type: 'x509' }>,
  authority: Claim['authority'],
): readonly string[] {
  if ('certificates' in attestation) return attestation.certificates;
  return attestation.caReferences.flatMap((name) => authority(name) ?? []);
}

function sameId(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
