import { createHmac } from 'node:crypto';
import { EPOCH, type EpochMs, epochMs, plus, systemTime } from '../time/epoch-ms.ts';

/** Provides the `Authorization` header of a service. */
export interface RestCredential {
  authorization(): Promise<string>;
}

/** Validity of signed tokens. They are renewed earlier. */
const SAS_LIFE_MS = 60 * 60_000;
const RENEW_BEFORE_MS = 10 * 60_000;

/** A shared access policy of a hub or of DPS, such as `service`. */
export interface SharedAccessPolicy {
  readonly keyName: string;
  readonly key: string;
}

/** The fields of a service connection string. */
export interface ServiceConnection {
  /** As written in the text; empty if missing. */
  readonly host: string;
  readonly policy: SharedAccessPolicy;
}

/** Reads a service connection string; undefined if it has no policy or no key. */
export function readServiceConnection(text: string): ServiceConnection | undefined {
  const parts = new Map(
    text.split(';').map((part) => {
      const [name = '', ...value] = part.split('=');
      return [name.trim().toLowerCase(), value.join('=')] as const;
    }),
  );
  const keyName = parts.get('sharedaccesskeyname');
  const key = parts.get('sharedaccesskey');
  if (!keyName || !key) return undefined;
  return { host: parts.get('hostname') ?? '', policy: { keyName, key } };
}

/**
 * Signs tokens with a shared access key. A token is reused until shortly before it expires.
 *
 * @param host the called host name. It is not documented whether a token for one name of a hub is valid for
 *   another.
 */
export function sharedAccessCredential(host: string, { keyName, key }: SharedAccessPolicy): RestCredential {
  let token = '';
  let renewAt = EPOCH;
  return {
    async authorization() {
      const now = systemTime();
      if (now >= renewAt) {
        const resource = encodeURIComponent(host);
        const expiry = Math.ceil((now + SAS_LIFE_MS) / 1_000);
        const signature = createHmac('sha256', Buffer.from(key, 'base64'))
          .update(`${resource}\n${expiry}`)
          .digest('base64');
        token = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${encodeURIComponent(keyName)}`;
        renewAt = plus(now, SAS_LIFE_MS - RENEW_BEFORE_MS);
      }
      return token;
    },
  };
}

export interface IdentityOptions {
  /** True: use the managed identity. False: use the signed-in identity of this machine. */
  readonly isAzure: boolean;
  /** Client id of a user-assigned managed identity. */
  readonly clientId?: string | undefined;
}

/**
 * A managed identity in Azure, or the signed-in identity of this machine. Concurrent calls share one token
 * request. A token is reused until shortly before it expires.
 *
 * @param scope audience of the tokens, such as `https://iothubs.azure.net/.default`
 */
export function identityCredential(scope: string, { isAzure, clientId }: IdentityOptions): RestCredential {
  let token: { readonly value: string; readonly renewAt: EpochMs } | undefined;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
    const credential = isAzure
      ? clientId === undefined
        ? new ManagedIdentityCredential()
        : new ManagedIdentityCredential({ clientId })
      : new DefaultAzureCredential();
    const { token: value, expiresOnTimestamp } = await credential.getToken(scope);
    token = { value: `Bearer ${value}`, renewAt: epochMs(expiresOnTimestamp - RENEW_BEFORE_MS) };
    return token.value;
  };
  return {
    async authorization() {
      if (token !== undefined && systemTime() < token.renewAt) return token.value;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}
