import type { ErrorCode } from '../../errors.ts';
import type { Variables } from '../../fleet/expressions/expression.ts';
import { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { HEARTBEAT_DEVICE, isReservedDeviceId } from '../../iot-hub/heartbeat-device.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Conditions, conditionsOf, effectiveHub } from '../conditions.ts';
import { type BuiltTwin, buildInitialTwin, noTwin } from '../initial-twin/initial-twin.ts';
import { type GradualMove, gradualMoveOf, isReached } from '../moves/gradual-move.ts';
import { drainCause, isFaster } from '../moves/moves.ts';
import { type BoundRules, type KnownParent, withParentHub } from '../parent/known-parent.ts';
import type { LinkedHub } from '../request/linked-hubs.ts';
import { type BuiltPayload, buildPayload, NO_PAYLOAD } from '../request/payload.ts';
import type { AllocationRequest } from '../request/request.ts';
import { knownRules } from '../rules/known-rules.ts';
import type { NamedParent } from '../rules/parent-rule.ts';
import { evaluateRules, meets, type RuleTrace } from '../rules/rules.ts';
import { hubVariables, ruleVariables } from '../rules/variables.ts';
import { type Candidate, candidatesOf, type Rating, type Receiver, ratingOf } from '../score/candidates.ts';
import { type Latencies, latenciesOf, NO_LATENCIES } from '../score/latency.ts';
import { compareScores, type DeviceWords, deviceWords, type ScoredHub } from '../score/placement.ts';

export type AllocationResult =
  | {
      readonly kind: 'assigned';
      /** The host name exactly as in `linkedHubs`. */
      readonly hub: string;
      readonly host: HostName;
      readonly how: 'placed' | 'stayed' | 'moved' | 'never reprovisioned';
      readonly why: Why;
    }
  | {
      readonly kind: 'refused';
      readonly code: Extract<
        ErrorCode,
        | 'BERTH_DEVICE_RESERVED'
        | 'BERTH_REGISTRATION_DENIED'
        | 'BERTH_INPUT_MISSING'
        | 'BERTH_NO_HUB_QUALIFIES'
        | 'BERTH_NO_HUB_NOW'
        | 'BERTH_PARENT_UNKNOWN'
      >;
      readonly message: string;
    };

export type Why =
  | 'first registration'
  | 'the enrollment never reprovisions'
  | 'the current hub is suitable'
  | 'the current hub is draining, but the gradual move has not reached the device'
  | 'the current hub is draining, but no other hub may receive the device'
  | 'another hub is faster, but the gradual move has not reached the device'
  | 'the current hub is not linked'
  | 'the current hub does not meet a require rule'
  | 'a hub rule names another hub'
  | 'the current hub is draining'
  | 'another hub is faster'
  | 'the parent is on another hub'
  | 'the parent is on another hub, but that hub may not receive the device';

export interface Decision {
  readonly result: AllocationResult;
  readonly candidates: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
  readonly latencies: Latencies;
  /** The gradual moves that could move the device, with their progress and the position of the device. */
  readonly gradualMoves: readonly GradualMove[];
  readonly twin: BuiltTwin;
  readonly payload: BuiltPayload;
}

export interface DecideInput {
  readonly request: AllocationRequest;
  readonly fleet: Fleet;
  readonly conditions: Conditions;
  /** What is known of the parent that the rules name (`parentNamedFor`). Undefined: it was not looked for. */
  readonly parent?: KnownParent | undefined;
  readonly now: EpochMs;
}

/**
 * Chooses the hub and the initial twin of a registering device. Pure: two instances with the same fleet file
 * and conditions decide the same. It never throws, whatever the request contains.
 *
 * @param work the budget that all expressions of this request share
 */
export function decide(input: DecideInput, work: ExpressionWork = new ExpressionWork()): Decision {
  const { request, fleet } = input;
  const variables = ruleVariables(request);
  const setting = settingOf(input, variables, work);
  const candidates = candidatesOf(setting.rating, deviceWords(request.registrationId, fleet.allocation.salt));
  const { result, gradualMoves } = choose(input, setting.rules, candidates);
  const { twin, payload } = extras(request, fleet, variables, result, work);
  return {
    result,
    candidates,
    rules: setting.rules.traces,
    latencies: setting.latencies,
    gradualMoves,
    twin,
    payload,
  };
}

/**
 * The part of a decision that is the same for all devices whose requests differ only in their ids, if no rule reads an id. `decideIn`
 * then chooses the hub of each device.
 */
export interface Setting {
  readonly rules: BoundRules;
  readonly latencies: Latencies;
  readonly rating: Rating;
}

/** @param work the budget that all expressions of this request share */
export function settingOf(
  input: DecideInput,
  variables: Variables = ruleVariables(input.request),
  work: ExpressionWork = new ExpressionWork(),
): Setting {
  const { request, fleet, conditions, now } = input;
  const { current } = request;
  const currentHub = current && { hub: fleet.hubByHost.get(current.hub) };
  const rules = withParentHub(
    evaluateRules(knownRules(fleet, request), variables, currentHub, work),
    input.parent,
  );
  const latencies = fleet.allocation.readsLatency ? latenciesOf(request, fleet) : NO_LATENCIES;
  return { rules, latencies, rating: ratingOf(request, fleet, conditions, rules, latencies, now) };
}

/** Chooses the hub as `decide` does, in a setting that was made for a request with other ids. */
export function decideIn(
  { rules, rating }: Setting,
  input: DecideInput,
  device: DeviceWords,
): AllocationResult {
  return choose(input, rules, candidatesOf(rating, device)).result;
}

/** The id that the device gets in its hub. */
function deviceIdOf({ enrollment, registrationId }: AllocationRequest): string {
  return enrollment.deviceId ?? registrationId;
}

interface Choice {
  readonly result: AllocationResult;
  readonly gradualMoves: readonly GradualMove[];
}

function choose(input: DecideInput, rules: BoundRules, candidates: readonly Candidate[]): Choice {
  const { request } = input;
  if (isReservedDeviceId(deviceIdOf(request))) {
    return refused(
      'BERTH_DEVICE_RESERVED',
      `The device id "${HEARTBEAT_DEVICE}" belongs to Berth: register the device with another id.`,
    );
  }
  if (rules.denied !== undefined) {
    const { rule, reason } = rules.denied;
    return refused('BERTH_REGISTRATION_DENIED', `Rule "${rule}" denies the registration: ${reason}.`);
  }
  if (rules.missing !== undefined) {
    const { rule, why } = rules.missing;
    return refused(
      'BERTH_INPUT_MISSING',
      `Rule "${rule}" is unknown (${why}), and its whenUnknown is "refuse".`,
    );
  }
  if (request.current === undefined) return place(candidates, rules, input, 'first registration', []);
  const current = request.linkedHubs.find(({ host }) => host === request.current?.hub);
  return current === undefined
    ? place(candidates, rules, input, 'the current hub is not linked', [])
    : chooseAgain(input, rules, candidates, current);
}

/** Decides for a device whose current hub is linked. */
function chooseAgain(
  input: DecideInput,
  rules: BoundRules,
  candidates: readonly Candidate[],
  current: LinkedHub,
): Choice {
  const { request, fleet, conditions, now } = input;
  const hub = fleet.hubByHost.get(current.host);
  const qualifies = meets(hub?.labels, rules.toStay);
  // DPS then sends only the current hub in `linkedHubs`, and ignores the answer (concepts-custom-allocation).
  if (request.enrollment.reprovisionPolicy === 'never') {
    return qualifies
      ? assigned(current, 'never reprovisioned', 'the enrollment never reprovisions')
      : refused(
          'BERTH_NO_HUB_QUALIFIES',
          `The enrollment never reprovisions, and the current hub ${current.host} does not meet a require rule.`,
        );
  }
  const gradualMove = (cause: string) =>
    gradualMoveOf(
      cause,
      deviceIdOf(request),
      conditions.causes.get(cause),
      fleet.allocation.movesOverMs,
      now,
    );
  const drain =
    hub !== undefined && effectiveHub(hub, conditionsOf(hub.host, conditions), now).state === 'draining'
      ? gradualMove(drainCause(hub.host))
      : undefined;
  const drains = drain === undefined ? [] : [drain];
  const leaves = drain !== undefined && isReached(drain);
  if (!qualifies) {
    return place(candidates, rules, input, 'the current hub does not meet a require rule', drains);
  }
  const isDrainedNowhere = drain !== undefined && !candidates.some(isInvited);
  if (rules.only !== undefined && rules.only !== current.host && !isDrainedNowhere) {
    return place(candidates, rules, input, 'a hub rule names another hub', drains);
  }
  if (rules.parentHub !== undefined && rules.parentHub !== current.host) {
    return candidates.some(isInvited)
      ? place(candidates, rules, input, 'the parent is on another hub', drains)
      : assigned(
          current,
          'stayed',
          'the parent is on another hub, but that hub may not receive the device',
          drains,
        );
  }
  if (leaves) {
    return isDrainedNowhere
      ? assigned(
          current,
          'stayed',
          'the current hub is draining, but no other hub may receive the device',
          drains,
        )
      : place(candidates, rules, input, 'the current hub is draining', drains);
  }
  const faster = fasterWinner(current, candidates, fleet);
  if (faster !== undefined) {
    const speed = gradualMove(faster.cause);
    const gradualMoves = [...drains, speed];
    return isReached(speed)
      ? assignWinner(faster.winner, request, 'another hub is faster', gradualMoves)
      : assigned(
          current,
          'stayed',
          'another hub is faster, but the gradual move has not reached the device',
          gradualMoves,
        );
  }
  const why =
    drain === undefined
      ? 'the current hub is suitable'
      : 'the current hub is draining, but the gradual move has not reached the device';
  return assigned(current, 'stayed', why, drains);
}

/**
 * The hub that the device would get if it were new, if this hub is faster than the current one by at least
 * `fasterByMs`. Otherwise the device stays, so that its present place by weight and load remains.
 */
function fasterWinner(current: LinkedHub, candidates: readonly Candidate[], { allocation }: Fleet) {
  const { fasterByMs, fasterCause } = allocation;
  if (fasterByMs === undefined || fasterCause === undefined) return undefined;
  const winner = winnerOf(candidates.filter(isInvited));
  const latencyOf = (host: HostName) => candidates.find((each) => each.host === host)?.latency;
  if (winner === undefined || winner === current.host) return undefined;
  return isFaster(latencyOf(winner), latencyOf(current.host), fasterByMs)
    ? { winner, cause: fasterCause }
    : undefined;
}

/**
 * Whether a hub may receive a device that already has a hub. An unhealthy hub may receive only devices
 * without one.
 */
function isInvited({ scored, excluded }: Candidate): boolean {
  return scored !== undefined && excluded === undefined;
}

/**
 * The best hub among those that may receive the device. An overloaded hub wins only if all are overloaded.
 */
function winnerOf(candidates: readonly Candidate[]): HostName | undefined {
  let best: ScoredHub<Receiver> | undefined;
  let bestOverloaded: ScoredHub<Receiver> | undefined;
  for (const { scored } of candidates) {
    if (scored === undefined) continue;
    if (scored.hub.isOverloaded) {
      if (bestOverloaded === undefined || compareScores(scored, bestOverloaded) < 0) bestOverloaded = scored;
    } else if (best === undefined || compareScores(scored, best) < 0) best = scored;
  }
  return (best ?? bestOverloaded)?.hub.host;
}

function place(
  candidates: readonly Candidate[],
  rules: BoundRules,
  { request, parent }: DecideInput,
  why: Why,
  gradualMoves: readonly GradualMove[],
): Choice {
  const winner = winnerOf(candidates);
  if (winner !== undefined) return assignWinner(winner, request, why, gradualMoves);
  const waiting = candidates.filter(({ lasting }) => lasting === undefined);
  if (waiting.length > 0 && rules.parent !== undefined && rules.parentHub === undefined) {
    return refused('BERTH_PARENT_UNKNOWN', parentUnknown(rules.parent, parent), gradualMoves);
  }
  return waiting.length > 0
    ? refused('BERTH_NO_HUB_NOW', `No hub may receive devices now: ${reasons(waiting)}.`, gradualMoves)
    : refused(
        'BERTH_NO_HUB_QUALIFIES',
        `No linked hub qualifies for this device: ${reasons(candidates)}.`,
        gradualMoves,
      );
}

function assignWinner(
  winner: HostName,
  { linkedHubs, current }: AllocationRequest,
  why: Why,
  gradualMoves: readonly GradualMove[],
): Choice {
  const linked = linkedHubs.find(({ host }) => host === winner) ?? { host: winner, text: winner };
  return assigned(linked, current === undefined ? 'placed' : 'moved', why, gradualMoves);
}

function assigned(
  { text, host }: LinkedHub,
  how: Extract<AllocationResult, { kind: 'assigned' }>['how'],
  why: Why,
  gradualMoves: readonly GradualMove[] = [],
): Choice {
  return { result: { kind: 'assigned', hub: text, host, how, why }, gradualMoves };
}

function refused(
  code: Extract<AllocationResult, { kind: 'refused' }>['code'],
  message: string,
  gradualMoves: readonly GradualMove[] = [],
): Choice {
  return { result: { kind: 'refused', code, message }, gradualMoves };
}

function parentUnknown({ rule, deviceId }: NamedParent, known: KnownParent | undefined): string {
  const why = (known?.deviceId === deviceId ? known.why : undefined) ?? 'it was not looked for';
  return `The hub of the parent "${deviceId}", which rule "${rule}" names, is not known: ${why}. Register the parent first.`;
}

function reasons(candidates: readonly Candidate[]): string {
  return candidates
    .slice(0, 5)
    .map(({ host, excluded }) => `${host.slice(0, 100)} (${excluded})`)
    .join(', ');
}

function extras(
  request: AllocationRequest,
  fleet: Fleet,
  variables: Variables,
  result: AllocationResult,
  work: ExpressionWork,
): Pick<Decision, 'twin' | 'payload'> {
  if (result.kind === 'refused') return { twin: noTwin('refused'), payload: NO_PAYLOAD };
  const withHub = hubVariables(variables, result.host, fleet.hubByHost.get(result.host));
  const { payload } = fleet.allocation;
  return {
    twin: buildInitialTwin(request, result.host, fleet, withHub, work),
    payload: payload === undefined ? NO_PAYLOAD : buildPayload(payload, withHub, work),
  };
}
