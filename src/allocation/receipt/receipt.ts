import type { Omission } from '../../fleet/expressions/template.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { type HostName, NOT_A_HOST_NAME } from '../../iot-hub/host-name.ts';
import { conditionsOf, type Overrides } from '../conditions.ts';
import type { DecideInput, Decision } from '../decision/decide.ts';
import type { LayerTrace } from '../initial-twin/initial-twin.ts';
import type { GradualMove } from '../moves/gradual-move.ts';
import { drainCause } from '../moves/moves.ts';
import type { KnownParent } from '../parent/known-parent.ts';
import { offeredNames } from '../request/linked-hubs.ts';
import type { AllocationRequest, AttestationKind, RequestEnrollment } from '../request/request.ts';
import type { RuleTrace } from '../rules/rules.ts';
import type { Candidate, Exclusion } from '../score/candidates.ts';
import type { LatencyInputs, LatencySource } from '../score/latency.ts';
import { compareScores, significant } from '../score/placement.ts';
import { type ReadInputs, readInputs } from './receipt-inputs.ts';

/**
 * The stored record of one allocation decision. It contains every input, so that `recompute.ts` can make the
 * decision again with the fleet file of that revision. It never contains keys or values of twins.
 */
export interface Receipt {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly revision: string;
  readonly result: Decision['result'];
  readonly inputs: ReceiptInputs;
  readonly conditions: {
    /** Age of the conditions in ms; absent if none were loaded and the fleet file alone decided. */
    readonly ageMs?: number;
    /** Age in ms of the causes that can move this device. Without `ageMs`: of those whose moves count as complete, since 1970. */
    readonly causes: Readonly<Record<string, number>>;
  };
  /** By score, the best first. Hubs that may not receive the device come last. */
  readonly hubs: readonly ReceiptHub[];
  /** The rules that matched or were unknown. */
  readonly rules: readonly RuleTrace[];
  /** Inputs of DPS or the device that Berth could not use, and what Berth has assumed. It contains no values. */
  readonly notes: readonly string[];
  readonly gradualMoves: readonly GradualMove[];
  readonly twin: {
    readonly sent: boolean;
    readonly why: string;
    readonly layers: readonly LayerTrace[];
    readonly provenance: Readonly<Record<string, string>>;
    /** Number of further paths, if there are too many for the provenance. */
    readonly morePaths?: number | undefined;
    readonly omitted: readonly string[];
  };
  readonly payloadOmitted: readonly string[];
}

export interface ReceiptInputs extends ReadInputs {
  readonly registrationId: string;
  /** As in the request; `NOT_A_HOST_NAME` replaces a text that is not a host name. */
  readonly linkedHubs: readonly string[];
  /** The host name of the current hub, in lower case. */
  readonly currentHub?: string | undefined;
  readonly currentDeviceId?: string | undefined;
  /** Device id of the enrollment, if it differs from the registration id. */
  readonly deviceId?: string | undefined;
  readonly enrollment: {
    readonly kind: RequestEnrollment['kind'];
    readonly id?: string | undefined;
    readonly iotEdge: boolean;
    readonly reprovisionPolicy: RequestEnrollment['reprovisionPolicy'];
    readonly iotHubs: readonly string[];
    /** Whether the enrollment has an initial twin, and whether that twin is empty. */
    readonly initialTwin: 'none' | 'empty' | 'filled';
  };
  readonly attestation: AttestationKind;
  readonly latency?: LatencyInputs | undefined;
  /** The parent that a rule named, and what was known of it. */
  readonly parent?: KnownParent | undefined;
}

/** A linked hub: its conditions, and its latency, weight and score for this device. */
export interface ReceiptHub {
  readonly host: HostName;
  readonly latencyMs?: number | undefined;
  readonly latencyFrom?: LatencySource | undefined;
  /** The weight for this device, with 12 digits. */
  readonly weight?: number | undefined;
  /** The score with 12 digits, which Berth compares. */
  readonly score?: number | undefined;
  readonly load?: 'above its share' | undefined;
  readonly excluded?: Exclusion | undefined;
  readonly devices?: number | undefined;
  readonly countAgeMs?: number | undefined;
  readonly failures?: number | undefined;
  readonly overrides?: Overrides | undefined;
}

/**
 * Limits for the paths of a receipt, which must fit into one log line. A device can cause many or long paths.
 */
const MAX_PATHS = 200;
const MAX_PATHS_LENGTH = 8_000;

/** The receipt of a decision. */
export function receiptOf(input: DecideInput, decision: Decision): Receipt {
  const { request, fleet, now } = input;
  const { twin, payload, latencies } = decision;
  const { provenance, morePaths } = firstPaths(twin.provenance);
  return {
    at: new Date(now).toISOString(),
    revision: fleet.revision,
    result: decision.result,
    inputs: inputsOf(input, latencies.inputs),
    conditions: agesOf(input),
    hubs: hubLines(decision.candidates, input),
    rules: decision.rules.filter(({ result }) => result !== 'unmatched'),
    notes: [...notesOf(request, latencies.notes), ...assumptionsOf(input, decision)],
    gradualMoves: decision.gradualMoves,
    twin: {
      sent: twin.twin !== undefined,
      why: twin.why,
      layers: twin.layers,
      provenance,
      morePaths,
      omitted: twin.omitted.map(omissionText),
    },
    payloadOmitted: payload.omitted.map(omissionText),
  };
}

function inputsOf({ request, fleet, parent }: DecideInput, latency: LatencyInputs): ReceiptInputs {
  const { enrollment, current, unreadableHubs = 0 } = request;
  const names = offeredNames(request.linkedHubs);
  const { read, notKept, missing } = readInputs(request, fleet);
  return {
    registrationId: request.registrationId,
    linkedHubs:
      unreadableHubs === 0 ? names : [...names, ...Array<HostName>(unreadableHubs).fill(NOT_A_HOST_NAME)],
    currentHub: current && (current.name ?? current.hub),
    currentDeviceId: current?.deviceId,
    deviceId: enrollment.deviceId,
    enrollment: {
      kind: enrollment.kind,
      id: enrollment.id,
      iotEdge: enrollment.iotEdge,
      reprovisionPolicy: enrollment.reprovisionPolicy,
      iotHubs: enrollment.iotHubs,
      initialTwin: fillOf(enrollment.initialTwin),
    },
    attestation: request.attestation.kind,
    // Empty: the file reads latencies, and the device sent none.
    latency: fleet.allocation.readsLatency ? latency : undefined,
    parent,
    read,
    notKept,
    ...(missing !== undefined && { missing }),
  };
}

function notesOf(
  { unreadableHubs = 0, current, enrollment }: AllocationRequest,
  onLatencies: readonly string[],
): readonly string[] {
  const notes: string[] = [];
  if (unreadableHubs > 0) {
    const texts =
      unreadableHubs === 1
        ? 'a text that is not a host name'
        : `${unreadableHubs} texts that are not host names`;
    notes.push(`linkedHubs contains ${texts}`);
  }
  if (current?.hub === NOT_A_HOST_NAME) notes.push('currentIotHubHostName is not a host name');
  if (enrollment.iotHubs.includes(NOT_A_HOST_NAME)) {
    notes.push('iotHubs of the enrollment contains a text that is not a host name');
  }
  notes.push(...onLatencies);
  return notes;
}

const ALL_COMPLETE =
  'all gradual moves count as complete, as in "berth what-if". On its hub, the device moves when moves.over has reached it';

/** What a decision without conditions assumes about the gradual moves of the device (`finalConditions`). */
function assumptionsOf(
  { fleet, conditions }: DecideInput,
  { gradualMoves }: Pick<Decision, 'gradualMoves'>,
): readonly string[] {
  const isAssumed = conditions.loadedAt === undefined && fleet.allocation.movesOverMs > 0;
  return isAssumed && gradualMoves.some(({ cause }) => conditions.causes.has(cause)) ? [ALL_COMPLETE] : [];
}

function fillOf(twin: RequestEnrollment['initialTwin']): ReceiptInputs['enrollment']['initialTwin'] {
  if (twin === undefined) return 'none';
  const isEmpty = Object.keys(twin.tags).length + Object.keys(twin.desired).length === 0;
  return isEmpty && twin.others === undefined ? 'empty' : 'filled';
}

function agesOf({ request, fleet, conditions, now }: DecideInput): Receipt['conditions'] {
  const causes: Record<string, number> = {};
  for (const cause of causesOf(request, fleet)) {
    const since = conditions.causes.get(cause);
    if (since !== undefined) causes[cause] = now - since;
  }
  return conditions.loadedAt === undefined ? { causes } : { ageMs: now - conditions.loadedAt, causes };
}

function causesOf({ current }: AllocationRequest, { allocation }: Fleet): readonly string[] {
  if (current === undefined) return [];
  const drain = drainCause(current.hub);
  return allocation.fasterCause === undefined ? [drain] : [drain, allocation.fasterCause];
}

function hubLines(
  candidates: readonly Candidate[],
  { conditions, now }: Pick<DecideInput, 'conditions' | 'now'>,
): readonly ReceiptHub[] {
  return inOrder(candidates).map(({ host, latency, excluded, scored }) => {
    const { devices, failures, overrides } = conditionsOf(host, conditions);
    return {
      host,
      latencyMs: latency?.ms,
      latencyFrom: latency?.source,
      weight: scored && significant(scored.hub.weight),
      score: scored && significant(scored.score),
      load: scored?.hub.isOverloaded ? 'above its share' : undefined,
      excluded,
      devices: devices?.count,
      countAgeMs: devices && now - devices.countedAt,
      failures,
      overrides,
    };
  });
}

/** The scored hubs, the best first, then the others in the order of the request. */
function inOrder(candidates: readonly Candidate[]): readonly Candidate[] {
  const scored: ScoredCandidate[] = [];
  const others: Candidate[] = [];
  for (const candidate of candidates) {
    if (isScored(candidate)) scored.push(candidate);
    else others.push(candidate);
  }
  scored.sort((left, right) => compareScores(left.scored, right.scored));
  return others.length === 0 ? scored : [...scored, ...others];
}

type ScoredCandidate = Candidate & { readonly scored: NonNullable<Candidate['scored']> };

function isScored(candidate: Candidate): candidate is ScoredCandidate {
  return candidate.scored !== undefined;
}

function firstPaths(
  provenance: Decision['twin']['provenance'],
): Pick<Receipt['twin'], 'provenance' | 'morePaths'> {
  // Each path begins with the name of a section, so that none is "__proto__".
  const first: Record<string, string> = {};
  let [count, length] = [0, 0];
  for (const [path, layer] of provenance) {
    length += path.length + layer.length;
    if (count === MAX_PATHS || length > MAX_PATHS_LENGTH) break;
    first[path] = layer;
    count += 1;
  }
  return {
    provenance: first,
    morePaths: count === provenance.length ? undefined : provenance.length - count,
  };
}

function omissionText({ path, why }: Omission): string {
  return path.length === 0 ? why : `${path.join('.')}: ${why}`;
}
