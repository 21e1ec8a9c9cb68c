import type { ReceiptInputs } from '../allocation/receipt/receipt.ts';
import { readReceiptInputs } from '../allocation/receipt/stored-receipt.ts';
import { type HostName, hostName, isHostName } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject, jsonHazard } from '../json/json.ts';

/** A device as `berth export` writes it, one a line, and `berth what-if` reads it. */
export interface KnownDevice {
  readonly deviceId: string;
  /** Undefined: it registered and was never given one. */
  readonly hub: HostName | undefined;
  /** What its last registration brought; undefined: nobody kept it, and it is known by its twin only. */
  readonly inputs: ReceiptInputs | undefined;
}

/** The line of a device. */
export function writeKnownDevice({ deviceId, hub, inputs }: KnownDevice): string {
  return JSON.stringify({ deviceId, hub: hub ?? null, ...(inputs === undefined ? {} : { inputs }) });
}

/** The device of a line; undefined where it is none. */
export function readKnownDevice(line: string): KnownDevice | undefined {
  const json = parse(line);
  if (json === undefined || typeof json.deviceId !== 'string' || json.deviceId === '') return undefined;
  const { deviceId, hub } = json;
  const inputs = json.inputs === undefined ? undefined : readReceiptInputs(json.inputs);
  if (json.inputs !== undefined && inputs === undefined) return undefined;
  const isHub = hub === null || hub === undefined || (typeof hub === 'string' && isHostName(hub));
  if (!isHub) return undefined;
  return { deviceId, hub: typeof hub === 'string' ? hostName(hub) : undefined, inputs };
}

/** Payloads are at most so deep, and lie a few levels down. */
const MAX_DEPTH = 48;

function parse(line: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(line.replace(/^\uFEFF/, ''));
    return isObject(json) && jsonHazard(json, MAX_DEPTH) === undefined ? json : undefined;
  } catch {
    return undefined;
  }
}
