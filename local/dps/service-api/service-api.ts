import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { problemOfVersion, SERVICE_API_VERSIONS } from '../api-version.ts';
import type { CertificateStore } from '../certificates/certificate-store.ts';
import { enrollmentId, isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';
import type { EnrollmentStore, StoredEnrollmentKind } from '../enrollments/enrollment-store.ts';
import { describeMechanism } from '../enrollments/enrollment-wire.ts';
import { DPS_REFUSALS, refusalBody } from '../registration/dps-error.ts';
import { describeRecord, type RegistrationStore } from '../registration/registration.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';
import { runEnrollmentBulk } from './enrollment-bulk.ts';
import { shapeOf } from './enrollment-shape.ts';
import { createEnrollmentWrites } from './enrollment-writes.ts';
import { pageOfRecords } from './record-page.ts';
import { checkMatch, Refused } from './refused.ts';
import { denialOf } from './service-authorization.ts';

export interface ServiceApiOptions {
  readonly serviceHost: string;
  readonly enrollments: EnrollmentStore;
  readonly certificates: CertificateStore;
  readonly registrations: RegistrationStore;
  readonly now: () => number;
}

const COLLECTION = /^\/(enrollments|enrollmentgroups|registrations)(\/|$)/i;

/**
 * The service API of DPS for enrollments and registrations, as `azure-iot-provisioning-service` calls it. It uses ETags
 * in `If-Match`, pages with `x-ms-continuation`, and keys only in `…/attestationmechanism`.
 */
export function createServiceApi(options: ServiceApiOptions): HttpService {
  const { serviceHost, enrollments, certificates, registrations, now } = options;
  const host = serviceHost.toLowerCase();
  const writes = createEnrollmentWrites(enrollments, certificates);
  return {
    names: [host],
    claims: ({ host: asked }) => asked === host,
    async answer(request) {
      try {
        return respond(request);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { status, code } = DPS_REFUSALS[error.refusal];
        return {
          status,
          headers: { 'x-ms-request-id': randomUUID(), 'x-ms-error-code': String(code) },
          body: refusalBody(error.refusal, error.message, now()),
        };
      }
    },
  };

  function respond(request: HttpRequest): HttpResponse {
    if (!COLLECTION.test(request.path)) throw new Refused('notFound', 'The resource does not exist.');
    const denial = denialOf(request.headers.authorization, host, now());
    if (denial !== undefined) throw new Refused('unauthorized', denial);
    const problem = problemOfVersion(request.query, SERVICE_API_VERSIONS);
    if (problem !== undefined) throw new Refused('invalidArgument', problem);
    if (request.body.length > MAX_MESSAGE_BYTES) {
      throw new Refused('tooLarge', `A message must not exceed ${MAX_MESSAGE_BYTES} bytes.`);
    }
    const segments = pathSegments(request.path)?.filter((segment) => segment !== '');
    const [collection = '', id, sub, ...more] = segments ?? [];
    if (segments === undefined || more.length > 0)
      throw new Refused('notFound', 'The resource does not exist.');
    if (collection.toLowerCase() === 'registrations') return registration(request, id, sub?.toLowerCase());
    return enrollment(
      collection.toLowerCase() === 'enrollments' ? 'individual' : 'group',
      request,
      id,
      sub?.toLowerCase(),
    );
  }

  function enrollment(
    kind: StoredEnrollmentKind,
    request: HttpRequest,
    id: string | undefined,
    sub: string | undefined,
  ): HttpResponse {
    const shape = shapeOf(request.query.get('api-version') ?? '');
    const describe = (each: StoredEnrollment): JsonObject => ({
      ...shape.describe(each),
      ...stateOf(each),
    });
    const call = `${request.method}${id === undefined ? '' : ' {id}'}${sub === undefined ? '' : `/${sub}`}`;
    if (call === 'POST')
      return { status: 200, body: runEnrollmentBulk(kind, parseRequestJson(request.body), shape, writes) };
    if (id === undefined) throw new Refused('notAllowed', `${request.method} needs an id.`);
    if (call === 'POST {id}' && id.toLowerCase() === 'query')
      return pageOfRecords(request, {
        items: enrollments.values().filter((each) => isGroup(each) === (kind === 'group')),
        idOf: enrollmentId,
        describe,
        type: kind === 'group' ? 'EnrollmentGroup' : 'Enrollment',
      });
    switch (call) {
      case 'GET {id}':
        return { status: 200, body: describe(writes.found(kind, id)) };
      case 'PUT {id}': {
        const body = parseRequestJson(request.body);
        const kept = writes.put({ kind, id, body, ifMatch: ifMatchOf(request), shape });
        // It is not documented whether Azure returns keys here. Clients must accept both.
        return { status: 200, body: { ...describe(kept), attestation: describeMechanism(kind, kept) } };
      }
      case 'DELETE {id}':
        writes.remove(kind, id, ifMatchOf(request));
        return { status: 204 };
      case 'POST {id}/attestationmechanism':
        return { status: 200, body: describeMechanism(kind, writes.found(kind, id)) };
      default:
        throw new Refused('notAllowed', `This path does not support ${request.method}.`);
    }
  }

  function registration(request: HttpRequest, id: string | undefined, sub: string | undefined): HttpResponse {
    if (id === undefined) throw new Refused('notAllowed', `${request.method} needs an id.`);
    if (request.method === 'POST' && sub === 'query') {
      const groupId = enrollmentId(writes.found('group', id)).toLowerCase();
      return pageOfRecords(request, {
        items: [...registrations.values()].filter(
          ({ enrollmentId: through }) => through.toLowerCase() === groupId,
        ),
        idOf: ({ registrationId }) => registrationId,
        describe: describeRecord,
        type: 'DeviceRegistration',
        isBodyOptional: true,
      });
    }
    if (sub !== undefined) throw new Refused('notFound', 'The resource does not exist.');
    if (request.method !== 'GET' && request.method !== 'DELETE')
      throw new Refused('notAllowed', `This path does not support ${request.method}.`);
    const stored = registrations.get(id);
    if (stored === undefined) throw new Refused('notFound', `Registration ${id} was not found.`);
    if (request.method === 'GET') return { status: 200, body: describeRecord(stored) };
    const ifMatch = ifMatchOf(request);
    if (ifMatch !== undefined) checkMatch(ifMatch, stored, 'registration');
    registrations.delete(id);
    return { status: 204 };
  }

  /** The registration of an individual enrollment, once its device has registered. */
  function stateOf(enrollment: StoredEnrollment): JsonObject {
    const stored = isGroup(enrollment) ? undefined : registrations.get(enrollment.registrationId);
    return stored === undefined ? {} : { registrationState: describeRecord(stored) };
  }
}

function ifMatchOf({ headers }: HttpRequest): string | undefined {
  return headers['if-match'] || undefined;
}
