import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { describeCertificate } from '../certificates/certificate-info.ts';
import { describeEnrollment, isGroup } from '../enrollments/enrollment.ts';
import type { AttestedDevice } from './attestation.ts';

/** Where a device was assigned when it registered before. */
export interface CurrentAssignment {
  readonly host: string;
  readonly deviceId: string;
}

/** What one registration brings to an allocation. */
export interface AllocationInput {
  readonly device: AttestedDevice;
  /** The device's own payload; undefined: it sent none. */
  readonly payload: JsonValue | undefined;
  /** Undefined on a first registration. */
  readonly current: CurrentAssignment | undefined;
  readonly linkedHubs: readonly string[];
}

/**
 * The request of a custom allocation, as documented (concepts-custom-allocation.md, 09/2022) and captured:
 * keys are empty objects, and what there is not is left out.
 */
export function allocationRequest(input: AllocationInput): JsonObject {
  const { device, payload, current, linkedHubs } = input;
  const { enrollment, registrationId } = device;
  const record = describeEnrollment(enrollment);
  return {
    ...(isGroup(enrollment) ? { enrollmentGroup: record } : { individualEnrollment: record }),
    deviceRuntimeContext: {
      registrationId,
      ...(current && { currentIotHubHostName: current.host, currentDeviceId: current.deviceId }),
      ...describeProof(device),
      ...(payload !== undefined && { payload }),
    },
    linkedHubs,
  };
}

/**
 * What Azure sends in `x509` is not known; this is what DPS's registration records hold, and the certificate
 * itself.
 */
function describeProof({ certificate }: AttestedDevice): JsonObject {
  if (certificate === undefined) return { symmetricKey: {} };
  const { leaf, signer } = certificate;
  return {
    x509: {
      clientCertificate: leaf.raw.toString('base64'),
      certificateInfo: describeCertificate(leaf),
      ...(signer && { signingCertificateInfo: describeCertificate(signer) }),
    },
  };
}
