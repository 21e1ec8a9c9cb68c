import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { Omission } from '../fleet/template.ts';
import type { JsonValue } from '../json.ts';
import { type Candidate, drawsOf, type Exclusion } from './candidates.ts';
import type { Conditions, Override } from './conditions.ts';
import type { DecideInput, Decision } from './decide.ts';
import type { LayerTrace } from './initial-twin.ts';
import type { LatencyInputs, LatencySource } from './latency.ts';
import { drainCause } from './moves.ts';
import { inOrder, significant } from './placement.ts';
import type { Ramp } from './ramp.ts';
import { readInputs } from './receipt-inputs.ts';
import type { AllocationRequest, AttestationKind, Enrollment } from './request.ts';
import type { RuleTrace } from './rules.ts';

/**
 * Why a device is on its hub: everything the decision read, so that it can be recomputed with the fleet file
 * of that revision (`recompute.ts`). Never holds keys or twin values.
 */
export interface Receipt {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly revision: string;
  readonly outcome: Decision['outcome'];
  readonly inputs: ReceiptInputs;
  readonly conditions: {
    /** Age of the conditions in ms; absent: they were never loaded, and the file alone decided. */
    readonly ageMs?: number;
    /** Of the linked hubs. */
    readonly hubs: Readonly<Record<string, HubFacts>>;
    /** Age in ms of the causes that can move this device. */
    readonly causes: Readonly<Record<string, number>>;
  };
  /** The winner of the draw first; the hubs that may not receive the device last. */
  readonly hubs: readonly HubLine[];
  /** The rules that matched or were unknown. */
  readonly rules: readonly RuleTrace[];
  /** What the device sent and could not be used. */
  readonly notes: readonly string[];
  readonly ramps: readonly Ramp[];
  readonly twin: {
    readonly sent: boolean;
    readonly why: string;
    readonly layers: readonly LayerTrace[];
    readonly provenance: Readonly<Record<string, string>>;
    /** Paths that the provenance leaves out, because there are so many. */
    readonly morePaths?: number;
    readonly omitted: readonly string[];
  };
  readonly payloadOmitted: readonly string[];
}

export interface ReceiptInputs {
  readonly registrationId: string;
  readonly linkedHubs: readonly string[];
  readonly currentHub?: string;
  readonly currentDeviceId?: string;
  readonly enrollment: {
    readonly kind: Enrollment['kind'];
    readonly id?: string;
    readonly iotEdge: boolean;
    readonly reprovisionPolicy: Enrollment['reprovisionPolicy'];
    readonly iotHubs: readonly string[];
    /** Whether it has an initial twin of its own. */
    readonly initialTwin: boolean;
  };
  readonly attestation: AttestationKind;
  readonly latency?: LatencyInputs;
  /** What rules, layers and the returned payload read, by path, as `receipt-inputs.ts` keeps it. */
  readonly read: Readonly<Record<string, JsonValue>>;
}

export interface HubFacts {
  readonly devices?: number;
  readonly countAgeMs?: number;
  readonly failures?: number;
  readonly override?: Override;
}

/** A linked hub in a receipt. */
export interface HubLine {
  readonly host: HostName;
  readonly latencyMs?: number;
  readonly latencyFrom?: LatencySource;
  /** For this device; 12 digits, as all that is compared. */
  readonly weight?: number;
  readonly score?: number;
  readonly passedOver?: 'has more than its share of devices';
  readonly excluded?: Exclusion;
}

/** A device may fill a layer with a thousand paths; a receipt must fit into one log line. */
const MAX_PATHS = 200;

/** The receipt of a decision. */
export function receiptOf({ request, fleet, conditions, now }: DecideInput, decision: Decision): Receipt {
  const { twin, payload, latencies } = decision;
  return {
    at: new Date(now).toISOString(),
    revision: fleet.revision,
    outcome: decision.outcome,
    inputs: inputsOf(request, fleet, latencies.inputs),
    conditions: conditionsOf(request, fleet, conditions, now),
    hubs: hubLines(decision.candidates),
    rules: decision.rules.filter(({ result }) => result !== 'unmatched'),
    notes: latencies.notes,
    ramps: decision.ramps,
    twin: {
      sent: twin.twin !== undefined,
      why: twin.why,
      layers: twin.layers,
      provenance: Object.fromEntries(twin.provenance.slice(0, MAX_PATHS)),
      ...(twin.provenance.length > MAX_PATHS ? { morePaths: twin.provenance.length - MAX_PATHS } : {}),
      omitted: twin.omitted.map(omissionText),
    },
    payloadOmitted: payload.omitted.map(omissionText),
  };
}

function inputsOf(request: AllocationRequest, fleet: Fleet, latency: LatencyInputs): ReceiptInputs {
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
      initialTwin: enrollment.initialTwin !== undefined,
    },
    attestation: request.attestation.kind,
    ...(Object.keys(latency).length === 0 ? {} : { latency }),
    read: readInputs(request, fleet),
  };
}

function conditionsOf(
  request: AllocationRequest,
  fleet: Fleet,
  conditions: Conditions,
  now: number,
): Receipt['conditions'] {
  const hubs = request.linkedHubs.flatMap(({ host }) => {
    const found = conditions.hubs.get(host);
    if (found === undefined) return [];
    const { devices, failures, override } = found;
    const used: HubFacts = {
      ...(devices === undefined ? {} : { devices: devices.count, countAgeMs: now - devices.countedAt }),
      ...(failures === undefined ? {} : { failures }),
      ...(override === undefined ? {} : { override }),
    };
    return [[host, used] as const];
  });
  const causes = causesOf(request, fleet).flatMap((cause) => {
    const since = conditions.causes.get(cause);
    return since === undefined ? [] : [[cause, now - since] as const];
  });
  return {
    ...(conditions.loadedAt === undefined ? {} : { ageMs: now - conditions.loadedAt }),
    hubs: Object.fromEntries(hubs),
    causes: Object.fromEntries(causes),
  };
}

function causesOf({ current }: AllocationRequest, { allocation }: Fleet): readonly string[] {
  if (current === undefined) return [];
  const drain = drainCause(current.hub);
  return allocation.fasterCause === undefined ? [drain] : [drain, allocation.fasterCause];
}

function hubLines(candidates: readonly Candidate[]): readonly HubLine[] {
  const draws = inOrder(drawsOf(candidates));
  const places = new Map(draws.map(({ hub }, place) => [hub.host, place]));
  const placeOf = ({ host }: Candidate) => places.get(host) ?? Number.POSITIVE_INFINITY;
  return [...candidates]
    .sort((left, right) => (placeOf(left) === placeOf(right) ? 0 : placeOf(left) - placeOf(right)))
    .map(hubLine);
}

function hubLine({ host, latency, excluded, draw }: Candidate): HubLine {
  return {
    host,
    ...(latency === undefined ? {} : { latencyMs: latency.ms, latencyFrom: latency.source }),
    ...(draw === undefined ? {} : { weight: significant(draw.hub.weight), score: significant(draw.score) }),
    ...(draw?.hub.isOverloaded ? { passedOver: 'has more than its share of devices' as const } : {}),
    ...(excluded === undefined ? {} : { excluded }),
  };
}

function omissionText({ path, why }: Omission): string {
  return path.length === 0 ? why : `${path.join('.')}: ${why}`;
}
