import type { CertificateStore } from '../certificates/certificate-store.ts';
import type { EnrollmentStore } from '../enrollments/enrollment-store.ts';
import { isRegistrationId } from '../enrollments/registration-id.ts';
import { type AttestedDevice, attest, type Evidence } from './attestation.ts';
import type { DpsRefusal } from './dps-error.ts';

/** Identifies a device, or returns the refusal. */
export type Attester = (claim: {
  readonly scope: string;
  readonly registrationId: string;
  readonly evidence: Evidence;
}) => AttestedDevice | DpsRefusal;

/** The message for a device that the attester refuses. */
export function refusalText(refusal: DpsRefusal): string {
  return refusal === 'tpmUnknown'
    ? 'TPM attestation is not in the local DPS. It stores such enrollments, but no device can register with them.'
    : 'The device could not be authenticated.';
}

export function createAttester(
  idScope: string,
  enrollments: EnrollmentStore,
  certificates: CertificateStore,
  now: () => number,
): Attester {
  return ({ scope, registrationId, evidence }) => {
    if (scope.toLowerCase() !== idScope.toLowerCase()) return 'unauthorized';
    if (!isRegistrationId(registrationId)) return 'invalidArgument';
    const claim = { idScope, registrationId, now: now(), authority: certificates.verified };
    const attested = attest(enrollments.values(), claim, evidence);
    return attested === 'tpm' ? 'tpmUnknown' : (attested ?? 'unauthorized');
  };
}
