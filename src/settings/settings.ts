import { BerthError } from '../errors.ts';
import type { StateAccount } from '../store/tables/tables.ts';

/** App settings as environment variables. `docs/deploy.md` lists them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Path of the fleet file, relative to the app. */
export function fleetFile(env: Environment): string {
  return env.FLEET_FILE || 'fleet.json';
}

/** The stamp (deployment) of this app, if there are several. It does not reconcile hubs of other stamps. */
export function stamp(env: Environment): string | undefined {
  return env.BERTH_STAMP || undefined;
}

/** True if the platform offers a managed identity. */
export function isAzure(env: Environment): boolean {
  return env.IDENTITY_ENDPOINT !== undefined || env.WEBSITE_INSTANCE_ID !== undefined;
}

/** Number of partitions of the Event Hub, for code that cannot read it; undefined if not set. */
export function partitionsSetting(env: Environment): number | undefined {
  const count = Number(env.TWIN_EVENTS_PARTITIONS || Number.NaN);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}

/** The Event Hub of the twin change events, and how to connect to it. */
export type TwinEventsPlace = {
  /** The host name of the Event Hubs namespace, in lower case and without a port. Undefined: the connection string has none. */
  readonly namespace: string | undefined;
  /** The Event Hub in the namespace. */
  readonly name: string;
} & (
  | {
      readonly kind: 'connectionString';
      /** Secret. Without `EntityPath`. */
      readonly connectionString: string;
    }
  | { readonly kind: 'identity'; readonly namespace: string; readonly clientId: string | undefined }
);

/**
 * The Event Hub; undefined if no setting names it. `EntityPath` in the connection string has precedence over `TWIN_EVENTS_NAME`, as in
 * the trigger of the host (azure-sdk-for-net, `EventHubClientFactory`).
 */
export function twinEvents(env: Environment): TwinEventsPlace | undefined {
  const name = env.TWIN_EVENTS_NAME || 'twin-events';
  if (env.TWIN_EVENTS) {
    const parts = env.TWIN_EVENTS.split(';').map((part) => part.trim());
    const partOf = (key: RegExp) =>
      parts
        .find((part) => key.test(part))
        ?.replace(key, '')
        .trim();
    return {
      kind: 'connectionString',
      connectionString: parts.filter((part) => part !== '' && !ENTITY_PATH.test(part)).join(';'),
      namespace: partOf(ENDPOINT)
        ?.match(/^[^/:]+/)?.[0]
        .toLowerCase(),
      name: partOf(ENTITY_PATH) || name,
    };
  }
  const namespace = env.TWIN_EVENTS__fullyQualifiedNamespace?.toLowerCase();
  if (!namespace) return undefined;
  return {
    kind: 'identity',
    namespace,
    clientId: env.TWIN_EVENTS__clientId || env.AZURE_CLIENT_ID || undefined,
    name,
  };
}

const ENTITY_PATH = /^EntityPath\s*=/i;
const ENDPOINT = /^Endpoint\s*=\s*[a-z]+:\/\//i;

/** The consumer group of the functions. */
export function consumerGroup(env: Environment): string {
  return env.TWIN_EVENTS_CONSUMER_GROUP || '$Default';
}

/**
 * The blobs of the storage account of the Functions host, which holds the checkpoints; undefined if no setting names it. The
 * settings are those of the host ("App settings reference", AzureWebJobsStorage__accountName and __blobServiceUri).
 */
export function hostBlobs(
  env: Environment,
):
  | { readonly kind: 'connectionString'; readonly connectionString: string }
  | { readonly kind: 'identity'; readonly blobServiceUri: string; readonly clientId: string | undefined }
  | undefined {
  const prefix = 'AzureWebJobsStorage';
  const connectionString = env[prefix];
  if (connectionString) return { kind: 'connectionString', connectionString };
  const account = env[`${prefix}__accountName`];
  const blobServiceUri =
    env[`${prefix}__blobServiceUri`] || (account && `https://${account}.blob.core.windows.net`);
  if (!blobServiceUri) return undefined;
  const clientId = env[`${prefix}__clientId`] || env.AZURE_CLIENT_ID || undefined;
  return { kind: 'identity', blobServiceUri, clientId };
}

/** Every connection string of a storage account contains at least one of these. */
const CONNECTION_STRING = /(^|;)\s*(UseDevelopmentStorage=true|AccountName=|TableEndpoint=)/i;

/**
 * The account of the state tables: `BERTH_STATE`, else the storage account of the Functions host.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` if neither is set or the setting is invalid.
 */
export function stateAccount(env: Environment): StateAccount {
  for (const prefix of ['BERTH_STATE', 'AzureWebJobsStorage']) {
    const connectionString = env[prefix];
    if (connectionString) {
      if (CONNECTION_STRING.test(connectionString)) return { kind: 'connectionString', connectionString };
      throw new BerthError(
        'BERTH_SETTING_INVALID',
        `${prefix} is not a connection string of a storage account: copy one from the portal, or set ${prefix}__tableServiceUri.`,
      );
    }
    const account = env[`${prefix}__accountName`];
    const uri = env[`${prefix}__tableServiceUri`] || (account && `https://${account}.table.core.windows.net`);
    if (uri) {
      if (!URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol)) {
        throw new BerthError(
          'BERTH_SETTING_INVALID',
          `${prefix}__tableServiceUri is not a URL: write https://ACCOUNT.table.core.windows.net.`,
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
    'No storage account for the state tables is set: set BERTH_STATE or AzureWebJobsStorage, or one of them with __tableServiceUri.',
  );
}

const DEFAULT_DAYS = 30;
const MOST_DAYS = 3_650;

/** How long receipts are stored, in days. @throws BerthError `BERTH_SETTING_INVALID` */
export function receiptDays(env: Environment): number {
  return daysIn('BERTH_RECEIPT_DAYS', env.BERTH_RECEIPT_DAYS, 'receipt');
}

/**
 * How long dead letters are stored, in days. The counts of events that are not stored are kept as long.
 *
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function deadLetterDays(env: Environment): number {
  return daysIn('BERTH_DEAD_LETTER_DAYS', env.BERTH_DEAD_LETTER_DAYS, 'dead letter');
}

function daysIn(name: string, text: string | undefined, what: string): number {
  if (!text) return DEFAULT_DAYS;
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= MOST_DAYS) return days;
  throw new BerthError(
    'BERTH_SETTING_INVALID',
    `${name} is ${JSON.stringify(text.slice(0, 40))}: write a whole number of days, from 1 to ${MOST_DAYS}. Until then, no ${what} is removed.`,
  );
}

/** Where the daily exports go: a storage connection string, or the blob service of an account with an identity. */
export type ExportAccount =
  | { readonly kind: 'connectionString'; readonly connectionString: string }
  | { readonly kind: 'identity'; readonly blobServiceUri: string; readonly clientId: string | undefined };

/**
 * The account of the daily exports: `BERTH_EXPORTS`, or the account of the state tables if a connection string names that.
 *
 * @returns undefined: no setting names it
 * @throws BerthError `BERTH_SETTING_INVALID`
 */
export function exportAccount(env: Environment): ExportAccount | undefined {
  if (env.BERTH_EXPORTS) return { kind: 'connectionString', connectionString: env.BERTH_EXPORTS };
  const blobServiceUri = env.BERTH_EXPORTS__blobServiceUri;
  if (!blobServiceUri) {
    const state = stateAccount(env);
    return state.kind === 'connectionString' ? state : undefined;
  }
  if (!URL.canParse(blobServiceUri) || new URL(blobServiceUri).protocol !== 'https:') {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'BERTH_EXPORTS__blobServiceUri is not a URL: write https://ACCOUNT.blob.core.windows.net.',
    );
  }
  const clientId = env.BERTH_EXPORTS__clientId || env.AZURE_CLIENT_ID || undefined;
  return { kind: 'identity', blobServiceUri, clientId };
}

/**
 * The plain-http address of the local hubs and the local DPS, for development.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` unless it is plain http on loopback, because tokens are sent to
 *   it
 */
export function iotEndpoint(env: Environment): string | undefined {
  const text = env.IOT_ENDPOINT;
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url === undefined || url.protocol !== 'http:' || !isLoopback || url.username !== '') {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      'IOT_ENDPOINT is not a plain-http address on this machine: write, for example, http://127.0.0.1:7080. Remove it in Azure.',
    );
  }
  return url.origin;
}
