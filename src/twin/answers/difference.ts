import { ACKNOWLEDGEMENTS, type Comparison } from '../../fleet/comparison.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { isObject, type JsonValue } from '../../json/json.ts';
import { holdsRedacted } from '../redaction/redact-values.ts';
import { type PropertyReport, reportAt } from './acknowledgement.ts';
import { sameValue } from './compare.ts';

/** How a reported value differs from the wanted one, if an option of the policy would make them the same. */
export interface ValueDifference {
  /** Both values with their kinds, to append to "the device reports". */
  readonly values: string;
  /** The option of the policy that makes the two the same. */
  readonly remedy: string;
}

interface Compared {
  readonly report: PropertyReport | undefined;
  readonly wanted: JsonValue;
  readonly compare: Comparison;
  readonly policy: Pick<Policy, 'tolerance' | 'acknowledgement'>;
}

/** Undefined: no option makes the two the same, or one of them is redacted and must not be shown. */
export function differenceOf({ report, wanted, compare, policy }: Compared): ValueDifference | undefined {
  const value = report?.value;
  if (value === undefined || holdsRedacted(value) || holdsRedacted(wanted)) return undefined;
  const remedy = conventionFor(report, policy) ?? comparisonFor(value, wanted, compare, policy);
  if (remedy === undefined) return undefined;
  const [one, other] = [kindOf(value), kindOf(wanted)];
  const values =
    one === other
      ? `${shown(value)} where ${shown(wanted)} is wanted`
      : `${shown(value)} (${one}) where ${shown(wanted)} (${other}) is wanted`;
  return { values, remedy };
}

/** Another convention by which the report is an acknowledgement, as advice. */
function conventionFor(
  report: PropertyReport | undefined,
  { acknowledgement }: Compared['policy'],
): string | undefined {
  if (report === undefined || report.code !== undefined || !isObject(report.value)) return undefined;
  const found = ACKNOWLEDGEMENTS.find((convention) => {
    if (convention === acknowledgement) return false;
    const reading = { convention, wanted: new Set<string>(), desired: {} };
    const read = reportAt({ it: report.value ?? null }, ['it'], reading);
    return read !== undefined && read.value !== report.value;
  });
  return found === undefined ? undefined : `set "acknowledgement": "${found}" on the policy`;
}

/** The strictest first. */
const SUGGESTED: readonly Comparison[] = ['exact', 'number', 'text', 'instant', 'ignoreCase', 'set'];

function comparisonFor(
  value: JsonValue,
  wanted: JsonValue,
  compare: Comparison,
  { tolerance }: Compared['policy'],
): string | undefined {
  const found = SUGGESTED.find((word) => word !== compare && sameValue(value, wanted, word, tolerance));
  return found === undefined ? undefined : `set "compare": "${found}" on the policy`;
}

function kindOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'list';
  if (value === null) return 'null';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'true or false';
    default:
      return 'object';
  }
}

const MOST_SHOWN = 80;

function shown(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 1)}…` : text;
}
