import * as z from 'zod';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { pathText } from '../../fleet/file/problems.ts';
import { checkedHostName, type HostName, isHostName, parseHubName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { certificateSubject } from './certificate-subject.ts';
import { namesIn, withExactKeys } from './exact-keys.ts';
import { type LinkedHub, linkedHubsOf } from './linked-hubs.ts';

/**
 * The request that DPS sends to a custom-allocation webhook, read into what allocation needs. Source:
 * Microsoft, "Understand custom allocation policies with Azure DPS" (concepts-custom-allocation, 2022-09).
 *
 * Real captures leave out whatever is unset, so every field but `registrationId` and `linkedHubs` is
 * optional, and Microsoft's own pages spell keys in several cases (`currentIoTHubHostname`), so keys are read
 * whatever their case. Unknown fields stay behind; keys and endorsement keys are never read.
 */
export interface AllocationRequest {
  /** As DPS sent it; compared in lower case. */
  readonly registrationId: string;
  /** Each hub once, whichever of its names are linked. */
  readonly linkedHubs: readonly LinkedHub[];
  /** How many entries of `linkedHubs` are no host names; undefined: none. They are left out and never repeated. */
  readonly unreadableHubs?: number | undefined;
  /** Only on re-registration. */
  readonly current: CurrentHub | undefined;
  readonly enrollment: RequestEnrollment;
  readonly attestation: { readonly kind: AttestationKind; readonly subject: string | undefined };
  readonly payload: JsonValue | undefined;
  /** What of the payload is about latency: `latency`, `region`, `location`; as it was sent. */
  readonly latency: JsonObject | undefined;
}

/** The hub that a device is on. */
export interface CurrentHub {
  /** `NOT_A_HOST_NAME` where DPS sent a text that is none: the device has a hub, and it is not known which. */
  readonly hub: HostName;
  /** The host name that the device was given, in lower case; absent: the classic name. */
  readonly name?: string | undefined;
  readonly deviceId: string | undefined;
}

export type AttestationKind = 'symmetricKey' | 'x509' | 'tpm' | 'none' | 'unknown';

/** What happens to a device's twin when its hub changes; `unset` behaves as `migrate` for Berth. */
export type ReprovisionPolicy = 'migrate' | 'reset' | 'never' | 'unset';

export interface RequestEnrollment {
  readonly kind: 'individual' | 'group' | 'unknown';
  readonly id: string | undefined;
  /** Of an individual enrollment that gives the device another id than it registers with. */
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
  /** Members that Berth does not know, beside `tags` and beside `desired`. They go into the answer as they are. */
  readonly others?: { readonly twin: JsonObject; readonly properties: JsonObject };
}

/**
 * Reads a parsed body.
 *
 * @throws BerthError `BERTH_REQUEST_INVALID` with a detail per wrong field.
 */
export function parseAllocationRequest(json: unknown): AllocationRequest {
  const parsed = requestSchema.safeParse(withExactKeys(json as JsonValue, requestNames, OPEN));
  if (!parsed.success) {
    const details = parsed.error.issues.map(detail);
    const first = details[0];
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `The request is not one of DPS: ${first === undefined ? 'it has the wrong shape' : `${first.path || 'the body'} ${first.message}`}.`,
      { details },
    );
  }
  return toRequest(parsed.data);
}

/** An empty text is absent everywhere but here: a device chooses what it sends. */
const OPEN: ReadonlySet<string> = new Set(['payload']);

/** Messages name the field and what belongs there, never the value: it may be a key. */
function detail(issue: z.core.$ZodIssue): ErrorDetail {
  return { path: pathText(issue.path), message: wanted(issue) };
}

function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type')
    return `must be ${issue.expected === 'object' || issue.expected === 'array' ? 'an' : 'a'} ${issue.expected}`;
  if (issue.code === 'too_small' && issue.origin === 'array') return 'must not be empty';
  if (issue.code === 'too_big') return `must not be longer than ${issue.maximum}`;
  return issue.code === 'invalid_format' || issue.code === 'custom' ? issue.message : 'has the wrong shape';
}

/**
 * At most 128 characters of the documented alphabet, the last one alphanumeric or a dash (DPS
 * concepts-service).
 */
const registrationId = z
  .string()
  .regex(
    /^(?=.{1,128}$)[A-Za-z0-9\-._:]*[A-Za-z0-9-]$/,
    'must be at most 128 letters, digits, "-", ".", "_" or ":", the last one a letter, a digit or "-"',
  );
/** DPS links at most 50 hubs (DPS limits); a longer list is not from DPS. */
const MAX_LINKED_HUBS = 200;
/** What is no host name is read and left out: it may be a secret in the wrong place. */
const hubNames = z.array(z.string().nullable()).max(MAX_LINKED_HUBS);
const jsonObject = z.custom<JsonObject>(isObject, 'must be an object');

const initialTwin = z.looseObject({
  tags: jsonObject.optional(),
  properties: z.looseObject({ desired: jsonObject.optional() }).optional(),
});

const enrollmentShape = {
  attestation: z.object({ type: z.string().optional() }).optional(),
  capabilities: z.object({ iotEdge: z.boolean().optional() }).optional(),
  initialTwin: initialTwin.optional(),
  reprovisionPolicy: z
    .object({
      updateHubAssignment: z.boolean().optional(),
      migrateDeviceData: z.boolean().optional(),
    })
    .optional(),
  iotHubs: hubNames.optional(),
};

const requestSchema = z.object({
  individualEnrollment: z
    .object({
      ...enrollmentShape,
      registrationId: z.string().optional(),
      deviceId: z.string().optional(),
    })
    .optional(),
  enrollmentGroup: z.object({ ...enrollmentShape, enrollmentGroupId: z.string().optional() }).optional(),
  deviceRuntimeContext: z.object({
    registrationId,
    currentIotHubHostName: z.string().optional(),
    currentDeviceId: z.string().optional(),
    // Their contents may be keys, so only their presence is read; the shape of x509 is not documented.
    symmetricKey: z.unknown().optional(),
    x509: z.unknown().optional(),
    tpm: z.unknown().optional(),
    payload: z.unknown().optional(),
  }),
  linkedHubs: hubNames
    .min(1)
    .refine(
      (texts) => texts.length === 0 || filled(texts).some(isHostName),
      'must hold a host name of a hub',
    ),
});
type ParsedRequest = z.output<typeof requestSchema>;
type ParsedTwin = z.output<typeof initialTwin>;
const requestNames = namesIn(requestSchema) ?? new Map();

/** Ids of enrollments: the alphabet of registration ids (DPS concepts-service). */
const ENROLLMENT_ID = /^[A-Za-z0-9\-._:]{1,128}$/;
/** Ids of devices (iot-hub-devguide-identity-registry). */
const DEVICE_ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}$/;

function toRequest(parsed: ParsedRequest): AllocationRequest {
  const context = parsed.deviceRuntimeContext;
  const linked = filled(parsed.linkedHubs);
  const unreadable = linked.filter((text) => !isHostName(text)).length;
  const current = currentHubOf(context.currentIotHubHostName, context.currentDeviceId);
  return {
    registrationId: context.registrationId,
    linkedHubs: linkedHubsOf(linked, current?.name ?? current?.hub),
    ...(unreadable === 0 ? {} : { unreadableHubs: unreadable }),
    current,
    enrollment: toEnrollment(parsed),
    attestation: {
      kind: attestationKind(parsed),
      subject: certificateSubject(context.x509),
    },
    payload: context.payload as JsonValue | undefined,
    latency: latencyIn(context.payload),
  };
}

/** What of a payload is about latency. */
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

/** Without what is absent: `null`, and texts without a character. */
function filled(texts: readonly (string | null)[]): readonly string[] {
  return texts.filter((text): text is string => text !== null && text.trim() !== '');
}

/** The hub that a device is on, as DPS or a receipt names it; undefined where none is named. */
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

/** Undefined for a text that has not this form: it is no id, and may be a secret. */
function matching(form: RegExp, text: string | undefined): string | undefined {
  return text !== undefined && form.test(text) ? text : undefined;
}

function toEnrollment({ individualEnrollment, enrollmentGroup }: ParsedRequest): RequestEnrollment {
  const record = individualEnrollment ?? enrollmentGroup;
  const twin = record?.initialTwin;
  return {
    kind:
      individualEnrollment !== undefined ? 'individual' : enrollmentGroup !== undefined ? 'group' : 'unknown',
    id: matching(ENROLLMENT_ID, individualEnrollment?.registrationId ?? enrollmentGroup?.enrollmentGroupId),
    deviceId: matching(DEVICE_ID, individualEnrollment?.deviceId),
    iotEdge: record?.capabilities?.iotEdge ?? false,
    reprovisionPolicy: reprovisionPolicy(record?.reprovisionPolicy),
    iotHubs: distinct(filled(record?.iotHubs ?? []).map(checkedHostName)),
    initialTwin: twin === undefined ? undefined : toEnrollmentTwin(twin),
  };
}

function toEnrollmentTwin({ tags = {}, properties = {}, ...twin }: ParsedTwin): EnrollmentTwin {
  const { desired = {}, ...others } = properties;
  const hasOthers = Object.keys(twin).length + Object.keys(others).length > 0;
  return {
    tags,
    desired,
    ...(hasOthers && { others: { twin: twin as JsonObject, properties: others as JsonObject } }),
  };
}

/**
 * Source: `azure-iot-provisioning-service` ReprovisionPolicy; a group made without one really omits it
 * (capture of 2021-07-27).
 */
function reprovisionPolicy(
  policy: { updateHubAssignment?: boolean | undefined; migrateDeviceData?: boolean | undefined } | undefined,
): ReprovisionPolicy {
  if (policy?.updateHubAssignment === undefined) return 'unset';
  if (!policy.updateHubAssignment) return 'never';
  return policy.migrateDeviceData === false ? 'reset' : 'migrate';
}

function attestationKind(parsed: ParsedRequest): AttestationKind {
  const context = parsed.deviceRuntimeContext;
  if (context.x509 !== undefined) return 'x509';
  if (context.tpm !== undefined) return 'tpm';
  if (context.symmetricKey !== undefined) return 'symmetricKey';
  const type = (parsed.individualEnrollment ?? parsed.enrollmentGroup)?.attestation?.type?.toLowerCase();
  if (type === 'x509' || type === 'tpm' || type === 'none') return type;
  return type === 'symmetrickey' ? 'symmetricKey' : 'unknown';
}

function distinct<Item>(items: readonly Item[]): readonly Item[] {
  return [...new Set(items)];
}
