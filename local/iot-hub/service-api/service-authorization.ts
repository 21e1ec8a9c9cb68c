import { DEVELOPMENT_POLICY } from '../../../src/hub/development.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { isSignedBy, parseSharedAccessSignature, resourceOf } from './shared-access-signature.ts';

/**
 * The only shared access policy of the service API of the local hubs. As in a new hub, it has all permissions.
 */
export const SERVICE_POLICY = DEVELOPMENT_POLICY.keyName;
/**
 * The default key of this policy on every local hub. It is public, and the hubs listen only on loopback.
 */
export const DEVELOPMENT_SERVICE_KEY: string = DEVELOPMENT_POLICY.key;

/**
 * Checks the `Authorization` header of a service call. It must be a token of the service policy, for the hub or a part
 * of it.
 *
 * @throws HubRefusal `IotHubUnauthorizedAccess` (no or wrong credentials), `IotHubUnauthorized` (expired, or
 *   for another resource)
 */
export function authorizeService(
  header: string | undefined,
  call: { readonly host: string; readonly path: string; readonly key: string; readonly now: number },
): void {
  if (header?.startsWith('Bearer ')) {
    throw new HubRefusal(
      'IotHubUnauthorizedAccess',
      `The local hub does not accept Microsoft Entra ID tokens. Use a connection string with SharedAccessKeyName=${SERVICE_POLICY}.`,
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

/** Whether a token covers a resource: its own resource and everything below. Host names are not case-sensitive. */
function covers(resource: string | undefined, wanted: string): boolean {
  if (resource === undefined || resource === '') return false;
  const base = resource.toLowerCase().replace(/\/$/, '');
  const target = wanted.toLowerCase();
  return target === base || target.startsWith(`${base}/`);
}
