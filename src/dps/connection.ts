import { BerthError } from '../errors.ts';
import {
  identityCredential,
  type RestCredential,
  readServiceConnection,
  type SharedAccessPolicy,
  sharedAccessCredential,
} from '../rest/credential.ts';
import type { RestEndpoint } from '../rest/service.ts';
import { type Environment, iotEndpoint } from '../settings/settings.ts';
import { DEVELOPMENT_DPS } from './development.ts';

/**
 * Audience of Entra tokens for DPS (azure-iot-provisioning-service,
 * ProvisioningServiceClient.fromTokenCredential).
 */
const SCOPE = 'https://azure-devices-provisioning.net/.default';
const MANAGEMENT_SCOPE = 'https://management.azure.com/.default';
const MANAGEMENT_HOST = 'management.azure.com';
/** Use the signed-in identity: `berth enroll` runs on laptops and in pipelines. */
const SIGNED_IN = { isAzure: false } as const;

const HOST = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;
const RESOURCE =
  /^\/subscriptions\/[^/?#]+\/resourceGroups\/[^/?#]+\/providers\/Microsoft\.Devices\/provisioningServices\/[^/?#]+$/i;

/**
 * The DPS that the settings name: `BERTH_DPS` (a service connection string), else `BERTH_DPS__hostName` (with
 * the signed-in identity), else the local DPS if `IOT_ENDPOINT` is set.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` naming the setting, never its value
 */
export function dpsPlace(env: Environment): RestEndpoint {
  const endpoint = iotEndpoint(env);
  const at = (host: string, credential: RestCredential): RestEndpoint => ({
    host,
    credential,
    origin: endpoint ?? `https://${host}`,
  });
  if (env.BERTH_DPS) {
    const { host, policy } = readConnectionString(env.BERTH_DPS);
    if (endpoint !== undefined && host !== DEVELOPMENT_DPS.host) {
      throw wrong('BERTH_DPS names a DPS in Azure, and IOT_ENDPOINT is set too: remove one of them.');
    }
    return at(host, sharedAccessCredential(host, policy));
  }
  const named = env.BERTH_DPS__hostName?.toLowerCase();
  if (named) {
    if (!HOST.test(named)) {
      throw wrong('BERTH_DPS__hostName is not a host name: write NAME.azure-devices-provisioning.net.');
    }
    // An Entra token must not be sent over plain http.
    if (endpoint !== undefined)
      throw wrong('BERTH_DPS__hostName and IOT_ENDPOINT are both set: remove one of them.');
    return at(named, identityCredential(SCOPE, SIGNED_IN));
  }
  if (endpoint !== undefined) {
    return at(DEVELOPMENT_DPS.host, sharedAccessCredential(DEVELOPMENT_DPS.host, DEVELOPMENT_DPS));
  }
  throw wrong(
    'No DPS is set: set BERTH_DPS to a service connection string, or set BERTH_DPS__hostName and run "az login".',
  );
}

/**
 * The endpoint of Azure Resource Manager, and the resource id of the DPS from `BERTH_DPS__resourceId`.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function managementPlace(env: Environment): RestEndpoint & { readonly resourceId: string } {
  const resourceId = env.BERTH_DPS__resourceId;
  const endpoint = iotEndpoint(env);
  if (!resourceId && endpoint !== undefined && !env.BERTH_DPS && !env.BERTH_DPS__hostName) {
    const { resourceId: local, managementToken } = DEVELOPMENT_DPS;
    const credential = { authorization: async () => `Bearer ${managementToken}` };
    return { host: MANAGEMENT_HOST, origin: endpoint, credential, resourceId: local };
  }
  if (!resourceId || !RESOURCE.test(resourceId)) {
    throw wrong(
      'BERTH_DPS__resourceId is missing or not a resource id of DPS: set it to the output of "az iot dps show --name DPS --query id".',
    );
  }
  return {
    host: MANAGEMENT_HOST,
    origin: `https://${MANAGEMENT_HOST}`,
    credential: identityCredential(MANAGEMENT_SCOPE, SIGNED_IN),
    resourceId,
  };
}

function readConnectionString(text: string): { readonly host: string; readonly policy: SharedAccessPolicy } {
  const connection = readServiceConnection(text);
  const host = connection?.host.toLowerCase() ?? '';
  if (connection === undefined || !HOST.test(host)) {
    throw wrong(
      'BERTH_DPS is not a service connection string: it must contain HostName, SharedAccessKeyName and SharedAccessKey.',
    );
  }
  return { host, policy: connection.policy };
}

function wrong(message: string): BerthError {
  return new BerthError('BERTH_SETTING_INVALID', message);
}
