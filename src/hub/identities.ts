import { isObject, type JsonObject, ownMember } from '../json/json.ts';
import type { RestService } from '../rest/service.ts';
import type { DeviceScopes } from '../twin/snapshot/parent-record.ts';
import { hubErrorOf, unexpectedHubAnswer } from './failure.ts';
import type { EnteredParent } from './port.ts';

/*
 * Identities of devices over the service API. `Registry.update` of azure-iothub 1.16 always sends `If-Match: *`, so a change by
 * another writer in between would be lost. Identities hold keys: they never leave this file and `identity-registry.ts`.
 */

const API_VERSION = 'api-version=2021-04-12';

/** @throws HubError */
export async function readScopes(service: RestService, deviceId: string): Promise<DeviceScopes> {
  return scopesIn(await readWholeIdentity(service, deviceId));
}

/** @throws HubError */
export async function enterParent(
  service: RestService,
  deviceId: string,
  scope: string,
): Promise<EnteredParent> {
  const identity = await readWholeIdentity(service, deviceId);
  const { isEdge, deviceScope, parentScopes } = scopesIn(identity);
  if (parentScopes.length > 0 || (!isEdge && deviceScope !== undefined)) {
    return (isEdge ? parentScopes[0] : (deviceScope ?? parentScopes[0])) === scope ? 'entered' : 'taken';
  }
  if (!showsKeys(identity)) return 'keysHidden';
  const { etag } = identity;
  if (typeof etag !== 'string') throw unexpectedHubAnswer(service.host, 'GET');
  const updated = { ...identity, ...(isEdge ? { parentScopes: [scope] } : { deviceScope: scope }) };
  const result = await service.call({
    method: 'PUT',
    path: identityPath(deviceId),
    headers: { 'content-type': 'application/json; charset=utf-8', 'if-match': `"${etag}"` },
    body: updated,
  });
  if (!result.ok) throw hubErrorOf(result.failure);
  return 'entered';
}

/**
 * Reads the whole identity with its keys. Nothing may store or log it.
 *
 * @throws HubError
 */
export async function readWholeIdentity(service: RestService, deviceId: string): Promise<JsonObject> {
  const result = await service.call({ method: 'GET', path: identityPath(deviceId), headers: {} });
  if (!result.ok) throw hubErrorOf(result.failure);
  const { json } = result.answer;
  if (!isObject(json) || json.deviceId !== deviceId) throw unexpectedHubAnswer(service.host, 'GET');
  return json as JsonObject;
}

/** Path and query of the identity of a device. */
export function identityPath(deviceId: string): string {
  return `/devices/${encodeURIComponent(deviceId)}?${API_VERSION}`;
}

function scopesIn(identity: JsonObject): DeviceScopes {
  const { deviceScope, parentScopes } = identity;
  return {
    isEdge: ownMember(identity.capabilities, 'iotEdge') === true,
    deviceScope: typeof deviceScope === 'string' && deviceScope !== '' ? deviceScope : undefined,
    parentScopes: Array.isArray(parentScopes)
      ? parentScopes.filter((each): each is string => typeof each === 'string' && each !== '')
      : [],
  };
}

/** Whether an update can send the keys of the identity back. A hub makes new keys for an identity without them. */
export function showsKeys({ authentication }: JsonObject): boolean {
  const type = ownMember(authentication, 'type');
  if (type === 'certificateAuthority') return true;
  const isFilled = (value: unknown) => typeof value === 'string' && value !== '';
  if (type === 'selfSigned') {
    return isFilled(ownMember(ownMember(authentication, 'x509Thumbprint'), 'primaryThumbprint'));
  }
  const keys = ownMember(authentication, 'symmetricKey');
  return (
    type === 'sas' && isFilled(ownMember(keys, 'primaryKey')) && isFilled(ownMember(keys, 'secondaryKey'))
  );
}
