import type { ErrorCode } from '../errors.ts';
import type { Variables } from '../fleet/expression.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { type Candidate, candidatesOf, drawsOf } from './candidates.ts';
import { type Conditions, conditionsOf, effectiveHub } from './conditions.ts';
import { type BuiltTwin, buildInitialTwin, noTwin } from './initial-twin.ts';
import { type Latencies, latenciesOf, NO_LATENCIES } from './latency.ts';
import { drainCause, fasterThan } from './moves.ts';
import { type BuiltPayload, buildPayload, NO_PAYLOAD } from './payload.ts';
import { first } from './placement.ts';
import { isReached, type Ramp, rampOf } from './ramp.ts';
import type { AllocationRequest, LinkedHub } from './request.ts';
import { evaluateRules, meets, type RuleOutcome, type RuleTrace } from './rules.ts';
import { hubVariables, ruleVariables } from './variables.ts';

export type Outcome =
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
  | 'its hub drains, and its turn has not come'
  | 'its hub drains, and no other may receive it'
  | 'another hub is faster, and its turn has not come'
  | 'its hub is not linked'
  | 'its hub does not meet a require rule'
  | 'a hub rule names another hub'
  | 'its hub drains'
  | 'another hub is faster';

export interface Decision {
  readonly outcome: Outcome;
  readonly candidates: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
  readonly latencies: Latencies;
  /** Where the device stands in the ramps that could have moved it. */
  readonly ramps: readonly Ramp[];
  readonly twin: BuiltTwin;
  readonly payload: BuiltPayload;
}

export interface DecideInput {
  readonly request: AllocationRequest;
  readonly fleet: Fleet;
  readonly conditions: Conditions;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Decides which hub a registering device goes to and which twin it starts with. Pure: two instances with the
 * same fleet file and conditions decide alike. Never throws for what a request may hold.
 */
export function decide(input: DecideInput): Decision {
  const { request, fleet, conditions, now } = input;
  const variables = ruleVariables(request);
  const currentHub = request.current === undefined ? undefined : fleet.hubByHost.get(request.current.hub);
  const rules = evaluateRules(fleet, variables, currentHub);
  const latencies = fleet.allocation.readsLatency ? latenciesOf(request, fleet) : NO_LATENCIES;
  const candidates = candidatesOf(request, fleet, conditions, rules, latencies, now);
  const { outcome, ramps } = choose(input, rules, candidates);
  return {
    outcome,
    candidates,
    rules: rules.traces,
    latencies,
    ramps,
    ...extras(request, fleet, variables, outcome),
  };
}

interface Choice {
  readonly outcome: Outcome;
  readonly ramps: readonly Ramp[];
}

function choose(input: DecideInput, rules: RuleOutcome, candidates: readonly Candidate[]): Choice {
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
  rules: RuleOutcome,
  candidates: readonly Candidate[],
  current: LinkedHub,
): Choice {
  const hub = fleet.hubByHost.get(current.host);
  const qualifies = meets(hub?.labels, rules.requirements);
  if (isNeverReprovisioned(request)) {
    return qualifies
      ? assigned(current, 'never reprovisioned', 'the enrollment never reprovisions')
      : refused(
          'BERTH_NO_HUB_QUALIFIES',
          `The enrollment never reprovisions, and the current hub ${current.host} does not meet a require rule.`,
        );
  }
  const ramp = (cause: string) =>
    rampOf(cause, request.registrationId, conditions.causes.get(cause), fleet.allocation.movesOverMs, now);
  const drain =
    hub !== undefined && effectiveHub(hub, conditionsOf(hub.host, conditions), now).state === 'draining'
      ? ramp(drainCause(hub.host))
      : undefined;
  const drains = drain === undefined ? [] : [drain];
  const leaves = drain !== undefined && isReached(drain);
  if (!qualifies) return place(candidates, request, 'its hub does not meet a require rule', drains);
  const isDrainedNowhere = drain !== undefined && !candidates.some(({ draw }) => draw !== undefined);
  if (rules.only !== undefined && rules.only !== current.host && !isDrainedNowhere) {
    return place(candidates, request, 'a hub rule names another hub', drains);
  }
  if (leaves) {
    return isDrainedNowhere
      ? assigned(current, 'stayed', 'its hub drains, and no other may receive it', drains)
      : place(candidates, request, 'its hub drains', drains);
  }
  const { fasterByMs, fasterCause } = fleet.allocation;
  const faster = fasterThan(current.host, candidates, fasterByMs);
  if (faster.length > 0 && fasterCause !== undefined) {
    const speed = ramp(fasterCause);
    return isReached(speed)
      ? place(faster, request, 'another hub is faster', [...drains, speed])
      : assigned(current, 'stayed', 'another hub is faster, and its turn has not come', [...drains, speed]);
  }
  const why = drain === undefined ? 'its hub is good enough' : 'its hub drains, and its turn has not come';
  return assigned(current, 'stayed', why, drains);
}

/**
 * DPS then links nothing but the current hub (concepts-custom-allocation), and keeps it whatever is answered.
 * Where the enrollment has no policy, a lone current hub means the same.
 */
function isNeverReprovisioned({ enrollment, linkedHubs }: AllocationRequest): boolean {
  if (enrollment.reprovisionPolicy === 'never') return true;
  return enrollment.reprovisionPolicy === 'unset' && linkedHubs.length === 1;
}

/** The winner among the hubs that may receive; load reorders, it never refuses. */
function place(
  candidates: readonly Candidate[],
  request: AllocationRequest,
  why: Why,
  ramps: readonly Ramp[],
): Choice {
  const draws = drawsOf(candidates);
  const winner = first(draws.filter(({ hub }) => !hub.isOverloaded)) ?? first(draws);
  if (winner !== undefined) {
    const linked = request.linkedHubs.find(({ host }) => host === winner.hub.host);
    if (linked !== undefined) {
      return assigned(linked, request.current === undefined ? 'placed' : 'moved', why, ramps);
    }
  }
  const waiting = candidates.filter(({ lasting }) => lasting === undefined);
  return waiting.length > 0
    ? refused('BERTH_NO_HUB_NOW', `No hub may receive devices now: ${reasons(waiting)}.`, ramps)
    : refused(
        'BERTH_NO_HUB_QUALIFIES',
        `No linked hub qualifies for this device: ${reasons(candidates)}.`,
        ramps,
      );
}

function assigned(
  { text, host }: LinkedHub,
  how: Extract<Outcome, { kind: 'assigned' }>['how'],
  why: Why,
  ramps: readonly Ramp[] = [],
): Choice {
  return { outcome: { kind: 'assigned', hub: text, host, how, why }, ramps };
}

function refused(
  code: Extract<Outcome, { kind: 'refused' }>['code'],
  message: string,
  ramps: readonly Ramp[] = [],
): Choice {
  return { outcome: { kind: 'refused', code, message }, ramps };
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
  outcome: Outcome,
): Pick<Decision, 'twin' | 'payload'> {
  if (outcome.kind === 'refused') return { twin: noTwin('refused'), payload: NO_PAYLOAD };
  const withHub = hubVariables(variables, outcome.host, fleet.hubByHost.get(outcome.host));
  const { payload } = fleet.allocation;
  return {
    twin: buildInitialTwin(request, outcome.host, fleet, withHub),
    payload: payload === undefined ? NO_PAYLOAD : buildPayload(payload, withHub),
  };
}
