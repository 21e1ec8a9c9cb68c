import { DEVELOPMENT_POLICY } from '../../../src/hub/development.ts';
import type { AccessPolicy, AccessRight } from '../model/access-policy.ts';
import { allows, DATA_ACTION_PREFIX, type DataAction } from '../model/data-action.ts';
import { HubRefusal } from '../model/hub-error.ts';
import { covers, isSignedBy, parseSharedAccessSignature } from './shared-access-signature.ts';

/**
 * The default key of the policy `iothubowner` on every local hub. It is public, and the hubs listen only on loopback.
 */
export const DEVELOPMENT_SERVICE_KEY: string = DEVELOPMENT_POLICY.key;

/** A service call, for its authorization. */
export interface CallToAuthorize {
  readonly host: string;
  readonly path: string;
  /** What the caller must be allowed to do. */
  readonly right: AccessRight;
  readonly action: DataAction;
  readonly now: number;
}

/**
 * Checks the `Authorization` header of a service call. It must be a token of a policy with the right, or with a data action
 * that allows the call, for the hub or a part of it.
 *
 * @throws HubRefusal `IotHubUnauthorizedAccess` (no or wrong credentials, or the policy lacks the right),
 *   `IotHubUnauthorized` (expired, or for another resource)
 */
export function authorizeService(
  header: string | undefined,
  policies: readonly AccessPolicy[],
  { host, path, right, action, now }: CallToAuthorize,
): void {
  if (header?.startsWith('Bearer ')) {
    throw new HubRefusal(
      'IotHubUnauthorizedAccess',
      `Microsoft Entra ID tokens are not in the local hub. Use a connection string with SharedAccessKeyName=${DEVELOPMENT_POLICY.keyName}.`,
    );
  }
  const token = parseSharedAccessSignature(header ?? '');
  if (token === undefined) throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
  if (!covers(token, host, path)) {
    throw new HubRefusal('IotHubUnauthorized', 'The token is for another resource.');
  }
  if (token.expiry * 1000 <= now) throw new HubRefusal('IotHubUnauthorized', 'The token has expired.');
  const policy = policies.find(({ keyName }) => keyName === token.keyName);
  if (policy === undefined || !isSignedBy(token, [policy.key], now)) {
    throw new HubRefusal('IotHubUnauthorizedAccess', 'Unauthorized');
  }
  const { rights, dataActions } = policy;
  if (dataActions === undefined ? rights.includes(right) : allows(dataActions(), action)) return;
  const why = dataActions === undefined ? '' : `: no role allows ${DATA_ACTION_PREFIX}${action}`;
  throw new HubRefusal('IotHubUnauthorizedAccess', `Unauthorized${why}`);
}
