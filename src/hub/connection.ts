import { BerthError } from '../errors.ts';
import type { Hub } from '../fleet/fleet.ts';
import { type HostName, hostName } from '../iot-hub/host-name.ts';
import {
  identityCredential,
  readServiceConnection,
  type SharedAccessPolicy,
  sharedAccessCredential,
} from '../rest/credential.ts';
import type { RestEndpoint } from '../rest/service.ts';
import { DEVELOPMENT_POLICY } from './development.ts';
import { HubError } from './port.ts';

/** Audience of Entra tokens for IoT Hub (azure-iothub, Registry.fromTokenCredential). */
const SCOPE = 'https://iothubs.azure.net/.default';

export interface HubConnectionOptions {
  hub(host: HostName): Hub | undefined;
  /** App settings, for `connection`. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** Client id of a user-assigned identity. */
  readonly clientId: string | undefined;
  /** Whether the app runs in Azure, where it has a managed identity. */
  readonly isAzure: boolean;
  /**
   * For development: one plain-http address for all hubs, on loopback. If it throws, the call to the hub fails.
   */
  endpoint(): string | undefined;
  /** For development: the policy that signs. Default: the owner of the local hubs, as an operator. */
  readonly developmentPolicy?: SharedAccessPolicy;
}

/**
 * The endpoint and credential of each hub: the policy of its `connection`, or the local policy in development, or else the
 * identity. All hubs share the tokens of the identity.
 *
 * @returns a function that throws HubError `BERTH_SETTING_INVALID`, which names the setting and never its value. Work on other hubs goes on.
 */
export function hubEndpoints(options: HubConnectionOptions): (host: HostName) => RestEndpoint {
  const { developmentPolicy = DEVELOPMENT_POLICY } = options;
  const identity = identityCredential(SCOPE, options);
  const endpointOf = (host: HostName): RestEndpoint => {
    const { serviceHost = host, connection } = options.hub(host) ?? {};
    const policy = connection === undefined ? undefined : readPolicy(options.settings, connection, host);
    const development = options.endpoint();
    const signer = policy ?? (development === undefined ? undefined : developmentPolicy);
    return {
      host,
      serviceHost,
      origin: development ?? `https://${serviceHost}`,
      credential: signer === undefined ? identity : sharedAccessCredential(serviceHost, signer),
    };
  };
  return (host) => {
    try {
      return endpointOf(host);
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'BERTH_SETTING_INVALID') throw error;
      throw new HubError(error.code, error.message, { host });
    }
  };
}

/** The policy of a service connection string. The string may name the hub by any of its host names. */
function readPolicy(
  settings: HubConnectionOptions['settings'],
  setting: string,
  host: HostName,
): SharedAccessPolicy {
  const text = settings[setting];
  if (text === undefined) {
    throw invalid(`The setting ${setting}, which ${host} names as its connection, is missing.`);
  }
  const connection = readServiceConnection(text);
  if (connection === undefined) {
    throw invalid(
      `The setting ${setting} is not a service connection string: it must hold HostName, SharedAccessKeyName and SharedAccessKey.`,
    );
  }
  if (hostName(connection.host) !== host) {
    throw invalid(`The setting ${setting} is a connection string of a hub other than ${host}.`);
  }
  return connection.policy;
}

function invalid(message: string): BerthError {
  return new BerthError('BERTH_SETTING_INVALID', message);
}
