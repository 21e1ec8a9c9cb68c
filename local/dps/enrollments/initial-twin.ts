import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';

/** The initial twin of a device. */
export interface StoredEnrollmentTwin {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
}

/** Reads `{tags?, properties?: {desired?}}`. Each field is an object, absent or null. */
export function readInitialTwin(twin: JsonValue | undefined): StoredEnrollmentTwin | undefined | 'malformed' {
  if (twin === undefined || twin === null) return undefined;
  if (!isObject(twin)) return 'malformed';
  const tags = ownMember(twin, 'tags') ?? {};
  const properties = ownMember(twin, 'properties') ?? {};
  const desired = isObject(properties) ? (ownMember(properties, 'desired') ?? {}) : undefined;
  return isObject(tags) && isObject(desired) ? { tags, desired } : 'malformed';
}
