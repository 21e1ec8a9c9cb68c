import { DEVELOPMENT_DPS } from '../../../src/dps/development.ts';
import {
  isSignedBy,
  parseSharedAccessSignature,
  resourceOf,
} from '../../iot-hub/service-api/shared-access-signature.ts';

/**
 * Whether the `Authorization` header of a service call is a token of the policy `provisioningserviceowner` for this
 * host. The local DPS has no other policy, and it does not accept Entra tokens.
 */
export function isServiceAuthorized(header: string | undefined, host: string, now: number): boolean {
  const token = parseSharedAccessSignature(header ?? '');
  if (token === undefined || token.keyName !== DEVELOPMENT_DPS.keyName) return false;
  return (
    resourceOf(token)?.toLowerCase() === host.toLowerCase() && isSignedBy(token, [DEVELOPMENT_DPS.key], now)
  );
}
