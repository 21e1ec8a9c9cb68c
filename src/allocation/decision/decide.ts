import type { ErrorCode } from '../../errors.ts';
import type { Variables } from '../../fleet/expressions/expression.ts';
import { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type Conditions, conditionsOf, effectiveHub } from '../conditions.ts';
import { type BuiltTwin, buildInitialTwin, noTwin } from '../initial-twin/initial-twin.ts';
import { type GradualMove, gradualMoveOf, isReached } from '../moves/gradual-move.ts';
import { drainCause, isFaster } from '../moves/moves.ts';
import type { LinkedHub } from '../request/linked-hubs.ts';
import { type BuiltPayload, buildPayload, NO_PAYLOAD } from '../request/payload.ts';
import type { AllocationRequest } from '../request/request.ts';
import { evaluateRules, meets, type RuleResult, type RuleTrace } from '../rules/rules.ts';
import { hubVariables, ruleVariables } from '../rules/variables.ts';
import { type Candidate, candidatesOf, scoredHubsOf } from '../score/candidates.ts';
import { type Latencies, latenciesOf, NO_LATENCIES } from '../score/latency.ts';
import { bestOf } from '../score/placement.ts';

export type AllocationResult =
  | {
      readonly kind: 'assigned';
      /** Exactly as it stood in `linkedHubs`. */
      readonly hub: string;
      readonly host: HostName;
      readonly how: 'placed' | 'stayed' | 'moved' | 'never reprovisioned';
      readonly why: Why;
    }
  | {
      readonly kind: 'refused';
      readonly code: Extract<
        ErrorCode,
        'BERTH_REGISTRATION_DENIED' | 'BERTH_INPUT_MISSING' | 'BERTH_NO_HUB_QUALIFIES' | 'BERTH_NO_HUB_NOW'
      >;
      readonly message: string;
    };

export type Why =
  | 'it registers for the first time'
  | 'the enrollment never reprovisions'
  | 'its hub is good enough'
  | 'its hub drains, and the gradual move has not reached the device'
  | 'its hub drains, and no other may receive it'
  | 'another hub is faster, and the gradual move has not reached the device'
  | 'its hub is not linked'
  | 'its hub does not meet a require rule'
  | 'a hub rule names another hub'
  | 'its hub drains'
  | 'another hub is faster';

export interface Decision {
  readonly result: AllocationResult;
  readonly candidates: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
  readonly latencies: Latencies;
  /** Where the device stands in the gradual moves that could have moved it. */
  readonly gradualMoves: readonly GradualMove[];
  readonly twin: BuiltTwin;
  readonly payload: BuiltPayload;
}

export interface DecideInput {
  readonly request: AllocationRequest;
  readonly fleet: Fleet;
  readonly conditions: Conditions;
  readonly now: EpochMs;
}

/**
 * Decides which hub a registering device goes to and which twin it starts with. Pure: two instances with the
 * same fleet file and conditions decide alike. Never throws for what a request may hold.
 *
 * @param work counts what the expressions of this request do
 */
export function decide(input: DecideInput, work: ExpressionWork = new ExpressionWork()): Decision {
  const { request, fleet, conditions, now } = input;
  const variables = ruleVariables(request);
  const { current } = request;
  const currentHub = current && { hub: fleet.hubByHost.get(current.hub) };
  const rules = evaluateRules(fleet, variables, currentHub, work);
  const latencies = fleet.allocation.readsLatency ? latenciesOf(request, fleet) : NO_LATENCIES;
  const candidates = candidatesOf(request, fleet, conditions, rules, latencies, now);
  const { result, gradualMoves } = choose(input, rules, candidates);
  return {
    result,
    candidates,
    rules: rules.traces,
    latencies,
    gradualMoves,
    ...extras(request, fleet, variables, result, work),
  };
}

interface Choice {
  readonly result: AllocationResult;
  readonly gradualMoves: readonly GradualMove[];
}

function choose(input: DecideInput, rules: RuleResult, candidates: readonly Candidate[]): Choice {
  const { request } = input;
  if (rules.denied !== undefined) {
    const { rule, reason } = rules.denied;
    return refused('BERTH_REGISTRATION_DENIED', `Rule "${rule}" denies it: ${reason}.`);
  }
  if (rules.missing !== undefined) {
    const { rule, why } = rules.missing;
    return refused('BERTH_INPUT_MISSING', `Rule "${rule}" cannot be decided (${why}) and refuses then.`);
  }
  if (request.current === undefined) return place(candidates, request, 'it registers for the first time', []);
  const current = request.linkedHubs.find(({ host }) => host === request.current?.hub);
  return current === undefined
    ? place(candidates, request, 'its hub is not linked', [])
    : chooseAgain(input, rules, candidates, current);
}

/** For a device whose current hub is linked. */
function chooseAgain(
  { request, fleet, conditions, now }: DecideInput,
  rules: RuleResult,
  candidates: readonly Candidate[],
  current: LinkedHub,
): Choice {
  const hub = fleet.hubByHost.get(current.host);
  const qualifies = meets(hub?.labels, rules.toStay);
  // DPS then links nothing but the current hub, and keeps it whatever is answered (concepts-custom-allocation).
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
      request.registrationId,
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
  if (!qualifies) return place(candidates, request, 'its hub does not meet a require rule', drains);
  const isDrainedNowhere = drain !== undefined && !candidates.some(isInvited);
  if (rules.only !== undefined && rules.only !== current.host && !isDrainedNowhere) {
    return place(candidates, request, 'a hub rule names another hub', drains);
  }
  if (leaves) {
    return isDrainedNowhere
      ? assigned(current, 'stayed', 'its hub drains, and no other may receive it', drains)
      : place(candidates, request, 'its hub drains', drains);
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
          'another hub is faster, and the gradual move has not reached the device',
          gradualMoves,
        );
  }
  const why =
    drain === undefined
      ? 'its hub is good enough'
      : 'its hub drains, and the gradual move has not reached the device';
  return assigned(current, 'stayed', why, drains);
}

/**
 * The hub that the device would go to if it were new, where that is faster than its own by as much as is asked
 * for. A device whose own hub has the best score, or a hub that is not faster, stays: whatever the weights and the
 * load have put it there for holds.
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

/** Whether a hub may receive the device though it has one: an unhealthy hub is only there for who has none. */
function isInvited({ scored, excluded }: Candidate): boolean {
  return scored !== undefined && excluded === undefined;
}

/** The winner among the hubs that may receive; load reorders, it never refuses. */
function winnerOf(candidates: readonly Candidate[]): HostName | undefined {
  const scored = scoredHubsOf(candidates);
  const winner = bestOf(scored.filter(({ hub }) => !hub.isOverloaded)) ?? bestOf(scored);
  return winner?.hub.host;
}

function place(
  candidates: readonly Candidate[],
  request: AllocationRequest,
  why: Why,
  gradualMoves: readonly GradualMove[],
): Choice {
  const winner = winnerOf(candidates);
  if (winner !== undefined) return assignWinner(winner, request, why, gradualMoves);
  const waiting = candidates.filter(({ lasting }) => lasting === undefined);
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
