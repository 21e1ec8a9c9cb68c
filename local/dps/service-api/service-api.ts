import { randomUUID } from 'node:crypto';
import { type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { problemOfVersion, SERVICE_API_VERSIONS } from '../api-version.ts';
import type { CertificateStore } from '../certificates/certificate-store.ts';
import { enrollmentId, isGroup, type StoredEnrollment } from '../enrollments/enrollment.ts';
import { MAX_GROUPS_PER_ATTESTATION } from '../enrollments/enrollment-check.ts';
import type { EnrollmentStore, StoredEnrollmentKind } from '../enrollments/enrollment-store.ts';
import { describeMechanism, readEnrollment } from '../enrollments/enrollment-wire.ts';
import { DPS_REFUSALS, type DpsRefusal, refusalBody } from '../registration/dps-error.ts';
import {
  describeRegistration,
  type Registration,
  type RegistrationStore,
} from '../registration/registration.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';
import { type EnrollmentShape, shapeOf } from './enrollment-shape.ts';
import { denialOf } from './service-authorization.ts';

export interface ServiceApiOptions {
  readonly serviceHost: string;
  readonly enrollments: EnrollmentStore;
  readonly certificates: CertificateStore;
  readonly registrations: RegistrationStore;
  readonly now: () => number;
}

const COLLECTION = /^\/(enrollments|enrollmentgroups|registrations)(\/|$)/i;
/** "Bulk device enrollment operation with maximum of 10 enrollments" (service API). */
const MAX_BULK = 10;
const MAX_PAGE = 100;
/** The queries of Microsoft's samples: `*`, `SELECT *`, `SELECT * FROM enrollments`. */
const QUERY = /^\s*(\*|select\s+\*(\s+from\s+\w+)?)\s*$/i;

/** A refusal, thrown up to the code that answers it. */
class Refused extends Error {
  readonly refusal: DpsRefusal;

  constructor(refusal: DpsRefusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/**
 * The service API of DPS for enrollments and registrations, as `azure-iot-provisioning-service` calls it. It uses ETags
 * in `If-Match`, pages with `x-ms-continuation`, and keys only in `…/attestationmechanism`.
 */
export function createServiceApi(options: ServiceApiOptions): HttpService {
  const { serviceHost, enrollments, certificates, registrations, now } = options;
  const host = serviceHost.toLowerCase();
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
    if (collection.toLowerCase() === 'registrations') return registration(request, id, sub);
    return enrollment(collection.toLowerCase() === 'enrollments' ? 'individual' : 'group', request, id, sub);
  }

  function enrollment(
    kind: StoredEnrollmentKind,
    request: HttpRequest,
    id: string | undefined,
    sub: string | undefined,
  ): HttpResponse {
    const call = `${request.method} ${id === undefined ? '' : '{id}'}${sub === undefined ? '' : `/${sub.toLowerCase()}`}`;
    const shape = shapeOf(request.query.get('api-version') ?? '');
    if (call === 'POST ' && kind === 'individual') return bulk(request, shape);
    if (call === 'POST {id}' && id === 'query')
      return page(
        request,
        ofKind(kind),
        (each) => shape.describe(each),
        kind === 'group' ? 'EnrollmentGroup' : 'Enrollment',
      );
    if (id === undefined) throw new Refused('notAllowed', `${request.method} needs an id.`);
    switch (call) {
      case 'GET {id}':
        return { status: 200, body: shape.describe(found(kind, id)) };
      case 'PUT {id}': {
        const kept = write(kind, id, parseRequestJson(request.body), ifMatchOf(request), shape);
        // It is not documented whether Azure returns keys here. Clients must accept both.
        return {
          status: 200,
          body: { ...shape.describe(kept), attestation: describeMechanism(kind, kept) },
        };
      }
      case 'DELETE {id}':
        remove(kind, id, ifMatchOf(request));
        return { status: 204 };
      case 'POST {id}/attestationmechanism':
        return { status: 200, body: describeMechanism(kind, found(kind, id)) };
      default:
        throw new Refused('notAllowed', `This path does not support ${request.method}.`);
    }
  }

  function ofKind(kind: StoredEnrollmentKind): readonly StoredEnrollment[] {
    return enrollments
      .values()
      .filter((each) => isGroup(each) === (kind === 'group'))
      .sort((left, right) => (enrollmentId(left) < enrollmentId(right) ? -1 : 1));
  }

  function found(kind: StoredEnrollmentKind, id: string): StoredEnrollment {
    const stored = enrollments.get(kind, id);
    if (stored === undefined) throw new Refused('notFound', `Enrollment ${id} was not found.`);
    return stored;
  }

  /** Without `If-Match`, it creates an enrollment. An existing one is then a conflict (azure-iot-sdk-csharp#3076). */
  function write(
    kind: StoredEnrollmentKind,
    id: string,
    body: JsonValue | undefined,
    ifMatch: string | undefined,
    shape: EnrollmentShape,
  ): StoredEnrollment {
    const before = enrollments.get(kind, id);
    if (before !== undefined && ifMatch === undefined)
      throw new Refused('conflict', `Enrollment ${id} exists already.`);
    if (ifMatch !== undefined) checkMatch(ifMatch, before);
    const read = readEnrollment(kind, id, shape.complete(body, before), before);
    if ('problem' in read) throw new Refused('invalidArgument', read.problem);
    const { attestation } = read.enrollment;
    if ('caReferences' in attestation) {
      for (const name of attestation.caReferences) {
        if (certificates.verified(name) === undefined) {
          throw new Refused(
            'invalidArgument',
            `The CA certificate ${name} does not exist or is not verified.`,
          );
        }
      }
    }
    const alike = ofKind('group').filter((each) => each.attestation.type === attestation.type);
    if (kind === 'group' && before === undefined && alike.length >= MAX_GROUPS_PER_ATTESTATION) {
      throw new Refused(
        'invalidArgument',
        `DPS has at most ${MAX_GROUPS_PER_ATTESTATION} ${attestation.type} groups.`,
      );
    }
    return enrollments.put(read.enrollment);
  }

  function remove(kind: StoredEnrollmentKind, id: string, ifMatch: string | undefined): void {
    const before = found(kind, id);
    if (ifMatch !== undefined) checkMatch(ifMatch, before);
    enrollments.delete(kind, id);
  }

  function bulk(request: HttpRequest, shape: EnrollmentShape): HttpResponse {
    const body = parseRequestJson(request.body);
    const mode = ownMember(body, 'mode');
    const listed = ownMember(body, 'enrollments');
    if (!Array.isArray(listed) || listed.length === 0 || listed.length > MAX_BULK) {
      throw new Refused('invalidArgument', `A bulk operation contains 1 to ${MAX_BULK} enrollments.`);
    }
    const errors = listed.flatMap((each: JsonValue) => {
      const id = ownMember(each, 'registrationId');
      const registrationId = typeof id === 'string' ? id : '';
      try {
        one(String(mode), registrationId, each, shape);
        return [];
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return [{ registrationId, errorCode: DPS_REFUSALS[error.refusal].code, errorStatus: error.message }];
      }
    });
    return { status: 200, body: { isSuccessful: errors.length === 0, errors } };
  }

  function one(mode: string, id: string, body: JsonValue, shape: EnrollmentShape): void {
    const etag = ownMember(body, 'etag');
    switch (mode) {
      case 'create':
        write('individual', id, body, undefined, shape);
        return;
      case 'update':
        found('individual', id);
        write('individual', id, body, '*', shape);
        return;
      case 'updateIfMatchETag':
      case 'updateIfMatchEtag':
        found('individual', id);
        write('individual', id, body, String(etag ?? ''), shape);
        return;
      case 'delete':
        remove('individual', id, undefined);
        return;
      default:
        throw new Refused('invalidArgument', `Unknown bulk mode ${mode}.`);
    }
  }

  function registration(request: HttpRequest, id: string | undefined, sub: string | undefined): HttpResponse {
    if (id === undefined) throw new Refused('notAllowed', `${request.method} needs an id.`);
    if (request.method === 'POST' && sub === 'query') {
      const group = found('group', id);
      const all = [...registrations.values()].filter(
        ({ enrollmentId: through }) => through === enrollmentId(group),
      );
      return page(
        request,
        all,
        (each) => describeRegistration(each, each.enrollmentId),
        'DeviceRegistration',
      );
    }
    if (sub !== undefined) throw new Refused('notFound', 'The resource does not exist.');
    const stored = registrations.get(id);
    if (stored === undefined) throw new Refused('notFound', `Registration ${id} was not found.`);
    if (request.method === 'GET') return { status: 200, body: stateOf(stored) };
    if (request.method !== 'DELETE')
      throw new Refused('notAllowed', `This path does not support ${request.method}.`);
    const ifMatch = ifMatchOf(request);
    if (ifMatch !== undefined) checkMatch(ifMatch, stored);
    registrations.delete(id);
    return { status: 204 };
  }

  function stateOf(stored: Registration): JsonObject {
    const group = enrollments.get('group', stored.enrollmentId);
    return describeRegistration(stored, group && enrollmentId(group));
  }
}

/** `*` matches every existing enrollment. A missing enrollment matches nothing. */
function checkMatch(ifMatch: string, before: { readonly etag: string } | undefined): void {
  const bare = (etag: string) => etag.replace(/^"|"$/g, '');
  if (before !== undefined && (ifMatch === '*' || bare(ifMatch) === bare(before.etag))) return;
  throw new Refused('preconditionFailed', 'If-Match is not the ETag of the enrollment.');
}

function ifMatchOf({ headers }: HttpRequest): string | undefined {
  return headers['if-match'] || undefined;
}

function page<Item>(
  request: HttpRequest,
  items: readonly Item[],
  describe: (item: Item) => JsonObject,
  type: string,
): HttpResponse {
  const body = parseRequestJson(request.body);
  const query = ownMember(body, 'query');
  if (typeof query !== 'string' || !QUERY.test(query)) {
    throw new Refused('invalidArgument', 'The local DPS supports only the query SELECT *.');
  }
  const header = (name: string) => request.headers[name]?.toString();
  const size = Math.min(Math.max(1, Number(header('x-ms-max-item-count') ?? MAX_PAGE) || MAX_PAGE), MAX_PAGE);
  const start = Number(header('x-ms-continuation') ?? 0);
  if (!Number.isInteger(start) || start < 0)
    throw new Refused('invalidArgument', 'x-ms-continuation is not a valid token.');
  const next = start + size;
  return {
    status: 200,
    headers: {
      'x-ms-item-type': type,
      ...(next < items.length && { 'x-ms-continuation': String(next) }),
    },
    body: items.slice(start, next).map(describe),
  };
}
