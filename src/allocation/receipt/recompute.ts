import type { Fleet } from '../../fleet/fleet.ts';
import { checkedHostName, isHostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue, ownMember, sameJson } from '../../json/json.ts';
import { type EpochMs, epochMs, plus } from '../../time/epoch-ms.ts';
import { REDACTED } from '../../twin/events/redact.ts';
import { type Conditions, type HubConditions, NO_CONDITIONS } from '../conditions.ts';
import { type DecideInput, decide } from '../decision/decide.ts';
import { linkedHubsOf } from '../request/linked-hubs.ts';
import { type AllocationRequest, currentHubOf, type RequestEnrollment } from '../request/request.ts';
import { significant } from '../score/placement.ts';
import { type Receipt, type ReceiptInputs, receiptOf } from './receipt.ts';
import { type NotKept, pathOf } from './receipt-inputs.ts';
import { unknownInputsOf } from './unknown-inputs.ts';

export interface Recomputed {
  /** The new receipt of the same decision. */
  readonly receipt: Receipt;
  /** Paths of the differences; empty if the receipts are identical. */
  readonly differences: readonly string[];
  /** Inputs whose original value is not in the receipt. They can cause differences. */
  readonly notKept: readonly string[];
}

/**
 * Makes the decision of a receipt again, from the content of the receipt. With the fleet file of its
 * revision, the result is the same. With another file, it is what that file would have decided.
 */
export function recompute(receipt: Receipt, fleet: Fleet): Recomputed {
  const input = inputOf(receipt, fleet);
  const unknown = input.request.unknown?.names ?? [];
  const again = plain({ ...receiptOf(input, decide(input)), inputs: receipt.inputs });
  return {
    receipt: again as unknown as Receipt,
    differences: [...differencesOf(plain(receipt), again, '')],
    notKept: [...new Set([...notKeptBy(receipt), ...unknown])],
  };
}

/** The inputs of the decision of a receipt. */
export function inputOf(receipt: Receipt, fleet: Fleet): DecideInput {
  const now = epochMs(Date.parse(receipt.at));
  const known = requestOf(receipt.inputs, fleet, receipt.twin.provenance);
  // The file of the receipt has read all that it reads.
  const request = receipt.revision === fleet.revision ? { ...known, unknown: undefined } : known;
  const { parent } = receipt.inputs;
  return {
    request,
    fleet,
    conditions: conditionsOf(receipt, now),
    ...(parent === undefined ? {} : { parent }),
    now,
  };
}

/**
 * The request of a receipt, as far as the receipt contains it.
 *
 * @param provenance provenance of the resulting twin, which shows the paths that the enrollment set
 */
export function requestOf(
  inputs: ReceiptInputs,
  fleet: Fleet,
  provenance: Readonly<Record<string, string>> = {},
): AllocationRequest {
  const facts = factsOf(inputs, fleet);
  const attestation = isObject(facts.attestation) ? facts.attestation : {};
  const current = currentHubOf(inputs.currentHub, inputs.currentDeviceId);
  const unreadable = inputs.linkedHubs.filter((text) => !isHostName(text)).length;
  return {
    registrationId: inputs.registrationId,
    linkedHubs: linkedHubsOf(inputs.linkedHubs, current?.name ?? current?.hub),
    ...(unreadable === 0 ? {} : { unreadableHubs: unreadable }),
    current,
    enrollment: {
      kind: inputs.enrollment.kind,
      id: inputs.enrollment.id,
      deviceId: inputs.deviceId,
      iotEdge: inputs.enrollment.iotEdge,
      reprovisionPolicy: inputs.enrollment.reprovisionPolicy,
      iotHubs: inputs.enrollment.iotHubs.map(checkedHostName),
      initialTwin: initialTwinOf(inputs, facts, provenance),
    },
    attestation: {
      kind: inputs.attestation,
      subject: typeof attestation.subject === 'string' ? attestation.subject : undefined,
    },
    payload: facts.payload,
    latency: inputs.latency as JsonObject | undefined,
    unknown: unknownInputsOf(inputs, fleet),
  };
}

function conditionsOf({ conditions, hubs: lines }: Receipt, now: EpochMs): Conditions {
  const causes = new Map(
    Object.entries(conditions.causes).map(([cause, age]) => [cause, plus(now, -age)] as const),
  );
  if (conditions.ageMs === undefined) return { ...NO_CONDITIONS, causes };
  const hubs = lines.map(({ host, devices, countAgeMs = 0, failures, overrides }) => {
    const found: HubConditions = {
      ...(devices === undefined ? {} : { devices: { count: devices, countedAt: plus(now, -countAgeMs) } }),
      ...(failures === undefined ? {} : { failures }),
      ...(overrides === undefined ? {} : { overrides }),
    };
    return [host, found] as const;
  });
  return { loadedAt: plus(now, -conditions.ageMs), hubs: new Map(hubs), causes };
}

/** Rebuilds the request parts that are stored by path, with substitutes for values that are not stored. */
function factsOf({ read, notKept }: ReceiptInputs, fleet: Fleet): JsonObject {
  const standIns = Object.entries(notKept).flatMap(([text, instead]) => {
    const path = pathOf(text);
    const value = standIn(instead, path, fleet);
    return value === undefined ? [] : [[path, value] as const];
  });
  const values = Object.entries(read).map(([text, value]) => [pathOf(text), value] as const);
  return [...standIns, ...values]
    .sort(([left], [right]) => left.length - right.length)
    .reduce<JsonObject>((facts, [path, value]) => putAt(facts, path, value), {});
}

/** A substitute with the same size or the same keys, if known. Undefined: treat the value as missing. */
function standIn(instead: NotKept, path: readonly string[], fleet: Fleet): JsonValue | undefined {
  switch (instead.why) {
    case 'whole':
      return Object.fromEntries(instead.keys.map((key) => [key, null]));
    case 'too long':
      return instead.of === 'text' ? 'x'.repeat(instead.bytes) : {};
    case 'redacted':
      // A substitute must not decide a rule. A layer only copies it.
      return fleet.allocation.rules.some(({ reads }) => reads.some((each) => startsWith(path, each)))
        ? undefined
        : REDACTED;
  }
}

function startsWith(path: readonly string[], beginning: readonly string[]): boolean {
  return beginning.every((key, index) => path[index] === key);
}

/**
 * An initial twin with the paths of the result that the enrollment set. Their values are not stored; only
 * whether a layer replaced them matters.
 */
function initialTwinOf(
  { enrollment }: ReceiptInputs,
  facts: JsonObject,
  provenance: Readonly<Record<string, string>>,
): RequestEnrollment['initialTwin'] {
  if (enrollment.initialTwin === 'none') return undefined;
  const read = isObject(facts.enrollment) ? facts.enrollment.initialTwin : undefined;
  const twin = Object.entries(provenance)
    .filter(([, layer]) => layer === 'enrollment')
    .reduce<JsonObject>(
      (json, [path]) => putAt(json, path.split('.'), true, 'keep'),
      isObject(read) ? read : {},
    );
  const tags = isObject(twin.tags) ? twin.tags : {};
  const desired = isObject(twin.desired) ? twin.desired : {};
  const isEmpty = Object.keys(tags).length + Object.keys(desired).length === 0;
  // The twin of the enrollment had values, but layers replaced all. It must not be empty: DPS would use it if
  // none were sent.
  return isEmpty && enrollment.initialTwin === 'filled'
    ? { tags: { gone: null }, desired }
    : { tags, desired };
}

function putAt(
  json: JsonObject,
  [key, ...rest]: readonly string[],
  value: JsonValue,
  there: 'replace' | 'keep' = 'replace',
): JsonObject {
  if (key === undefined) return json;
  const before = ownMember(json, key);
  if (rest.length > 0) return { ...json, [key]: putAt(isObject(before) ? before : {}, rest, value, there) };
  return there === 'keep' && before !== undefined ? json : { ...json, [key]: value };
}

function notKeptBy({ inputs, twin }: Receipt): readonly string[] {
  const isTwinTight = inputs.enrollment.initialTwin === 'filled' && twin.omitted.length > 0;
  return [
    ...Object.keys(inputs.notKept),
    ...(isTwinTight ? ['enrollment.initialTwin'] : []),
    ...(twin.morePaths === undefined ? [] : ['twin.provenance']),
  ];
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

/** Whether two numbers have the same 12 digits. Another machine may compute other last digits. */
function sameFigure(left: JsonValue, right: JsonValue): boolean {
  return typeof left === 'number' && typeof right === 'number' && significant(left) === significant(right);
}
