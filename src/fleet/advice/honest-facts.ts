import { type Expression, syntaxTree, variableNames } from '../expressions/expression.ts';
import type { Rule } from '../fleet.ts';
import { type ConditionTerms, termsOf } from './condition-terms.ts';
import { type Effect, effectOf, type Facts, factAt, readableFacts, withValue } from './facts.ts';
import { directFacts, inventedFacts, OTHER_TEXT } from './sample-facts.ts';

/** The most facts that are returned from each of the two sources. */
const MAX_HONEST = 16;

/** The inputs that a condition reads, and the values that it compares them with. */
export function conditionTerms(when: Expression): ConditionTerms {
  return termsOf(syntaxTree(when, 'rule'), variableNames('rule'));
}

/** Facts for which a rule has the wanted effect. Each differs from the others in a value that matters. */
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
 * The value at a path, with the effects of the rule without it, if they differ. The same value can matter in
 * different ways: in `a || payload.country == 'DE'`, the country matters only if `a` is not true.
 */
function whatMatters(rule: Rule, facts: Facts, path: readonly string[], wanted: Effect): readonly string[] {
  const without = [undefined, OTHER_TEXT].map((other) =>
    effectOf(rule, readableFacts(withValue(facts, path, other))),
  );
  if (without.every((effect) => effect === wanted)) return [];
  return [JSON.stringify([path, factAt(facts, path) ?? null, without])];
}
