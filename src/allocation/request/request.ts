import { BerthError } from '../../errors.ts';
import { DEVICE_ID } from '../../iot-hub/device-id.ts';
import { checkedHostName, type HostName, parseHubName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { certificateSubject } from './certificate-subject.ts';
import { type LinkedHub, linkedHubsOf, unreadableIn } from './linked-hubs.ts';
import { rememberingLast } from './remembering-last.ts';
import {
  type EnrollmentFields,
  type RequestFields,
  readRequestFields,
  type TwinFields,
} from './request-fields.ts';

/**
 * The request of DPS to a custom-allocation webhook, reduced to what allocation needs. Source: Microsoft,
 * "Understand custom allocation policies with Azure DPS" (concepts-custom-allocation, 2022-09).
 *
 * Real captures omit unset fields, so only `registrationId` and `linkedHubs` are required. Microsoft's pages
 * spell names of fields in several cases (`currentIoTHubHostname`), so their case is ignored. Berth drops
 * unknown fields, and never reads keys and endorsement keys.
 */
export interface AllocationRequest {
  /** As DPS sent it; compared in lower case. */
  readonly registrationId: string;
  /** Each hub once, even if several of its host names are linked. */
  readonly linkedHubs: readonly LinkedHub[];
  /**
   * Number of entries of `linkedHubs` that are not host names; undefined if none. They are left out and never
   * shown.
   */
  readonly unreadableHubs?: number | undefined;
  /** Only on re-registration. */
  readonly current: CurrentHub | undefined;
  readonly enrollment: RequestEnrollment;
  readonly attestation: { readonly kind: AttestationKind; readonly subject: string | undefined };
  readonly payload: JsonValue | undefined;
  /** The members `latency`, `region` and `location` of the payload, as sent. */
  readonly latency: JsonObject | undefined;
  /** Only in a request that was made again from a receipt: inputs that the receipt does not tell. */
  readonly unknown?: UnknownInputs | undefined;
}

/** Inputs that the fleet file reads and that are not known. */
export interface UnknownInputs {
  /** Paths at which the variables have a mark: what reads it is unknown. */
  readonly marked: readonly (readonly string[])[];
  /** Paths of objects of which only parts are known: a rule that reads the whole object is unknown. */
  readonly partly: readonly (readonly string[])[];
  /** All of them for people, such as `payload.batch`. */
  readonly names: readonly string[];
}

/** The current hub of a device. */
export interface CurrentHub {
  /** `NOT_A_HOST_NAME` if DPS sent another text: the device has a hub, but Berth does not know which. */
  readonly hub: HostName;
  /** The host name that the device got, in lower case; absent for the classic name. */
  readonly name?: string | undefined;
  readonly deviceId: string | undefined;
}

export type AttestationKind = 'symmetricKey' | 'x509' | 'tpm' | 'none' | 'unknown';

/** What happens to the twin of a device when its hub changes. Berth treats `unset` like `migrate`. */
export type ReprovisionPolicy = 'migrate' | 'reset' | 'never' | 'unset';

export interface RequestEnrollment {
  readonly kind: 'individual' | 'group' | 'unknown';
  readonly id: string | undefined;
  /** Device id of an individual enrollment, if it differs from the registration id. */
  readonly deviceId: string | undefined;
  readonly iotEdge: boolean;
  readonly reprovisionPolicy: ReprovisionPolicy;
  /** The hubs that the enrollment selects, each once; empty: all linked hubs. */
  readonly iotHubs: readonly HostName[];
  readonly initialTwin: EnrollmentTwin | undefined;
}

/** The initial twin of an enrollment, and of an answer. */
export interface EnrollmentTwin {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
  /** Members next to `tags` and `desired` that Berth does not know. The answer contains them unchanged. */
  readonly others?: { readonly twin: JsonObject; readonly properties: JsonObject };
}

/**
 * Reads a parsed body.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID` with one detail for each invalid field.
 */
export function parseAllocationRequest(json: unknown): AllocationRequest {
  const read = readRequestFields(json);
  if (read.ok) return toRequest(read.fields);
  const [first] = read.problems;
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `The request is not a valid request of DPS: ${first === undefined ? 'it has the wrong shape' : `${first.path || 'the body'} ${first.message}`}.`,
    { details: read.problems },
  );
}

/** Ids of enrollments: the alphabet of registration ids (DPS concepts-service). */
const ENROLLMENT_ID = /^[A-Za-z0-9\-._:]{1,128}$/;

function toRequest(fields: RequestFields): AllocationRequest {
  const { deviceRuntimeContext: context, linkedHubs: texts } = fields;
  const current = currentHubOf(context.currentIotHubHostName, context.currentDeviceId);
  const linkedHubs = linkedHubsOf(texts, current?.name ?? current?.hub);
  return {
    registrationId: context.registrationId,
    linkedHubs,
    unreadableHubs: linkedHubs.length === texts.length ? undefined : unreadableIn(texts),
    current,
    enrollment: toEnrollment(fields),
    attestation: {
      kind: attestationKind(fields),
      subject: certificateSubject(context.x509),
    },
    payload: context.payload,
    latency: latencyIn(context.payload),
  };
}

/** The members of a payload that are about latency; undefined if there are none. */
export function latencyIn(payload: unknown): JsonObject | undefined {
  if (!isObject(payload)) return undefined;
  const { latency, region, location } = payload;
  if (latency === undefined && region === undefined && location === undefined) return undefined;
  return {
    ...(latency === undefined ? {} : { latency }),
    ...(region === undefined ? {} : { region }),
    ...(location === undefined ? {} : { location }),
  };
}

/** The current hub of a device, from its name in a request or a receipt; undefined without a name. */
export function currentHubOf(text: string | undefined, deviceId: string | undefined): CurrentHub | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const { name } = parseHubName(text) ?? {};
  const hub = checkedHostName(text);
  return {
    hub,
    ...(name === undefined || name === hub ? {} : { name }),
    deviceId: matching(DEVICE_ID, deviceId),
  };
}

/** The text if it has this form, else undefined: a text that is not an id may be a secret. */
function matching(form: RegExp, text: string | undefined): string | undefined {
  return text !== undefined && form.test(text) ? text : undefined;
}

function toEnrollment({ individualEnrollment, enrollmentGroup }: RequestFields): RequestEnrollment {
  const record = individualEnrollment ?? enrollmentGroup;
  const twin = record?.initialTwin;
  return {
    kind:
      individualEnrollment !== undefined ? 'individual' : enrollmentGroup !== undefined ? 'group' : 'unknown',
    id: matching(ENROLLMENT_ID, individualEnrollment?.id ?? enrollmentGroup?.id),
    deviceId: matching(DEVICE_ID, individualEnrollment?.deviceId),
    iotEdge: record?.iotEdge ?? false,
    reprovisionPolicy: reprovisionPolicy(record),
    iotHubs: selectedHubs(record?.iotHubs ?? NONE),
    initialTwin: twin === undefined ? undefined : toEnrollmentTwin(twin),
  };
}

function toEnrollmentTwin({ tags = {}, desired = {}, whole, properties = {} }: TwinFields): EnrollmentTwin {
  const { tags: _, properties: __, ...twin } = whole;
  const { desired: ___, ...others } = properties;
  const hasOthers = Object.keys(twin).length + Object.keys(others).length > 0;
  return { tags, desired, ...(hasOthers && { others: { twin, properties: others } }) };
}

/**
 * Source: `azure-iot-provisioning-service` ReprovisionPolicy. A group that was created without a policy omits
 * it (capture of 2021-07-27).
 */
function reprovisionPolicy(record: EnrollmentFields | undefined): ReprovisionPolicy {
  if (record?.updateHubAssignment === undefined) return 'unset';
  if (!record.updateHubAssignment) return 'never';
  return record.migrateDeviceData === false ? 'reset' : 'migrate';
}

function attestationKind(fields: RequestFields): AttestationKind {
  const { deviceRuntimeContext: context } = fields;
  if (context.x509 !== undefined) return 'x509';
  if (context.tpm !== undefined) return 'tpm';
  if (context.symmetricKey !== undefined) return 'symmetricKey';
  const type = (fields.individualEnrollment ?? fields.enrollmentGroup)?.attestationType?.toLowerCase();
  if (type === 'x509' || type === 'tpm' || type === 'none') return type;
  return type === 'symmetrickey' ? 'symmetricKey' : 'unknown';
}

const NONE: readonly string[] = [];

/** The hubs that an enrollment selects, each once. */
const selectedHubs = rememberingLast((texts) => [...new Set(texts.map(checkedHostName))]);
