import type { EnrollmentKind } from '../dps/port.ts';
import type { JsonObject } from '../json/json.ts';
import type { EnrollmentsFile, GroupFile, IndividualFile, WebhookFile } from './schema.ts';

/** A key, or undefined: the environment variable that the file names is not set. */
export type PlanKey = string | undefined;

export interface EnrollmentKeys<Key extends PlanKey = string> {
  readonly primaryKey: Key;
  readonly secondaryKey: Key;
}

/** A certificate of the file. */
export interface Certificate {
  readonly pem: string;
  /** Hexadecimal digits in upper case. */
  readonly sha256: string;
}

/** An attestation with the keys and certificates that the file names. It contains secrets: never show it. */
export type WantedAttestation<Key extends PlanKey = string> =
  | {
      readonly type: 'symmetricKey';
      /** Undefined: DPS generates the keys, and Berth keeps them. */
      readonly keys: EnrollmentKeys<Key> | undefined;
    }
  | {
      readonly type: 'x509';
      readonly field: 'signingCertificates' | 'clientCertificates';
      readonly primary: Certificate;
      readonly secondary: Certificate | undefined;
    }
  | { readonly type: 'x509'; readonly field: 'caReferences'; readonly names: readonly string[] }
  | { readonly type: 'tpm'; readonly endorsementKey: Key };

/** A key of an enrollment that is not known, because its environment variable is not set. */
export interface UnsetKey {
  /** As in the differences: `attestation.primaryKey`. */
  readonly field: string;
  readonly variable: string;
}

/**
 * An enrollment as the file defines it. Only one with all its keys can be written. A plan also takes a
 * `WantedEnrollment<PlanKey>`, whose keys may be unknown.
 */
export interface WantedEnrollment<Key extends PlanKey = string> {
  readonly kind: EnrollmentKind;
  readonly id: string;
  readonly attestation: WantedAttestation<Key>;
  /** The keys that are unknown; empty if all are known. */
  readonly unsetKeys: readonly UnsetKey[];
  /** Undefined unless the policy is `custom`. */
  readonly webhook: WebhookFile | undefined;
  readonly terms: Terms;
}

/** All other fields of the file, with defaults. */
export interface Terms {
  readonly deviceId: string | undefined;
  readonly enabled: boolean;
  readonly allocationPolicy: GroupFile['allocationPolicy'];
  readonly iotHubs: readonly string[];
  readonly reprovisioning: GroupFile['reprovisioning'];
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  readonly iotEdge: boolean;
}

export function enrollmentTermsOf(enrollment: GroupFile | IndividualFile): Terms {
  const { enabled, allocationPolicy, iotHubs, reprovisioning, initialTwin, capabilities } = enrollment;
  return {
    deviceId: 'deviceId' in enrollment ? enrollment.deviceId : undefined,
    enabled,
    allocationPolicy,
    iotHubs,
    reprovisioning,
    tags: (initialTwin?.tags ?? {}) as JsonObject,
    desired: (initialTwin?.desired ?? {}) as JsonObject,
    iotEdge: capabilities.iotEdge,
  };
}

export function webhookOf(
  enrollment: GroupFile | IndividualFile,
  file: EnrollmentsFile,
): WebhookFile | undefined {
  return enrollment.allocationPolicy === 'custom' ? (enrollment.webhook ?? file.webhook) : undefined;
}
