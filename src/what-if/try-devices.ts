import { type Decision, decide, decideIn } from '../allocation/decision/decide.ts';
import { type KnownParent, parentNamedFor } from '../allocation/parent/known-parent.ts';
import type { ReceiptInputs } from '../allocation/receipt/receipt.ts';
import { requestOf } from '../allocation/receipt/recompute.ts';
import { type AllocationRequest, latencyIn } from '../allocation/request/request.ts';
import { type DeviceWords, deviceWords } from '../allocation/score/placement.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonValue } from '../json/json.ts';
import type { Trial, Tried } from './job.ts';
import type { KnownDevice } from './known-device.ts';
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
  const wrong: number[] = [];
  const tally = tallyOf(tryLines(part, trial, wrong));
  const [line] = wrong;
  return line === undefined ? { ok: true, tally } : { ok: false, line };
}

function* tryNumbers(
  { from, to }: Extract<DeviceBatch, { kind: 'numbers' }>,
  trial: Trial,
): Generator<Trialed> {
  for (let number = from; number < to; number += 1) yield tryDevice(synthetic(number, trial), trial);
}

/** Ends at the first line that is not a device, and adds its index to `wrong`. */
function* tryLines(
  { lines }: Extract<DeviceBatch, { kind: 'lines' }>,
  trial: Trial,
  wrong: number[],
): Generator<Trialed> {
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const device = trial.templates.read(line);
    if (device === undefined) {
      wrong.push(index);
      return;
    }
    const { template } = device;
    yield tryDevice(template === undefined ? device : { ...device, like: `line ${template.number}` }, trial);
  }
}

interface TrialDevice extends KnownDevice {
  readonly isSynthetic?: boolean;
  /** The same for all devices that differ only in their id. */
  readonly like?: string;
  readonly payload?: JsonValue | undefined;
}

function synthetic(number: number, { payloads }: Trial): TrialDevice {
  const which = number % Math.max(1, payloads.length);
  const payload = payloads[which];
  return {
    deviceId: `device-${String(number).padStart(7, '0')}`,
    hub: undefined,
    inputs: undefined,
    isSynthetic: true,
    payload,
    like: `payload ${which}`,
  };
}

/**
 * Finds the hub of a device now, after its next registration, and if it were new. All gradual moves are
 * complete; counts, health and overrides are unknown.
 */
function tryDevice(device: TrialDevice, trial: Trial): Trialed {
  const { tried, against } = trial;
  const words = wordsFor(device);
  const decided = (on: Tried, hub: HostName | undefined, parents: Placing['parents']) =>
    decideOn(on, device, { hub, parents, words }, trial);
  const old = against && decided(against, device.hub, 'present').result;
  const before = old?.kind === 'assigned' ? old.host : device.hub;
  const fresh = decided(tried, undefined, 'new');
  // Without parents, a device without a hub is the same as a new one.
  const isFresh = before === undefined && !tried.fleet.allocation.namesParents;
  const again = isFresh ? fresh : decided(tried, before, 'present');
  return {
    deviceId: device.deviceId,
    hasInputs: device.inputs !== undefined || device.isSynthetic === true,
    before,
    wasRefused:
      old === undefined ? before === undefined && device.isSynthetic !== true : old.kind === 'refused',
    after: again.result,
    fresh: fresh.result,
    rules: again.rules,
    unknown: device.inputs === undefined ? undefined : again.unknown,
  };
}

/** The words of a device by salt, which its decisions share. */
function wordsFor({ deviceId }: TrialDevice): (salt: string) => DeviceWords {
  let last: { readonly salt: string; readonly words: DeviceWords } | undefined;
  return (salt) => {
    if (last?.salt !== salt) last = { salt, words: deviceWords(deviceId, salt) };
    return last.words;
  };
}

interface Tryout extends Pick<Decision, 'result' | 'rules'> {
  /** Inputs that the file reads and that are not stored. */
  readonly unknown: readonly string[] | undefined;
}

/** The greatest depth of nested parents (iot-edge-limits-and-restrictions). */
const MOST_LAYERS = 5;

/** Where a device is before a decision. */
interface Placing {
  readonly hub: HostName | undefined;
  /** Its parents are on their present hubs before the decision, or they are new too. */
  readonly parents: 'present' | 'new';
  readonly words: (salt: string) => DeviceWords;
}

function decideOn(
  tried: Tried,
  device: TrialDevice,
  placing: Placing,
  trial: Pick<Trial, 'parents' | 'now'>,
  layer = 1,
): Tryout {
  const { fleet, conditions, settings } = tried;
  const { like, deviceId } = device;
  const { hub } = placing;
  const key = like === undefined ? undefined : `${hub ?? ''} ${like}`;
  const known = settings.of(key, () => ({
    request: requestFor(device, fleet, hub),
    fleet,
    conditions,
    now: trial.now,
  }));
  if (known !== undefined) {
    const { setting, input } = known;
    const own = { ...input, request: withId(input.request, deviceId) };
    const result = decideIn(setting, own, placing.words(fleet.allocation.salt));
    return { result, rules: setting.rules.traces, unknown: input.request.unknown?.names };
  }
  const request = requestFor(device, fleet, hub);
  const parentId = parentNamedFor(request, fleet);
  const parent =
    parentId === undefined ? undefined : parentUnder(tried, parentId, placing.parents, trial, layer);
  const { result, rules } = decide({ request, fleet, conditions, parent, now: trial.now });
  return { result, rules, unknown: request.unknown?.names };
}

/** The request of another device, which differs only in its id. */
function withId(request: AllocationRequest, deviceId: string): AllocationRequest {
  const { enrollment, current } = request;
  return {
    ...request,
    registrationId: deviceId,
    enrollment: enrollment.deviceId === undefined ? enrollment : { ...enrollment, deviceId },
    current: current === undefined ? undefined : { ...current, deviceId },
  };
}

/** The parent on the hub that the tried fleet file gives it. A parent that gets none keeps its present hub. */
function parentUnder(
  tried: Tried,
  deviceId: string,
  parents: Placing['parents'],
  trial: Pick<Trial, 'parents' | 'now'>,
  layer: number,
): KnownParent {
  const device = trial.parents.get(deviceId);
  if (device === undefined) return { deviceId, why: 'no IoT Edge device with this id is among the devices' };
  if (layer >= MOST_LAYERS) return { deviceId, hub: device.hub };
  const hub = parents === 'new' ? undefined : device.hub;
  const placing = { hub, parents, words: wordsFor(device) };
  const { result } = decideOn(tried, device, placing, trial, layer + 1);
  return { deviceId, hub: result.kind === 'assigned' ? result.host : device.hub };
}

/**
 * The request that DPS would send. Linked hubs are all hubs of the file and those of the stored registration.
 */
function requestFor(
  { deviceId, inputs, payload, isSynthetic }: TrialDevice,
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
    ...(isSynthetic && { unknown: undefined }),
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
