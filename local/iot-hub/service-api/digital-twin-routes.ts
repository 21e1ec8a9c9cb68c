import { randomUUID } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import { pathSegments } from '../../https/exchange.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import type { Address } from '../model/address.ts';
import { describeDigitalTwin } from '../model/digital-twin.ts';
import { desiredPatchOf } from '../model/digital-twin-patch.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { parseRequestJson } from '../model/json.ts';
import { twinEtag } from '../model/twin.ts';
import { invokeMethod } from '../operations/direct-method.ts';
import { patchTwinOf } from '../operations/twin-operations.ts';
import type { ServiceOperations } from './operation.ts';

/**
 * The operations on digital twins (REST API "Digital Twin"). A command is a direct method; a command of a component has the
 * name `component*command` (concepts-convention.md).
 */
export const DIGITAL_TWIN_OPERATIONS: ServiceOperations = [
  ['GET /digitaltwins/{id}', { serve: read, right: 'ServiceConnect', action: 'twins/read' }],
  ['PATCH /digitaltwins/{id}', { serve: update, right: 'ServiceConnect', action: 'twins/write' }],
  [
    'POST /digitaltwins/{id}/commands',
    { serve: command, right: 'ServiceConnect', action: 'directMethods/invoke/action' },
  ],
  [
    'POST /digitaltwins/{id}/components',
    { serve: command, right: 'ServiceConnect', action: 'directMethods/invoke/action' },
  ],
];

async function read(hub: LocalHub, _request: HttpRequest, address: Address): Promise<HttpResponse> {
  await hub.admit('twinReads');
  const { twin, modelId } = entryOf(hub, address);
  const body = describeDigitalTwin(address.deviceId, modelId, twin);
  hub.spend(JSON.stringify(body).length);
  return { status: 200, headers: { ETag: `"${twinEtag(twin)}"` }, body };
}

async function update(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  await hub.admit('twinUpdates');
  const { twin } = entryOf(hub, address);
  const desired = desiredPatchOf(parseRequestJson(request.body), twin);
  patchTwinOf(hub, address, { properties: { desired } }, request.headers['if-match']);
  hub.spend(request.body.length);
  const etag = twinEtag(entryOf(hub, address).twin);
  const location = `https://${request.host}/digitaltwins/${encodeURIComponent(address.deviceId)}`;
  return { status: 202, headers: { ETag: `"${etag}"`, Location: location } };
}

async function command(hub: LocalHub, request: HttpRequest, address: Address): Promise<HttpResponse> {
  const { query, body } = request;
  const payload = body.length === 0 ? null : parseRequestJson(body);
  if (payload === undefined) throw new HubRefusal('IotHubFormatError', 'The body is not JSON.');
  const seconds = (name: string) => (query.has(name) ? { [name]: Number(query.get(name)) } : {});
  const answer = await invokeMethod(hub, address, {
    methodName: commandIn(request),
    payload,
    ...seconds('connectTimeoutInSeconds'),
    ...seconds('responseTimeoutInSeconds'),
  });
  return {
    status: 200,
    headers: { 'x-ms-command-statuscode': String(answer.status), 'x-ms-request-id': randomUUID() },
    body: answer.payload ?? null,
  };
}

/** @example '/digitaltwins/d/components/thermostat1/commands/reset' → 'thermostat1*reset' */
function commandIn({ method, path }: HttpRequest): string {
  const [, , kind, ...names] = pathSegments(path) ?? [];
  const [first, commands, second, ...more] = names;
  if (kind === 'commands' && first && names.length === 1) return first;
  if (kind === 'components' && first && commands === 'commands' && second && more.length === 0) {
    return `${first}*${second}`;
  }
  throw new HubRefusal('InvalidOperation', `The local hub does not support ${method} ${path}.`);
}
