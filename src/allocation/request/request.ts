import * as z from 'zod';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { pathText } from '../../fleet/file/problems.ts';
import { DEVICE_ID } from '../../iot-hub/device-id.ts';
import { checkedHostName, type HostName, isHostName, parseHubName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { certificateSubject } from './certificate-subject.ts';
import { namesIn, withExactKeys } from './exact-keys.ts';
import { type LinkedHub, linkedHubsOf } from './linked-hubs.ts';

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
  const parsed = requestSchema.safeParse(withExactKeys(json as JsonValue, requestNames, OPEN));
  if (!parsed.success) {
    const details = parsed.error.issues.map(detail);
    const first = details[0];
    throw new BerthError(
      'BERTH_REQUEST_INVALID',
      `The request is not a valid request of DPS: ${first === undefined ? 'it has the wrong shape' : `${first.path || 'the body'} ${first.message}`}.`,
      { details },
    );
  }
  return toRequest(parsed.data);
}

/** Members in which an empty text is a value and not absent, because a device chooses the content. */
const OPEN: ReadonlySet<string> = new Set(['payload']);

/** The message names the field and its format, never the value, because the value may be a key. */
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
/**
 * The maximum length of `linkedHubs`. DPS links at most 50 hubs (DPS limits), so a longer list is not from DPS.
 */
const MAX_LINKED_HUBS = 200;
/**
 * Texts that are not host names are accepted here and left out later: they may be secrets in the wrong place.
 */
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
    // These may contain keys, so Berth reads only whether they are present. The shape of x509 is not
    // documented.
    symmetricKey: z.unknown().optional(),
    x509: z.unknown().optional(),
    tpm: z.unknown().optional(),
    payload: z.unknown().optional(),
  }),
  linkedHubs: hubNames
    .min(1)
    .refine(
      (texts) => texts.length === 0 || filled(texts).some(isHostName),
      'must contain the host name of a hub',
    ),
});
type ParsedRequest = z.output<typeof requestSchema>;
type ParsedTwin = z.output<typeof initialTwin>;
const requestNames = namesIn(requestSchema) ?? new Map();

/** Ids of enrollments: the alphabet of registration ids (DPS concepts-service). */
const ENROLLMENT_ID = /^[A-Za-z0-9\-._:]{1,128}$/;

function toRequest(parsed: ParsedRequest): AllocationRequest {
  const context = parsed.deviceRuntimeContext;
  const linked = filled(parsed.linkedHubs);
  let unreadable = 0;
  for (const text of linked) if (!isHostName(text)) unreadable += 1;
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

/** Removes `null` and blank texts. */
function filled(texts: readonly (string | null)[]): readonly string[] {
  return texts.filter((text): text is string => text !== null && text.trim() !== '');
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
 * Source: `azure-iot-provisioning-service` ReprovisionPolicy. A group that was created without a policy omits
 * it (capture of 2021-07-27).
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
