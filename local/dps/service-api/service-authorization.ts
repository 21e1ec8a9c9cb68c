import { DEVELOPMENT_DPS } from '../../../src/dps/development.ts';
import {
  covers,
  isSignedBy,
  parseSharedAccessSignature,
} from '../../iot-hub/service-api/shared-access-signature.ts';

/**
 * Why a service call is denied; undefined if its `Authorization` header is a token of the policy
 * `provisioningserviceowner` for this host. The local DPS has no other policy.
 */
export function denialOf(header: string | undefined, host: string, now: number): string | undefined {
  if (header?.startsWith('Bearer ')) {
    return `Microsoft Entra ID tokens are not in the local DPS. Use a connection string with SharedAccessKeyName=${DEVELOPMENT_DPS.keyName}.`;
  }
  const token = parseSharedAccessSignature(header ?? '');
  const isGood =
    token?.keyName === DEVELOPMENT_DPS.keyName &&
    covers(token, host, '') &&
    isSignedBy(token, [DEVELOPMENT_DPS.key], now);
  return isGood ? undefined : 'Unauthorized';
}
