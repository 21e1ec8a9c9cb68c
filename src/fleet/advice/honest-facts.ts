import { type Expression, syntaxTree, variableNames } from '../expressions/expression.ts';
import type { Rule } from '../fleet.ts';
import { type ConditionTerms, termsOf } from './condition-terms.ts';
import { type Effect, effectOf, type Facts, readableFacts, valueAt, withValue } from './facts.ts';
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
    const values = paths.map(({ path }) => JSON.stringify([path, valueAt(facts, path) ?? null]));
    if (values.every((value) => seen.has(value))) continue;
    if (effectOf(rule, readableFacts(facts)) !== wanted) continue;
    // What is new must matter: what a condition does not go by here is as good as what has been there before.
    const matters = paths.some(
      ({ path }, index) =>
        !seen.has(values[index] ?? '') &&
        [undefined, OTHER_TEXT].some(
          (other) => effectOf(rule, readableFacts(withValue(facts, path, other))) !== wanted,
        ),
    );
    if (!matters && found.length > 0) continue;
    for (const value of values) seen.add(value);
    found.push(facts);
  }
  return found;
}
