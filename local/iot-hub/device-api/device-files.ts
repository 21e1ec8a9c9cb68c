import { isObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { type HttpRequest, type HttpResponse, pathSegments } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import { type Address, addressOf } from '../model/address.ts';
import { parseRequestJson } from '../model/json.ts';
import { beginUpload, endUpload } from '../operations/file-uploads.ts';

/** A request of a device about its files. */
export type DeviceFileCall =
  | { readonly kind: 'beginUpload'; readonly address: Address; readonly blobName: string | undefined }
  | { readonly kind: 'endUpload'; readonly address: Address; readonly correlationId: string | undefined };

/**
 * Reads a request about files (iot-hub-devguide-file-upload.md, azure-iot-device, azure-iot-sdk-csharp); undefined if it is
 * another request. Older devices name the blob in the path (GET), and the upload too.
 */
export function readDeviceFileCall({ method, path }: HttpRequest): DeviceFileCall | undefined {
  const [collection, deviceId, files, ...rest] = pathSegments(path.replace(/\/$/, '')) ?? [];
  if (collection !== 'devices' || !deviceId || files?.toLowerCase() !== 'files') return undefined;
  const address = addressOf(deviceId);
  const [first, correlationId, ...more] = rest;
  if (method === 'POST' && first === undefined) return { kind: 'beginUpload', address, blobName: undefined };
  if (method === 'GET' && first !== undefined) {
    return { kind: 'beginUpload', address, blobName: rest.join('/') };
  }
  const isNotification = method === 'POST' && first?.toLowerCase() === 'notifications' && more.length === 0;
  return isNotification ? { kind: 'endUpload', address, correlationId } : undefined;
}

/** Serves a request about files, after its device is known. @throws HubRefusal of the operations */
export async function serveDeviceFileCall(
  hub: LocalHub,
  call: DeviceFileCall,
  { body }: HttpRequest,
): Promise<HttpResponse> {
  const { address } = call;
  if (call.kind === 'beginUpload') {
    const blobName = call.blobName ?? member(body, 'blobName');
    return { status: 200, body: await beginUpload(hub, address, blobName) };
  }
  const correlationId = call.correlationId ?? member(body, 'correlationId');
  await endUpload(hub, address, correlationId, member(body, 'isSuccess') === true);
  return { status: 204 };
}

/** A member of a JSON object in any case of its first letter: the SDK for .NET begins names with capitals. */
function member(body: Buffer, name: string): JsonValue | undefined {
  const json = parseRequestJson(body);
  if (!isObject(json)) return undefined;
  return ownMember(json, name) ?? ownMember(json, `${name[0]?.toUpperCase()}${name.slice(1)}`);
}
