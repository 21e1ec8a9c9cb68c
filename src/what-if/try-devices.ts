import { type Decision, decide } from '../allocation/decision/decide.ts';
import { type KnownParent, parentNamedFor } from '../allocation/parent/known-parent.ts';
import type { ReceiptInputs } from '../allocation/receipt/receipt.ts';
import { requestOf } from '../allocation/receipt/recompute.ts';
import { type AllocationRequest, latencyIn } from '../allocation/request/request.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonValue } from '../json/json.ts';
import type { Trial, Tried } from './job.ts';
import { type KnownDevice, readKnownDevice } from './known-device.ts';
import { type Tally, type Trialed, tallyOf } from './tally.ts';

/** A batch of devices, in a form that can be sent to a worker. */
export type DeviceBatch =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  /** Synthetic devices by number, from `from` to before `to`. */
  | { readonly kind: 'numbers'; readonly from: number; readonly to: number };

export type PartResult =
  | { readonly ok: true; readonly tally: Tally }
  /** Index in the batch of a line that is not a device. */
  | { readonly ok: false; readonly line: number };

/** Tries the fleet file on some devices. */
export function tryDevices(part: DeviceBatch, trial: Trial): PartResult {
  if (part.kind === 'numbers') return { ok: true, tally: tallyOf(tryNumbers(part, trial)) };
  const wrong = part.lines.findIndex((line) => line.trim() !== '' && readKnownDevice(line) === undefined);
  return wrong === -1 ? { ok: true, tally: tallyOf(tryLines(part, trial)) } : { ok: false, line: wrong };
}

function* tryNumbers(
  { from, to }: Extract<DeviceBatch, { kind: 'numbers' }>,
  trial: Trial,
): Generator<Trialed> {
  for (let number = from; number < to; number += 1) yield tryDevice(synthetic(number, trial), trial);
}

function* tryLines({ lines }: Extract<DeviceBatch, { kind: 'lines' }>, trial: Trial): Generator<Trialed> {
  for (const line of lines) {
    const device = readKnownDevice(line);
    if (device !== undefined) yield tryDevice(device, trial);
  }
}

interface TrialDevice extends KnownDevice {
  readonly isSynthetic?: boolean;
  readonly payload?: JsonValue | undefined;
}

function synthetic(number: number, { payloads }: Trial): TrialDevice {
  const payload = payloads.length === 0 ? undefined : payloads[number % payloads.length];
  return {
    deviceId: `device-${String(number).padStart(7, '0')}`,
    hub: undefined,
    inputs: undefined,
    isSynthetic: true,
    payload,
  };
}

/**
 * Finds the hub of a device now, after its next registration, and if it were new. All gradual moves are
 * complete; counts, health and overrides are unknown.
 */
function tryDevice(device: TrialDevice, trial: Trial): Trialed {
  const { tried, against } = trial;
  const old = against && decideOn(against, { ...device, parents: 'present' }, trial).result;
  const before = old?.kind === 'assigned' ? old.host : device.hub;
  const fresh = decideOn(tried, { ...device, hub: undefined, parents: 'new' }, trial);
  // Without parents, a device without a hub is the same as a new one.
  const isFresh = before === undefined && !tried.fleet.allocation.namesParents;
  const again = isFresh ? fresh : decideOn(tried, { ...device, hub: before, parents: 'present' }, trial);
  return {
    deviceId: device.deviceId,
    hasInputs: device.inputs !== undefined || device.isSynthetic === true,
    before,
    wasRefused:
      old === undefined ? before === undefined && device.isSynthetic !== true : old.kind === 'refused',
    after: again.result,
    fresh: fresh.result,
    rules: again.rules,
  };
}

/** The greatest depth of nested parents (iot-edge-limits-and-restrictions). */
const MOST_LAYERS = 5;

/** A device on its hub. Its parents are on their present hubs before the decision, or they are new too. */
interface PlacedDevice extends TrialDevice {
  readonly parents: 'present' | 'new';
}

function decideOn(
  tried: Tried,
  device: PlacedDevice,
  trial: Pick<Trial, 'parents' | 'now'>,
  layer = 1,
): Decision {
  const { fleet, conditions } = tried;
  const request = requestFor(device, fleet, device.hub);
  const parentId = parentNamedFor(request, fleet);
  const parent = parentId === undefined ? undefined : parentUnder(tried, parentId, device, trial, layer);
  return decide({ request, fleet, conditions, parent, now: trial.now });
}

/** The parent on the hub that the tried fleet file gives it. A parent that gets none keeps its present hub. */
function parentUnder(
  tried: Tried,
  deviceId: string,
  { parents }: PlacedDevice,
  trial: Pick<Trial, 'parents' | 'now'>,
  layer: number,
): KnownParent {
  const device = trial.parents.get(deviceId);
  if (device === undefined) return { deviceId, why: 'no IoT Edge device with this id is among the devices' };
  if (layer >= MOST_LAYERS) return { deviceId, hub: device.hub };
  const hub = parents === 'new' ? undefined : device.hub;
  const { result } = decideOn(tried, { ...device, hub, parents }, trial, layer + 1);
  return { deviceId, hub: result.kind === 'assigned' ? result.host : device.hub };
}

/**
 * The request that DPS would send. Linked hubs are all hubs of the file and those of the stored registration.
 */
function requestFor(
  { deviceId, inputs, payload }: TrialDevice,
  fleet: Fleet,
  current: HostName | undefined,
): AllocationRequest {
  const known = requestOf(inputs ?? { ...NOTHING_KNOWN, registrationId: deviceId }, fleet);
  const hosts = new Set<HostName>(fleet.hubs.map(({ host }) => host));
  for (const { host } of known.linkedHubs) hosts.add(host);
  if (current !== undefined) hosts.add(current);
  return {
    ...known,
    linkedHubs: [...hosts].map((host) => ({ host, text: host })),
    current: current === undefined ? undefined : { hub: current, deviceId },
    ...(payload === undefined ? {} : { payload, latency: latencyIn(payload) }),
  };
}

const NOTHING_KNOWN: Omit<ReceiptInputs, 'registrationId'> = {
  linkedHubs: [],
  enrollment: {
    kind: 'unknown',
    iotEdge: false,
    reprovisionPolicy: 'unset',
    iotHubs: [],
    initialTwin: 'none',
  },
  attestation: 'unknown',
  read: {},
  notKept: {},
};
