import { createHmac, X509Certificate } from 'node:crypto';
import type { ErrorDetail } from '../errors.ts';
import type { EnrollmentsFile, GroupFile, IndividualFile } from './schema.ts';
import {
  type Certificate,
  type EnrollmentKeys,
  enrollmentTermsOf,
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
  readonly wanted: readonly WantedEnrollment[];
  /** Missing or unusable keys and certificates. The texts never contain a value. */
  readonly problems: readonly ErrorDetail[];
}

/** Allowed length of keys (concepts-symmetric-key-attestation). */
const KEY_BYTES = { least: 16, most: 64 } as const;

/** Reads the keys and certificates that the file names. */
export function resolveEnrollments(file: EnrollmentsFile, sources: Sources): Resolved {
  const problems: ErrorDetail[] = [];
  const wanted: WantedEnrollment[] = [];
  const add = (
    kind: 'group' | 'individual',
    id: string,
    path: string,
    from: GroupFile | IndividualFile,
  ): void => {
    const report = (field: string, message: string): undefined => {
      problems.push({ path: `${path}.attestation.${field}`, message });
      return undefined;
    };
    const attestation = resolveAttestation(id, from.attestation, sources, report);
    if (attestation === undefined) return;
    wanted.push({ kind, id, attestation, webhook: webhookOf(from, file), terms: enrollmentTermsOf(from) });
  };
  file.groups.forEach((group, index) => {
    add('group', group.id, `groups[${index}]`, group);
  });
  file.individuals.forEach((individual, index) => {
    add('individual', individual.registrationId, `individuals[${index}]`, individual);
  });
  return { wanted, problems };
}

type Report = (field: string, message: string) => undefined;

function resolveAttestation(
  id: string,
  attestation: GroupFile['attestation'] | IndividualFile['attestation'],
  sources: Sources,
  report: Report,
): WantedAttestation | undefined {
  switch (attestation.type) {
    case 'symmetricKey': {
      const derivation = 'derivedFrom' in attestation ? attestation : undefined;
      const isDerived = derivation?.derivedFrom !== undefined;
      const names = isDerived
        ? (['derivedFrom', 'secondaryDerivedFrom'] as const)
        : (['primaryKeyFrom', 'secondaryKeyFrom'] as const);
      const given: Readonly<Record<string, unknown>> = attestation;
      if (given[names[0]] === undefined) return { type: 'symmetricKey', keys: undefined };
      const [primary, secondary] = names.map((name) => readKey(name, String(given[name]), sources, report));
      if (primary === undefined || secondary === undefined) return undefined;
      const keys: EnrollmentKeys = { primaryKey: primary, secondaryKey: secondary };
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
      const primary = readCertificate(`${field}.primary`, files.primary, sources, report);
      const secondary =
        files.secondary === undefined
          ? undefined
          : readCertificate(`${field}.secondary`, files.secondary, sources, report);
      if (primary === undefined || (files.secondary !== undefined && secondary === undefined))
        return undefined;
      return { type: 'x509', field, primary, secondary };
    }
    case 'tpm': {
      const { endorsementKeyFrom: variable, endorsementKeyFile: path } = attestation;
      const field = variable === undefined ? 'endorsementKeyFile' : 'endorsementKeyFrom';
      const text =
        variable === undefined ? sources.file(path ?? '')?.toString('utf8') : sources.variable(variable);
      if (!text) {
        return report(
          field,
          variable === undefined
            ? `is "${path}", which cannot be read: check the path and its permissions`
            : missing(variable),
        );
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
function derivedKeys({ primaryKey, secondaryKey }: EnrollmentKeys, registrationId: string): EnrollmentKeys {
  const derive = (key: string) =>
    createHmac('sha256', Buffer.from(key, 'base64')).update(registrationId, 'utf8').digest('base64');
  return { primaryKey: derive(primaryKey), secondaryKey: derive(secondaryKey) };
}

function readKey(field: string, variable: string, sources: Sources, report: Report): string | undefined {
  const key = sources.variable(variable)?.trim();
  if (!key) return report(field, missing(variable));
  const { length } = Buffer.from(key, 'base64');
  if (isBase64(key) && length >= KEY_BYTES.least && length <= KEY_BYTES.most) return key;
  return report(
    field,
    `names ${variable}, which is not a base64 key of ${KEY_BYTES.least} to ${KEY_BYTES.most} bytes: set it to such a key`,
  );
}

function missing(variable: string): string {
  return `names ${variable}, which is not set: set it to the key`;
}

function isBase64(text: string): boolean {
  return text !== '' && Buffer.from(text, 'base64').toString('base64') === text;
}

function readCertificate(
  field: string,
  path: string,
  sources: Sources,
  report: Report,
): Certificate | undefined {
  const bytes = sources.file(path);
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
