import type { ErrorCode } from '../errors.ts';
import type { Variables } from '../fleet/expression.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { type Candidate, lastingExclusion, type RankedCandidate, rankCandidates } from './candidates.ts';
import { type Conditions, drainCause, effectiveHub } from './conditions.ts';
import { type BuiltTwin, buildInitialTwin, noTwin } from './initial-twin.ts';
import { type BuiltPayload, buildPayload } from './payload.ts';
import { isReached } from './ramp.ts';
import type { AllocationRequest } from './request.ts';
import { evaluateRules, meets, type RuleOutcome, type RuleTrace } from './rules.ts';
import { hubVariables, ruleVariables } from './variables.ts';

export type Outcome =
  | {
      readonly kind: 'assigned';
      /** Exactly as it stood in `linkedHubs`. */
      readonly hub: string;
      readonly host: HostName;
      readonly how: 'placed' | 'stayed' | 'moved' | 'never reprovisioned';
    }
  | {
      readonly kind: 'refused';
      readonly code: Extract<
        ErrorCode,
        'BERTH_REGISTRATION_DENIED' | 'BERTH_INPUT_MISSING' | 'BERTH_NO_HUB_QUALIFIES' | 'BERTH_NO_HUB_NOW'
      >;
      readonly message: string;
    };

export interface Decision {
  readonly outcome: Outcome;
  readonly candidates: readonly Candidate[];
  readonly rules: readonly RuleTrace[];
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
export function decide({ request, fleet, conditions, now }: DecideInput): Decision {
  const variables = ruleVariables(request);
  const currentHub = request.current === undefined ? undefined : fleet.hubByHost.get(request.current.hub);
  const rules = evaluateRules(fleet, variables, currentHub);
  const candidates = rankCandidates(request, fleet, conditions, rules, now);
  const outcome = choose(request, fleet, conditions, rules, candidates, now);
  return {
    outcome,
    candidates: candidates.map(({ receives: _, ...candidate }) => candidate),
    rules: rules.traces,
    ...extras(request, fleet, variables, outcome),
  };
}

function choose(
  request: AllocationRequest,
  fleet: Fleet,
  conditions: Conditions,
  rules: RuleOutcome,
  candidates: readonly RankedCandidate[],
  now: number,
): Outcome {
  if (rules.denied !== undefined) {
    return refused(
      'BERTH_REGISTRATION_DENIED',
      `Rule "${rules.denied.rule}" denies it: ${rules.denied.reason}.`,
    );
  }
  if (rules.missing !== undefined) {
    return refused(
      'BERTH_INPUT_MISSING',
      `Rule "${rules.missing.rule}" cannot be decided (${rules.missing.why}) and refuses then.`,
    );
  }
  const current = request.linkedHubs.find(({ host }) => host === request.current?.hub);
  const winner = candidates.find(({ receives }) => receives);

  if (current !== undefined) {
    const hub = fleet.hubByHost.get(current.host);
    const qualifies = meets(hub?.labels, rules.requirements);
    if (isNeverReprovisioned(request)) {
      return qualifies
        ? { kind: 'assigned', hub: current.text, host: current.host, how: 'never reprovisioned' }
        : refused(
            'BERTH_NO_HUB_QUALIFIES',
            `The enrollment never reprovisions, and the current hub ${current.host} does not meet a require rule.`,
          );
    }
    const follows = rules.only === undefined || rules.only === current.host;
    const isDraining = hub !== undefined && effectiveHub(hub, conditions, now).state === 'draining';
    const leaves = isDraining && isReachedByDrain(hub, request, fleet, conditions, now);
    const nowhereToGo = winner === undefined;
    if (qualifies && ((follows && !leaves) || (isDraining && nowhereToGo))) {
      return { kind: 'assigned', hub: current.text, host: current.host, how: 'stayed' };
    }
  }
  if (winner !== undefined) {
    const text = request.linkedHubs.find(({ host }) => host === winner.host)?.text ?? winner.host;
    const how = request.current === undefined ? 'placed' : 'moved';
    return { kind: 'assigned', hub: text, host: winner.host, how };
  }
  const waiting = candidates.filter(
    ({ host }) => lastingExclusion(host, fleet.hubByHost.get(host), request, rules) === undefined,
  );
  return waiting.length > 0
    ? refused('BERTH_NO_HUB_NOW', `No hub may receive devices now: ${reasons(waiting)}.`)
    : refused('BERTH_NO_HUB_QUALIFIES', `No linked hub qualifies for this device: ${reasons(candidates)}.`);
}

/**
 * DPS then links nothing but the current hub (concepts-custom-allocation), and keeps it whatever is answered.
 * Where the enrollment has no policy, a lone current hub means the same.
 */
function isNeverReprovisioned({ enrollment, linkedHubs }: AllocationRequest): boolean {
  if (enrollment.reprovisionPolicy === 'never') return true;
  return enrollment.reprovisionPolicy === 'unset' && linkedHubs.length === 1;
}

function isReachedByDrain(
  hub: Hub,
  { registrationId }: AllocationRequest,
  fleet: Fleet,
  conditions: Conditions,
  now: number,
): boolean {
  const cause = drainCause(hub.host);
  const since = conditions.causes.get(cause);
  return isReached([registrationId.toLowerCase(), cause], since, fleet.allocation.movesOverMs, now);
}

function refused(code: Extract<Outcome, { kind: 'refused' }>['code'], message: string): Outcome {
  return { kind: 'refused', code, message };
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

const NO_PAYLOAD: BuiltPayload = { payload: undefined, omitted: [] };
