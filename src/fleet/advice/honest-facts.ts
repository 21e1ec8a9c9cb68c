import { type Expression, syntaxTree, variableNames } from '../expressions/expression.ts';
import type { Rule } from '../fleet.ts';
import { type ConditionTerms, termsOf } from './condition-terms.ts';
import { type Effect, effectOf, type Facts, factAt, readableFacts, withValue } from './facts.ts';
import { directFacts, inventedFacts, OTHER_TEXT } from './sample-facts.ts';

/** So many are given at most, of those at hand and of those made up. */
const MAX_HONEST = 16;

/** What a condition reads of a device, and how it compares it. */
export function conditionTerms(when: Expression): ConditionTerms {
  return termsOf(syntaxTree(when, 'rule'), variableNames('rule'));
}

/** Facts by which a rule takes effect as wanted, as different from each other as they come. */
export function honestFacts(rule: Rule, terms: ConditionTerms, wanted: Effect = 'matches'): readonly Facts[] {
  return [
    ...differentFacts(rule, terms, directFacts(terms), wanted),
    ...differentFacts(rule, terms, inventedFacts(terms), wanted),
  ];
}

function differentFacts(
  rule: Rule,
  { paths }: ConditionTerms,
  tried: Iterable<Facts>,
  wanted: Effect,
): readonly Facts[] {
  const found: Facts[] = [];
  const seen = new Set<string>();
  for (const facts of tried) {
    if (found.length === MAX_HONEST) break;
    if (effectOf(rule, readableFacts(facts)) !== wanted) continue;
    const matters = paths.flatMap(({ path }) => whatMatters(rule, facts, path, wanted));
    if (found.length > 0 && matters.every((each) => seen.has(each))) continue;
    for (const each of matters) seen.add(each);
    found.push(facts);
  }
  return found;
}

/**
 * The value at a path with what the rule comes to without it, where that is something else. The same value matters
 * otherwise beside others: in `a || payload.country == 'DE'` only where `a` is false, and where `a` is unknown less.
 */
function whatMatters(rule: Rule, facts: Facts, path: readonly string[], wanted: Effect): readonly string[] {
  const without = [undefined, OTHER_TEXT].map((other) =>
    effectOf(rule, readableFacts(withValue(facts, path, other))),
  );
  if (without.every((effect) => effect === wanted)) return [];
  return [JSON.stringify([path, factAt(facts, path) ?? null, without])];
}
