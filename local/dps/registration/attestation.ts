import { createHmac, X509Certificate } from 'node:crypto';
import type { Authentication } from '../../iot-hub/index.ts';
import {
  isSignedBy,
  parseSharedAccessSignature,
  resourcesOf,
} from '../../iot-hub/service-api/shared-access-signature.ts';
import { commonName, thumbprint } from '../certificates/certificate-info.ts';
import { type Attestation, isEnabled, isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';

/** What a device sends to prove its identity. */
export interface Evidence {
  /** A shared access signature; undefined if the device sent none. */
  readonly token: string | undefined;
  /** Leaf first. TLS has proved that the device holds the key of the leaf. */
  readonly certificates: readonly X509Certificate[];
}

/** A device with a proved identity, and its enrollment. */
export interface AttestedDevice {
  readonly registrationId: string;
  readonly enrollment: StoredEnrollment;
  /** How the device authenticates with its hub: by the same key, or by the same certificate. */
  readonly authentication: Authentication;
  /**
   * For X.509: the certificate of the device and, for groups, the certificate of the group that signed its chain.
   */
  readonly certificate?: { readonly leaf: X509Certificate; readonly signer: X509Certificate | undefined };
}

/** Longest chain between the certificate of a device and the certificate of its group. */
const MAX_CHAIN = 10;

/**
 * Finds the enrollment of a device: its individual enrollment or, if it has none, a group. Disabled groups are
 * ignored. A disabled individual enrollment is found, so that DPS can answer its device that it is disabled.
 */
export function attest(
  enrollments: readonly StoredEnrollment[],
  claim: {
    readonly idScope: string;
    readonly registrationId: string;
    readonly now: number;
    /** The verified CA certificate (PEM) of a name; undefined if there is none. */
    readonly authority: (name: string) => string | undefined;
  },
  evidence: Evidence,
): AttestedDevice | 'tpm' | undefined {
  const { registrationId } = claim;
  const individual = enrollments.find(
    (enrollment) => !isGroup(enrollment) && sameId(enrollment.registrationId, registrationId),
  );
  const candidates = individual
    ? [individual]
    : enrollments.filter((enrollment) => isGroup(enrollment) && isEnabled(enrollment));
  if (individual?.attestation.type === 'tpm') return 'tpm';
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
  const signature = parseSharedAccessSignature(token);
  const resource = `${claim.idScope}/registrations/${claim.registrationId}`;
  if (signature === undefined || !resourcesOf(signature).some((signed) => sameId(signed, resource)))
    return undefined;

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
  };
}

function byCertificate(
  enrollment: StoredEnrollment,
  { registrationId, now, authority }: Claim,
  { certificates }: Evidence,
): AttestedDevice | undefined {
  const { attestation } = enrollment;
  const [leaf, ...rest] = certificates;
  if (attestation.type !== 'x509' || leaf === undefined || !isValid(leaf, now)) return undefined;
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
    certificate: { leaf, signer },
  };
}

function certificatesOf(
  attestation: Extract<Attestation, { type: 'x509' }>,
  authority: Claim['authority'],
): readonly string[] {
  if ('certificates' in attestation) return attestation.certificates;
  return attestation.caReferences.flatMap((name) => authority(name) ?? []);
}

/**
 * Follows the certificates of the device from the leaf to a certificate that the group trusts, and returns the
 * latter; undefined if there is none.
 */
function signerOf(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  now: number,
): X509Certificate | undefined {
  let child = leaf;
  for (let step = 0; step < MAX_CHAIN; step += 1) {
    const issued = (parent: X509Certificate) =>
      parent.ca && isValid(parent, now) && isIssuedBy(child, parent);
    const signer = trusted.find(issued);
    if (signer !== undefined) return signer;
    const next = sent.find(issued);
    if (next === undefined) return undefined;
    child = next;
  }
  return undefined;
}

function isIssuedBy(child: X509Certificate, parent: X509Certificate): boolean {
  return child.checkIssued(parent) && child.verify(parent.publicKey);
}

function isValid(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
}

function sameId(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
