import { NOT_IN_RECEIPT } from '../../fleet/expressions/expression-work.ts';
import type { Fleet, Rule } from '../../fleet/fleet.ts';
import type { AllocationRequest } from '../request/request.ts';

/**
 * The fleet with rules that are unknown where they read a whole object of which only parts are known. The same fleet for a request
 * of DPS.
 */
export function knownRules(fleet: Fleet, { unknown }: Pick<AllocationRequest, 'unknown'>): Fleet {
  if (unknown === undefined || unknown.partly.length === 0) return fleet;
  const partly = new Set(unknown.partly.map(textOf));
  const rules = fleet.allocation.rules.map((rule) =>
    rule.reads.some((path) => partly.has(textOf(path))) ? withUnknownCondition(rule) : rule,
  );
  return { ...fleet, allocation: { ...fleet.allocation, rules } };
}

function withUnknownCondition(rule: Rule): Rule {
  const { when } = rule;
  if (when === undefined) return rule;
  return { ...rule, when: { ...when, evaluate: () => ({ known: false, why: NOT_IN_RECEIPT }) } };
}

function textOf(path: readonly string[]): string {
  return path.join('\n');
}
