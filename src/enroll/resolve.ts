import { createHmac, X509Certificate } from 'node:crypto';
import type { ErrorDetail } from '../errors.ts';
import type { EnrollmentsFile, GroupFile, IndividualFile } from './schema.ts';
import {
  type Certificate,
  type EnrollmentKeys,
  enrollmentTermsOf,
  type PlanKey,
  type UnsetKey,
  type WantedAttestation,
  type WantedEnrollment,
  webhookOf,
} from './wanted.ts';

/** The sources of keys and certificates. */
export interface Sources {
  /** An environment variable; undefined or empty if it is not set. */
  variable(name: string): string | undefined;
  /** A file; a relative path starts at the folder of the enrollments file. Undefined if it cannot be read. */
  file(path: string): Buffer | undefined;
}

export interface Resolved {
  /** The enrollments that a plan can compare. Those with unusable keys or certificates are left out. */
  readonly wanted: readonly WantedEnrollment<PlanKey>[];
  /** Missing or unusable keys and certificates, in the order of the file. The texts never contain a value. */
  readonly problems: readonly KeyProblem[];
}

export interface KeyProblem extends ErrorDetail {
  /** The environment variable is not set. A plan then compares everything else. */
  readonly isUnset: boolean;
}

/** Allowed length of keys (concepts-symmetric-key-attestation). */
const KEY_BYTES = { least: 16, most: 64 } as const;

/** Reads the keys and certificates that the file names. */
export function resolveEnrollments(file: EnrollmentsFile, sources: Sources): Resolved {
  const problems: KeyProblem[] = [];
  const wanted: WantedEnrollment<PlanKey>[] = [];
  const add = (
    kind: 'group' | 'individual',
    id: string,
    path: string,
    from: GroupFile | IndividualFile,
  ): void => {
    const report = (field: string, message: string): undefined => {
      problems.push({ path: `${path}.attestation.${field}`, message, isUnset: false });
      return undefined;
    };
    const unsetKeys: UnsetKey[] = [];
    const variable = (field: string, name: string, key: string): string | undefined => {
      const value = sources.variable(name)?.trim();
      if (value) return value;
      const message = `names ${name}, which is not set: set it to the key`;
      problems.push({ path: `${path}.attestation.${field}`, message, isUnset: true });
      unsetKeys.push({ field: `attestation.${key}`, variable: name });
      return undefined;
    };
    const attestation = resolveAttestation(id, from.attestation, { file: sources.file, variable, report });
    if (attestation === undefined) return;
    const [webhook, terms] = [webhookOf(from, file), enrollmentTermsOf(from)];
    wanted.push({ kind, id, attestation, unsetKeys, webhook, terms });
  };
  file.groups.forEach((group, index) => {
    add('group', group.id, `groups[${index}]`, group);
  });
  file.individuals.forEach((individual, index) => {
    add('individual', individual.registrationId, `individuals[${index}]`, individual);
  });
  return { wanted, problems };
}

/** Whether the file names no key, or each key that it names is known. Only such an enrollment can be written. */
export function hasAllKeys(enrollment: WantedEnrollment<PlanKey>): enrollment is WantedEnrollment {
  return enrollment.unsetKeys.length === 0;
}

/** Reports what is wrong with a field of the attestation. */
type Report = (field: string, message: string) => undefined;

interface AttestationSources extends Pick<Sources, 'file'> {
  /** The value of the variable that a field names, for this key. Undefined, and noted, if it is not set. */
  variable(field: string, name: string, key: string): string | undefined;
  readonly report: Report;
}

/** Undefined if a key or certificate cannot be used. Keys whose variables are not set are undefined in it. */
function resolveAttestation(
  id: string,
  attestation: GroupFile['attestation'] | IndividualFile['attestation'],
  sources: AttestationSources,
): WantedAttestation<PlanKey> | undefined {
  const { report } = sources;
  switch (attestation.type) {
    case 'symmetricKey': {
      const derivation = 'derivedFrom' in attestation ? attestation : undefined;
      const isDerived = derivation?.derivedFrom !== undefined;
      const names = isDerived
        ? (['derivedFrom', 'secondaryDerivedFrom'] as const)
        : (['primaryKeyFrom', 'secondaryKeyFrom'] as const);
      const given: Readonly<Record<string, unknown>> = attestation;
      if (given[names[0]] === undefined) return { type: 'symmetricKey', keys: undefined };
      const read = (index: 0 | 1, key: string) =>
        readKey(names[index], String(given[names[index]]), key, sources);
      const primary = read(0, 'primaryKey');
      const secondary = read(1, 'secondaryKey');
      if (primary === UNUSABLE || secondary === UNUSABLE) return undefined;
      const keys: EnrollmentKeys<PlanKey> = { primaryKey: primary, secondaryKey: secondary };
      return { type: 'symmetricKey', keys: isDerived ? derivedKeys(keys, id) : keys };
    }
    case 'x509': {
      if ('caReferences' in attestation && attestation.caReferences !== undefined) {
        const { primary, secondary } = attestation.caReferences;
        return {
          type: 'x509',
          field: 'caReferences',
          names: secondary === undefined ? [primary] : [primary, secondary],
        };
      }
      const field = 'clientCertificates' in attestation ? 'clientCertificates' : 'signingCertificates';
      const files =
        'clientCertificates' in attestation
          ? attestation.clientCertificates
          : attestation.signingCertificates;
      if (files === undefined) return undefined;
      const primary = readCertificate(`${field}.primary`, files.primary, sources);
      const secondary =
        files.secondary === undefined
          ? undefined
          : readCertificate(`${field}.secondary`, files.secondary, sources);
      if (primary === undefined || (files.secondary !== undefined && secondary === undefined))
        return undefined;
      return { type: 'x509', field, primary, secondary };
    }
    case 'tpm': {
      const { endorsementKeyFrom: variable, endorsementKeyFile: path } = attestation;
      const field = variable === undefined ? 'endorsementKeyFile' : 'endorsementKeyFrom';
      const text =
        variable === undefined
          ? sources.file(path ?? '')?.toString('utf8')
          : sources.variable(field, variable, 'endorsementKey');
      if (!text) {
        return variable === undefined
          ? report(field, `is "${path}", which cannot be read: check the path and its permissions`)
          : { type: 'tpm', endorsementKey: undefined };
      }
      const endorsementKey = text.trim();
      return isBase64(endorsementKey)
        ? { type: 'tpm', endorsementKey }
        : report(field, 'names a value that is not base64: give the endorsement key in base64');
    }
  }
}

/**
 * Derives the keys of a device from the keys of a group: base64 of HMAC-SHA256 over the registration id
 * (concepts-symmetric-key-attestation).
 */
function derivedKeys(
  { primaryKey, secondaryKey }: EnrollmentKeys<PlanKey>,
  registrationId: string,
): EnrollmentKeys<PlanKey> {
  const derive = (key: PlanKey) =>
    key === undefined
      ? undefined
      : createHmac('sha256', Buffer.from(key, 'base64')).update(registrationId, 'utf8').digest('base64');
  return { primaryKey: derive(primaryKey), secondaryKey: derive(secondaryKey) };
}

const UNUSABLE = Symbol('unusable');

/** Undefined if the variable is not set. */
function readKey(
  field: string,
  name: string,
  key: string,
  { variable, report }: AttestationSources,
): PlanKey | typeof UNUSABLE {
  const value = variable(field, name, key);
  if (value === undefined) return undefined;
  const { length } = Buffer.from(value, 'base64');
  if (isBase64(value) && length >= KEY_BYTES.least && length <= KEY_BYTES.most) return value;
  report(
    field,
    `names ${name}, which is not a base64 key of ${KEY_BYTES.least} to ${KEY_BYTES.most} bytes: set it to such a key`,
  );
  return UNUSABLE;
}

function isBase64(text: string): boolean {
  return text !== '' && Buffer.from(text, 'base64').toString('base64') === text;
}

function readCertificate(
  field: string,
  path: string,
  { file, report }: Pick<AttestationSources, 'file' | 'report'>,
): Certificate | undefined {
  const bytes = file(path);
  if (bytes === undefined)
    return report(field, `is "${path}", which cannot be read: check the path and its permissions`);
  if (bytes.includes('PRIVATE KEY'))
    return report(
      field,
      `is "${path}", which contains a private key: use a file that contains only the certificate`,
    );
  try {
    const certificate = new X509Certificate(bytes);
    return { pem: certificate.toString(), sha256: certificate.fingerprint256.replaceAll(':', '') };
  } catch {
    return report(field, `is "${path}", which is not a certificate in PEM or DER`);
  }
}
