import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import { isJsonObject, member } from '../../iot-hub/model/json.ts';

/** What a device starts with on its hub. */
export interface InitialTwin {
  readonly tags: JsonObject;
  readonly desired: JsonObject;
}

/** `{tags?, properties?: {desired?}}`, each of them an object, absent or null. */
export function readInitialTwin(twin: JsonValue | undefined): InitialTwin | undefined | 'malformed' {
  if (twin === undefined || twin === null) return undefined;
  if (!isJsonObject(twin)) return 'malformed';
  const tags = member(twin, 'tags') ?? {};
  const properties = member(twin, 'properties') ?? {};
  const desired = isJsonObject(properties) ? (member(properties, 'desired') ?? {}) : undefined;
  return isJsonObject(tags) && isJsonObject(desired) ? { tags, desired } : 'malformed';
}
