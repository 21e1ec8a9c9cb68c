import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { type Comparison, momentIn, numberIn } from '../comparison.ts';

/** Reports a problem, with its path below the policy. */
type Report = (path: readonly string[], message: string) => void;

/** The values for which each comparison can differ from `exact`. */
const NEEDS: Readonly<Record<Comparison, readonly [what: string, fits: (value: JsonValue) => boolean]>> = {
  exact: ['a value', () => true],
  number: ['a number, or a text that contains one', (value) => numberIn(value) !== undefined],
  text: ['a text, a number, true or false', (value) => typeof value !== 'object'],
  ignoreCase: ['a text, a number, true or false', (value) => typeof value !== 'object'],
  instant: ['a date with a time and a zone', (value) => momentIn(value) !== undefined],
  set: ['a list', Array.isArray],
};

/**
 * Reports problems of `compare` in a policy: a path that the policy does not set, or a comparison that can
 * never match more than `exact`. It ignores values of the wrong shape.
 */
export function comparisonProblems(policy: JsonObject, problem: Report): void {
  const { compare, desired, mode } = policy;
  if (!isObject(desired)) return;
  const leaves = new Map(literals(desired, mode === 'adopt'));
  if (typeof compare === 'string') {
    const isUseless = isComparison(compare) && [...leaves.values()].every((value) => !fits(compare, value));
    if (isUseless && leaves.size > 0) problem(['compare'], unfit(compare, 'any of its properties'));
  }
  if (!isObject(compare)) return;
  for (const [key, word] of Object.entries(compare)) {
    if (!leaves.has(key)) {
      problem(
        ['compare', key],
        `is not a property that the policy sets: write one of ${[...leaves.keys()].join(', ')}`,
      );
    } else if (isComparison(word) && !fits(word, leaves.get(key))) {
      problem(['compare', key], unfit(word, 'this property'));
    }
  }
}

function unfit(word: Comparison, where: string): string {
  return `is "${word}", which needs ${NEEDS[word][0]}, but the policy has no such value for ${where}: write another comparison`;
}

function isComparison(word: JsonValue): word is Comparison {
  return typeof word === 'string' && Object.hasOwn(NEEDS, word);
}

/** Whether a comparison fits a value. Unknown values always fit. A list fits if one of its items does. */
function fits(word: Comparison, value: JsonValue | undefined): boolean {
  if (value === undefined || value === null) return true;
  const isFit = NEEDS[word][1];
  return isFit(value) || (Array.isArray(value) && value.some((item) => fits(word, item) && item !== null));
}

/** The properties with their values; undefined if an expression or the device gives the value. */
function literals(
  json: JsonObject,
  areUnknown: boolean,
  above: readonly string[] = [],
): readonly (readonly [string, JsonValue | undefined])[] {
  return Object.entries(json).flatMap(([name, value]) => {
    const path = [...above, name];
    if (isObject(value)) return literals(value, areUnknown, path);
    const isUnknown = areUnknown || JSON.stringify(value).includes('"=');
    return [[path.join('.'), isUnknown ? undefined : value] as const];
  });
}
