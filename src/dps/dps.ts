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
    close: () => service.close(),
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
