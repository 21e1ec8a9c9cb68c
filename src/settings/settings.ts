import { BerthError } from '../errors.ts';
import type { StateAccount } from '../store/tables/tables.ts';

/** App settings as environment variables. `docs/deploy.md` lists them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Path of the fleet file, relative to the app. */
export function fleetFile(env: Environment): string {
  return env.FLEET_FILE || 'fleet.json';
}

/** The deployment that this app is, where there are several; hubs of other stamps are not reconciled here. */
export function stamp(env: Environment): string | undefined {
  return env.BERTH_STAMP || undefined;
}

/** True where the platform offers a managed identity. */
export function isAzure(env: Environment): boolean {
  return env.IDENTITY_ENDPOINT !== undefined || env.WEBSITE_INSTANCE_ID !== undefined;
}

/** How many partitions the Event Hub has, for where it cannot be asked; undefined: it was not said. */
export function partitionsSetting(env: Environment): number | undefined {
  const count = Number(env.TWIN_EVENTS_PARTITIONS || Number.NaN);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}

/** Where the Event Hub is. Undefined: no setting says. */
export function twinEvents(env: Environment):
  | { readonly kind: 'connectionString'; readonly connectionString: string; readonly name: string }
  | {
      readonly kind: 'identity';
      readonly namespace: string;
      readonly clientId: string | undefined;
      readonly name: string;
    }
  | undefined {
  const name = env.TWIN_EVENTS_NAME || 'twin-events';
  if (env.TWIN_EVENTS) return { kind: 'connectionString', connectionString: env.TWIN_EVENTS, name };
  const namespace = env.TWIN_EVENTS__fullyQualifiedNamespace;
  if (!namespace) return undefined;
  return {
    kind: 'identity',
    namespace,
    clientId: env.TWIN_EVENTS__clientId || env.AZURE_CLIENT_ID || undefined,
    name,
  };
}

/** What every connection string of a storage account holds at least one of. */
const CONNECTION_STRING = /(^|;)\s*(UseDevelopmentStorage=true|AccountName=|TableEndpoint=)/i;

/**
 * Where the state tables are: `BERTH_STATE`, else the host's own storage account.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` where neither says.
 */
export function stateAccount(env: Environment): StateAccount {
  for (const prefix of ['BERTH_STATE', 'AzureWebJobsStorage']) {
    const connectionString = env[prefix];
    if (connectionString) {
      if (CONNECTION_STRING.test(connectionString)) return { kind: 'connectionString', connectionString };
      throw new BerthError(
        'BERTH_SETTING_INVALID',
        `${prefix} is no connection string of a storage account.`,
      );
    }
    const account = env[`${prefix}__accountName`];
    const uri = env[`${prefix}__tableServiceUri`] || (account && `https://${account}.table.core.windows.net`);
    if (uri) {
      if (!URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol)) {
        throw new BerthError(
          'BERTH_SETTING_INVALID',
          `${prefix}__tableServiceUri is no address: write https://ACCOUNT.table.core.windows.net.`,
        );
      }
      return {
        kind: 'identity',
        tableServiceUri: uri,
        clientId: env[`${prefix}__clientId`] || env.AZURE_CLIENT_ID || undefined,
      };
    }
  }
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    'Neither BERTH_STATE nor AzureWebJobsStorage says where the state tables are: set one of them, or its __tableServiceUri.',
  );
}

/**
 * One plain-http address for all hubs, for development.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` unless it is plain http on loopback: it would send tokens
 *   elsewhere.
 */
export function iotEndpoint(env: Environment): string | undefined {
  const text = env.IOT_ENDPOINT;
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url === undefined || url.protocol !== 'http:' || !isLoopback || url.username !== '') {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'IOT_ENDPOINT must be plain http on this machine, such as http://127.0.0.1:7080; leave it out in Azure.',
    );
  }
  return url.origin;
}
