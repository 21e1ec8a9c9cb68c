import type { ReceiptInputs } from '../allocation/receipt/receipt.ts';
import { readReceiptInputs } from '../allocation/receipt/stored-receipt.ts';
import { type HostName, hostName, isHostName } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject, jsonHazard } from '../json/json.ts';

/** A device in a file of `berth export`, which has one device a line. `berth what-if` reads it. */
export interface KnownDevice {
  readonly deviceId: string;
  /** Undefined if the device registered but never got a hub. */
  readonly hub: HostName | undefined;
  /** The inputs of its last registration; undefined if only its twin is stored. */
  readonly inputs: ReceiptInputs | undefined;
}

/** Writes the line of a device. */
export function writeKnownDevice({ deviceId, hub, inputs }: KnownDevice): string {
  return JSON.stringify({ deviceId, hub: hub ?? null, ...(inputs === undefined ? {} : { inputs }) });
}

/** Reads the device of a line; undefined if the line is not a device. */
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

/** Whether a device can be the parent of others: an IoT Edge device, or a device of which only the twin is stored. */
export function canBeParent({ inputs }: KnownDevice): boolean {
  return inputs === undefined || inputs.enrollment.iotEdge;
}

/** The maximum depth of a payload, plus the levels above it. */
const MAX_DEPTH = 48;

function parse(line: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(line.replace(/^\uFEFF/, ''));
    return isObject(json) && jsonHazard(json, MAX_DEPTH) === undefined ? json : undefined;
  } catch {
    return undefined;
  }
}
