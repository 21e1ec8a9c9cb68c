import { X509Certificate } from 'node:crypto';
import { DEVELOPMENT_DPS } from '../../../src/dps/development.ts';
import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { CERTIFICATE_API_VERSIONS, problemOfVersion } from '../api-version.ts';
import { pemOf, thumbprint } from './certificate-info.ts';
import type { CertificateStore, StoredCertificate } from './certificate-store.ts';

const PATH =
  /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.Devices\/provisioningServices\/[^/]+\/certificates(\/|$)/i;
/** Host name of Azure Resource Manager. */
const MANAGEMENT_HOST = 'management.azure.com';
/** Number of segments before the name of a certificate: `/subscriptions/…/provisioningServices/{name}/certificates`. */
const PREFIX_SEGMENTS = 9;
/** azure-docs includes/iot-dps-limits.md. */
const MAX_CERTIFICATES = 25;

/**
 * The part of Azure Resource Manager that manages the CA certificates of a DPS (Dps Certificate, 2022-12-12): upload,
 * verification code, verification. It is not part of the service API or of the service SDK.
 */
export function createCertificateApi(certificates: CertificateStore): HttpService {
  return {
    names: [MANAGEMENT_HOST],
    claims: ({ path }) => PATH.test(path),
    async answer(request) {
      if (request.headers.authorization !== `Bearer ${DEVELOPMENT_DPS.managementToken}`) {
        return refused(401, 'AuthenticationFailed', 'Authentication failed.');
      }
      const problem = problemOfVersion(request.query, CERTIFICATE_API_VERSIONS);
      if (problem !== undefined) return refused(400, 'InvalidApiVersionParameter', problem);
      const segments = pathSegments(request.path) ?? [];
      const [name, action] = segments.slice(PREFIX_SEGMENTS);
      const resource = segments.slice(0, PREFIX_SEGMENTS).join('/');
      return respond(request, name, action, (stored, more) => ({
        status: 200,
        body: describe(`/${resource}/${stored.name}`, stored, more),
      }));
    },
  };

  function respond(
    request: HttpRequest,
    name: string | undefined,
    action: string | undefined,
    show: (stored: StoredCertificate, more?: JsonObject) => HttpResponse,
  ): HttpResponse {
    const call = `${request.method}${action === undefined ? '' : ` ${action.toLowerCase()}`}`;
    if (name === undefined) {
      if (call !== 'GET') return refused(405, 'MethodNotAllowed', `This path does not support ${call}.`);
      return { status: 200, body: { value: certificates.values().map((each) => show(each).body ?? null) } };
    }
    const stored = certificates.get(name);
    if (call === 'PUT') return upload(request, name, stored, show);
    if (stored === undefined)
      return refused(404, 'CertificateNotFound', `The certificate ${name} does not exist.`);
    if (call === 'GET') return show(stored);
    const ifMatch = request.headers['if-match'];
    if (ifMatch !== '*' && ifMatch !== stored.etag) {
      return refused(412, 'PreconditionFailed', 'If-Match is not the ETag of the certificate.');
    }
    switch (call) {
      case 'DELETE':
        certificates.delete(name);
        return { status: 204 };
      case 'POST generateverificationcode': {
        const challenged = certificates.challenge(name) ?? stored;
        return show(challenged, { verificationCode: challenged.verificationCode ?? '' });
      }
      case 'POST verify': {
        const proof = certificateIn(parseRequestJson(request.body), 'certificate');
        const verified = proof === undefined ? undefined : certificates.verify(name, proof);
        return verified === undefined
          ? refused(
              400,
              'VerificationFailed',
              'The certificate does not prove possession of the private key.',
            )
          : show(verified);
      }
      default:
        return refused(405, 'MethodNotAllowed', `This path does not support ${call}.`);
    }
  }

  function upload(
    request: HttpRequest,
    name: string,
    stored: StoredCertificate | undefined,
    show: (stored: StoredCertificate) => HttpResponse,
  ): HttpResponse {
    const ifMatch = request.headers['if-match'];
    if (stored !== undefined && ifMatch !== '*' && ifMatch !== stored.etag) {
      return refused(412, 'PreconditionFailed', 'The certificate exists, and If-Match is not its ETag.');
    }
    if (stored === undefined && certificates.values().length >= MAX_CERTIFICATES) {
      return refused(400, 'LimitExceeded', `DPS keeps at most ${MAX_CERTIFICATES} certificates.`);
    }
    const body = parseRequestJson(request.body);
    const pem = certificateIn(ownMember(body, 'properties'), 'certificate');
    if (pem === undefined) return refused(400, 'CertificateInvalid', 'The body contains no certificate.');
    return show(certificates.put(name, pem));
  }
}

function describe(id: string, stored: StoredCertificate, more: JsonObject = {}): JsonObject {
  const certificate = new X509Certificate(stored.certificate);
  return {
    id,
    name: stored.name,
    type: 'Microsoft.Devices/ProvisioningServices/Certificates',
    etag: stored.etag,
    properties: {
      ...more,
      subject: certificate.subject,
      expiry: new Date(certificate.validTo).toUTCString(),
      thumbprint: thumbprint(certificate.fingerprint),
      isVerified: stored.isVerified,
      created: stored.created,
      updated: stored.updated,
      certificate: Buffer.from(stored.certificate).toString('base64'),
    },
  };
}

/** Base64 of the file, PEM or DER. */
function certificateIn(json: unknown, key: string): string | undefined {
  const text = ownMember(json, key);
  if (typeof text !== 'string') return undefined;
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  return pemOf(decoded.includes('-----BEGIN') ? decoded : text);
}

function refused(status: number, code: string, message: string): HttpResponse {
  return { status, body: { error: { code, message } } };
}
