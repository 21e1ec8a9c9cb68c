import { randomBytes, X509Certificate } from 'node:crypto';
import * as z from 'zod';
import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { certificateTexts, pemOf, thumbprint } from '../certificates/certificate-info.ts';
import type { Attestation, Enrollment, StoredEnrollment } from './enrollment.ts';
import { problemOf } from './enrollment-check.ts';
import type { StoredEnrollmentKind } from './enrollment-store.ts';

/** The enrollment in a PUT or a bulk operation, or the reason why DPS would refuse it. */
export type ReadEnrollment = { readonly enrollment: Enrollment } | { readonly problem: string };

/** The SDK sends the values that it received, also `null` and empty texts. */
const text = z.string().nullish();
const certificate = z.looseObject({
  certificate: text,
  info: z.looseObject({ sha256Thumbprint: text }).nullish(),
});
const certificates = z.looseObject({ primary: certificate.nullish(), secondary: certificate.nullish() });
const attestation = z.looseObject({
  type: z.enum(['symmetricKey', 'x509', 'tpm']),
  symmetricKey: z.looseObject({ primaryKey: text, secondaryKey: text }).nullish(),
  x509: z
    .looseObject({
      clientCertificates: certificates.nullish(),
      signingCertificates: certificates.nullish(),
      caReferences: z.looseObject({ primary: text, secondary: text }).nullish(),
    })
    .nullish(),
  tpm: z.looseObject({ endorsementKey: text, storageRootKey: text }).nullish(),
});
const enrollment = z.looseObject({
  enrollmentGroupId: text,
  registrationId: text,
  deviceId: text,
  attestation,
  capabilities: z.looseObject({ iotEdge: z.boolean() }).nullish(),
  initialTwin: z.record(z.string(), z.json()).nullish(),
  provisioningStatus: z.enum(['enabled', 'disabled']).nullish(),
  reprovisionPolicy: z
    .looseObject({ updateHubAssignment: z.boolean(), migrateDeviceData: z.boolean() })
    .nullish(),
  allocationPolicy: z.enum(['hashed', 'geoLatency', 'static', 'custom']).nullish(),
  iotHubs: z.array(z.string()).nullish(),
  iotHubHostName: text,
  customAllocationDefinition: z.looseObject({ webhookUrl: z.url(), apiVersion: z.string() }).nullish(),
  optionalDeviceInformation: z.record(z.string(), z.json()).nullish(),
  credentialPolicyName: text,
});

/** DPS makes keys of 64 random bytes. */
const KEY_BYTES = 64;

/**
 * Reads an enrollment as `azure-iot-provisioning-service` sends it. If it has no keys, new keys are made, also for an
 * update. To keep the old keys, a client must send them. If a certificate has only `info`, the stored certificate is
 * used.
 */
export function readEnrollment(
  kind: StoredEnrollmentKind,
  id: string,
  body: JsonValue | undefined,
  before: StoredEnrollment | undefined,
): ReadEnrollment {
  const parsed = enrollment.safeParse(body);
  if (!parsed.success) return { problem: z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ') };
  const sent = parsed.data;
  const named = kind === 'group' ? sent.enrollmentGroupId : sent.registrationId;
  if (named && named.toLowerCase() !== id.toLowerCase())
    return { problem: 'The id in the body differs from the id in the path.' };
  if (sent.credentialPolicyName)
    return {
      problem: 'credentialPolicyName: certificates of Azure Device Registry are not in the local DPS.',
    };
  const proof = readAttestation(kind, sent.attestation, before?.attestation);
  if (typeof proof === 'string') return { problem: proof };
  const { iotHubHostName } = sent;
  const hubs = sent.iotHubs ?? (iotHubHostName ? [iotHubHostName] : undefined);
  const terms = {
    attestation: proof,
    ...(sent.capabilities && { capabilities: { iotEdge: sent.capabilities.iotEdge } }),
    ...(sent.initialTwin && { initialTwin: sent.initialTwin as JsonObject }),
    provisioningStatus: sent.provisioningStatus ?? 'enabled',
    ...(sent.reprovisionPolicy && { reprovisionPolicy: flags(sent.reprovisionPolicy) }),
    allocationPolicy: sent.allocationPolicy ?? 'hashed',
    ...(hubs && { iotHubs: hubs }),
    ...(sent.customAllocationDefinition && {
      customAllocationDefinition: definition(sent.customAllocationDefinition),
    }),
  };
  const read: Enrollment =
    kind === 'group'
      ? { enrollmentGroupId: id, ...terms }
      : {
          registrationId: id,
          ...(sent.deviceId && { deviceId: sent.deviceId }),
          ...(sent.optionalDeviceInformation && {
            optionalDeviceInformation: sent.optionalDeviceInformation as JsonObject,
          }),
          ...terms,
        };
  const problem = problemOf(read);
  return problem === undefined ? { enrollment: read } : { problem };
}

/** The attestation with its secrets, for the answer of `…/attestationmechanism`. */
export function describeMechanism(
  kind: StoredEnrollmentKind,
  { attestation: proof }: Enrollment,
): JsonObject {
  switch (proof.type) {
    case 'symmetricKey': {
      const { type, ...symmetricKey } = proof;
      return { type, symmetricKey };
    }
    case 'tpm': {
      const { type, ...tpm } = proof;
      return { type, tpm };
    }
    case 'x509': {
      if ('caReferences' in proof) return { type: 'x509', x509: { caReferences: pair(proof.caReferences) } };
      const texts = pair(proof.certificates.map((pem) => certificateTexts(pem)));
      return {
        type: 'x509',
        x509: kind === 'group' ? { signingCertificates: texts } : { clientCertificates: texts },
      };
    }
  }
}

type SentAttestation = z.output<typeof attestation>;

function readAttestation(
  kind: StoredEnrollmentKind,
  sent: SentAttestation,
  before: Attestation | undefined,
): Attestation | string {
  switch (sent.type) {
    case 'symmetricKey':
      return {
        type: 'symmetricKey',
        primaryKey: sent.symmetricKey?.primaryKey || newKey(),
        secondaryKey: sent.symmetricKey?.secondaryKey || newKey(),
      };
    case 'tpm':
      if (kind === 'group') return 'A group cannot attest by TPM.';
      return {
        type: 'tpm',
        endorsementKey: sent.tpm?.endorsementKey ?? '',
        ...(sent.tpm?.storageRootKey && { storageRootKey: sent.tpm.storageRootKey }),
      };
    case 'x509':
      return readCertificates(kind, sent.x509, before);
  }
}

function readCertificates(
  kind: StoredEnrollmentKind,
  sent: SentAttestation['x509'],
  before: Attestation | undefined,
): Attestation | string {
  if (sent?.caReferences?.primary && kind === 'group') {
    const { primary, secondary } = sent.caReferences;
    return { type: 'x509', caReferences: secondary ? [primary, secondary] : [primary] };
  }
  const wanted = kind === 'group' ? sent?.signingCertificates : sent?.clientCertificates;
  const known = before?.type === 'x509' && 'certificates' in before ? before.certificates : [];
  const read: string[] = [];
  for (const each of [wanted?.primary, wanted?.secondary]) {
    if (!each) continue;
    const pem = each.certificate
      ? pemOf(each.certificate)
      : known.find((candidate) => digits(candidate) === each.info?.sha256Thumbprint?.toUpperCase());
    if (pem === undefined) return 'A certificate is missing or not valid.';
    read.push(pem);
  }
  return { type: 'x509', certificates: read };
}

function digits(pem: string): string {
  return thumbprint(new X509Certificate(pem).fingerprint256);
}

function pair<Item extends JsonValue>([primary, secondary]: readonly Item[]): JsonObject {
  return { ...(primary !== undefined && { primary }), ...(secondary !== undefined && { secondary }) };
}

function flags({
  updateHubAssignment,
  migrateDeviceData,
}: {
  updateHubAssignment: boolean;
  migrateDeviceData: boolean;
}) {
  return { updateHubAssignment, migrateDeviceData };
}

function definition({ webhookUrl, apiVersion }: { webhookUrl: string; apiVersion: string }) {
  return { webhookUrl, apiVersion };
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}
