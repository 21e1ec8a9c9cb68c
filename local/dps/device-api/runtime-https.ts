import { randomUUID } from 'node:crypto';
import { ownMember } from '../../../src/json/json.ts';
import { notHere } from '../../errors.ts';
import { type HttpRequest, type HttpResponse, type HttpService, pathSegments } from '../../https/exchange.ts';
import { parseRequestJson } from '../../iot-hub/model/json.ts';
import { problemOfVersion, RUNTIME_API_VERSIONS } from '../api-version.ts';
import { type Attester, type Challenge, refusalText } from '../registration/attester.ts';
import type { RegistrationService, RuntimeAnswer } from '../registration/registration-service.ts';
import type { TpmKeysOfDevice } from '../registration/tpm-challenges.ts';
import { MAX_MESSAGE_BYTES } from '../registration/webhook.ts';

/** The host name to which the devices of every DPS connect (concepts-service.md). */
const GLOBAL_HOST = 'global.azure-devices-provisioning.net';

/** Where the SDKs open a WebSocket. */
function isWebSocketPath(path: string): boolean {
  return /^\/\$iothub\/websocket\/?$/i.test(path);
}

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
    claims: ({ host, path }) =>
      host === GLOBAL_HOST ||
      (host === serviceHost.toLowerCase() && isWebSocketPath(path)) ||
      RUNTIME_PATH.test(path) ||
      path.toLowerCase().startsWith(prefix),
    async answer(request) {
      const answer = isWebSocketPath(request.path)
        ? service.refuse(
            'notInLocalDps',
            notHere('WebSockets without TLS are not in the local DPS. Use the port https (7443).'),
          )
        : respond(request);
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
    const action = route(request.method, segments.length, verb);
    if (action === undefined) return service.refuse('notFound', 'The resource does not exist.');
    const token = request.headers.authorization;
    const tpm = token === undefined ? tpmIn(request.body) : undefined;
    const evidence = { token, certificates: request.certificates, tpm };
    const device = attester({ scope, registrationId, evidence });
    if (typeof device === 'string') return service.refuse(device, refusalText(device));
    const problem = problemOfVersion(request.query, RUNTIME_API_VERSIONS);
    if (problem !== undefined) return service.refuse('invalidArgument', problem);
    if ('challenge' in device) return challengeAnswer(device);
    switch (action) {
      case 'register':
        return service.register(device, request.body);
      case 'poll':
        return service.poll(device, operationId ?? '');
      case 'lookUp':
        return service.lookUp(device);
    }
  }
}

/** The public keys in the body of a device with a TPM; undefined if it has no endorsement key. */
function tpmIn(bytes: Buffer): TpmKeysOfDevice | undefined {
  const tpm = ownMember(parseRequestJson(bytes), 'tpm');
  const [endorsementKey, storageRootKey] = ['endorsementKey', 'storageRootKey'].map((name) => {
    const text = ownMember(tpm, name);
    return typeof text === 'string' && text !== '' ? Buffer.from(text, 'base64') : undefined;
  });
  return endorsementKey && { endorsementKey, storageRootKey };
}

/** The form of a challenge: `TpmChallenge` of azure-iot-sdk-csharp, and what azure-iot-provisioning-device-http reads. */
function challengeAnswer({ challenge }: Challenge): RuntimeAnswer {
  return {
    status: 401,
    body: {
      message: 'Authorization required',
      authenticationKey: challenge.toString('base64'),
      keyName: 'registration',
    },
  };
}

function route(
  method: string,
  segments: number,
  verb: string | undefined,
): 'register' | 'poll' | 'lookUp' | undefined {
  if (method === 'PUT' && verb === 'register' && segments === 4) return 'register';
  if (method === 'GET' && verb === 'operations' && segments === 5) return 'poll';
  return method === 'POST' && segments === 3 ? 'lookUp' : undefined;
}
