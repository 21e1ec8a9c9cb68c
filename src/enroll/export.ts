import type { EnrollmentRecord } from '../dps/port.ts';
import { withoutKey } from '../dps/webhook-url.ts';
import type { ErrorDetail } from '../errors.ts';
import type { JsonObject } from '../json/json.ts';
import {
  hubsOf,
  memberObject,
  recordedKind,
  reprovisioningOf,
  textAt,
  thumbprintOf,
  withoutMarks,
} from './record.ts';
import { isWebhookUrl } from './schema.ts';

/** The enrollments of a DPS as a file, without keys. */
export interface ExportedEnrollments {
  readonly file: JsonObject;
  /** What the operator must add, and what was left out. The path is the kind and id of an enrollment. */
  readonly notes: readonly ErrorDetail[];
}

/** Only an own API version is written: this is the default of the file. */
const API_VERSION = '2021-10-01';
const KEY_VARIABLE = 'BERTH_WEBHOOK_KEY';

interface Hook {
  readonly url: string;
  readonly apiVersion: string;
}

/**
 * Writes the enrollments of DPS as `enrollments.json`. A plan of the file shows no difference, once the certificates and keys
 * of the notes are there. It contains no secret: DPS masks the keys of webhooks, and Berth does not read those of devices.
 */
export function exportEnrollments(records: readonly EnrollmentRecord[]): ExportedEnrollments {
  const [kept, odd] = split(records);
  const hooks = kept.flatMap((record) => hookOf(record) ?? []);
  const main = mostFrequent(hooks);
  const variables = keyVariables(hooks, main);
  const entries = kept.map((record) => ({ record, entry: entryOf(record, main, variables) }));
  const of = (kind: EnrollmentRecord['kind']) =>
    entries.filter(({ record }) => record.kind === kind).map(({ entry }) => entry);
  const [groups, individuals] = [of('group'), of('individual')];
  return {
    file: {
      ...(main !== undefined && { webhook: { url: main.url, apiVersion: main.apiVersion } }),
      groups,
      ...(individuals.length > 0 && { individuals }),
    },
    notes: [
      ...odd.map((record) => note(record, ODD)),
      ...[...variables].map(([url, variable]) => ({
        path: url,
        message: `needs its function key in the environment variable ${variable}`,
      })),
      ...kept.flatMap(attestationNotes),
    ],
  };
}

const ODD =
  'has a webhook whose URL the file cannot have (https, without a query apart from the key): left out, and not changed by apply';

/** Enrollments with the policy `custom` need a webhook that the file can express. */
function split(
  records: readonly EnrollmentRecord[],
): readonly [kept: readonly EnrollmentRecord[], odd: readonly EnrollmentRecord[]] {
  const isOdd = (record: EnrollmentRecord) => isCustom(record) && hookOf(record) === undefined;
  return [records.filter((record) => !isOdd(record)), records.filter(isOdd)];
}

function isCustom({ json }: EnrollmentRecord): boolean {
  return json.allocationPolicy === 'custom';
}

function hookOf(record: EnrollmentRecord): Hook | undefined {
  if (!isCustom(record)) return undefined;
  const definition = memberObject(record.json, 'customAllocationDefinition');
  const url = withoutKey(textAt(definition.webhookUrl));
  return isWebhookUrl(url) ? { url, apiVersion: textAt(definition.apiVersion) || API_VERSION } : undefined;
}

function mostFrequent(hooks: readonly Hook[]): Hook | undefined {
  const counts = new Map<string, number>();
  const keyOf = ({ url, apiVersion }: Hook) => `${url} ${apiVersion}`;
  for (const hook of hooks) counts.set(keyOf(hook), (counts.get(keyOf(hook)) ?? 0) + 1);
  return [...hooks].sort((one, other) => (counts.get(keyOf(other)) ?? 0) - (counts.get(keyOf(one)) ?? 0))[0];
}

/** Each URL has a key of its own. That of the most frequent URL is in the default variable. */
function keyVariables(hooks: readonly Hook[], main: Hook | undefined): ReadonlyMap<string, string> {
  const urls = [...new Set(hooks.map(({ url }) => url))].filter((url) => url !== main?.url);
  return new Map([
    ...(main === undefined ? [] : [[main.url, KEY_VARIABLE] as const]),
    ...urls.map((url, index) => [url, `${KEY_VARIABLE}_${index + 2}`] as const),
  ]);
}

function entryOf(
  record: EnrollmentRecord,
  main: Hook | undefined,
  variables: ReadonlyMap<string, string>,
): JsonObject {
  const { kind, id, json } = record;
  const twin = memberObject(json, 'initialTwin');
  const tags = withoutMarks(memberObject(twin, 'tags'));
  const desired = withoutMarks(memberObject(memberObject(twin, 'properties'), 'desired'));
  const deviceId = textAt(json.deviceId);
  const iotHubs = hubsOf(json);
  const reprovisioning = reprovisioningOf(json.reprovisionPolicy);
  const isEdge = memberObject(json, 'capabilities').iotEdge === true;
  const hook = hookOf(record);
  const isMain = hook === undefined || (hook.url === main?.url && hook.apiVersion === main.apiVersion);
  return {
    ...(kind === 'group' ? { id } : { registrationId: id }),
    ...(deviceId !== '' && deviceId !== id && { deviceId }),
    attestation: attestationOf(record),
    ...(json.provisioningStatus === 'disabled' && { enabled: false }),
    ...(!isCustom(record) && { allocationPolicy: textAt(json.allocationPolicy) || 'hashed' }),
    ...(!isMain && { webhook: webhookEntry(hook, main, variables) }),
    ...(iotHubs.length > 0 && { iotHubs }),
    ...(reprovisioning !== 'migrate' && { reprovisioning }),
    ...(Object.keys(tags).length + Object.keys(desired).length > 0 && {
      initialTwin: {
        ...(Object.keys(tags).length > 0 && { tags }),
        ...(Object.keys(desired).length > 0 && { desired }),
      },
    }),
    ...(isEdge && { capabilities: { iotEdge: true } }),
  };
}

function webhookEntry(
  { url, apiVersion }: Hook,
  main: Hook | undefined,
  variables: ReadonlyMap<string, string>,
): JsonObject {
  const keyFrom = variables.get(url) ?? KEY_VARIABLE;
  return { url, ...(url !== main?.url && { keyFrom }), apiVersion };
}

/** The attestation without keys. Certificates become files, which DPS does not give back. */
function attestationOf(record: EnrollmentRecord): JsonObject {
  const attestation = memberObject(record.json, 'attestation');
  const x509 = memberObject(attestation, 'x509');
  switch (recordedKind(attestation)) {
    case 'tpm':
      return { type: 'tpm', endorsementKeyFrom: endorsementVariable(record) };
    case 'x509 caReferences': {
      const { primary, secondary } = memberObject(x509, 'caReferences');
      return {
        type: 'x509',
        caReferences: {
          primary: textAt(primary),
          ...(textAt(secondary) !== '' && { secondary: textAt(secondary) }),
        },
      };
    }
    case 'x509 signingCertificates':
    case 'x509 clientCertificates': {
      const files = certificateFiles(record).map(({ place, file }) => [place, file] as const);
      const field = record.kind === 'group' ? 'signingCertificates' : 'clientCertificates';
      return { type: 'x509', [field]: Object.fromEntries(files) };
    }
    default:
      return { type: 'symmetricKey' };
  }
}

interface CertificateFile {
  readonly place: 'primary' | 'secondary';
  readonly file: string;
  readonly sha256: string;
}

function certificateFiles({ kind, id, json }: EnrollmentRecord): readonly CertificateFile[] {
  const x509 = memberObject(memberObject(json, 'attestation'), 'x509');
  const held = memberObject(x509, kind === 'group' ? 'signingCertificates' : 'clientCertificates');
  return (['primary', 'secondary'] as const).flatMap((place) => {
    const sha256 = thumbprintOf(memberObject(held, place));
    // A colon is not allowed in names of files on Windows.
    const file = `certificates/${kind}-${id.replaceAll(':', '-')}-${place}.pem`;
    return place === 'primary' || sha256 !== '' ? [{ place, file, sha256 }] : [];
  });
}

function endorsementVariable({ id }: EnrollmentRecord): string {
  return `TPM_${id
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .slice(0, 40)}`;
}

function attestationNotes(record: EnrollmentRecord): readonly ErrorDetail[] {
  const kind = recordedKind(memberObject(record.json, 'attestation'));
  if (kind === 'tpm') {
    return [
      note(record, `needs its endorsement key in the environment variable ${endorsementVariable(record)}`),
    ];
  }
  if (kind !== 'x509 signingCertificates' && kind !== 'x509 clientCertificates') return [];
  return certificateFiles(record).map(({ file, sha256 }) =>
    note(record, `needs its certificate in ${file}${sha256 === '' ? '' : ` (SHA-256 ${sha256})`}`),
  );
}

function note({ kind, id }: EnrollmentRecord, message: string): ErrorDetail {
  return { path: `${kind} ${id}`, message };
}
