import type { ProvisioningServiceClient } from 'azure-iot-provisioning-service';
import { isObject, type JsonObject } from '../json/json.ts';
import { sdkRestClient } from '../rest/sdk-client.ts';
import { openRestService, type RestEndpoint } from '../rest/service.ts';
import { dpsErrorOf, unexpectedDpsAnswer } from './failure.ts';
import {
  DPS_DEADLINE_MS,
  DpsError,
  type DpsPort,
  type EnrollmentKind,
  type EnrollmentRecord,
  type RegistrationRecord,
} from './port.ts';

export interface DpsClientOptions {
  /** Timeout of a call, in milliseconds. Default: 20,000. */
  readonly deadlineMs?: number;
}

const PAGE = 100;
/** One query for both kinds: with FROM, each kind would need its own. */
const QUERY = { query: 'SELECT *' } as const;

/** DPS through `azure-iot-provisioning-service`, over Berth's own transport. */
export function openDps(
  endpoint: RestEndpoint,
  { deadlineMs = DPS_DEADLINE_MS }: DpsClientOptions = {},
): DpsPort {
  const { host } = endpoint;
  const service = openRestService(endpoint, deadlineMs);
  let opening: Promise<ProvisioningServiceClient> | undefined;
  const client = (): Promise<ProvisioningServiceClient> => {
    opening ??= open();
    return opening;
  };

  async function open(): Promise<ProvisioningServiceClient> {
    const { ProvisioningServiceClient: Client } = await import('azure-iot-provisioning-service');
    type Rest = ConstructorParameters<typeof Client>[1];
    // The signature in the config is never used, because `service` adds the authorization.
    // `fromConnectionString` and `fromTokenCredential` would use the transport of the SDK.
    const config = { host, sharedAccessSignature: 'unused', tokenCredential: undefined };
    return new Client(config as never, sdkRestClient(service, dpsErrorOf) as Rest);
  }

  return {
    host,
    async list(kind) {
      const sdk = await client();
      const query =
        kind === 'group'
          ? sdk.createEnrollmentGroupQuery(QUERY as never, PAGE)
          : sdk.createIndividualEnrollmentQuery(QUERY as never, PAGE);
      const records: EnrollmentRecord[] = [];
      let continuation: string | undefined;
      do {
        // With an explicit token: `next()` alone returns the first page again and again
        // (azure-iot-provisioning-service 1.11.2).
        const page: unknown = await (continuation === undefined ? query.next() : query.next(continuation));
        const rows = isAnswer(page) ? page.responseBody : undefined;
        if (!Array.isArray(rows)) throw unexpectedDpsAnswer(host, 'POST');
        records.push(...rows.map((row: unknown) => toRecord(host, kind, row)));
        continuation = query.continuationToken || undefined;
      } while (continuation !== undefined);
      return records;
    },
    async mechanism(kind, id) {
      const sdk = await client();
      const { responseBody } =
        kind === 'group'
          ? await sdk.getEnrollmentGroupAttestationMechanism(id)
          : await sdk.getIndividualEnrollmentAttestationMechanism(id);
      const found: unknown = responseBody;
      if (!isObject(found)) throw unexpectedDpsAnswer(host, 'POST');
      return found;
    },
    async put(kind, id, json, etag) {
      const sdk = await client();
      const body = { ...json, ...enrollmentIdOf(kind, id), ...(etag !== undefined && { etag }) } as never;
      const { responseBody } =
        kind === 'group'
          ? await sdk.createOrUpdateEnrollmentGroup(body)
          : await sdk.createOrUpdateIndividualEnrollment(body);
      return toRecord(host, kind, responseBody);
    },
    async delete(kind, id, etag) {
      const sdk = await client();
      try {
        if (kind === 'group') await sdk.deleteEnrollmentGroup(id, etag);
        else await sdk.deleteIndividualEnrollment(id, etag);
      } catch (error) {
        // The enrollment is already deleted.
        if (!(error instanceof DpsError && error.code === 'BERTH_DPS_NOT_FOUND')) throw error;
      }
    },
    async *registrations(groupId) {
      const sdk = await client();
      const query = sdk.createEnrollmentGroupDeviceRegistrationStateQuery(QUERY as never, groupId, PAGE);
      let continuation: string | undefined;
      do {
        // With an explicit token, as in `list`.
        const page: unknown = await (continuation === undefined ? query.next() : query.next(continuation));
        const rows = isAnswer(page) ? page.responseBody : undefined;
        if (!Array.isArray(rows)) throw unexpectedDpsAnswer(host, 'POST');
        yield rows.map((row: unknown) => requireRegistration(host, 'POST', row));
        continuation = query.continuationToken || undefined;
      } while (continuation !== undefined);
    },
    async registration(registrationId) {
      const sdk = await client();
      try {
        const { responseBody } = await sdk.getDeviceRegistrationState(registrationId);
        return requireRegistration(host, 'GET', responseBody);
      } catch (error) {
        if (error instanceof DpsError && error.code === 'BERTH_DPS_NOT_FOUND') return undefined;
        throw error;
      }
    },
    close: () => service.close(),
  };
}

/** The record of an individual enrollment. Undefined: the answer has none, or its device has not registered yet. */
export function registrationIn({ json }: EnrollmentRecord): RegistrationRecord | undefined {
  return toRegistration(json.registrationState);
}

function requireRegistration(host: string, method: string, row: unknown): RegistrationRecord {
  const record = toRegistration(row);
  if (record === undefined) throw unexpectedDpsAnswer(host, method);
  return record;
}

/** `DeviceRegistrationState` of the service API (provisioningservices.json, 2021-10-01). */
function toRegistration(row: unknown): RegistrationRecord | undefined {
  const json: unknown = row;
  if (!isObject(json)) return undefined;
  const { registrationId, deviceId, assignedHub, status, lastUpdatedDateTimeUtc: updatedAt } = json;
  if (typeof registrationId !== 'string' || typeof updatedAt !== 'string') return undefined;
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return {
    registrationId,
    deviceId: text(deviceId),
    assignedHub: text(assignedHub),
    status: text(status) ?? 'unassigned',
    updatedAt,
  };
}

function isAnswer(page: unknown): page is { readonly responseBody: unknown } {
  return typeof page === 'object' && page !== null && 'responseBody' in page;
}

export function enrollmentIdOf(kind: EnrollmentKind, id: string): JsonObject {
  return kind === 'group' ? { enrollmentGroupId: id } : { registrationId: id };
}

function toRecord(host: string, kind: EnrollmentKind, row: unknown): EnrollmentRecord {
  const json: unknown = row;
  const id = isObject(json) ? (kind === 'group' ? json.enrollmentGroupId : json.registrationId) : undefined;
  if (!isObject(json) || typeof id !== 'string' || typeof json.etag !== 'string')
    throw unexpectedDpsAnswer(host, 'POST');
  return { kind, id, etag: json.etag, json };
}
