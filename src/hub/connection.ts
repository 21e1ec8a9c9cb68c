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

/** Audience of Entra tokens for IoT Hub (azure-iothub, Registry.fromTokenCredential). */
const SCOPE = 'https://iothubs.azure.net/.default';

export interface HubConnectionOptions {
  hub(host: HostName): Hub | undefined;
  /** App settings, for `connection`. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** Client id of a user-assigned identity. */
  readonly clientId: string | undefined;
  /** True where a managed identity is there to be used. */
  readonly isAzure: boolean;
  /**
   * Development: one plain-http address for all hubs, on loopback. May throw, which fails the call that
   * asked.
   */
  endpoint(): string | undefined;
}

/**
 * How each hub is reached: with the policy of its `connection`, else with the local one in development, else with the identity,
 * whose tokens all hubs share.
 *
 * @returns a function that throws BerthError `BERTH_SETTING_INVALID`, naming the setting and never its value
 */
export function hubEndpoints(options: HubConnectionOptions): (host: HostName) => RestEndpoint {
  const identity = identityCredential(SCOPE, options);
  return (host) => {
    const { serviceHost = host, connection } = options.hub(host) ?? {};
    const policy = connection === undefined ? undefined : readPolicy(options.settings, connection, host);
    const development = options.endpoint();
    const signer = policy ?? (development === undefined ? undefined : DEVELOPMENT_POLICY);
    return {
      host,
      serviceHost,
      origin: development ?? `https://${serviceHost}`,
      credential: signer === undefined ? identity : sharedAccessCredential(serviceHost, signer),
    };
  };
}

/** The policy in a service connection string, which may name the hub by any of its host names. */
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
