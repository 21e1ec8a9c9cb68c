import type { Fleet } from '../../fleet/fleet.ts';
import { sha256Hex } from '../../json/hash.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import type { AllocationRequest } from '../request/request.ts';
import { requestFacts } from '../rules/variables.ts';

/** A receipt must fit into one log line, so it stores only size and hash of a value with longer JSON. */
const LONGEST_VALUE = 512;
/** The most keys that are stored of an object. */
const MAX_KEYS = 50;

/**
 * The values that rules, layers and the returned payload read, from parts of a request that a receipt does
 * not store.
 */
export interface ReadInputs {
  /** The original values, by path (`inputPathText`). */
  readonly read: Readonly<Record<string, JsonValue>>;
  /** Values that are not stored, by path. */
  readonly notKept: Readonly<Record<string, NotKept>>;
  /** Paths that expressions read and that were not there; absent if there are none. */
  readonly missing?: readonly string[];
}

/** Why a receipt does not store a value, and what it stores instead. */
export type NotKept =
  /** The value goes to a redacted path of the twin, or is part of the twin of the enrollment. */
  | { readonly why: 'redacted' }
  | {
      readonly why: 'too long';
      readonly of: 'text' | 'json';
      readonly bytes: number;
      readonly sha256: string;
    }
  /** An expression read the whole variable. Only its keys are stored. */
  | { readonly why: 'whole'; readonly keys: readonly string[] };

export function readInputs(request: AllocationRequest, fleet: Fleet): ReadInputs {
  const facts = requestFacts(request);
  const read: Record<string, JsonValue> = {};
  const notKept: Record<string, NotKept> = {};
  const missing: string[] = [];
  const withoutKey: string[] = [];
  for (const path of fleet.allocation.reads) {
    if (!isKeptByPath(path)) continue;
    const { depth, value, isThere } = reach(facts, path);
    const reached = depth === path.length ? path : path.slice(0, depth);
    const text = depth === path.length ? textOfRead(path) : inputPathText(reached);
    if (!isThere) {
      missing.push(textOfRead(path));
      if (depth > 1) withoutKey.push(text);
      continue;
    }
    // One value can block many paths. It is hashed only once, because a device chooses its size.
    if (Object.hasOwn(read, text) || Object.hasOwn(notKept, text)) continue;
    const instead = whyNotKept(value, reached, fleet);
    if (instead === undefined) read[text] = value;
    else notKept[text] = instead;
  }
  // Store that an object existed: `has(payload.site.name)` is then false, otherwise unknown.
  for (const text of withoutKey) if (!Object.hasOwn(notKept, text)) read[text] ??= {};
  return missing.length === 0 ? { read, notKept } : { read, notKept, missing };
}

/**
 * The value at a path. If it ends early: the value that is not an object, or the object without the next key
 * (`isThere` is false), and the number of keys that lead there.
 */
function reach(facts: JsonObject, path: readonly string[]) {
  let value: JsonValue = facts;
  for (let depth = 0; depth < path.length; depth += 1) {
    if (!isObject(value)) return { depth, value, isThere: true };
    const below: JsonValue | undefined = ownMember(value, path[depth] ?? '');
    if (below === undefined) return { depth, value, isThere: false };
    value = below;
  }
  return { depth: path.length, value, isThere: true };
}

/** Whether a receipt stores the value at this path in `read`, and not in its own field. */
export function isKeptByPath([variable, part]: readonly string[]): boolean {
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

/** Whether a path names a whole variable. */
function isWhole([variable, ...inner]: readonly string[]): boolean {
  return variable === 'enrollment' ? inner.length <= 1 : inner.length === 0;
}

/** Whether one path is equal to the other or its beginning. */
function isAlong(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((part, index) => part === right[index]);
}

/** `payload.site`, or `payload."a.b"` for a key that is not a plain word. */
export function inputPathText(path: readonly string[]): string {
  return path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

const textsOfReads = new WeakMap<readonly string[], string>();

/** The text of a path of the fleet file, made once. */
function textOfRead(path: readonly string[]): string {
  let text = textsOfReads.get(path);
  if (text === undefined) {
    text = inputPathText(path);
    textsOfReads.set(path, text);
  }
  return text;
}

/** Reads the path from a text of `inputPathText`. */
export function pathOf(text: string): readonly string[] {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|[^."]+/g)].map(([part]) =>
    part.startsWith('"') ? String(JSON.parse(part)) : part,
  );
}
