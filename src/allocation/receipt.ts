import type { Fleet } from '../fleet/fleet.ts';
import type { Omission } from '../fleet/template.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { Candidate } from './candidates.ts';
import type { Conditions } from './conditions.ts';
import type { DecideInput, Decision } from './decide.ts';
import type { LayerTrace } from './initial-twin.ts';
import { readInputs } from './receipt-inputs.ts';
import type { AllocationRequest } from './request.ts';
import type { RuleTrace } from './rules.ts';

/**
 * Why a device is on its hub: everything the decision read, so that it can be recomputed with the fleet file
 * of that revision. Never holds keys or twin values.
 */
export interface Receipt {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly revision: string;
  readonly outcome: Decision['outcome'];
  readonly inputs: {
    readonly registrationId: string;
    readonly linkedHubs: readonly string[];
    readonly currentHub?: string;
    readonly currentDeviceId?: string;
    readonly enrollment: {
      readonly kind: string;
      readonly id?: string;
      readonly iotEdge: boolean;
      readonly reprovisionPolicy: string;
      readonly iotHubs: readonly string[];
    };
    readonly attestation: string;
    /** What rules and layers read of payload and attestation, as `receipt-inputs.ts` keeps it. */
    readonly read: Readonly<Record<string, JsonValue>>;
  };
  readonly conditions: {
    /** Age of the conditions in ms; absent: they were never loaded, and the file alone decided. */
    readonly ageMs?: number;
    readonly hubs: Readonly<Record<string, JsonObject>>;
    /** Age in ms of each cause of moves. */
    readonly causes: Readonly<Record<string, number>>;
  };
  readonly hubs: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
  readonly twin: {
    readonly sent: boolean;
    readonly why: string;
    readonly layers: readonly LayerTrace[];
    readonly provenance: Readonly<Record<string, string>>;
    readonly omitted: readonly string[];
  };
  readonly payloadOmitted: readonly string[];
}

/** The receipt of a decision. */
export function receiptOf({ request, fleet, conditions, now }: DecideInput, decision: Decision): Receipt {
  const { twin, payload } = decision;
  return {
    at: new Date(now).toISOString(),
    revision: fleet.revision,
    outcome: decision.outcome,
    inputs: inputsOf(request, fleet),
    conditions: conditionsOf(request, conditions, now),
    hubs: decision.candidates,
    rules: decision.rules,
    twin: {
      sent: twin.twin !== undefined,
      why: twin.why,
      layers: twin.layers,
      provenance: twin.provenance,
      omitted: twin.omitted.map(omissionText),
    },
    payloadOmitted: payload.omitted.map(omissionText),
  };
}

function inputsOf(request: AllocationRequest, fleet: Fleet): Receipt['inputs'] {
  const { enrollment, current } = request;
  return {
    registrationId: request.registrationId,
    linkedHubs: request.linkedHubs.map(({ text }) => text),
    ...(current === undefined ? {} : { currentHub: current.hub }),
    ...(current?.deviceId === undefined ? {} : { currentDeviceId: current.deviceId }),
    enrollment: {
      kind: enrollment.kind,
      ...(enrollment.id === undefined ? {} : { id: enrollment.id }),
      iotEdge: enrollment.iotEdge,
      reprovisionPolicy: enrollment.reprovisionPolicy,
      iotHubs: enrollment.iotHubs,
    },
    attestation: request.attestation.kind,
    read: readInputs(request, fleet),
  };
}

function conditionsOf(
  request: AllocationRequest,
  conditions: Conditions,
  now: number,
): Receipt['conditions'] {
  const hubs = request.linkedHubs.flatMap(({ host }) => {
    const found = conditions.hubs.get(host);
    if (found === undefined) return [];
    const { devices, failures, override } = found;
    const used: JsonObject = {
      ...(devices === undefined ? {} : { devices: devices.count, countAgeMs: now - devices.countedAt }),
      ...(failures === undefined ? {} : { failures }),
      ...(override === undefined ? {} : { override: { ...override } }),
    };
    return [[host, used] as const];
  });
  return {
    ...(conditions.loadedAt === undefined ? {} : { ageMs: now - conditions.loadedAt }),
    hubs: Object.fromEntries(hubs),
    causes: Object.fromEntries([...conditions.causes].map(([cause, since]) => [cause, now - since])),
  };
}

function omissionText({ path, why }: Omission): string {
  return `${path.join('.')}: ${why}`;
}
