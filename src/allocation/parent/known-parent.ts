import type { Variables } from '../../fleet/expressions/expression.ts';
import { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { AllocationRequest } from '../request/request.ts';
import { evaluateRules, type RuleResult } from '../rules/rules.ts';
import { ruleVariables } from '../rules/variables.ts';

/**
 * What is known of the parent that a rule names. It is an input of the decision, and the receipt holds it, so that
 * the decision can be made again.
 */
export interface KnownParent {
  readonly deviceId: string;
  /** The hub of the parent. Undefined: it is not known, and `why` says the reason. */
  readonly hub?: HostName | undefined;
  readonly why?: string | undefined;
}

/**
 * The device id of the parent that the rules name for a request; undefined if they name none. Its hub must be found
 * before the decision (`decide`).
 */
export function parentNamedFor(request: AllocationRequest, fleet: Fleet): string | undefined {
  if (!fleet.allocation.namesParents) return undefined;
  const variables: Variables = ruleVariables(request);
  const rules = fleet.allocation.rules.filter(({ effect }) => effect.kind === 'parent');
  const only = { ...fleet, allocation: { ...fleet.allocation, rules } };
  return evaluateRules(only, variables, undefined, new ExpressionWork()).parent?.deviceId;
}

/** The result of the rules, with the hub of the parent. */
export interface BoundRules extends RuleResult {
  /** Undefined: no rule names a parent, or its hub is not known. */
  readonly parentHub: HostName | undefined;
}

/** @param known must be about the parent that the rules name; another one counts as not known */
export function withParentHub(rules: RuleResult, known: KnownParent | undefined): BoundRules {
  const isNamed = rules.parent !== undefined && rules.parent.deviceId === known?.deviceId;
  const { traces, denied, missing, requirements, toStay, only, prefer, parent } = rules;
  const parentHub = isNamed ? known.hub : undefined;
  // The members by name: a spread takes a tenth of the decision.
  return { traces, denied, missing, requirements, toStay, only, prefer, parent, parentHub };
}
