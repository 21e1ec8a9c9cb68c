import { isObject, type JsonObject, type JsonValue, ownMember } from '../../json/json.ts';
import { evaluateCondition, type Variables, variablesOf } from '../expressions/expression.ts';
import type { Rule } from '../fleet.ts';

/** Invented variables of a registration, to try conditions on. */
export type Facts = JsonObject;

/** The first registration of a device without payload, in a typical group. */
export const SILENT_DEVICE: Facts = {
  registrationId: 'device-1',
  enrollment: { kind: 'group', id: 'group-1', iotEdge: false },
  attestation: { kind: 'symmetricKey' },
  payload: {},
  current: {},
};

/**
 * The facts with another value at a path. `undefined` removes the value. Missing objects on the path are
 * created.
 */
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

/** The value at a path; undefined if there is none. */
export function factAt(facts: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = facts;
  for (const key of path) value = ownMember(value, key);
  return value;
}

/** Both facts merged. The second wins. */
export function merged(one: JsonObject, other: JsonObject): JsonObject {
  const facts: Record<string, JsonValue> = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const before = ownMember(one, key);
    facts[key] = isObject(before) && isObject(value) ? merged(before, value) : value;
  }
  return facts;
}

/**
 * The effect of a rule: it applies because it matches or because it is unknown, it refuses, or it does not
 * apply.
 */
export type Effect = 'matches' | 'unknown' | 'refuses' | 'none';

/** The facts in the form that expressions read. */
export function readableFacts(facts: Facts): Variables {
  // DPS omits an empty payload. Rules then see an empty object.
  return variablesOf({ ...facts, payload: facts.payload ?? {} });
}

/** The effect of a rule for a device, as docs/fleet-file.md ("Expressions") describes it. */
export function effectOf({ when, whenUnknown }: Rule, variables: Variables): Effect {
  const value = when === undefined || evaluateCondition(when, variables);
  if (typeof value === 'boolean') return value ? 'matches' : 'none';
  if (whenUnknown === 'refuse') return 'refuses';
  return whenUnknown === 'apply' ? 'unknown' : 'none';
}
