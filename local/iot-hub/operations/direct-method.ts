import { setTimeout as wait } from 'node:timers/promises';
import { type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import { shallowJson } from '../../shallow-json.ts';
import { entryOf, type LocalHub } from '../hub/hub.ts';
import type { MethodAnswer } from '../hub/method-calls.ts';
import type { Address } from '../model/address.ts';
import { HubRefusal } from '../model/hub-error.ts';

/* Limits: iot-hub-devguide-direct-methods.md, "Method invocation". Durations in seconds. */
const RESPONSE_TIMEOUT = { least: 5, most: 300, usual: 30 } as const;
const CONNECT_TIMEOUT = { least: 0, most: 300, usual: 0 } as const;
const MAX_PAYLOAD_BYTES = 128 * 1024;
/** How often the hub looks whether an absent device has come. */
const LOOK_EVERY_MS = 50;

/**
 * Invokes a direct method and waits for the answer of the device or module.
 *
 * @returns `{ status, payload }` of the device.
 * @throws HubRefusal `DeviceNotOnline` (404103) if the device is not connected or takes no methods, `GatewayTimeout`
 *   (504101) if it does not answer in time, `ArgumentInvalid`, `DeviceNotFound`, `ModuleNotFound`, `RequestTooLarge`
 */
export async function invokeMethod(hub: LocalHub, address: Address, body: JsonObject): Promise<JsonObject> {
  const { name, responseMs, connectMs, payload } = checkMethod(body);
  entryOf(hub, address);
  const call = hub.methods.begin(address);
  try {
    const isSent = await untilSent(hub, connectMs, () => {
      const link = hub.connections.link(address);
      return link?.callMethod({ requestId: call.requestId, name, payload }) === true;
    });
    if (!isSent) throw new HubRefusal('DeviceNotOnline', 'Timed out waiting for device to connect.');
    const answer = await Promise.race([call.answer, pause(hub, responseMs)]);
    hub.observe({
      kind: 'method',
      address,
      name,
      payload: ownMember(body, 'payload') ?? null,
      answer: answer && describe(answer),
    });
    if (answer === undefined) {
      throw new HubRefusal('GatewayTimeout', 'Timed out waiting for the response from device.');
    }
    hub.spend(payload.length + answer.body.length);
    return describe(answer);
  } finally {
    call.forget();
  }
}

/** A direct method: its name, its payload as JSON, and how long it waits, in milliseconds. */
interface MethodRequest {
  readonly name: string;
  readonly payload: string;
  readonly responseMs: number;
  readonly connectMs: number;
}

/** Reads a direct method. @throws HubRefusal `ArgumentInvalid`, `RequestTooLarge` */
export function checkMethod(body: JsonObject): MethodRequest {
  const name = ownMember(body, 'methodName');
  if (typeof name !== 'string' || name === '' || /[/#+?]/.test(name)) {
    throw new HubRefusal('ArgumentInvalid', 'methodName must be a text without /, #, + and ?.');
  }
  const responseMs = secondsOf(body, 'responseTimeoutInSeconds', RESPONSE_TIMEOUT) * 1000;
  const connectMs = secondsOf(body, 'connectTimeoutInSeconds', CONNECT_TIMEOUT) * 1000;
  const payload = JSON.stringify(ownMember(body, 'payload') ?? null);
  if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) {
    throw new HubRefusal('RequestTooLarge', `The payload has more than ${MAX_PAYLOAD_BYTES} bytes.`);
  }
  return { name, payload, responseMs, connectMs };
}

async function untilSent(hub: LocalHub, forMs: number, send: () => boolean): Promise<boolean> {
  const deadline = performance.now() + forMs;
  while (!send()) {
    if (performance.now() >= deadline || hub.closing.aborted) return false;
    await pause(hub, LOOK_EVERY_MS);
  }
  return true;
}

/** Ends early when the hub closes. */
async function pause(hub: LocalHub, ms: number): Promise<undefined> {
  await wait(ms, undefined, { signal: hub.closing, ref: false }).catch(() => {});
}

/** An answer that is not JSON, or is nested too deep to be written again, is a text. */
function describe({ status, body }: MethodAnswer): JsonObject {
  const json = body === '' ? null : shallowJson(body);
  return { status, payload: json === undefined ? body : json };
}

function secondsOf(
  body: JsonObject,
  name: string,
  { least, most, usual }: { readonly least: number; readonly most: number; readonly usual: number },
): number {
  const value: JsonValue = ownMember(body, name) ?? usual;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HubRefusal('ArgumentInvalid', `${name} must be a whole number from ${least} to ${most}.`);
}
