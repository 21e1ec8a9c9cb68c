import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { evaluateCondition, type Variables, variablesOf } from '../expressions/expression.ts';
import type { Rule } from '../fleet.ts';

/** What rules see of a registration, by the names of their variables; made up, to try conditions on. */
export type Facts = JsonObject;

/** A first registration of a device that sends nothing, in a group that is like many. */
export const SILENT_DEVICE: Facts = {
  registrationId: 'device-1',
  enrollment: { kind: 'group', id: 'group-1', iotEdge: false },
  attestation: { kind: 'symmetricKey' },
  payload: {},
  current: {},
};

/** The facts with another value at a path; undefined takes it away. Objects on the way are made. */
export function withValue(
  facts: JsonObject,
  [key, ...rest]: readonly string[],
  value: JsonValue | undefined,
): JsonObject {
  if (key === undefined) return facts;
  const below = ownMember(facts, key);
  if (rest.length > 0) {
    if (value === undefined && !isObject(below)) return facts;
    return { ...facts, [key]: withValue(isObject(below) ? below : {}, rest, value) };
  }
  if (value !== undefined) return { ...facts, [key]: value };
  const { [key]: _, ...others } = facts;
  return others;
}

/** The value at a path; undefined where there is none. */
export function factAt(facts: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = facts;
  for (const key of path) value = ownMember(value, key);
  return value;
}

/** Everything that either says; where both say something, the second. */
export function merged(one: JsonObject, other: JsonObject): JsonObject {
  const facts: Record<string, JsonValue> = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const before = ownMember(one, key);
    facts[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return facts;
}

/** What a rule comes to: it takes effect because it matches, or because it is unknown; or it does not. */
export type Effect = 'matches' | 'unknown' | 'refuses' | 'none';

/** The facts as a condition reads them. */
export function readableFacts(facts: Facts): Variables {
  // DPS leaves an empty payload out, and rules then see an object without members.
  return variablesOf({ ...facts, payload: facts.payload ?? {} });
}

/** Whether a rule takes effect for a device, by the rules of docs/fleet-file.md ("Expressions"). */
export function effectOf({ when, whenUnknown }: Rule, variables: Variables): Effect {
  const value = when === undefined || evaluateCondition(when, variables);
  if (typeof value === 'boolean') return value ? 'matches' : 'none';
  if (whenUnknown === 'refuse') return 'refuses';
  return whenUnknown === 'apply' ? 'unknown' : 'none';
}
