import type { Fleet } from '../../fleet/fleet.ts';
import { sha256Hex } from '../../json/hash.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import type { AllocationRequest } from '../request/request.ts';
import { requestFacts } from '../rules/variables.ts';

/** A value longer than this, as JSON, is kept as its size and hash: a receipt must fit into one log line. */
const LONGEST_VALUE = 512;
/** So many keys of an object that nobody asked for as a whole. */
const MAX_KEYS = 50;

/** What rules, layers and the returned payload read of the parts of a request that receipts do not keep whole. */
export interface ReadInputs {
  /** Values by path (`pathText`), as they were. */
  readonly read: Readonly<Record<string, JsonValue>>;
  /** What is known of the others, by path. */
  readonly notKept: Readonly<Record<string, NotKept>>;
}

/** What stands in a receipt for a value that it does not hold. */
export type NotKept =
  /** It goes into a place of the twin that the fleet file redacts, or is of the enrollment's own twin. */
  | { readonly why: 'redacted' }
  | {
      readonly why: 'too long';
      readonly of: 'text' | 'json';
      readonly bytes: number;
      readonly sha256: string;
    }
  /** The whole of a variable was read, and nobody asked for all that is in it. */
  | { readonly why: 'whole'; readonly keys: readonly string[] };

export function readInputs(request: AllocationRequest, fleet: Fleet): ReadInputs {
  const facts = requestFacts(request);
  const read: Record<string, JsonValue> = {};
  const notKept: Record<string, NotKept> = {};
  const found = fleet.allocation.reads.filter(isKeptByPath).map((path) => reach(facts, path));
  const seen = new Set<string>();
  for (const { path, value, isThere } of found) {
    if (!isThere) continue;
    const text = inputPathText(path);
    // What stands in the way of many paths is one value, and a device chooses how long it takes to hash.
    if (seen.has(text)) continue;
    seen.add(text);
    const instead = whyNotKept(value, path, fleet);
    if (instead === undefined) read[text] = value;
    else notKept[text] = instead;
  }
  // Below the variables it matters whether an object was there: `has(payload.site.name)` is false, or unknown.
  for (const { path, isThere } of found) {
    const text = inputPathText(path);
    if (!isThere && path.length > 1 && !Object.hasOwn(notKept, text)) read[text] ??= {};
  }
  return { read, notKept };
}

/** The value at a path, or what stands in the way of it: no object, or one without the key (not there). */
function reach(facts: JsonObject, path: readonly string[]) {
  let value: JsonValue = facts;
  for (const [depth, key] of path.entries()) {
    if (!isObject(value)) return { path: path.slice(0, depth), value, isThere: true };
    const below: JsonValue | undefined = ownMember(value, key);
    if (below === undefined) return { path: path.slice(0, depth), value, isThere: false };
    value = below;
  }
  return { path, value, isThere: true };
}

/** Whether receipts keep what lies at this path by the path, and not in a field of their own. */
function isKeptByPath([variable, part]: readonly string[]): boolean {
  if (variable === 'enrollment') return part === undefined || part === 'initialTwin';
  return variable === 'payload' || variable === 'attestation';
}

function whyNotKept(value: JsonValue, path: readonly string[], fleet: Fleet): NotKept | undefined {
  const isTwin = path[0] === 'enrollment' && path[1] === 'initialTwin' && path.length > 2;
  if (isTwin || fleet.allocation.redactedReads.some((redacted) => isAlong(redacted, path))) {
    return { why: 'redacted' };
  }
  if (isWhole(path) && isObject(value)) {
    const keys = Object.keys(value).slice(0, MAX_KEYS);
    return JSON.stringify(keys).length <= LONGEST_VALUE ? { why: 'whole', keys } : { why: 'whole', keys: [] };
  }
  if (typeof value === 'string') return value.length <= LONGEST_VALUE ? undefined : tooLong('text', value);
  if (typeof value !== 'object' || value === null) return undefined;
  const text = JSON.stringify(value);
  return text.length <= LONGEST_VALUE ? undefined : tooLong('json', text);
}

function tooLong(of: 'text' | 'json', text: string): NotKept {
  return { why: 'too long', of, bytes: Buffer.byteLength(text, 'utf8'), sha256: sha256Hex(text) };
}

/** True for paths that end where a whole variable begins. */
function isWhole([variable, ...inner]: readonly string[]): boolean {
  return variable === 'enrollment' ? inner.length <= 1 : inner.length === 0;
}

/** True where one of the two paths is the other or a beginning of it. */
function isAlong(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((part, index) => part === right[index]);
}

/** `payload.site`, or `payload."a.b"` for a key that is no plain word. */
export function inputPathText(path: readonly string[]): string {
  return path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

/** The path of such a text. */
export function pathOf(text: string): readonly string[] {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|[^."]+/g)].map(([part]) =>
    part.startsWith('"') ? String(JSON.parse(part)) : part,
  );
}
