import { randomBytes } from 'node:crypto';
import type { DeviceFiles, OwnCertificates } from '../ca/index.ts';
import { type Attestation, type Dps, deriveDeviceKey, type Enrollment } from '../dps/index.ts';
import type { EnrollmentTerms } from '../enrollments.ts';
import { LocalError } from '../errors.ts';

/** A device of the user that wants to register. */
export interface OwnDeviceRequest {
  readonly registrationId: string;
  readonly proof: 'key' | 'x509';
  /** The enrollment group; undefined: the group for this proof, which is made where it is missing. */
  readonly group: string | undefined;
  /** Whether the device is an IoT Edge device. */
  readonly edge: boolean;
}

/** What the device needs to register with the local DPS. Its keys open nothing outside this machine. */
export interface OwnDevice {
  readonly registrationId: string;
  readonly idScope: string;
  readonly enrollment: {
    readonly kind: 'group' | 'individual';
    readonly id: string;
    readonly isNew: boolean;
  };
  /** Base64; null for a device with a certificate. */
  readonly key: string | null;
  /** Paths of PEM files; null for a device with a key. */
  readonly certificate: DeviceFiles | null;
}

export interface CredentialsContext {
  readonly dps: Pick<Dps, 'enrollment' | 'enroll'>;
  readonly idScope: string;
  readonly certificates: OwnCertificates;
  /** The terms of the enrollments that are made here. */
  readonly terms: EnrollmentTerms;
  /** How the names of the groups that are made here begin, such as `devices`. */
  readonly prefix: string;
}

const KEY_BYTES = 64;

/**
 * Finds the enrollment of a device of the user, or makes a group for it, and gives the device its credentials. It never
 * changes an enrollment of the user.
 *
 * @throws LocalError `BERTH_LOCAL_DEVICE_ENROLLMENT` if the enrollment that is there does not fit the request
 */
export async function credentialsOf(
  request: OwnDeviceRequest,
  context: CredentialsContext,
): Promise<OwnDevice> {
  const { registrationId } = request;
  const { dps } = context;
  const individual = request.group === undefined ? dps.enrollment('individual', registrationId) : undefined;
  if (individual !== undefined) return ofIndividual(individual, request, context);

  const id = request.group ?? defaultGroup(request, context.prefix);
  const present = dps.enrollment('group', id);
  if (present !== undefined) checkFit(present, `The enrollment group ${id}`, request);
  const group = present ?? (await newGroup(id, request, context));
  const isStale = request.group === undefined && webhookOf(group) !== webhookOf(context.terms);
  // The group is Berth's own. Its webhook has another port in each run with free ports.
  const enrolled = isStale ? { ...group, ...context.terms, capabilities: { iotEdge: request.edge } } : group;
  if (present === undefined || isStale) dps.enroll(enrolled);
  const { attestation } = enrolled;
  const about = {
    registrationId,
    idScope: context.idScope,
    enrollment: { kind: 'group', id, isNew: present === undefined },
  } as const;
  if (attestation.type === 'symmetricKey') {
    return { ...about, key: deriveDeviceKey(attestation.primaryKey, registrationId), certificate: null };
  }
  const trusted = 'certificates' in attestation ? attestation.certificates : [];
  const issuer = context.certificates.issuerAmong(trusted, id);
  if (issuer === undefined) {
    throw unfit(
      `The enrollment group ${id} does not trust a certificate of the local stack: leave out --group, or use a certificate of your own with your own program.`,
    );
  }
  const through = issuer === 'group' ? id : undefined;
  return { ...about, key: null, certificate: await context.certificates.device(registrationId, through) };
}

function ofIndividual(
  enrollment: Enrollment,
  request: OwnDeviceRequest,
  { idScope }: CredentialsContext,
): OwnDevice {
  const { registrationId } = request;
  const what = `The individual enrollment ${registrationId}`;
  checkFit(enrollment, what, request);
  const { attestation } = enrollment;
  if (attestation.type !== 'symmetricKey') {
    throw unfit(
      `${what} has a certificate of your own: use it, or choose another name for a device with a certificate of Berth.`,
    );
  }
  return {
    registrationId,
    idScope,
    enrollment: { kind: 'individual', id: registrationId, isNew: false },
    key: attestation.primaryKey,
    certificate: null,
  };
}

/** @example 'devices-x509-edge' */
function defaultGroup({ proof, edge }: OwnDeviceRequest, prefix: string): string {
  return [prefix, ...(proof === 'x509' ? ['x509'] : []), ...(edge ? ['edge'] : [])].join('-');
}

async function newGroup(
  enrollmentGroupId: string,
  { proof, edge }: OwnDeviceRequest,
  { certificates, terms }: CredentialsContext,
): Promise<Enrollment> {
  const attestation: Attestation =
    proof === 'key'
      ? { type: 'symmetricKey', primaryKey: newKey(), secondaryKey: newKey() }
      : { type: 'x509', certificates: [await certificates.groupAuthority(enrollmentGroupId)] };
  return { ...terms, enrollmentGroupId, attestation, capabilities: { iotEdge: edge } };
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

function checkFit({ attestation, capabilities }: Enrollment, what: string, request: OwnDeviceRequest): void {
  const wanted = request.proof === 'key' ? 'symmetricKey' : 'x509';
  if (attestation.type !== wanted) {
    const flag = attestation.type === 'x509' ? 'add --x509' : 'leave out --x509';
    throw unfit(
      `${what} has the attestation ${attestation.type}, not ${wanted}: ${flag}, or choose another name.`,
    );
  }
  if (request.edge && capabilities?.iotEdge !== true) {
    throw unfit(`${what} is not for IoT Edge devices: leave out --edge, or give another group with --group.`);
  }
}

function webhookOf({ customAllocationDefinition }: EnrollmentTerms): string | undefined {
  return customAllocationDefinition?.webhookUrl;
}

function unfit(message: string): LocalError {
  return new LocalError('BERTH_LOCAL_DEVICE_ENROLLMENT', message);
}
