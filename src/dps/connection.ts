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

/** Audience of Entra tokens for DPS (azure-iot-provisioning-service, ProvisioningServiceClient.fromTokenCredential). */
const SCOPE = 'https://azure-devices-provisioning.net/.default';
const MANAGEMENT_SCOPE = 'https://management.azure.com/.default';
const MANAGEMENT_HOST = 'management.azure.com';
/** Whoever is signed in: `berth enroll` runs on laptops and in pipelines. */
const SIGNED_IN = { isAzure: false } as const;

const HOST = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;
const RESOURCE =
  /^\/subscriptions\/[^/?#]+\/resourceGroups\/[^/?#]+\/providers\/Microsoft\.Devices\/provisioningServices\/[^/?#]+$/i;

/**
 * The DPS that the settings name: `BERTH_DPS`, a service connection string, else `BERTH_DPS__hostName` with who is
 * signed in, else the local one where `IOT_ENDPOINT` is set.
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
    return at(host, sharedAccessCredential(host, policy));
  }
  const named = env.BERTH_DPS__hostName?.toLowerCase();
  if (named) {
    if (!HOST.test(named)) {
      throw wrong('BERTH_DPS__hostName is no host name: write NAME.azure-devices-provisioning.net.');
    }
    // An Entra token must not go where anybody may listen.
    if (endpoint !== undefined) throw wrong('BERTH_DPS__hostName and IOT_ENDPOINT exclude each other.');
    return at(named, identityCredential(SCOPE, SIGNED_IN));
  }
  if (endpoint !== undefined) {
    return at(DEVELOPMENT_DPS.host, sharedAccessCredential(DEVELOPMENT_DPS.host, DEVELOPMENT_DPS));
  }
  throw wrong(
    'Neither BERTH_DPS (a service connection string) nor BERTH_DPS__hostName (with "az login") says which DPS is meant.',
  );
}

/**
 * Azure Resource Manager, and the DPS in it that `BERTH_DPS__resourceId` names.
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
      'BERTH_DPS__resourceId is missing or no resource id: write what "az iot dps show --name DPS --query id" prints.',
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
      'BERTH_DPS is no service connection string: it must hold HostName, SharedAccessKeyName and SharedAccessKey.',
    );
  }
  return { host, policy: connection.policy };
}

function wrong(message: string): BerthError {
  return new BerthError('BERTH_SETTING_INVALID', message);
}
