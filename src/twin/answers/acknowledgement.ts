import type { Acknowledgement } from '../../fleet/comparison.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { valueAt } from '../snapshot/merge.ts';
import { answerIn, type DeviceAnswer } from './answer-fields.ts';

/** What a device says of one desired property. */
export interface PropertyReport {
  /** The value in effect; undefined where the acknowledgement leaves it out. */
  readonly value: JsonValue | undefined;
  /** `ac`, like an HTTP status; undefined for a plain echo of the value. */
  readonly code: number | undefined;
  /** `av`: the desired version that it is about. */
  readonly version: number | undefined;
  /** `ad`, ready to follow a sentence; empty where there is none. */
  readonly description: string;
  /** How many keys of the path lead to what was acknowledged; fewer than the path has for a whole object. */
  readonly depth: number;
}

/** What decides whether an object that a device reports is an acknowledgement. */
export interface ReportReading {
  readonly convention: Acknowledgement;
  /**
   * The dotted paths of properties that policies want and that have the name of an acknowledgement's field
   * (`hvac.ac`): these are values, and not the status of what they lie in.
   */
  readonly wanted: ReadonlySet<string>;
  /** The desired properties: what they hold a device may echo. */
  readonly desired: JsonObject;
}

const PNP: ReportReading = { convention: 'pnp', wanted: new Set(), desired: {} };

/**
 * The report about a property: a Plug and Play acknowledgement `{value, ac, av, ad}`, of the property or of the
 * object that it lies in (which "may hold a subset"), or a plain echo. Undefined: none.
 *
 * What is wanted comes first: an object that holds the property itself is an echo of it, unless it has a version or a
 * description of an answer too. A component (`__t`) is never an acknowledgement.
 *
 * Source: concepts-convention (2025-01). Its samples leave out `av` or `ad`, so `value` and a status in `ac` make
 * an acknowledgement. The hub drops `null`, so one without `value` has `ac` and `av` or `ad`.
 */
export function reportAt(
  reported: JsonObject,
  path: readonly string[],
  reading: ReportReading = PNP,
): PropertyReport | undefined {
  return descend(reported, path, 0, reading);
}

/** The report that lies below `start`, which stands `from` keys down the path and is no acknowledgement itself. */
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

/** What the object `depth` keys down the path says of the property; undefined where it is no acknowledgement. */
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

/** A field that is a property of its own. In an object that is acknowledged as a whole it lies inside of `value`. */
function isValue(field: string, node: JsonObject, at: readonly string[], reading: ReportReading): boolean {
  if (isObject(node.value) && Object.hasOwn(node.value, field)) return false;
  if (reading.wanted.size > 0 && reading.wanted.has([...at, field].join('.'))) return true;
  const desired = valueAt(reading.desired, at);
  return isObject(desired) && Object.hasOwn(desired, field);
}

/** Without a value: what is said to be an answer, or nothing but a code that refuses. */
function answersByItself(node: JsonObject, answer: DeviceAnswer): boolean {
  return answer.isSaid || (isRefusal(answer) && Object.keys(node).length === 1);
}

/** What the acknowledgement of an object says of a property in it. */
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
    // It leaves the property out, because it took it as it was or took nothing at all.
    const hasValue = Object.hasOwn(node, 'value');
    const isWhole = whole !== undefined || (answer.isSaid && (isRefusal(answer) || !hasValue));
    return isWhole ? reportOf(answer, undefined, depth) : undefined;
  }
  if (beside.code !== undefined || beside.version !== undefined) return beside;
  if (reading.convention === 'central' && depth === path.length - 1) {
    return reportOf(answer, beside.value, path.length);
  }
  if (!answer.isSaid) return undefined;
  // A plain echo from before stays beside a newer acknowledgement, which may leave the property out.
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
