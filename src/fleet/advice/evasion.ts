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

/**
 * The most inputs that are tried for one rule, so that a file with many rules is validated within seconds.
 */
const MAX_TRIED = 1_500;
/** The most evading inputs that a warning names. */
const MAX_NAMED = 3;

/**
 * Warnings about rules that a device can evade: the rule applies to its honest input, but not to a disguised
 * one. This tries every `require`, and every `hub` and `deny` that compares texts, unless the file sets
 * `whenUnknown: skip`.
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

/** Whether it is a risk if a device evades the rule. */
function isSafeguard({ effect }: Rule, written: RuleFile | undefined): boolean {
  if (effect.kind === 'require') return true;
  return (effect.kind === 'hub' || effect.kind === 'deny') && written?.whenUnknown !== 'skip';
}

/** Inputs with which a device evades a rule, the most common first. */
export function evasionsOf(rule: Rule): readonly HostileInput[] {
  const { when } = rule;
  if (when === undefined) return [];
  const terms = conditionTerms(when);
  if (!terms.paths.some(({ path }) => path[0] === 'payload')) return [];
  const found = new Map<string, HostileInput>();
  const matching = honestFacts(rule, terms);
  // A condition that is never true may still apply because it is unknown. A device can then evade it by
  // sending nothing.
  const isNeverTrue = matching.length === 0;
  const held = isNeverTrue
    ? honestFacts(rule, terms, rule.whenUnknown === 'refuse' ? 'refuses' : 'unknown')
    : matching;
  let tried = 0;
  for (const honest of held) {
    if (found.size >= MAX_NAMED || tried >= MAX_TRIED) break;
    for (const input of hostileInputs(honest, terms)) {
      if (isNeverTrue && !isNothing(input.value)) continue;
      // A device may set flags and numbers freely, so only `require` is tried with them.
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
 * Whether the condition lists this value as one to which the rule does not apply, and applies to unlisted
 * values. Such a value is no disguise. Missing and blank values are always disguises.
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
    "compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']). A value in neither list is unknown, and an unknown require applies",
  other:
    "compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']), and set whenUnknown to apply or refuse. If devices may evade the rule, set whenUnknown to skip",
};

function warning({ name, effect, whenUnknown }: Rule, found: readonly HostileInput[]): string {
  const inputs = [...new Set(found.map(inputText))].slice(0, MAX_NAMED).join(', or ');
  const remedy =
    effect.kind !== 'require'
      ? REMEDY.other
      : whenUnknown === 'skip'
        ? `${REMEDY.require}, but not with whenUnknown: skip`
        : REMEDY.require;
  return `"${name}" does not apply to a device that sends ${inputs}: ${remedy}`;
}

function inputText({ path, value }: HostileInput): string {
  const place = path.join('.');
  if (value === undefined && path.length === 1) return 'no payload, or {}';
  return value === undefined ? `no ${place}` : `${place} = ${asciiJson(value)}`;
}
