import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, pathSegments } from '../../https/exchange.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import type { Address } from '../model/address.ts';
import { checkApiVersion } from '../model/api-version.ts';
import { errorBody, HubRefusal } from '../model/hub-error.ts';
import { readIdentityChoice, readModuleChoice } from '../model/identity.ts';
import { parseRequestJson } from '../model/json.ts';
import { applyConfigurationContent } from '../operations/apply-configuration.ts';
import { readBulk, runBulk } from '../operations/bulk-operation.ts';
import { purgeMessages, sendCloudMessage } from '../operations/cloud-messages.ts';
import { identityDocument } from '../operations/device-document.ts';
import { invokeMethod } from '../operations/direct-method.ts';
import {
  checkParent,
  createIdentity,
  deleteIdentity,
  readIdentity,
  updateIdentity,
} from '../operations/identity-operations.ts';
import { queryPage } from '../operations/query-page.ts';
import { checkNotReserved, patchTwinOf, replaceTwinOf, serviceTwin } from '../operations/twin-operations.ts';
import { parseQuery } from '../query/parse-query.ts';
import type { Query } from '../query/syntax.ts';
import { readCloudMessage } from './cloud-message-request.ts';
import { CONFIGURATION_OPERATIONS } from './configuration-routes.ts';
import { DIGITAL_TWIN_OPERATIONS } from './digital-twin-routes.ts';
import { JOB_OPERATIONS } from './job-routes.ts';
import { headerOf, readObject, type Serve, type ServiceOperation } from './operation.ts';
import { authorizeService } from './service-authorization.ts';
import { SERVICE_QUEUE_OPERATIONS } from './service-queue-routes.ts';
import { TRANSFER_OPERATIONS } from './transfer-routes.ts';

/** Most devices in the answer of GET `/devices` (identity registry REST API). */
const MAX_LISTED = 1000;

/** The operations by method and path. `{id}` can also be `{id}/modules/{moduleId}`. */
const OPERATIONS: ReadonlyMap<string, ServiceOperation> = new Map<string, ServiceOperation>([
  ...CONFIGURATION_OPERATIONS,
  ...DIGITAL_TWIN_OPERATIONS,
  ...JOB_OPERATIONS,
  ...SERVICE_QUEUE_OPERATIONS,
  ...TRANSFER_OPERATIONS,
  ['GET /twins/{id}', { serve: getTwin, right: 'ServiceConnect', action: 'twins/read' }],
  ['PATCH /twins/{id}', { serve: writeTwin(patchTwinOf), right: 'ServiceConnect', action: 'twins/write' }],
  ['PUT /twins/{id}', { serve: writeTwin(replaceTwinOf), right: 'ServiceConnect', action: 'twins/write' }],
  [
    'POST /twins/{id}/methods',
    { serve: postMethod, right: 'ServiceConnect', action: 'directMethods/invoke/action' },
  ],
  [
    'POST /devices/{id}/messages/devicebound',
    { serve: postMessage, right: 'ServiceConnect', action: 'cloudToDeviceMessages/send/action' },
  ],
  [
    'DELETE /devices/{id}/commands',
    { serve: deleteMessages, right: 'ServiceConnect', action: 'cloudToDeviceMessages/queue/purge/action' },
  ],
  ['GET /devices/{id}', { serve: getIdentity, right: 'RegistryRead', action: 'devices/read' }],
  ['PUT /devices/{id}', { serve: putIdentity, right: 'RegistryWrite', action: 'devices/write' }],
  ['DELETE /devices/{id}', { serve: removeIdentity, right: 'RegistryWrite', action: 'devices/delete' }],
  ['GET /devices', { serve: listIdentities, right: 'RegistryRead', action: 'devices/read' }],
  ['GET /devices/{id}/modules', { serve: listModules, right: 'RegistryRead', action: 'devices/read' }],
  [
    'POST /devices/{id}/applyConfigurationContent',
    { serve: postContent, right: 'RegistryWrite', action: 'configurations/applyToEdgeDevice/action' },
  ],
  ['POST /devices', { serve: postBulk, right: 'RegistryWrite', action: 'devices/write' }],
  ['POST /devices/query', { serve: postQuery, right: 'RegistryRead', action: 'twins/read' }],
  ['GET /statistics/devices', { serve: getStatistics, right: 'RegistryRead', action: 'statistics/read' }],
  [
    'GET /statistics/service',
    { serve: getServiceStatistics, right: 'ServiceConnect', action: 'statistics/read' },
  ],
]);

/**
 * Serves the service REST API of one hub. A call needs a known route first, then the right, then a published
 * api-version. Every version is answered in the form of 2021-04-12. Refusals are answers. It never throws.
 */
export async function serveServiceCall(
  hub: LocalHub,
  policies: readonly AccessPolicy[],
  request: HttpRequest,
): Promise<HttpResponse> {
  const isTwin = request.path.startsWith('/twins/');
  try {
    const { operation, address } = route(request);
    // It is not documented whether Azure accepts a token for another name of the hub.
    const { headers, path, host } = request;
    const { right, action, serve } = operation;
    authorizeService(headers.authorization, policies, { host, path, right, action, now: hub.now() });
    checkApiVersion(request.query);
    return await serve(hub, request, address);
  } catch (error) {
    const refusal = refusalOf(hub, error);
    countRefusal(hub, request.method, isTwin, refusal);
    return refusalResponse(refusal, isTwin, hub.now());
  }
}

function refusalOf(hub: LocalHub, error: unknown): HubRefusal {
  if (error instanceof HubRefusal) return error;
  hub.log.error(`Hub ${hub.host} failed: ${error instanceof Error ? error.message : 'unknown reason'}`);
  return new HubRefusal('ServerError', 'The hub failed.');
}

/** How many segments of a path are its collection. @example '/jobs/v2/job-1' → 2 */
function collectionLength([first, second]: readonly string[]): number {
  if (first === 'jobs' && second === 'v2') return 2;
  return first === 'messages' ? 3 : 1;
}

function route(request: HttpRequest): { operation: ServiceOperation; address: Address } {
  const segments = pathSegments(request.path);
  if (segments === undefined)
    throw new HubRefusal('ArgumentInvalid', 'The encoding of the path is not valid.');
  const fixedLength = collectionLength(segments);
  const named = segments.slice(0, fixedLength).join('/');
  // The SDKs write `serviceBound` in two cases.
  const collection = segments[0] === 'messages' ? named.toLowerCase() : named;
  const [deviceId, sub, moduleId, ...below] = segments.slice(fixedLength);
  const isWhole = segments.length === fixedLength;
  const path = isWhole ? collection : segments.join('/').replace(/\/$/, '');
  const fixed = OPERATIONS.get(`${request.method} /${path}`);
  if (fixed !== undefined) return { operation: fixed, address: { deviceId: '' } };
  const isModule = sub === 'modules' && moduleId !== undefined && moduleId !== '';
  const rest = isModule ? below : segments.slice(fixedLength + 1);
  // This path has two segments, and the SDKs write it in two cases.
  const isMessage = !isModule && rest.join('/').toLowerCase() === 'messages/devicebound';
  const [action, ...more] = isMessage ? ['messages/devicebound'] : rest;
  const operation = OPERATIONS.get(`${request.method} /${collection}/{id}${action ? `/${action}` : ''}`);
  const isOfDevice = action === 'modules' || action === 'applyConfigurationContent'; // a module has neither
  // The operations on digital twins read the names of components and commands themselves.
  const isTooLong = more.length > 0 && collection !== 'digitaltwins';
  if (operation === undefined || !deviceId || isTooLong || (isModule && isOfDevice)) {
    throw new HubRefusal(
      'InvalidOperation',
      `The local hub does not support ${request.method} ${request.path}.`,
    );
  }
  return { operation, address: isModule ? { deviceId, moduleId } : { deviceId } };
}

async function getTwin(hub: LocalHub, _request: HttpRequest, address: Address): Promise<HttpResponse> {
  await hub.admit('twinReads');
  const twin = serviceTwin(hub, address);
  hub.counters.twinReads += 1;
  return tagged(hub, twin);
}

function writeTwin(
  write: (hub: LocalHub, address: Address, body: JsonObject, ifMatch?: string) => JsonObject,
): Serve {
  return async (hub, request, address) => {
    await hub.admit('twinUpdates');
    const twin = write(hub, address, readObject(request), request.headers['if-match']);
    hub.counters.twinWrites += 1;
    return tagged(hub, twin);
  };
}

/** Answers a twin, with its entity tag as a header. Its size counts against the daily quota. */
function tagged(hub: LocalHub, twin: JsonObject): HttpResponse {
  hub.spend(JSON.stringify(twin).length);
  return { status: 200, headers: { ETag: `"${String(twin.etag)}"` }, body: twin };
}

async function postMethod(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  return { status: 200, body: await invokeMethod(hub, address, readObject(request)) };
}

async function postMessage(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  await sendCloudMessage(hub, address, readCloudMessage(request));
  return { status: 204 };
}

async function deleteMessages(hub: LocalHub, _request: HttpRequest, address: Address): Promise<HttpResponse> {
  return { status: 200, body: purgeMessages(hub, address) };
}

async function getIdentity(hub: LocalHub, _request: HttpRequest, address: Address): Promise<HttpResponse> {
  await admitIdentities(hub, 1);
  return { status: 200, body: readIdentity(hub, address) };
}

/** Without `If-Match`, creates a device or module; with `If-Match`, updates it. */
async function putIdentity(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  await admitIdentities(hub, 1);
  const body = readObject(request);
  for (const name of ['deviceId', 'moduleId'] as const) {
    const named = ownMember(body, name);
    if (named !== undefined && named !== address[name]) {
      throw new HubRefusal('ArgumentInvalid', `${name} in the body differs from the one in the path.`);
    }
  }
  checkNotReserved(hub, address);
  const ifMatch = request.headers['if-match'];
  const choice = address.moduleId === undefined ? readIdentityChoice(body) : readModuleChoice(body);
  checkParent(hub, address, choice);
  const identity =
    ifMatch === undefined
      ? createIdentity(hub, address, choice)
      : updateIdentity(hub, address, choice, ifMatch);
  return { status: 200, body: identity };
}

async function removeIdentity(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  await admitIdentities(hub, 1);
  checkNotReserved(hub, address);
  deleteIdentity(hub, address, request.headers['if-match']);
  return { status: 204 };
}

/** Applies a manifest to an Edge device. There is no `If-Match`, and the answer has no body. */
async function postContent(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  await hub.admit('applies');
  applyConfigurationContent(hub, address.deviceId, readObject(request));
  hub.counters.applies += 1;
  return { status: 204 };
}

async function listIdentities(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await admitIdentities(hub, 1);
  const top = Math.min(Number(request.query.get('top') ?? MAX_LISTED) || MAX_LISTED, MAX_LISTED);
  const listed: JsonObject[] = [];
  for (const device of hub.store.sorted()) {
    if (listed.length >= top) break;
    listed.push(identityDocument(device, hub.connections.presence(device.identity)));
  }
  return { status: 200, body: listed };
}

async function listModules(hub: LocalHub, _request: HttpRequest, address: Address): Promise<HttpResponse> {
  await admitIdentities(hub, 1);
  const { deviceId } = entryOf(hub, address).identity;
  const listed = hub.store.modulesOf(deviceId).map(({ identity }) => readIdentity(hub, identity));
  return { status: 200, body: listed };
}

async function postBulk(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  const devices = readBulk(parseRequestJson(request.body));
  await admitIdentities(hub, devices.length);
  const { isSuccessful, errors } = runBulk(hub, devices);
  return { status: isSuccessful ? 200 : 400, body: { isSuccessful, errors, warnings: [] } };
}

async function postQuery(hub: LocalHub, request: HttpRequest): Promise<HttpResponse> {
  await hub.admit('queries');
  const text = ownMember(readObject(request), 'query');
  if (typeof text !== 'string') throw new HubRefusal('ArgumentNull', 'BadRequest');
  const query = parseQuery(text);
  const { rows, continuation } = queryPage(hub, query, {
    size: headerOf(request, 'x-ms-max-item-count'),
    continuation: headerOf(request, 'x-ms-continuation'),
  });
  hub.counters.queries += 1;
  hub.spend(JSON.stringify(rows).length);
  return {
    status: 200,
    headers: {
      'x-ms-item-type': itemTypeOf(query),
      ...(continuation !== undefined && { 'x-ms-continuation': continuation }),
    },
    body: rows,
  };
}

/** The names in azure-iot-sdk-csharp, `QueryResponseType`. */
function itemTypeOf({ columns, from }: Query): string {
  if (columns !== undefined) return 'Raw';
  return from === 'devices.jobs' ? 'DeviceJob' : 'Twin';
}

async function getStatistics(hub: LocalHub): Promise<HttpResponse> {
  let enabled = 0;
  for (const { identity } of hub.store.sorted()) if (identity.status === 'enabled') enabled += 1;
  hub.counters.statisticsReads += 1;
  const total = hub.store.size;
  return {
    status: 200,
    body: { totalDeviceCount: total, enabledDeviceCount: enabled, disabledDeviceCount: total - enabled },
  };
}

async function getServiceStatistics(hub: LocalHub): Promise<HttpResponse> {
  hub.counters.statisticsReads += 1;
  let connectedDeviceCount = 0;
  for (const { identity } of hub.store.sorted()) {
    if (hub.connections.link(identity) !== undefined) connectedDeviceCount += 1;
  }
  return { status: 200, body: { connectedDeviceCount } };
}

async function admitIdentities(hub: LocalHub, count: number): Promise<void> {
  await hub.admit('identityOperations', count);
  hub.counters.identityOps += count;
}

function countRefusal(hub: LocalHub, method: string, isTwin: boolean, { refusal }: HubRefusal): void {
  if (refusal === 'ThrottlingException') hub.counters.throttled += 1;
  else if (refusal === 'IotHubQuotaExceeded') hub.counters.quotaRefused += 1;
  else if (isTwin && method !== 'GET') hub.counters.twinWritesRefused += 1;
}

/** Refusals of the gateway, before a call reaches the twin store or the registry. */
const BY_GATEWAY: ReadonlySet<string> = new Set([
  'IotHubUnauthorizedAccess',
  'IotHubUnauthorized',
  'IotHubNotFound',
  'InvalidProtocolVersion',
  'InvalidOperation',
  'IotHubQuotaExceeded',
  'ThrottlingException',
  'ServerError',
  'ServiceUnavailable',
  'IotHubFailingOver',
]);

export function refusalResponse(refusal: HubRefusal, isTwin: boolean, now: number): HttpResponse {
  const form = isTwin && !BY_GATEWAY.has(refusal.refusal) ? 'document' : 'text';
  return {
    status: refusal.status,
    headers: { 'iothub-errorcode': refusal.refusal },
    body: errorBody(refusal, form, now),
  };
}
