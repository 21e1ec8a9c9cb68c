import { randomBytes } from 'node:crypto';
import type { DeviceFiles, OwnCertificates } from '../ca/index.ts';
import { type Attestation, type Dps, deriveDeviceKey, type Enrollment } from '../dps/index.ts';
import type { EnrollmentTerms } from '../enrollments.ts';
import { LocalError } from '../errors.ts';
import { createSimulatedTpm } from '../tpm/index.ts';
import type { StoredTpm } from './tpm-file.ts';

/** A device of the user that wants to register. */
export interface OwnDeviceRequest {
  readonly registrationId: string;
  readonly proof: 'key' | 'x509' | 'tpm';
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
  /** Base64; null for a device with a certificate or a TPM. */
  readonly key: string | null;
  /** Paths of PEM files; null without a certificate. */
  readonly certificate: DeviceFiles | null;
  /** Path of the file with the keys of the simulated TPM; null without one. */
  readonly tpm: string | null;
}

export interface CredentialsContext {
  readonly dps: Pick<Dps, 'enrollment' | 'enroll'>;
  readonly idScope: string;
  readonly certificates: OwnCertificates;
  /** The simulated TPM of a device. */
  readonly tpmOf: (registrationId: string) => StoredTpm;
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
  if (request.proof === 'tpm') return withTpm(request, context);
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
    return {
      ...about,
      key: deriveDeviceKey(attestation.primaryKey, registrationId),
      certificate: null,
      tpm: null,
    };
  }
  const trusted = 'certificates' in attestation ? attestation.certificates : [];
  const issuer = context.certificates.issuerAmong(trusted, id);
  if (issuer === undefined) {
    throw unfit(
      `The enrollment group ${id} does not trust a certificate of the local stack: leave out --group, or use a certificate of your own with your own program.`,
    );
  }
  const through = issuer === 'group' ? id : undefined;
  const certificate = await context.certificates.device(registrationId, through);
  return { ...about, key: null, certificate, tpm: null };
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
    tpm: null,
  };
}

/** A TPM has an individual enrollment, because groups have none (concepts-tpm-attestation.md). */
function withTpm(request: OwnDeviceRequest, { dps, idScope, tpmOf, terms }: CredentialsContext): OwnDevice {
  const { registrationId, edge } = request;
  if (request.group !== undefined) {
    throw unfit('A device with a TPM needs an individual enrollment: leave out --group, or leave out --tpm.');
  }
  const { file, keys } = tpmOf(registrationId);
  const endorsementKey = createSimulatedTpm(keys).endorsementKey.toString('base64');
  const present = dps.enrollment('individual', registrationId);
  if (present !== undefined) {
    const what = `The individual enrollment ${registrationId}`;
    checkFit(present, what, request);
    if (present.attestation.type === 'tpm' && present.attestation.endorsementKey !== endorsementKey) {
      throw unfit(`${what} has the endorsement key of another TPM: choose another name.`);
    }
  }
  const isOwn = present !== undefined && webhookOf(present) === webhookOf(terms);
  if (!isOwn) {
    const attestation: Attestation = { type: 'tpm', endorsementKey };
    dps.enroll({ capabilities: { iotEdge: edge }, ...present, ...terms, registrationId, attestation });
  }
  return {
    registrationId,
    idScope,
    enrollment: { kind: 'individual', id: registrationId, isNew: present === undefined },
    key: null,
    certificate: null,
    tpm: file,
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
  const wanted = request.proof === 'key' ? 'symmetricKey' : request.proof;
  if (attestation.type !== wanted) {
    const flag = attestation.type === 'symmetricKey' ? `leave out --${wanted}` : `add --${attestation.type}`;
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
