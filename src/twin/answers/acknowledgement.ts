import type { Acknowledgement } from '../../fleet/comparison.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { valueAt } from '../snapshot/merge.ts';
import { answerIn, type DeviceAnswer } from './answer-fields.ts';

/** What a device reports about one desired property. */
export interface PropertyReport {
  /** The value in effect. Undefined: the acknowledgement does not contain it. */
  readonly value: JsonValue | undefined;
  /** `ac`, like an HTTP status; undefined for a plain echo of the value. */
  readonly code: number | undefined;
  /** `av`: the desired version that the device answers. */
  readonly version: number | undefined;
  /** `ad`, with `: ` before it, to append to a sentence. Empty: there is none. */
  readonly description: string;
  /** The number of keys to the acknowledged value. Less than the length of the path: a whole object was acknowledged. */
  readonly depth: number;
}

/** What decides whether an object that a device reports is an acknowledgement. */
export interface ReportReading {
  readonly convention: Acknowledgement;
  /**
   * The dotted paths of wanted properties whose name is also a field of acknowledgements, such as `hvac.ac`. They are
   * values, and not a status.
   */
  readonly wanted: ReadonlySet<string>;
  /** The desired properties. A device may echo them. */
  readonly desired: JsonObject;
}

const PNP: ReportReading = { convention: 'pnp', wanted: new Set(), desired: {} };

/**
 * The report about a property: a Plug and Play acknowledgement `{value, ac, av, ad}` of the property or of an object around
 * it (which "may hold a subset"), or a plain echo. Undefined: there is no report.
 *
 * An object that holds a wanted property is an echo of it, unless the object also has the version or description of an
 * answer. A component (`__t`) is never an acknowledgement.
 *
 * Source: concepts-convention (2025-01). Its samples leave out `av` or `ad`. So `value` and a status in `ac` are enough for
 * an acknowledgement. The hub drops `null`, so an acknowledgement without `value` has `ac`, and `av` or `ad`.
 */
export function reportAt(
  reported: JsonObject,
  path: readonly string[],
  reading: ReportReading = PNP,
): PropertyReport | undefined {
  return descend(reported, path, 0, reading);
}

/** The report below `start`, which is at `from` keys of the path and is not an acknowledgement itself. */
function descend(
  start: JsonObject,
  path: readonly string[],
  from: number,
  reading: ReportReading,
): PropertyReport | undefined {
  let node: JsonValue | undefined = start;
  for (let depth = from; depth < path.length; depth += 1) {
    const key = path[depth] as string;
    if (!isObject(node) || !Object.hasOwn(node, key)) return undefined;
    node = node[key];
    const report = isObject(node) ? acknowledged(node, path, depth + 1, reading) : undefined;
    if (report !== undefined) return report;
  }
  if (node === undefined) return undefined;
  return { value: node, code: undefined, version: undefined, description: '', depth: path.length };
}

/** What the object at `depth` keys of the path reports about the property. Undefined: it is not an acknowledgement. */
function acknowledged(
  node: JsonObject,
  path: readonly string[],
  depth: number,
  reading: ReportReading,
): PropertyReport | undefined {
  const answer = answerIn(node, reading.convention, (field) =>
    isValue(field, node, path.slice(0, depth), reading),
  );
  if (answer === undefined) return undefined;
  if (depth < path.length) return ofMember(node, path, depth, answer, reading);
  const value = Object.hasOwn(node, 'value') ? node.value : undefined;
  return value !== undefined || answersByItself(node, answer) ? reportOf(answer, value, depth) : undefined;
}

/** Whether a field is a property. If an object is acknowledged as a whole, its properties are inside `value`. */
function isValue(field: string, node: JsonObject, at: readonly string[], reading: ReportReading): boolean {
  if (isObject(node.value) && Object.hasOwn(node.value, field)) return false;
  if (reading.wanted.size > 0 && reading.wanted.has([...at, field].join('.'))) return true;
  const desired = valueAt(reading.desired, at);
  return isObject(desired) && Object.hasOwn(desired, field);
}

/** Whether it is an answer without a value: it has a version or description, or only a code that refuses. */
function answersByItself(node: JsonObject, answer: DeviceAnswer): boolean {
  return answer.isSaid || (isRefusal(answer) && Object.keys(node).length === 1);
}

/** What the acknowledgement of an object reports about a property in it. */
function ofMember(
  node: JsonObject,
  path: readonly string[],
  depth: number,
  answer: DeviceAnswer,
  reading: ReportReading,
): PropertyReport | undefined {
  const whole = isObject(node.value) ? node.value : undefined;
  const inside = whole === undefined ? undefined : valueAt(whole, path.slice(depth));
  if (inside !== undefined) return reportOf(answer, inside, depth);
  const beside = descend(node, path, depth, reading);
  if (beside === undefined) {
    // The property is left out: the device accepted it unchanged, or it accepted nothing.
    const hasValue = Object.hasOwn(node, 'value');
    const isWhole = whole !== undefined || (answer.isSaid && (isRefusal(answer) || !hasValue));
    return isWhole ? reportOf(answer, undefined, depth) : undefined;
  }
  if (beside.code !== undefined || beside.version !== undefined) return beside;
  if (reading.convention === 'central' && depth === path.length - 1) {
    return reportOf(answer, beside.value, path.length);
  }
  if (!answer.isSaid) return undefined;
  // An older plain echo stays next to a newer acknowledgement, which may leave the property out.
  const isLeftOver = whole !== undefined && path[depth] !== 'value';
  return reportOf(answer, isLeftOver ? undefined : beside.value, depth);
}

function isRefusal({ code }: DeviceAnswer): boolean {
  return code !== undefined && code >= 400;
}

function reportOf(
  { code, version, description }: DeviceAnswer,
  value: JsonValue | undefined,
  depth: number,
): PropertyReport {
  return { value, code, version, description, depth };
}
