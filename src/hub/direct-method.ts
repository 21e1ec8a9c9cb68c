import type { JsonObject } from '../json/json.ts';
import type { RestService } from '../rest/service.ts';
import { hubErrorOf } from './failure.ts';
import type { MethodResult } from './port.ts';

/** The least that a hub allows (iot-hub-devguide-direct-methods, "Method invocation"). */
const RESPONSE_SECONDS = 5;
/** A hub then answers at once if the device is not connected (same page). */
const CONNECT_SECONDS = 0;

/**
 * Calls a direct method of a device over the service API. A device that is not connected (404) or does not answer in time
 * (504) is an ordinary result, and so is a right that only this call lacks (401, 403).
 *
 * @throws HubError for every other failure
 */
export async function invokeDirectMethod(
  service: RestService,
  deviceId: string,
  name: string,
  payload: JsonObject,
): Promise<MethodResult> {
  const result = await service.call({
    method: 'POST',
    path: `/twins/${encodeURIComponent(deviceId)}/methods?api-version=2021-04-12`,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: {
      methodName: name,
      payload,
      responseTimeoutInSeconds: RESPONSE_SECONDS,
      connectTimeoutInSeconds: CONNECT_SECONDS,
    },
  });
  if (result.ok) return { kind: 'answered' };
  const { failure } = result;
  const error = hubErrorOf(failure);
  if (failure.kind !== 'refused') throw error;
  if (failure.status === 504) return { kind: 'noAnswer' };
  if (error.code === 'BERTH_HUB_NOT_FOUND') return { kind: 'notConnected' };
  if (error.code === 'BERTH_HUB_UNAUTHORIZED') {
    return { kind: 'unauthorized', hubCode: error.hubCode ?? String(failure.status) };
  }
  throw error;
}
