import { createHmac } from 'node:crypto';
import { BerthError } from '../errors.ts';
import { type HostName, hostName } from '../iot-hub/host-name.ts';

/** Gives the `Authorization` header for a hub's service API. */
export interface HubCredential {
  authorization(): Promise<string>;
}

/** Tokens are signed for this long and renewed well before. */
const SAS_LIFE_MS = 60 * 60_000;
const RENEW_BEFORE_MS = 10 * 60_000;
/** Audience of Entra tokens for IoT Hub (azure-iothub, Registry.fromTokenCredential). */
const SCOPE = 'https://iothubs.azure.net/.default';

/** A shared access policy of a hub, such as `service`. */
export interface SharedAccessPolicy {
  readonly keyName: string;
  readonly key: string;
}

/**
 * Signs with a shared access key. The same token is used until it is about to expire.
 *
 * @param host the host name that is called: whether a token for one name of a hub passes at another is not documented.
 */
export function sharedAccessCredential(host: string, { keyName, key }: SharedAccessPolicy): HubCredential {
  let token = '';
  let renewAt = 0;
  return {
    async authorization() {
      const now = Date.now();
      if (now >= renewAt) {
        const resource = encodeURIComponent(host);
        const expiry = Math.ceil((now + SAS_LIFE_MS) / 1_000);
        const signature = createHmac('sha256', Buffer.from(key, 'base64'))
          .update(`${resource}\n${expiry}`)
          .digest('base64');
        token = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${encodeURIComponent(keyName)}`;
        renewAt = now + SAS_LIFE_MS - RENEW_BEFORE_MS;
      }
      return token;
    },
  };
}

/**
 * The policy in a service connection string, which may name the hub by any of its host names.
 *
 * @throws BerthError `BERTH_SETTING_INVALID` naming the setting, never its value.
 */
export function parseConnectionString(text: string, setting: string, host: HostName): SharedAccessPolicy {
  const parts = connectionStringParts(text);
  const keyName = parts.get('sharedaccesskeyname');
  const key = parts.get('sharedaccesskey');
  if (keyName === undefined || keyName === '' || key === undefined || key === '') {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      `The setting ${setting} is no service connection string: it must hold HostName, SharedAccessKeyName and SharedAccessKey.`,
    );
  }
  if (hostName(parts.get('hostname') ?? '') !== host) {
    throw new BerthError(
      'BERTH_SETTING_INVALID',
      `The setting ${setting} is the connection string of another hub than ${host}.`,
    );
  }
  return { keyName, key };
}

/** The fields of a connection string by their names in lower case. */
export function connectionStringParts(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(';').map((part) => {
      const [name = '', ...value] = part.split('=');
      return [name.trim().toLowerCase(), value.join('=')] as const;
    }),
  );
}

/**
 * A managed identity in Azure (`clientId`: a user-assigned one), or whoever is signed in on a laptop. Tokens
 * are shared by all hubs, and asked for once however many wait.
 *
 * @param scope whom the tokens are for; default IoT Hub.
 */
export function identityCredential(
  clientId: string | undefined,
  isAzure: boolean,
  scope = SCOPE,
): HubCredential {
  let token: { readonly value: string; readonly renewAt: number } | undefined;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
    const credential = isAzure
      ? clientId === undefined
        ? new ManagedIdentityCredential()
        : new ManagedIdentityCredential({ clientId })
      : new DefaultAzureCredential();
    const { token: value, expiresOnTimestamp } = await credential.getToken(scope);
    token = { value: `Bearer ${value}`, renewAt: expiresOnTimestamp - RENEW_BEFORE_MS };
    return token.value;
  };
  return {
    async authorization() {
      if (token !== undefined && Date.now() < token.renewAt) return token.value;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}
