import type { Fleet } from '../fleet/fleet.ts';
import { hostName } from '../fleet/host-name.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../json.ts';
import { type Conditions, type HubConditions, NO_CONDITIONS } from './conditions.ts';
import { type DecideInput, decide } from './decide.ts';
import { significant } from './placement.ts';
import { type Receipt, receiptOf } from './receipt.ts';
import { isKeptByPath, isWhole, substituteIn } from './receipt-inputs.ts';
import type { AllocationRequest, Enrollment } from './request.ts';

export interface Recomputed {
  /** The receipt that the same decision gives now. */
  readonly receipt: Receipt;
  /** Paths in which it differs; empty: it is the same to the letter. */
  readonly differences: readonly string[];
  /** Inputs that the receipt does not hold as they were; a difference may come from there. */
  readonly notKept: readonly string[];
}

/**
 * Makes the decision of a receipt again, from what the receipt holds. With the fleet file of its revision the
 * result is the same; with another it says what that file would have decided.
 */
export function recompute(receipt: Receipt, fleet: Fleet): Recomputed {
  const input = inputOf(receipt, fleet);
  const again = plain({ ...receiptOf(input, decide(input)), inputs: receipt.inputs }) as unknown as Receipt;
  return {
    receipt: again,
    differences: [...differencesOf(plain(receipt), plain(again), '')],
    notKept: notKept(receipt),
  };
}

/** What the decision of a receipt was made with. */
export function inputOf(receipt: Receipt, fleet: Fleet): DecideInput {
  const now = Date.parse(receipt.at);
  return { request: requestOf(receipt, fleet), fleet, conditions: conditionsOf(receipt, now), now };
}

/** The request of a receipt, as far as the receipt holds it. */
export function requestOf(
  { inputs, twin }: Pick<Receipt, 'inputs'> & { readonly twin: Pick<Receipt['twin'], 'provenance'> },
  fleet: Fleet,
): AllocationRequest {
  const facts = factsOf(inputs, fleet);
  const attestation = isObject(facts.attestation) ? facts.attestation : {};
  return {
    registrationId: inputs.registrationId,
    linkedHubs: inputs.linkedHubs.map((text) => ({ host: hostName(text), text })),
    current:
      inputs.currentHub === undefined
        ? undefined
        : { hub: hostName(inputs.currentHub), deviceId: inputs.currentDeviceId },
    enrollment: {
      kind: inputs.enrollment.kind,
      id: inputs.enrollment.id,
      iotEdge: inputs.enrollment.iotEdge,
      reprovisionPolicy: inputs.enrollment.reprovisionPolicy,
      iotHubs: inputs.enrollment.iotHubs.map(hostName),
      initialTwin: inputs.enrollment.initialTwin ? initialTwinOf(facts, twin.provenance) : undefined,
    },
    attestation: {
      kind: inputs.attestation,
      subject: typeof attestation.subject === 'string' ? attestation.subject : undefined,
    },
    payload: facts.payload,
  };
}

function conditionsOf({ conditions, hubs: lines }: Receipt, now: number): Conditions {
  if (conditions.ageMs === undefined) return NO_CONDITIONS;
  const hubs = lines.map(({ host, devices, countAgeMs = 0, failures, override }) => {
    const found: HubConditions = {
      ...(devices === undefined ? {} : { devices: { count: devices, countedAt: now - countAgeMs } }),
      ...(failures === undefined ? {} : { failures }),
      ...(override === undefined ? {} : { override }),
    };
    return [host, found] as const;
  });
  const causes = Object.entries(conditions.causes).map(([cause, age]) => [cause, now - age] as const);
  return { loadedAt: now - conditions.ageMs, hubs: new Map(hubs), causes: new Map(causes) };
}

/** The parts of the request that are kept by path, put together again. */
function factsOf({ latency, read }: Receipt['inputs'], fleet: Fleet): JsonObject {
  const paths = keptPaths(read, fleet);
  const hasPayload = latency !== undefined || paths.some(([variable]) => variable === 'payload');
  const base: JsonObject = hasPayload ? { payload: { ...latency } as JsonObject } : {};
  return paths.reduce((facts, path) => {
    const value = standIn(read[path.join('.')] ?? null, isWhole(path));
    const there = path.length === 1 && path[0] !== undefined ? facts[path[0]] : undefined;
    return putAt(facts, path, isObject(value) && isObject(there) ? { ...value, ...there } : value);
  }, base);
}

/**
 * The paths of what is kept, the shortest first. A key may hold a dot, so the paths that the fleet file reads,
 * and their beginnings, come before what a text can be split into.
 */
function keptPaths(read: Receipt['inputs']['read'], fleet: Fleet): readonly (readonly string[])[] {
  const known = new Map(
    fleet.allocation.reads
      .filter(isKeptByPath)
      .flatMap((path) => path.map((_, index) => path.slice(0, index + 1)))
      .map((path) => [path.join('.'), path]),
  );
  return Object.keys(read)
    .map((text) => known.get(text) ?? text.split('.'))
    .sort((left, right) => left.length - right.length);
}

/** A stand-in for what is not kept: of the same size where that is known, and of the same keys. */
function standIn(kept: JsonValue, isWholeVariable: boolean): JsonValue {
  const substitute = substituteIn(kept);
  if (substitute === undefined) return kept;
  if (substitute.kept === 'hash') return substitute.of === 'text' ? 'x'.repeat(substitute.bytes) : {};
  return isWholeVariable ? Object.fromEntries(substitute.keys.map((key) => [key, null])) : {};
}

/**
 * An initial twin with the paths that the enrollment set in the end: their values are not kept, and only
 * whether a layer went over them matters.
 */
function initialTwinOf(
  facts: JsonObject,
  provenance: Readonly<Record<string, string>>,
): Enrollment['initialTwin'] {
  const paths = Object.entries(provenance).filter(([, layer]) => layer === 'enrollment');
  const read = isObject(facts.enrollment) ? facts.enrollment.initialTwin : undefined;
  const twin = paths.reduce<JsonObject>(
    (json, [path]) => putAt(json, path.split('.'), true, 'keep'),
    isObject(read) ? read : {},
  );
  return {
    tags: isObject(twin.tags) ? twin.tags : {},
    desired: isObject(twin.desired) ? twin.desired : {},
  };
}

function putAt(
  json: JsonObject,
  [key, ...rest]: readonly string[],
  value: JsonValue,
  there: 'replace' | 'keep' = 'replace',
): JsonObject {
  if (key === undefined) return json;
  const before = Object.hasOwn(json, key) ? json[key] : undefined;
  if (rest.length > 0) return { ...json, [key]: putAt(isObject(before) ? before : {}, rest, value, there) };
  return there === 'keep' && before !== undefined ? json : { ...json, [key]: value };
}

function notKept({ inputs, twin }: Receipt): readonly string[] {
  const substituted = Object.entries(inputs.read)
    .filter(([, value]) => substituteIn(value) !== undefined)
    .map(([path]) => path);
  return twin.morePaths === undefined ? substituted : [...substituted, 'twin.provenance'];
}

/** The last digits of a weight may be another machine's. */
function sameFigure(left: JsonValue, right: JsonValue): boolean {
  return typeof left === 'number' && typeof right === 'number' && significant(left) === significant(right);
}

function plain(receipt: Receipt): JsonObject {
  return JSON.parse(JSON.stringify(receipt)) as JsonObject;
}

function* differencesOf(left: JsonValue, right: JsonValue, path: string): Generator<string> {
  if (sameJson(left, right) || sameFigure(left, right)) return;
  if (!isObject(left) || !isObject(right)) {
    yield path;
    return;
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const below = path === '' ? key : `${path}.${key}`;
    const [one, other] = [left[key], right[key]];
    if (one === undefined || other === undefined) yield below;
    else yield* differencesOf(one, other, below);
  }
}
