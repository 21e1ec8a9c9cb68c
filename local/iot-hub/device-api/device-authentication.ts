import type { MqttConnect } from '../../mqtt/index.ts';
import { type Address, addressOf, addressPath } from '../model/address.ts';
import type { Identity } from '../model/identity.ts';
import {
  isSignedBy,
  parseSharedAccessSignature,
  resourceOf,
} from '../service-api/shared-access-signature.ts';

/** The parts of an MQTT user name: `{host}/{deviceId}[/{moduleId}]/?api-version=…&model-id=…`. */
export interface DeviceUserName {
  /** In lower case. */
  readonly host: string;
  readonly address: Address;
  readonly modelId: string | undefined;
}

/** The part of a user name that follows the ids. */
const PARAMETERS = /^\??[\w-]+=/;
/** The id of a module can look like parameters. Then the real parameters follow, and all clients send this one. */
const SURELY_PARAMETERS = /^\??api-version=/;

/**
 * Reads a user name; undefined if it is not the user name of a device or module. Ids can contain `?`, so only slashes
 * separate the parts.
 */
export function parseDeviceUserName(userName: string): DeviceUserName | undefined {
  const [host, deviceId, ...rest] = userName.split('/');
  if (!host || !deviceId) return undefined;
  const [first = '', second = ''] = rest;
  const isOfModule = SURELY_PARAMETERS.test(second) || (first !== '' && !PARAMETERS.test(first));
  const parameters = rest.slice(isOfModule ? 1 : 0).join('/');
  if (isOfModule && (first === '' || (parameters !== '' && !PARAMETERS.test(parameters)))) return undefined;
  const modelId = /[?&]model-id=([^&]*)/.exec(parameters)?.[1];
  return { host: host.toLowerCase(), address: addressOf(deviceId, isOfModule ? first : undefined), modelId };
}

/** A valid proof of identity. */
export interface PresentedProof {
  /** Milliseconds since the epoch; undefined: as long as the connection. */
  readonly expires: number | undefined;
}

/**
 * Checks the identity of a device or module. It needs a token that one of its keys has signed, or a certificate with a
 * known thumbprint. TLS has verified that the client holds the key of the certificate.
 *
 * @param host the host name that the client uses. Its token must be for this host name.
 */
export function authenticateDevice(
  host: string,
  identity: Identity,
  { password, certificates }: Pick<MqttConnect, 'password' | 'certificates'>,
  now: number,
): PresentedProof | undefined {
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
  if (token === undefined || !isResourceOf(resourceOf(token), host, identity)) return undefined;
  // A token of a policy contains the name of the policy. The local hubs have no policy for devices.
  if (token.keyName !== undefined || !isSignedBy(token, [primaryKey, secondaryKey], now)) return undefined;
  return { expires: token.expiry * 1000 };
}

/** Ids are case-sensitive, host names are not. */
function isResourceOf(resource: string | undefined, host: string, address: Address): boolean {
  const slash = resource?.indexOf('/') ?? -1;
  if (resource === undefined || slash < 0) return false;
  return (
    resource.slice(0, slash).toLowerCase() === host.toLowerCase() &&
    resource.slice(slash + 1) === addressPath(address)
  );
}
