import type { MqttConnect } from '../mqtt/index.ts';
import type { Identity } from './identity.ts';
import { isSignedBy, parseSharedAccessSignature, resourceOf } from './shared-access-signature.ts';

/** Who a device's user name says it is: `{host}/{deviceId}/?api-version=…&model-id=…`. */
export interface DeviceUserName {
  /** In lower case. */
  readonly host: string;
  readonly deviceId: string;
  readonly modelId: string | undefined;
}

/** Reads a user name; undefined if it is not one of a device. Ids may hold `?`, so only slashes part it. */
export function parseDeviceUserName(userName: string): DeviceUserName | undefined {
  const [host, deviceId, parameters, ...rest] = userName.split('/');
  if (!host || !deviceId || (parameters !== undefined && !/^\??[\w-]+=|^$/.test(parameters)))
    return undefined;
  const query = [parameters ?? '', ...rest].join('/');
  const modelId = /[?&]model-id=([^&]*)/.exec(query)?.[1];
  return { host: host.toLowerCase(), deviceId, modelId };
}

/** The proof a device gave, and how long it holds. */
export interface Proof {
  /** Milliseconds since the epoch; undefined: as long as the connection. */
  readonly expires: number | undefined;
}

/**
 * Checks that a client is the device: by a token of one of its keys, for it or for something above it, or by
 * the thumbprint of the certificate that TLS has verified it holds. A disabled device proves nothing.
 */
export function authenticateDevice(
  host: string,
  identity: Identity,
  { password, certificates }: Pick<MqttConnect, 'password' | 'certificates'>,
  now: number,
): Proof | undefined {
  if (identity.status === 'disabled') return undefined;
  const { authentication } = identity;
  if (authentication.type === 'selfSigned') {
    const { primaryThumbprint, secondaryThumbprint } = authentication.x509Thumbprint;
    const leaf = certificates[0];
    const shown = leaf && [leaf.fingerprint, leaf.fingerprint256].map((text) => text.replaceAll(':', ''));
    const isKnown = shown?.some((print) => print === primaryThumbprint || print === secondaryThumbprint);
    return isKnown === true ? { expires: undefined } : undefined;
  }
  const token = parseSharedAccessSignature(password ?? '');
  const { primaryKey, secondaryKey } = authentication.symmetricKey;
  if (token === undefined || !isResourceOf(resourceOf(token), host, identity.deviceId)) return undefined;
  // A policy's token carries its name; the local hubs have no policy for devices.
  if (token.keyName !== undefined || !isSignedBy(token, [primaryKey, secondaryKey], now)) return undefined;
  return { expires: token.expiry * 1000 };
}

/** Device ids are case-sensitive, host names are not. */
function isResourceOf(resource: string | undefined, host: string, deviceId: string): boolean {
  const slash = resource?.indexOf('/') ?? -1;
  if (resource === undefined || slash < 0) return false;
  return (
    resource.slice(0, slash).toLowerCase() === host.toLowerCase() &&
    resource.slice(slash) === `/devices/${deviceId}`
  );
}
