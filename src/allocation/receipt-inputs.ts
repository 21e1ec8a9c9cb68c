import type { Fleet } from '../fleet/fleet.ts';
import { sha256Hex } from '../hash.ts';
import { canonicalJson, isObject, type JsonObject, type JsonValue } from '../json.ts';
import { valueAt } from '../twin/merge.ts';
import { REDACTED } from '../twin/redact.ts';
import type { AllocationRequest } from './request.ts';
import { requestFacts } from './variables.ts';

/** A value longer than this, as JSON, is kept as its size and hash: a receipt must fit into one log line. */
const LONGEST_VALUE = 512;

/**
 * What rules, layers and the returned payload read of the request's payload and attestation, by path. A path
 * that is the whole of one of them is kept as its keys only, for the rest of it was not asked for; what ends
 * in a redacted place is redacted here too.
 */
export function readInputs(request: AllocationRequest, fleet: Fleet): Readonly<Record<string, JsonValue>> {
  const facts = requestFacts(request);
  const entries = fleet.allocation.reads.flatMap((path) => {
    const [variable, ...inner] = path;
    if (variable !== 'payload' && variable !== 'attestation') return [];
    const value = valueAt(facts, path);
    if (value === undefined) return [];
    const kept = isRedacted(path, fleet) ? REDACTED : inner.length === 0 ? keysOf(value) : shortened(value);
    return [[path.join('.'), kept] as const];
  });
  return Object.fromEntries(entries);
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

function keysOf(value: JsonValue): JsonValue {
  return isObject(value) ? shortened({ keys: Object.keys(value) }) : shortened(value);
}

function shortened(value: JsonValue): JsonValue {
  const text = canonicalJson(value);
  if (text.length <= LONGEST_VALUE) return value;
  return { bytes: Buffer.byteLength(text, 'utf8'), sha256: sha256Hex(text) } satisfies JsonObject;
}
