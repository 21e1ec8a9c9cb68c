import type { ErrorDetail } from '../../errors.ts';
import { isHostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { memberNames, withExactKeys } from './exact-keys.ts';

/*
 * The fields of a request that Berth reads, checked by hand: the webhook reads each request once, and a schema library would take
 * most of the time of a decision and half of that of a cold start.
 */

/** The fields of a request with the right types. Unknown members are dropped, except in the twin of an enrollment. */
export interface RequestFields {
  readonly individualEnrollment: EnrollmentFields | undefined;
  readonly enrollmentGroup: EnrollmentFields | undefined;
  readonly deviceRuntimeContext: ContextFields;
  /** `null` and blank texts are left out. */
  readonly linkedHubs: readonly string[];
}

export interface EnrollmentFields {
  /** The registration id of an individual enrollment, or the id of a group. */
  readonly id: string | undefined;
  readonly deviceId: string | undefined;
  readonly attestationType: string | undefined;
  readonly iotEdge: boolean | undefined;
  readonly initialTwin: TwinFields | undefined;
  readonly updateHubAssignment: boolean | undefined;
  readonly migrateDeviceData: boolean | undefined;
  /** `null` and blank texts are left out. */
  readonly iotHubs: readonly string[];
}

export interface TwinFields {
  readonly tags: JsonObject | undefined;
  readonly desired: JsonObject | undefined;
  /** The twin as sent, for members that Berth does not know. */
  readonly whole: JsonObject;
  /** Its `properties` as sent. */
  readonly properties: JsonObject | undefined;
}

export interface ContextFields {
  readonly registrationId: string;
  readonly currentIotHubHostName: string | undefined;
  readonly currentDeviceId: string | undefined;
  // The next three may contain keys, so Berth reads only whether they are present. The shape of x509 is not documented.
  readonly symmetricKey: JsonValue | undefined;
  readonly x509: JsonValue | undefined;
  readonly tpm: JsonValue | undefined;
  readonly payload: JsonValue | undefined;
}

const ENROLLMENT = {
  attestation: { type: null },
  capabilities: { iotEdge: null },
  initialTwin: { tags: null, properties: { desired: null } },
  reprovisionPolicy: { updateHubAssignment: null, migrateDeviceData: null },
  iotHubs: null,
};
const NAMES = memberNames(
  {
    individualEnrollment: { ...ENROLLMENT, registrationId: null, deviceId: null },
    enrollmentGroup: { ...ENROLLMENT, enrollmentGroupId: null },
    deviceRuntimeContext: {
      registrationId: null,
      currentIotHubHostName: null,
      currentDeviceId: null,
      symmetricKey: null,
      x509: null,
      tpm: null,
      payload: null,
    },
    linkedHubs: null,
  },
  // The other members of an enrollment in captures.
  [
    'etag',
    'provisioningStatus',
    'createdDateTimeUtc',
    'lastUpdatedDateTimeUtc',
    'allocationPolicy',
    'customAllocationDefinition',
  ],
);
/** Members in which an empty text is a value and not absent, because a device chooses the content. */
const OPEN: ReadonlySet<string> = new Set(['payload']);

/**
 * At most 128 characters of the documented alphabet, the last one alphanumeric or a dash (DPS
 * concepts-service).
 */
const REGISTRATION_ID = /^(?=.{1,128}$)[A-Za-z0-9\-._:]*[A-Za-z0-9-]$/;
/**
 * The maximum length of `linkedHubs`. DPS links at most 50 hubs (DPS limits), so a longer list is not from DPS.
 */
const MAX_LINKED_HUBS = 200;

/**
 * Reads the fields of a parsed body.
 *
 * @returns the fields, or one problem for each invalid field. A problem names the field and its format, never the value, because
 *   the value may be a key.
 */
export function readRequestFields(
  json: unknown,
):
  | { readonly ok: true; readonly fields: RequestFields }
  | { readonly ok: false; readonly problems: readonly ErrorDetail[] } {
  const problems: ErrorDetail[] = [];
  const body = withExactKeys(json as JsonValue, NAMES, OPEN);
  if (!isObject(body)) return { ok: false, problems: [{ path: '', message: 'must be an object' }] };
  const fields = {
    individualEnrollment: enrollmentIn(body, 'individualEnrollment', 'registrationId', problems),
    enrollmentGroup: enrollmentIn(body, 'enrollmentGroup', 'enrollmentGroupId', problems),
    deviceRuntimeContext: contextIn(body, problems),
    linkedHubs: linkedHubsIn(body, problems),
  };
  return problems.length === 0 ? { ok: true, fields } : { ok: false, problems };
}

/** @param idKey the member with the id of the enrollment */
function enrollmentIn(
  body: JsonObject,
  path: 'individualEnrollment' | 'enrollmentGroup',
  idKey: string,
  problems: ErrorDetail[],
): EnrollmentFields | undefined {
  const record = objectIn(body, path, '', problems);
  if (record === undefined) return undefined;
  const attestation = objectIn(record, 'attestation', path, problems);
  const attestationType = attestation && textIn(attestation, 'type', ATTESTATION[path], problems);
  const capabilities = objectIn(record, 'capabilities', path, problems);
  const iotEdge = capabilities && flagIn(capabilities, 'iotEdge', CAPABILITIES[path], problems);
  const initialTwin = twinIn(record, path, problems);
  const policy = objectIn(record, 'reprovisionPolicy', path, problems);
  const updateHubAssignment = policy && flagIn(policy, 'updateHubAssignment', POLICY[path], problems);
  const migrateDeviceData = policy && flagIn(policy, 'migrateDeviceData', POLICY[path], problems);
  const iotHubs =
    ownMember(record, 'iotHubs') === undefined ? NONE : (textsIn(record, 'iotHubs', path, problems) ?? NONE);
  const id = textIn(record, idKey, path, problems);
  const deviceId = path === 'individualEnrollment' ? textIn(record, 'deviceId', path, problems) : undefined;
  return {
    id,
    deviceId,
    attestationType,
    iotEdge,
    initialTwin,
    updateHubAssignment,
    migrateDeviceData,
    iotHubs,
  };
}

const NONE: readonly string[] = [];
const ATTESTATION = below('attestation');
const CAPABILITIES = below('capabilities');
const POLICY = below('reprovisionPolicy');

/** The path of a member of an enrollment, made once. */
function below(key: string) {
  return { individualEnrollment: `individualEnrollment.${key}`, enrollmentGroup: `enrollmentGroup.${key}` };
}

function twinIn(record: JsonObject, above: string, problems: ErrorDetail[]): TwinFields | undefined {
  const whole = objectIn(record, 'initialTwin', above, problems);
  if (whole === undefined) return undefined;
  const path = `${above}.initialTwin`;
  const tags = objectIn(whole, 'tags', path, problems);
  const properties = objectIn(whole, 'properties', path, problems);
  const desired = properties && objectIn(properties, 'desired', `${path}.properties`, problems);
  return { tags, desired, whole, properties };
}

function contextIn(body: JsonObject, problems: ErrorDetail[]): ContextFields {
  const path = 'deviceRuntimeContext';
  const context = objectIn(body, path, '', problems, 'required') ?? {};
  const registrationId = ownMember(body, path) === context ? registrationIdIn(context, path, problems) : '';
  return {
    registrationId,
    currentIotHubHostName: textIn(context, 'currentIotHubHostName', path, problems),
    currentDeviceId: textIn(context, 'currentDeviceId', path, problems),
    symmetricKey: ownMember(context, 'symmetricKey'),
    x509: ownMember(context, 'x509'),
    tpm: ownMember(context, 'tpm'),
    payload: ownMember(context, 'payload'),
  };
}

function registrationIdIn(context: JsonObject, path: string, problems: ErrorDetail[]): string {
  const id = ownMember(context, 'registrationId');
  if (typeof id !== 'string') problems.push(problem(path, 'registrationId', 'must be a string'));
  else if (REGISTRATION_ID.test(id)) return id;
  else {
    const message =
      'must be at most 128 letters, digits, "-", ".", "_" or ":", the last one a letter, a digit or "-"';
    problems.push(problem(path, 'registrationId', message));
  }
  return '';
}

function linkedHubsIn(body: JsonObject, problems: ErrorDetail[]): readonly string[] {
  const path = 'linkedHubs';
  const texts = textsIn(body, path, '', problems);
  const list = ownMember(body, path);
  if (Array.isArray(list) && list.length === 0) problems.push({ path, message: 'must not be empty' });
  // Texts that are not host names are left out later: they may be secrets in the wrong place.
  else if (texts !== undefined && !texts.some(isHostName)) {
    problems.push({ path, message: 'must contain the host name of a hub' });
  }
  return texts ?? [];
}

/** Undefined if it is absent or has another type, which is a problem. */
function objectIn(
  json: JsonObject,
  key: string,
  path: string,
  problems: ErrorDetail[],
  need: 'optional' | 'required' = 'optional',
): JsonObject | undefined {
  const value = ownMember(json, key);
  if (isObject(value)) return value;
  if (value !== undefined || need === 'required') problems.push(problem(path, key, 'must be an object'));
  return undefined;
}

function textIn(json: JsonObject, key: string, path: string, problems: ErrorDetail[]): string | undefined {
  const value = ownMember(json, key);
  if (value === undefined || typeof value === 'string') return value;
  problems.push(problem(path, key, 'must be a string'));
  return undefined;
}

function flagIn(json: JsonObject, key: string, path: string, problems: ErrorDetail[]): boolean | undefined {
  const value = ownMember(json, key);
  if (value === undefined || typeof value === 'boolean') return value;
  problems.push(problem(path, key, 'must be a boolean'));
  return undefined;
}

/** The texts of a list, without `null` and blank texts. Undefined if a member is not a text. */
function textsIn(
  json: JsonObject,
  key: string,
  path: string,
  problems: ErrorDetail[],
): readonly string[] | undefined {
  const value = ownMember(json, key);
  if (!Array.isArray(value)) {
    problems.push(problem(path, key, 'must be an array'));
    return undefined;
  }
  const texts: string[] = [];
  let isValid = true;
  for (let index = 0; index < value.length; index += 1) {
    const each: unknown = value[index];
    if (typeof each === 'string') {
      if (each.trim() !== '') texts.push(each);
    } else if (each !== null) {
      problems.push(problem(path, `${key}[${index}]`, 'must be a string'));
      isValid = false;
    }
  }
  if (value.length > MAX_LINKED_HUBS) {
    problems.push(problem(path, key, `must not be longer than ${MAX_LINKED_HUBS}`));
  }
  return isValid ? texts : undefined;
}

function problem(path: string, key: string, message: string): ErrorDetail {
  return { path: path === '' ? key : `${path}.${key}`, message };
}
