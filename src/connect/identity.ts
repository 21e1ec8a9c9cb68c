import { isSameId } from '../arm/resource-id.ts';
import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import type { Sender } from './wanted.ts';

/** The identities of a resource. */
export interface Identities {
  readonly hasSystem: boolean;
  /** Object id of the system-assigned identity. */
  readonly principalId: string | undefined;
  /** Resource ids, as Azure writes them. */
  readonly userAssigned: readonly string[];
}

/** Reads `identity` of a resource. Azure writes the two kinds with and without a blank between them. */
export function identitiesOf({ identity }: JsonObject): Identities {
  if (!isObject(identity)) return { hasSystem: false, principalId: undefined, userAssigned: [] };
  const { type, principalId, userAssignedIdentities } = identity;
  return {
    hasSystem: /SystemAssigned/i.test(String(type ?? '')),
    principalId: typeof principalId === 'string' && principalId !== '' ? principalId : undefined,
    userAssigned: isObject(userAssignedIdentities) ? Object.keys(userAssignedIdentities) : [],
  };
}

export function hasIdentity(resource: JsonObject, sender: Sender): boolean {
  const { hasSystem, userAssigned } = identitiesOf(resource);
  return sender.kind === 'system' ? hasSystem : userAssigned.some((id) => isSameId(id, sender.identityId));
}

/**
 * `identity` for a write: all identities that the resource has, and one more. A write replaces the list, so an identity
 * that is left out is removed.
 */
export function withIdentity(resource: JsonObject, added: Sender): JsonValue {
  const { hasSystem, userAssigned } = identitiesOf(resource);
  const isSystem = hasSystem || added.kind === 'system';
  const ids = [
    ...userAssigned,
    ...(added.kind === 'userAssigned' && !hasIdentity(resource, added) ? [added.identityId] : []),
  ];
  const type = [...(isSystem ? ['SystemAssigned'] : []), ...(ids.length > 0 ? ['UserAssigned'] : [])];
  return {
    type: type.join(', '),
    ...(ids.length > 0 && { userAssignedIdentities: Object.fromEntries(ids.map((id) => [id, {}])) }),
  };
}
