import { isObject, type JsonObject, type JsonValue } from '../../../src/json/json.ts';
import type { HttpRequest, HttpResponse } from '../../https/exchange.ts';
import type { LocalHub } from '../hub/hub.ts';
import type { AccessRight } from '../model/access-policy.ts';
import type { Address } from '../model/address.ts';
import type { DataAction } from '../model/data-action.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { parseRequestJson } from '../model/json.ts';

/**
 * Serves a call. `address` has the ids in its path. For an operation without devices, `deviceId` is the first id.
 *
 * @throws HubRefusal
 */
export type Serve = (hub: LocalHub, request: HttpRequest, address: Address) => Promise<HttpResponse>;

/** An operation of the service API. */
export interface ServiceOperation {
  readonly serve: Serve;
  /** The right that the caller needs (iot-hub-devguide-security.md; for queries: the tutorials of device twins). */
  readonly right: AccessRight;
  /** The same for a caller with roles of Microsoft Entra ID. */
  readonly action: DataAction;
}

/** Operations by method and path. `{id}` can also be `{id}/modules/{moduleId}`. @example 'GET /twins/{id}' */
export type ServiceOperations = readonly (readonly [route: string, operation: ServiceOperation])[];

/** The JSON object in the body. @throws HubRefusal `IotHubFormatError` */
export function readObject(request: HttpRequest): JsonObject {
  const body: JsonValue | undefined = parseRequestJson(request.body);
  if (!isObject(body)) throw new HubRefusal('IotHubFormatError', 'The body is not a JSON object.');
  return body;
}

/** The first value of a header. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
