import { X509Certificate } from 'node:crypto';
import { LocalError } from '../../errors.ts';
import { readHubName } from '../../iot-hub/index.ts';
import { isDeviceOrModuleId } from '../../iot-hub/model/identity.ts';
import { type Enrollment, enrollmentId, isGroup } from './enrollment.ts';
import { readInitialTwin } from './initial-twin.ts';
import type { DpsLinkedHub } from './linked-hub.ts';
import { isRegistrationId } from './registration-id.ts';

/* Limits of DPS: azure-docs includes/iot-dps-limits.md; length of keys: concepts-symmetric-key-attestation.md. */
export const MAX_GROUPS_PER_ATTESTATION = 100;
export const MAX_INDIVIDUAL_ENROLLMENTS = 1_000_000;
const MAX_LINKED_HUBS = 50;
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 64;

/**
 * Refuses enrollments and linked hubs that DPS would not accept.
 *
 * @throws LocalError `BERTH_LOCAL_ENROLLMENT_INVALID`
 */
export function checkEnrollments(
  enrollments: readonly Enrollment[],
  linkedHubs: readonly DpsLinkedHub[],
): void {
  if (linkedHubs.length > MAX_LINKED_HUBS) {
    throw invalid(`DPS links at most ${MAX_LINKED_HUBS} hubs, not ${linkedHubs.length}.`);
  }
  for (const { host } of linkedHubs) {
    // The Azure CLI refuses such a link (azext_iot dps linked-hub).
    if (readHubName(host).kind === 'service') {
      throw invalid(`${host} is a service name. DPS can link a hub only by its classic or its device name.`);
    }
  }
  for (const type of ['symmetricKey', 'x509'] as const) {
    const groups = enrollments.filter(
      (enrollment) => isGroup(enrollment) && enrollment.attestation.type === type,
    );
    if (groups.length > MAX_GROUPS_PER_ATTESTATION) {
      throw invalid(`DPS has at most ${MAX_GROUPS_PER_ATTESTATION} ${type} groups, not ${groups.length}.`);
    }
  }
  for (const enrollment of enrollments) {
    const problem = problemOf(enrollment);
    if (problem !== undefined) throw invalid(`Enrollment ${enrollmentId(enrollment)}: ${problem}.`);
  }
}

/** The reason why DPS would refuse an enrollment; undefined if DPS accepts it. */
export function problemOf(enrollment: Enrollment): string | undefined {
  const { attestation, allocationPolicy, ...terms } = enrollment;
  const id = enrollmentId(enrollment);
  if (!isRegistrationId(id)) {
    return `its id ${JSON.stringify(id.slice(0, 140))} is not 1 to 128 letters, digits and - . _ : with a letter, digit or dash at the end`;
  }
  const deviceId = isGroup(enrollment) ? undefined : enrollment.deviceId;
  if (deviceId !== undefined && !isDeviceOrModuleId(deviceId)) {
    return `its deviceId ${JSON.stringify(deviceId.slice(0, 140))} is not a device id of IoT Hub`;
  }
  if (attestation.type === 'symmetricKey') {
    const keys = [attestation.primaryKey, attestation.secondaryKey];
    if (!keys.every(isKey)) return `a key is not base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`;
  } else if (attestation.type === 'tpm') {
    if (attestation.endorsementKey === '') return 'its endorsement key is empty';
  } else if ('caReferences' in attestation) {
    if (attestation.caReferences.length === 0) return 'it refers to no CA certificate';
  } else if (attestation.certificates.length === 0 || !attestation.certificates.every(isCertificate)) {
    return 'its certificates are not PEM';
  }
  if (allocationPolicy === 'custom' && terms.customAllocationDefinition === undefined) {
    return 'the policy custom needs a customAllocationDefinition';
  }
  const initialTwin = readInitialTwin(terms.initialTwin as Parameters<typeof readInitialTwin>[0]);
  return initialTwin === 'malformed' ? 'its initialTwin is not {tags, properties: {desired}}' : undefined;
}

function isKey(key: string): boolean {
  const bytes = Buffer.from(key, 'base64');
  return bytes.toString('base64') === key && bytes.length >= MIN_KEY_BYTES && bytes.length <= MAX_KEY_BYTES;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function invalid(message: string): LocalError {
  return new LocalError('BERTH_LOCAL_ENROLLMENT_INVALID', message);
}
