import type { ErrorDetail } from '../../errors.ts';
import type { JsonValue } from '../../json/json.ts';
import type { Fleet, Rule } from '../fleet.ts';
import type { RuleFile } from '../schema.ts';
import { asciiJson } from './ascii-json.ts';
import type { ConditionTerms } from './condition-terms.ts';
import { effectOf, type Facts, factAt, readableFacts, withValue } from './facts.ts';
import { conditionTerms, honestFacts } from './honest-facts.ts';
import { type HostileInput, hostileInputs } from './hostile-inputs.ts';
import { OTHER_TEXT } from './sample-facts.ts';

/** So many disguises of them are tried: a file of many rules is validated within seconds. */
const MAX_TRIED = 1_500;
/** So many evading inputs are named. */
const MAX_NAMED = 3;

/**
 * Rules that a device can escape: it would be held by what it honestly sends, and is not by a disguise of it.
 * Every `require` is tried, and every `hub` and `deny` that goes by texts, unless it says `whenUnknown: skip` in
 * so many words.
 */
export function evadableRules({ file, allocation }: Fleet): readonly ErrorDetail[] {
  return allocation.rules.flatMap((rule, index) => {
    if (!isSafeguard(rule, file.allocation.rules[index])) return [];
    const found = evasionsOf(rule);
    return found.length === 0
      ? []
      : [{ path: `allocation.rules[${index}].when`, message: warning(rule, found) }];
  });
}

/** Whether a device that escapes the rule does harm. */
function isSafeguard({ effect }: Rule, written: RuleFile | undefined): boolean {
  if (effect.kind === 'require') return true;
  return (effect.kind === 'hub' || effect.kind === 'deny') && written?.whenUnknown !== 'skip';
}

/** Inputs by which a device escapes a rule, the commonest first. */
export function evasionsOf(rule: Rule): readonly HostileInput[] {
  const { when } = rule;
  if (when === undefined) return [];
  const terms = conditionTerms(when);
  if (!terms.paths.some(({ path }) => path[0] === 'payload')) return [];
  const found = new Map<string, HostileInput>();
  const matching = honestFacts(rule, terms);
  // A condition that nothing makes true may still hold who sends anything: until they send nothing.
  const isNeverTrue = matching.length === 0;
  const held = isNeverTrue
    ? honestFacts(rule, terms, rule.whenUnknown === 'refuse' ? 'refuses' : 'unknown')
    : matching;
  let tried = 0;
  for (const honest of held) {
    if (found.size >= MAX_NAMED || tried >= MAX_TRIED) break;
    for (const input of hostileInputs(honest, terms)) {
      if (isNeverTrue && !isNothing(input.value)) continue;
      // A flag or a number is for the device to set: no place that a rule keeps it from leaving.
      if (rule.effect.kind !== 'require' && !holdsText(factAt(honest, input.path))) continue;
      tried += 1;
      const key = JSON.stringify([input.path, input.value ?? null, input.value === undefined]);
      if (found.has(key) || effectOf(rule, readableFacts(input.facts)) !== 'none') continue;
      if (!isListedElsewhere(rule, terms, honest, input)) found.set(key, input);
    }
  }
  return [...found.values()];
}

function holdsText(value: JsonValue | undefined): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsText);
}

function isNothing(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || Object.keys(value).length === 0;
}

/**
 * Whether the condition names this very value as one that is not held, and holds those that it does not name:
 * then it is no disguise, but one of the others. Nothing and blanks always are disguises.
 */
function isListedElsewhere(
  rule: Rule,
  { scalars }: ConditionTerms,
  honest: Facts,
  input: HostileInput,
): boolean {
  const { value, path } = input;
  const isNamed = typeof value !== 'object' && value !== undefined && scalars.includes(value);
  if (!isNamed || (typeof value === 'string' && value.trim() === '')) return false;
  const other = withValue(honest, path, OTHER_TEXT);
  return effectOf(rule, readableFacts(other)) !== 'none';
}

const REMEDY = {
  require:
    "compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']): what is in neither is unknown, and a require applies",
  other:
    "compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']), and set whenUnknown to apply or refuse; write whenUnknown: skip where devices may escape",
};

function warning({ name, effect, whenUnknown }: Rule, found: readonly HostileInput[]): string {
  const inputs = [...new Set(found.map(inputText))].slice(0, MAX_NAMED).join(', or ');
  const remedy =
    effect.kind !== 'require'
      ? REMEDY.other
      : whenUnknown === 'skip'
        ? `${REMEDY.require}; whenUnknown: skip undoes that`
        : REMEDY.require;
  return `"${name}" does not hold a device that sends ${inputs}: ${remedy}`;
}

function inputText({ path, value }: HostileInput): string {
  const place = path.join('.');
  if (value === undefined && path.length === 1) return 'no payload, or {}';
  return value === undefined ? `no ${place}` : `${place} = ${asciiJson(value)}`;
}
