import { isObject, type JsonObject, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, pathSegments } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { checkApiVersion } from '../model/api-version.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { readModuleChoice } from '../model/identity.ts';
import { parseRequestJson } from '../model/json.ts';
import {
  createIdentity,
  deleteIdentity,
  readIdentity,
  updateIdentity,
} from '../operations/identity-operations.ts';
import { checkNotReserved } from '../operations/twin-operations.ts';
import { parseSharedAccessSignature } from '../service-api/shared-access-signature.ts';
import { authenticateDevice } from './device-authentication.ts';

/** A call of a device about its own modules. Without a module id: the list of its modules. */
export interface DeviceModulesCall {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly deviceId: string;
  readonly moduleId: string | undefined;
}

/**
 * Reads a call of the identity service of IoT Edge, which makes the modules of its device with the credentials of the device
 * (Azure/iot-identity-service, the hub client of aziot). Undefined for other requests: those of services have the token of a
 * policy.
 */
export function readDeviceModulesCall({
  method,
  path,
  headers,
  certificates,
}: HttpRequest): DeviceModulesCall | undefined {
  const [collection, deviceId, modules, moduleId, ...more] = pathSegments(path) ?? [];
  if (collection !== 'devices' || !deviceId || modules !== 'modules' || more.length > 0) return undefined;
  const token = parseSharedAccessSignature(headers.authorization ?? '');
  const isOfDevice =
    token === undefined ? headers.authorization === undefined && certificates.length > 0 : !token.keyName;
  if (!isOfDevice) return undefined;
  const isOfModule = moduleId !== undefined && moduleId !== '';
  if (method === 'GET') return { method, deviceId, moduleId: isOfModule ? moduleId : undefined };
  return isOfModule && (method === 'PUT' || method === 'DELETE') ? { method, deviceId, moduleId } : undefined;
}

/**
 * Serves a call of a device about its own modules.
 *
 * @throws HubRefusal `IotHubUnauthorizedAccess`, `InvalidProtocolVersion`, `ThrottlingException`, and the refusals of the
 *   operations on identities
 */
export async function serveDeviceModulesCall(
  hub: LocalHub,
  call: DeviceModulesCall,
  request: HttpRequest,
): Promise<HttpResponse> {
  authorize(hub, call, request);
  checkApiVersion(request.query);
  await hub.admit('identityOperations');
  hub.counters.deviceIdentityOps += 1;
  const { deviceId, moduleId } = call;
  if (moduleId === undefined) {
    const modules = hub.store.modulesOf(deviceId).map(({ identity }) => readIdentity(hub, identity));
    return { status: 200, body: modules };
  }
  const address = { deviceId, moduleId };
  const ifMatch = request.headers['if-match'];
  switch (call.method) {
    case 'GET':
      return { status: 200, body: readIdentity(hub, address) };
    case 'PUT': {
      const choice = readModuleChoice(readModuleBody(request, call));
      const identity =
        ifMatch === undefined
          ? createIdentity(hub, address, choice)
          : updateIdentity(hub, address, choice, ifMatch);
      return { status: 200, body: identity };
    }
    case 'DELETE':
      checkNotReserved(hub, address);
      deleteIdentity(hub, address, ifMatch);
      return { status: 204 };
  }
}

function authorize(
  hub: LocalHub,
  { deviceId }: DeviceModulesCall,
  { host, headers, certificates }: HttpRequest,
): void {
  const evidence = { host, password: headers.authorization, certificates };
  const proof = authenticateDevice(hub, { deviceId }, evidence, []);
  if (proof === undefined) throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
}

function readModuleBody({ body }: HttpRequest, { deviceId, moduleId }: DeviceModulesCall): JsonObject {
  const module = parseRequestJson(body);
  if (!isObject(module)) throw new HubRefusal('IotHubFormatError', 'The body is not a JSON object.');
  const named = { deviceId: ownMember(module, 'deviceId'), moduleId: ownMember(module, 'moduleId') };
  if ((named.deviceId ?? deviceId) !== deviceId || (named.moduleId ?? moduleId) !== moduleId) {
    throw new HubRefusal('ArgumentInvalid', 'The ids in the body differ from those in the path.');
  }
  return module;
}
