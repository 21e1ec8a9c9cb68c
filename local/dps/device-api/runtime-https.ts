import { randomUUID } from 'node:crypto';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import type { Attester } from '../registration/attester.ts';
import type { RegistrationService, RuntimeAnswer } from '../registration/registration-service.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';

const TPM_UNKNOWN =
  'The local DPS does not support TPM attestation. It stores such enrollments, but no device can register with them.';

/** The host name to which the devices of every DPS connect (concepts-service.md). */
const GLOBAL_HOST = 'global.azure-devices-provisioning.net';

/** Every id scope begins with `0ne`. Such a path is meant for this or another DPS. */
const RUNTIME_PATH = /^\/0ne[^/]*\/registrations\//i;

/**
 * The runtime API over HTTPS (iot-dps-https-sym-key-support.md):
 * `/{idScope}/registrations/{registrationId}/…`.
 */
export function createRuntimeHttps(
  idScope: string,
  serviceHost: string,
  attester: Attester,
  service: RegistrationService,
): HttpService {
  const prefix = `/${idScope}/registrations/`.toLowerCase();
  return {
    names: [serviceHost, GLOBAL_HOST],
    claims: ({ path }) => RUNTIME_PATH.test(path) || path.toLowerCase().startsWith(prefix),
    async answer(request) {
      const answer = respond(request);
      const location = `https://${serviceHost}${request.path}`;
      const code = answer.body.errorCode;
      return {
        status: answer.status,
        headers: {
          'x-ms-request-id': randomUUID(),
          ...(answer.retryAfter !== undefined && { 'Retry-After': String(answer.retryAfter) }),
          ...(answer.status === 202 && request.method === 'PUT' && { Location: location }),
          ...(code !== undefined && { 'x-ms-error-code': String(code) }),
        },
        body: answer.body,
      } satisfies HttpResponse;
    },
  };

  function respond(request: HttpRequest): RuntimeAnswer {
    const segments = pathSegments(request.path);
    if (segments === undefined)
      return service.refuse('invalidArgument', 'The encoding of the path is not valid.');
    const [scope = '', , registrationId = '', verb, operationId] = segments;
    if (request.body.length > MAX_MESSAGE_BYTES) {
      return service.refuse('tooLarge', `A message must not exceed ${MAX_MESSAGE_BYTES} bytes.`);
    }
    const device = attester({
      scope,
      registrationId,
      evidence: { token: request.headers.authorization, certificates: request.certificates },
    });
    if (device === 'tpmUnknown') return service.refuse(device, TPM_UNKNOWN);
    if (typeof device === 'string') return service.refuse(device, 'The device could not be authenticated.');
    const call = `${request.method} ${verb ?? ''}`;
    if (call === 'PUT register' && segments.length === 4)
      return service.register(device, parseRequestJson(request.body));
    if (call === 'GET operations' && segments.length === 5) return service.poll(device, operationId ?? '');
    if (call === 'POST ' && segments.length === 3) return service.lookUp(device);
    return service.refuse('notFound', 'The resource does not exist.');
  }
}
