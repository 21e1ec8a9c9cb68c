import type { Fleet } from '../fleet/fleet.ts';
import { sha256Hex } from '../hash.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { REDACTED } from '../twin/redact.ts';
import type { AllocationRequest } from './request.ts';
import { requestFacts } from './variables.ts';

/** A value longer than this, as JSON, is kept as its size and hash: a receipt must fit into one log line. */
const LONGEST_VALUE = 512;

/**
 * What rules, layers and the returned payload read of the parts of a request that receipts do not keep whole:
 * the payload, the attestation, the enrollment's initial twin. By path. A path that is the whole of one is
 * kept as its keys only, for the rest of it was not asked for; what ends in a redacted place is redacted here
 * too.
 */
export function readInputs(request: AllocationRequest, fleet: Fleet): Readonly<Record<string, JsonValue>> {
  const facts = requestFacts(request);
  const kept: Record<string, JsonValue> = {};
  for (const path of fleet.allocation.reads) {
    if (!isKeptByPath(path)) continue;
    const reached = reach(facts, path);
    if (reached !== undefined) kept[reached.path.join('.')] = keep(reached.value, reached.path, fleet);
  }
  return kept;
}

/** The value at a path, or what stands in the way of it and is no object. */
function reach(facts: JsonObject, path: readonly string[]) {
  let value: JsonValue = facts;
  for (const [depth, key] of path.entries()) {
    if (!isObject(value)) return { path: path.slice(0, depth), value };
    const below: JsonValue | undefined = Object.hasOwn(value, key) ? value[key] : undefined;
    if (below === undefined) return undefined;
    value = below;
  }
  return { path, value };
}

/** Whether receipts keep what lies at this path by the path, and not in a field of their own. */
export function isKeptByPath([variable, part]: readonly string[]): boolean {
  if (variable === 'enrollment') return part === undefined || part === 'initialTwin';
  return variable === 'payload' || variable === 'attestation';
}

/** What stands in a receipt for a value that is not kept itself. */
export type Substitute =
  | { readonly kept: 'keys'; readonly keys: readonly string[] }
  | { readonly kept: 'hash'; readonly of: 'text' | 'json'; readonly bytes: number; readonly sha256: string };

/** The substitute that a kept value is, if it is one. */
export function substituteIn(value: JsonValue): Substitute | undefined {
  if (!isObject(value)) return undefined;
  const isOne =
    (value.kept === 'keys' && Array.isArray(value.keys)) ||
    (value.kept === 'hash' && typeof value.bytes === 'number' && typeof value.sha256 === 'string');
  return isOne ? (value as unknown as Substitute) : undefined;
}

function keep(value: JsonValue, path: readonly string[], fleet: Fleet): JsonValue {
  if (isRedacted(path, fleet)) return REDACTED;
  if (isWhole(path)) return isObject(value) ? keysOf(value) : shortened(value);
  return shortened(value);
}

/** True for paths that end where a whole variable begins: nobody asked for all of it. */
export function isWhole([variable, ...inner]: readonly string[]): boolean {
  return variable === 'enrollment' ? inner.length <= 1 : inner.length === 0;
}

function isRedacted([variable, ...inner]: readonly string[], { allocation, twins }: Fleet): boolean {
  const path = [variable, ...inner];
  return (
    allocation.redactedReads.some((redacted) => isAlong(redacted, path)) ||
    twins.redact.some((redacted) => inner.length > 0 && isAlong(redacted, inner))
  );
}

/** True where one of the two paths is the other or a beginning of it. */
function isAlong(left: readonly (string | undefined)[], right: readonly (string | undefined)[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((part, index) => part === right[index]);
}

const MAX_KEYS = 50;

function keysOf(value: JsonObject): JsonValue {
  const keys = Object.keys(value).slice(0, MAX_KEYS);
  return shortened({ kept: 'keys', keys } satisfies Substitute);
}

function shortened(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.length <= LONGEST_VALUE ? value : hashed('text', value);
  if (typeof value !== 'object' || value === null) return value;
  const text = JSON.stringify(value);
  return text.length <= LONGEST_VALUE ? value : hashed('json', text);
}

function hashed(of: 'text' | 'json', text: string): JsonValue {
  const bytes = Buffer.byteLength(text, 'utf8');
  return { kept: 'hash', of, bytes, sha256: sha256Hex(text) } satisfies Substitute;
}
