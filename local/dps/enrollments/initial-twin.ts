import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';

/** What a device starts with on its hub. */
export interface EnrollmentTwin {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
}

/** `{tags?, properties?: {desired?}}`, each of them an object, absent or null. */
export function readInitialTwin(twin: JsonValue | undefined): EnrollmentTwin | undefined | 'malformed' {
  if (twin === undefined || twin === null) return undefined;
  if (!isObject(twin)) return 'malformed';
  const tags = ownMember(twin, 'tags') ?? {};
  const properties = ownMember(twin, 'properties') ?? {};
  const desired = isObject(properties) ? (ownMember(properties, 'desired') ?? {}) : undefined;
  return isObject(tags) && isObject(desired) ? { tags, desired } : 'malformed';
}
