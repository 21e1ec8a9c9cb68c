import type { CertificateStore } from '../certificates/certificate-store.ts';
import type { EnrollmentStore } from '../enrollments/enrollment-store.ts';
import { isRegistrationId } from '../enrollments/registration-id.ts';
import { type AttestedDevice, attest, type Evidence } from './attestation.ts';
import type { DpsRefusal } from './dps-error.ts';
import type { TpmChallenges } from './tpm-challenges.ts';

/** A challenge to a device with a TPM: a key that only this TPM can open. */
export interface Challenge {
  readonly challenge: Buffer;
}

/** Identifies a device, or returns a challenge or the refusal. */
export type Attester = (claim: {
  readonly scope: string;
  readonly registrationId: string;
  readonly evidence: Evidence;
}) => AttestedDevice | Challenge | DpsRefusal;

/** The message for a device that the attester refuses. */
export function refusalText(refusal: DpsRefusal): string {
  switch (refusal) {
    case 'notEnrolled':
      return 'The device has no individual enrollment. A device with a TPM needs one.';
    case 'tpmKeyUnknown':
      return 'The endorsement key or the storage root key is not an RSA key of a TPM 2.0 (TPM2B_PUBLIC in base64).';
    case 'invalidArgument':
      return 'The registration id is not valid. Use up to 128 letters, digits and - . _ :';
    default:
      return 'The device could not be authenticated.';
  }
}

export function createAttester(
  idScope: string,
  enrollments: EnrollmentStore,
  certificates: CertificateStore,
  challenges: TpmChallenges,
  now: () => number,
): Attester {
  return ({ scope, registrationId, evidence }) => {
    if (scope.toLowerCase() !== idScope.toLowerCase()) return 'unauthorized';
    if (!isRegistrationId(registrationId)) return 'invalidArgument';
    const claim = { idScope, registrationId, now: now(), authority: certificates.verified, challenges };
    return attest(enrollments.values(), claim, evidence) ?? 'unauthorized';
  };
}
