import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { describeCertificate } from '../certificates/certificate-info.ts';
import { describeEnrollment, isGroup } from '../enrollments/enrollment.ts';
import type { AttestedDevice } from './attestation.ts';

/** The assignment from an earlier registration of a device. */
export interface CurrentAssignment {
  readonly host: string;
  readonly deviceId: string;
}

/** The input of an allocation, from one registration. */
export interface AllocationInput {
  readonly device: AttestedDevice;
  /** The payload of the device; undefined if it sent none. */
  readonly payload: JsonValue | undefined;
  /** Undefined for a first registration. */
  readonly current: CurrentAssignment | undefined;
  readonly linkedHubs: readonly string[];
}

/**
 * The request of a custom allocation, as documented (concepts-custom-allocation.md, 09/2022) and captured. Keys are
 * empty objects, and fields without a value are omitted.
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
 * The content of `x509` in Azure is not known. This is the content of DPS's registration records, with the
 * certificate.
 */
function describeProof({ proof }: AttestedDevice): JsonObject {
  if (proof.type === 'symmetricKey') return { symmetricKey: {} };
  if (proof.type === 'tpm') {
    const { endorsement, storageRoot } = proof.tpm;
    return {
      tpm: {
        endorsementKey: endorsement.bytes.toString('base64'),
        storageRootKey: storageRoot.bytes.toString('base64'),
      },
    };
  }
  const { leaf, signer } = proof;
  return {
    x509: {
      clientCertificate: leaf.raw.toString('base64'),
      certificateInfo: describeCertificate(leaf),
      ...(signer && { signingCertificateInfo: describeCertificate(signer) }),
    },
  };
}
