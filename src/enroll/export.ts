import type { EnrollmentRecord } from '../dps/port.ts';
import { withoutKey } from '../dps/webhook-url.ts';
import type { ErrorDetail } from '../errors.ts';
import type { JsonObject } from '../json/json.ts';
import { uniqueNames } from './export-names.ts';
import { parseEnrollments } from './parse.ts';
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
  const { kept, odd } = split(records);
  const hooks = kept.flatMap((record) => hookOf(record) ?? []);
  const main = mostFrequent(hooks);
  const names: Names = { keys: keysOf(hooks, main), ...namesOf(kept) };
  const entries = kept.map((record) => ({ record, entry: entryOf(record, main, names) }));
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
      ...odd.map(({ record, why }) => note(record, `${why}: left out, and not changed by apply`)),
      ...[...names.keys].map(([url, { variable, keyName }]) => ({
        path: url,
        message: `needs its function key in the environment variable ${variable}${keyName === undefined ? '' : `; the app has it under the name ${keyName}`}`,
      })),
      ...kept.flatMap((record) => attestationNotes(record, names)),
    ],
  };
}

/** An enrollment that the file cannot express. */
interface Odd {
  readonly record: EnrollmentRecord;
  readonly why: string;
}

function split(records: readonly EnrollmentRecord[]): {
  readonly kept: readonly EnrollmentRecord[];
  readonly odd: readonly Odd[];
} {
  const kept: EnrollmentRecord[] = [];
  const odd: Odd[] = [];
  for (const record of records) {
    const why = whyOdd(record);
    if (why === undefined) kept.push(record);
    else odd.push({ record, why });
  }
  return { kept, odd };
}

/** Why a file with only this enrollment would be refused; undefined if it would not. */
function whyOdd(record: EnrollmentRecord): string | undefined {
  if (isCustom(record) && hookOf(record) === undefined) {
    return 'has a webhook whose URL the file cannot have (https, without a query apart from the key)';
  }
  const collection = record.kind === 'group' ? 'groups' : 'individuals';
  const alone: Names = { keys: new Map(), ...namesOf([record]) };
  const parsed = parseEnrollments(JSON.stringify({ [collection]: [entryOf(record, undefined, alone)] }));
  if (parsed.ok) return undefined;
  const [problem] = parsed.problems;
  const field = problem?.path.replace(/^\w+\[0\]\.?/, '') ?? '';
  return `has a value that the file cannot have (${field === '' ? '' : `${field} `}${problem?.message ?? ''})`;
}

/** Names in the file for what DPS does not give back. */
interface Names {
  /** By URL. */
  readonly keys: ReadonlyMap<string, WebhookKey>;
  /** Environment variables with endorsement keys, by registration id. */
  readonly endorsementKeys: ReadonlyMap<string, string>;
  /** Beginnings of file names, by kind and id (`ownerOf`). */
  readonly certificates: ReadonlyMap<string, string>;
}

function namesOf(records: readonly EnrollmentRecord[]): Omit<Names, 'keys'> {
  const tpms = records.filter(({ json }) => recordedKind(memberObject(json, 'attestation')) === 'tpm');
  return {
    endorsementKeys: uniqueNames(
      tpms.map(({ id }) => id),
      (id) =>
        `TPM_${id
          .toUpperCase()
          .replace(/[^A-Z0-9]/g, '_')
          .slice(0, 40)}`,
    ),
    // A colon is not allowed in names of files on Windows.
    certificates: uniqueNames(records.map(ownerOf), (owner) => owner.replaceAll(':', '-')),
  };
}

function ownerOf({ kind, id }: EnrollmentRecord): string {
  return `${kind}-${id}`;
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

/** Where the function key of a URL is. */
interface WebhookKey {
  readonly variable: string;
  /** The name of the key in the app, if it is not the default of the file. */
  readonly keyName: string | undefined;
}

/**
 * Each URL has a key of its own. That of the most frequent URL is in the default variable. If an app answers at several URLs, their
 * keys need several names.
 */
function keysOf(hooks: readonly Hook[], main: Hook | undefined): ReadonlyMap<string, WebhookKey> {
  const others = [...new Set(hooks.map(({ url }) => url))].filter((url) => url !== main?.url);
  const keys = new Map<string, WebhookKey>();
  const apps = new Set<string>();
  for (const [index, url] of [...(main === undefined ? [] : [main.url]), ...others].entries()) {
    const { origin } = new URL(url);
    keys.set(url, {
      variable: index === 0 ? KEY_VARIABLE : `${KEY_VARIABLE}_${index + 1}`,
      keyName: apps.has(origin) ? `berth-${index + 1}` : undefined,
    });
    apps.add(origin);
  }
  return keys;
}

function entryOf(record: EnrollmentRecord, main: Hook | undefined, names: Names): JsonObject {
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
    ...(kind === 'individual' && deviceId !== '' && deviceId !== id && { deviceId }),
    attestation: attestationOf(record, names),
    ...(json.provisioningStatus === 'disabled' && { enabled: false }),
    ...(!isCustom(record) && { allocationPolicy: textAt(json.allocationPolicy) || 'hashed' }),
    ...(!isMain && { webhook: webhookEntry(hook, main, names) }),
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

function webhookEntry({ url, apiVersion }: Hook, main: Hook | undefined, { keys }: Names): JsonObject {
  const { variable = KEY_VARIABLE, keyName } = keys.get(url) ?? {};
  return {
    url,
    ...(url !== main?.url && { keyFrom: variable }),
    ...(keyName !== undefined && { keyName }),
    apiVersion,
  };
}

/** The attestation without keys. Certificates become files, which DPS does not give back. */
function attestationOf(record: EnrollmentRecord, names: Names): JsonObject {
  const attestation = memberObject(record.json, 'attestation');
  const x509 = memberObject(attestation, 'x509');
  switch (recordedKind(attestation)) {
    case 'tpm':
      return { type: 'tpm', endorsementKeyFrom: endorsementVariable(record, names) };
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
      const files = certificateFiles(record, names).map(({ place, file }) => [place, file] as const);
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

function certificateFiles(record: EnrollmentRecord, { certificates }: Names): readonly CertificateFile[] {
  const { kind, json } = record;
  const x509 = memberObject(memberObject(json, 'attestation'), 'x509');
  const held = memberObject(x509, kind === 'group' ? 'signingCertificates' : 'clientCertificates');
  return (['primary', 'secondary'] as const).flatMap((place) => {
    const sha256 = thumbprintOf(memberObject(held, place));
    const owner = ownerOf(record);
    const file = `certificates/${certificates.get(owner) ?? owner}-${place}.pem`;
    return place === 'primary' || sha256 !== '' ? [{ place, file, sha256 }] : [];
  });
}

function endorsementVariable({ id }: EnrollmentRecord, { endorsementKeys }: Names): string {
  return (endorsementKeys.get(id) ?? '').toUpperCase();
}

function attestationNotes(record: EnrollmentRecord, names: Names): readonly ErrorDetail[] {
  const kind = recordedKind(memberObject(record.json, 'attestation'));
  if (kind === 'tpm') {
    const variable = endorsementVariable(record, names);
    return [note(record, `needs its endorsement key in the environment variable ${variable}`)];
  }
  if (kind !== 'x509 signingCertificates' && kind !== 'x509 clientCertificates') return [];
  return certificateFiles(record, names).map(({ file, sha256 }) =>
    note(record, `needs its certificate in ${file}${sha256 === '' ? '' : ` (SHA-256 ${sha256})`}`),
  );
}

function note({ kind, id }: EnrollmentRecord, message: string): ErrorDetail {
  return { path: `${kind} ${id}`, message };
}
