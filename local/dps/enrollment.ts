import { createHash, X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../src/json.ts';
import { describeCertificate } from './certificate-info.ts';

/**
 * How devices prove who they are. Keys are base64; `certificates` are PEM: of the device itself, or of the CA
 * of a group.
 */
export type Attestation =
  | { readonly type: 'symmetricKey'; readonly primaryKey: string; readonly secondaryKey: string }
  | { readonly type: 'x509'; readonly certificates: readonly string[] };

export type AllocationPolicy = 'hashed' | 'geoLatency' | 'static' | 'custom';

/**
 * Portal names: both true = "reprovision and migrate data", only the first = "and reset", none = "never
 * reprovision".
 */
export interface ReprovisionPolicy {
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
  /** Absent: as both true. */
  readonly reprovisionPolicy?: ReprovisionPolicy;
  /** Default `hashed`. */
  readonly allocationPolicy?: AllocationPolicy;
  /** The hubs to choose from; absent or empty: all that are linked. */
  readonly iotHubs?: readonly string[];
  /** Needed by the policy `custom`. */
  readonly customAllocationDefinition?: { readonly webhookUrl: string; readonly apiVersion: string };
}

export interface IndividualEnrollment extends EnrollmentTerms {
  readonly registrationId: string;
  /** Default: the registration id. */
  readonly deviceId?: string;
}

export interface EnrollmentGroup extends EnrollmentTerms {
  readonly enrollmentGroupId: string;
}

export type Enrollment = IndividualEnrollment | EnrollmentGroup;

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
 * The enrollment as DPS shows it to a webhook: without keys, with the query of the webhook's URL masked, and
 * with what was never set left out (concepts-custom-allocation.md, and real captures). `since` is the time it
 * was made, in DPS's form.
 */
export function describeEnrollment(enrollment: Enrollment, since: string): JsonObject {
  const { capabilities, initialTwin, reprovisionPolicy, iotHubs, customAllocationDefinition } = enrollment;
  const identity = isGroup(enrollment)
    ? { enrollmentGroupId: enrollment.enrollmentGroupId }
    : {
        registrationId: enrollment.registrationId,
        ...(enrollment.deviceId !== undefined && { deviceId: enrollment.deviceId }),
      };
  return {
    ...identity,
    attestation: describeAttestation(enrollment),
    ...(capabilities && { capabilities: { ...capabilities } }),
    ...(initialTwin && { initialTwin: initialTwin as JsonObject }),
    etag: etagOf(enrollment),
    provisioningStatus: enrollment.provisioningStatus ?? 'enabled',
    ...(reprovisionPolicy && { reprovisionPolicy: { ...reprovisionPolicy } }),
    createdDateTimeUtc: since,
    lastUpdatedDateTimeUtc: since,
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
 * A URL without its secrets: functions carry their key in the query.
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
  const [primary, secondary] = attestation.certificates.map((pem) => ({
    info: describeCertificate(new X509Certificate(pem)),
  }));
  const certificates = { ...(primary && { primary }), ...(secondary && { secondary }) };
  return {
    type: 'x509',
    x509: isGroup(enrollment) ? { signingCertificates: certificates } : { clientCertificates: certificates },
  };
}

/**
 * Quoted inside, as DPS has it, and the same as long as the enrollment is.
 *
 * @example '"13003fea-0000-0300-0000-62d1d5e50000"'
 */
function etagOf(enrollment: Enrollment): string {
  const digest = createHash('sha256').update(JSON.stringify(enrollment)).digest('hex');
  const parts = [digest.slice(0, 8), '0000', digest.slice(8, 12), '0000', digest.slice(12, 24)];
  return `"${parts.join('-')}"`;
}
