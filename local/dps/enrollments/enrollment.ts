import { X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';
import { describeCertificate } from '../certificates/certificate-info.ts';

/**
 * How devices prove their identity. Keys are base64. `certificates` are PEM: of the device itself, or of the CA of a
 * group. `caReferences` are the names of CA certificates that were uploaded to DPS and verified. The public keys of a TPM
 * are `TPM2B_PUBLIC`; without a storage root key, DPS takes the one that the device sends.
 */
export type Attestation =
  | { readonly type: 'symmetricKey'; readonly primaryKey: string; readonly secondaryKey: string }
  | { readonly type: 'x509'; readonly certificates: readonly string[] }
  | { readonly type: 'x509'; readonly caReferences: readonly string[] }
  | { readonly type: 'tpm'; readonly endorsementKey: string; readonly storageRootKey?: string };

export type AllocationPolicy = 'hashed' | 'geoLatency' | 'static' | 'custom';

/**
 * Portal names: both true = "reprovision and migrate data", only the first = "and reset", none = "never
 * reprovision".
 */
export interface EnrollmentReprovisionPolicy {
  readonly updateHubAssignment: boolean;
  readonly migrateDeviceData: boolean;
}

/** Fields and defaults as in DPS's service API (`azure-iot-provisioning-service` interfaces). */
interface EnrollmentTerms {
  readonly attestation: Attestation;
  readonly capabilities?: { readonly iotEdge: boolean };
  readonly initialTwin?: {
    readonly tags?: JsonObject;
    readonly properties?: { readonly desired?: JsonObject };
  };
  /** Default `enabled`. */
  readonly provisioningStatus?: 'enabled' | 'disabled';
  /** Absent: both true. */
  readonly reprovisionPolicy?: EnrollmentReprovisionPolicy;
  /** Default `hashed`. */
  readonly allocationPolicy?: AllocationPolicy;
  /** The allowed hubs; absent or empty: all linked hubs. */
  readonly iotHubs?: readonly string[];
  /** Required for the policy `custom`. */
  readonly customAllocationDefinition?: { readonly webhookUrl: string; readonly apiVersion: string };
}

export interface IndividualEnrollment extends EnrollmentTerms {
  readonly registrationId: string;
  /** Default: the registration id. */
  readonly deviceId?: string;
  /** Notes of the operator. DPS only stores them. */
  readonly optionalDeviceInformation?: JsonObject;
}

export interface EnrollmentGroup extends EnrollmentTerms {
  readonly enrollmentGroupId: string;
}

export type Enrollment = IndividualEnrollment | EnrollmentGroup;

/** An enrollment as DPS stores it. The times have the form of DPS. */
export type StoredEnrollment = Enrollment & {
  /**
   * New for every write. The value contains quotes, as in DPS.
   *
   * @example '"13003fea-0000-0300-0000-62d1d5e50000"'
   */
  readonly etag: string;
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
};

export function isGroup(enrollment: Enrollment): enrollment is EnrollmentGroup {
  return 'enrollmentGroupId' in enrollment;
}

export function enrollmentId(enrollment: Enrollment): string {
  return isGroup(enrollment) ? enrollment.enrollmentGroupId : enrollment.registrationId;
}

export function isEnabled(enrollment: Enrollment): boolean {
  return enrollment.provisioningStatus !== 'disabled';
}

/**
 * The enrollment as DPS sends it to a webhook and to the service API: without keys, without fields that were never
 * set, and with a masked query of the webhook's URL (concepts-custom-allocation.md, and real captures).
 */
export function describeEnrollment(enrollment: StoredEnrollment): JsonObject {
  const { capabilities, initialTwin, reprovisionPolicy, iotHubs, customAllocationDefinition } = enrollment;
  const identity = isGroup(enrollment)
    ? { enrollmentGroupId: enrollment.enrollmentGroupId }
    : {
        registrationId: enrollment.registrationId,
        ...(enrollment.deviceId !== undefined && { deviceId: enrollment.deviceId }),
        ...(enrollment.optionalDeviceInformation && {
          optionalDeviceInformation: enrollment.optionalDeviceInformation,
        }),
      };
  return {
    ...identity,
    attestation: describeAttestation(enrollment),
    ...(capabilities && { capabilities: { ...capabilities } }),
    ...(initialTwin && { initialTwin: initialTwin as JsonObject }),
    etag: enrollment.etag,
    provisioningStatus: enrollment.provisioningStatus ?? 'enabled',
    ...(reprovisionPolicy && { reprovisionPolicy: { ...reprovisionPolicy } }),
    createdDateTimeUtc: enrollment.createdDateTimeUtc,
    lastUpdatedDateTimeUtc: enrollment.lastUpdatedDateTimeUtc,
    allocationPolicy: enrollment.allocationPolicy ?? 'hashed',
    ...(iotHubs && { iotHubs }),
    ...(customAllocationDefinition && {
      customAllocationDefinition: {
        webhookUrl: maskQuery(customAllocationDefinition.webhookUrl),
        apiVersion: customAllocationDefinition.apiVersion,
      },
    }),
  };
}

/**
 * A URL without its query, because the query can contain the key of a function.
 *
 * @example 'https://host/api/allocate?****'
 */
export function maskQuery(url: string): string {
  const [path = '', ...query] = url.split('?');
  return query.length === 0 ? path : `${path}?****`;
}

function describeAttestation(enrollment: Enrollment): JsonObject {
  const { attestation } = enrollment;
  if (attestation.type === 'symmetricKey') return { type: 'symmetricKey' };
  if (attestation.type === 'tpm') {
    const { type, ...tpm } = attestation;
    return { type, tpm };
  }
  if ('caReferences' in attestation) {
    const [primary = '', secondary] = attestation.caReferences;
    return { type: 'x509', x509: { caReferences: { primary, ...(secondary && { secondary }) } } };
  }
  const [primary, secondary] = attestation.certificates.map((pem) => ({
    info: describeCertificate(new X509Certificate(pem)),
  }));
  const certificates = { ...(primary && { primary }), ...(secondary && { secondary }) };
  return {
    type: 'x509',
    x509: isGroup(enrollment) ? { signingCertificates: certificates } : { clientCertificates: certificates },
  };
}
