import { DEVELOPMENT_DPS } from '../dps/development.ts';
import { BerthError } from '../errors.ts';
import { identityCredential } from '../rest/credential.ts';
import type { RestEndpoint } from '../rest/service.ts';
import { type Environment, iotEndpoint } from '../settings/settings.ts';
import { isSubscriptionId, parseResourceId } from './resource-id.ts';

const HOST = 'management.azure.com';
const SCOPE = 'https://management.azure.com/.default';

/**
 * Azure Resource Manager with the sign-in of the operator, and the subscription of `AZURE_SUBSCRIPTION_ID`. Without this
 * setting, the local Azure IoT if `IOT_ENDPOINT` is set. Its subscription is the one of the local DPS.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function armPlace(env: Environment): RestEndpoint & { readonly subscription: string } {
  const subscription = env.AZURE_SUBSCRIPTION_ID;
  if (subscription) {
    if (!isSubscriptionId(subscription)) {
      throw new BerthError(
        'BERTH_SETTING_INVALID',
        'AZURE_SUBSCRIPTION_ID is not the id of a subscription: set it to the output of "az account show --query id".',
      );
    }
    const credential = identityCredential(SCOPE, { isAzure: false });
    return { host: HOST, origin: `https://${HOST}`, credential, subscription };
  }
  const endpoint = iotEndpoint(env);
  if (endpoint === undefined) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'AZURE_SUBSCRIPTION_ID is not set: set it to the output of "az account show --query id", and run "az login".',
    );
  }
  const { managementToken, resourceId } = DEVELOPMENT_DPS;
  return {
    host: HOST,
    origin: endpoint,
    credential: { authorization: async () => `Bearer ${managementToken}` },
    subscription: parseResourceId(resourceId)?.subscription ?? '',
  };
}
