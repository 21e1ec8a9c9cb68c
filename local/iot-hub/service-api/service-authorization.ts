import { DEVELOPMENT_POLICY } from '../../../src/hub/development.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { isSignedBy, parseSharedAccessSignature, resourceOf } from './shared-access-signature.ts';

/**
 * The shared access policy that the service API of the local hubs knows; as in a new hub, it may do
 * everything.
 */
export const SERVICE_POLICY = DEVELOPMENT_POLICY.keyName;
/**
 * The key of that policy on every local hub, unless another is configured. It protects nothing: the hubs
 * listen on loopback only.
 */
export const DEVELOPMENT_SERVICE_KEY: string = DEVELOPMENT_POLICY.key;

/**
 * Checks the `Authorization` header of a service call: a token of the service policy, for the hub or for a
 * part of it.
 *
 * @throws HubError `IotHubUnauthorizedAccess` (no or wrong credentials), `IotHubUnauthorized` (expired, or
 *   for another resource)
 */
export function authorizeService(
  header: string | undefined,
  call: { readonly host: string; readonly path: string; readonly key: string; readonly now: number },
): void {
  if (header?.startsWith('Bearer ')) {
    throw new HubRefusal(
      'IotHubUnauthorizedAccess',
      `The local hub takes no Microsoft Entra ID tokens; use a connection string with SharedAccessKeyName=${SERVICE_POLICY}.`,
    );
  }
  const token = parseSharedAccessSignature(header ?? '');
  if (token === undefined) throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
  if (!covers(resourceOf(token), call.host + call.path)) {
    throw new HubRefusal('IotHubUnauthorized', 'The token is for another resource.');
  }
  if (token.expiry * 1000 <= call.now) throw new HubRefusal('IotHubUnauthorized', 'The token has expired.');
  if (token.keyName !== SERVICE_POLICY || !isSignedBy(token, [call.key], call.now)) {
    throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
  }
}

/** A token covers the resource it names and everything below it; host names compare case-insensitively. */
function covers(resource: string | undefined, wanted: string): boolean {
  if (resource === undefined || resource === '') return false;
  const base = resource.toLowerCase().replace(/\/$/, '');
  const target = wanted.toLowerCase();
  return target === base || target.startsWith(`${base}/`);
}
