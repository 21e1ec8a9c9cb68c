import { isObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, pathSegments } from '../../https/exchange.ts';
import type { Telemetry } from '../hub/events.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import { type Address, addressOf } from '../model/address.ts';
import { checkApiVersion } from '../model/api-version.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { parseRequestJson } from '../model/json.ts';
import { messageHeaders, readDeviceMessageHeaders } from '../model/message-headers.ts';
import {
  abandonMessage,
  completeMessage,
  lockNextMessage,
  queuedMessages,
  rejectMessage,
} from '../operations/cloud-messages.ts';
import { acceptTelemetry } from '../operations/telemetry.ts';
import { authenticateDevice } from './device-authentication.ts';
import { type DeviceFileCall, readDeviceFileCall, serveDeviceFileCall } from './device-files.ts';

/** A request of a device: what it wants, and who it says it is. */
export type DeviceCall =
  | { readonly kind: 'telemetry'; readonly address: Address }
  | { readonly kind: 'receive'; readonly address: Address }
  | {
      readonly kind: 'complete' | 'reject' | 'abandon';
      readonly address: Address;
      readonly lockToken: string;
    }
  | DeviceFileCall;

const BATCH = 'application/vnd.microsoft.iothub.json';

/**
 * Reads a request of the device API over HTTPS (iot-hub-devguide-endpoints.md, azure-iot-device-http); undefined if it is
 * another request. Modules have only telemetry.
 */
export function readDeviceCall(request: HttpRequest): DeviceCall | undefined {
  const files = readDeviceFileCall(request);
  if (files !== undefined) return files;
  const { method, path, query } = request;
  const [collection, deviceId, ...rest] = pathSegments(path) ?? [];
  if (collection !== 'devices' || !deviceId) return undefined;
  const moduleId = rest[0] === 'modules' ? rest[1] : undefined;
  const address = addressOf(deviceId, moduleId);
  const [messages, box = '', lockToken, action, ...more] = moduleId === undefined ? rest : rest.slice(2);
  if (messages !== 'messages' || more.length > 0) return undefined;
  const shape = `${method} ${box.toLowerCase()}${lockToken ? '/{lock}' : ''}${action ? `/${action.toLowerCase()}` : ''}`;
  if (shape === 'POST events') return { kind: 'telemetry', address };
  if (moduleId !== undefined) return undefined;
  switch (shape) {
    case 'GET devicebound':
      return { kind: 'receive', address };
    case 'DELETE devicebound/{lock}':
      return { kind: query.has('reject') ? 'reject' : 'complete', address, lockToken: lockToken ?? '' };
    case 'POST devicebound/{lock}/abandon':
      return { kind: 'abandon', address, lockToken: lockToken ?? '' };
    default:
      return undefined;
  }
}

/**
 * Serves a request of a device.
 *
 * @throws HubRefusal `IotHubUnauthorizedAccess`, `InvalidProtocolVersion`, `DeviceMessageLockLost`, and the refusals of the
 *   operations
 */
export async function serveDeviceCall(
  hub: LocalHub,
  policies: readonly AccessPolicy[],
  call: DeviceCall,
  request: HttpRequest,
): Promise<HttpResponse> {
  const { address } = call;
  authorize(hub, policies, address, request);
  checkApiVersion(request.query);
  switch (call.kind) {
    case 'telemetry':
      await acceptTelemetry(hub, address, readTelemetry(request));
      return { status: 204 };
    case 'receive':
      return receive(hub, address);
    case 'beginUpload':
    case 'endUpload':
      return serveDeviceFileCall(hub, call, request);
    default:
      settle(hub, call);
      return { status: 204 };
  }
}

function authorize(
  hub: LocalHub,
  policies: readonly AccessPolicy[],
  address: Address,
  { host, headers, certificates }: HttpRequest,
): void {
  const evidence = { host, password: headers.authorization, certificates };
  const proof = authenticateDevice(hub, address, evidence, policies);
  if (proof === undefined) throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
}

function readTelemetry({ headers, rawHeaders, body }: HttpRequest): readonly Telemetry[] {
  if (headers['content-type']?.split(';')[0] !== BATCH) {
    const { system, application } = readDeviceMessageHeaders(rawHeaders);
    return [{ body, system: mapOf(system), application: mapOf(application) }];
  }
  const batch = parseRequestJson(body);
  if (!Array.isArray(batch) || batch.length === 0) {
    throw new HubRefusal('ArgumentInvalid', 'The body of a batch must be a list of messages.');
  }
  return batch.map(readBatched);
}

/** The SDKs encode each body in base64. `iothub-app-…` in `properties` are application properties. */
function readBatched(message: JsonValue): Telemetry {
  const text = ownMember(message, 'body');
  if (typeof text !== 'string') throw new HubRefusal('ArgumentInvalid', 'A message of a batch has no body.');
  const isPlain = ownMember(message, 'base64Encoded') === false;
  const given = ownMember(message, 'properties');
  const entries = Object.entries(isObject(given) ? given : {}).map(
    ([name, value]) => [name.toLowerCase(), value, name] as const,
  );
  const { system } = readDeviceMessageHeaders(entries.flatMap(([low, value]) => [low, String(value)]));
  const application = entries.flatMap(([low, value, name]) =>
    low.startsWith('iothub-app-') ? [[name.slice('iothub-app-'.length), String(value)] as const] : [],
  );
  return {
    body: Buffer.from(text, isPlain ? 'utf8' : 'base64'),
    system: mapOf(system),
    application: new Map(application),
  };
}

function mapOf(properties: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(properties));
}

/** Locks and returns the oldest message that is not locked; 204 if there is none. */
function receive(hub: LocalHub, address: Address): HttpResponse {
  const locked = lockNextMessage(hub, address);
  if (locked === undefined) return { status: 204 };
  const { message, token } = locked;
  hub.connections.active(address, hub.tick());
  return {
    status: 200,
    headers: {
      ...messageHeaders(message),
      'Content-Type': 'application/octet-stream',
      ETag: `"${token}"`,
    },
    bytes: Buffer.from(message.body, 'base64'),
  };
}

function settle(hub: LocalHub, call: Extract<DeviceCall, { lockToken: string }>): void {
  const id = hub.messageLocks.release(call.address, call.lockToken.replaceAll('"', ''));
  const message = queuedMessages(hub, call.address).find((each) => each.id === id);
  if (message === undefined) {
    throw new HubRefusal('DeviceMessageLockLost', 'The lock of the message is lost or unknown.');
  }
  if (call.kind === 'complete') completeMessage(hub, call.address, message);
  else if (call.kind === 'reject') rejectMessage(hub, call.address, message);
  else abandonMessage(hub, call.address, message);
}
