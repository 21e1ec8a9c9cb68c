import type { X509Certificate } from 'node:crypto';
import { commonName, isValidAt, signerOf } from '../../ca/index.ts';
import { isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import type { AccessPolicy } from '../model/access-policy.ts';
import { type Address, addressKey, addressOf, addressPath } from '../model/address.ts';
import { isSystemModule } from '../model/edge.ts';
import type { Identity } from '../model/identity.ts';
import {
  covers,
  isSignedBy,
  parseSharedAccessSignature,
  resourcesOf,
  type SharedAccessSignature,
} from '../service-api/shared-access-signature.ts';

/** The parts of an MQTT user name: `{host}/{deviceId}[/{moduleId}]/?api-version=…&model-id=…`. */
export interface DeviceUserName {
  /** In lower case. */
  readonly host: string;
  readonly address: Address;
  readonly modelId: string | undefined;
  /** As it is written; undefined: none. */
  readonly apiVersion: string | undefined;
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
  // Some SDKs encode the model id, some do not. A model id contains no `%`.
  const modelId = decodedOnce(/[?&]model-id=([^&]*)/.exec(parameters)?.[1]);
  const apiVersion = /(?:^|[?&])api-version=([^&]*)/.exec(parameters)?.[1];
  const address = addressOf(deviceId, isOfModule ? first : undefined);
  return { host: host.toLowerCase(), address, modelId, apiVersion };
}

function decodedOnce(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A valid proof of identity. */
export interface PresentedProof {
  /** Milliseconds since the epoch; undefined: as long as the connection. */
  readonly expires: number | undefined;
}

/** What a caller shows for its identity. */
export interface DeviceEvidence {
  /** The host name that the caller uses. Its token must be for this host name. */
  readonly host: string;
  /** A token; undefined for none. */
  readonly password: string | undefined;
  /** The certificates of the caller, leaf first. TLS has verified that it holds the key of the leaf. */
  readonly certificates: readonly X509Certificate[];
}

/**
 * Checks the identity of a device or module. It needs a token that one of its keys has signed, a token of a policy with
 * `DeviceConnect`, a certificate with a known thumbprint, or one that a CA of the hub has signed. The two modules of the Edge
 * runtime can also use the credentials of their device. A disabled device, and its modules, have no proof.
 *
 * @param policies the policies whose tokens count.
 */
export function authenticateDevice(
  hub: LocalHub,
  address: Address,
  evidence: DeviceEvidence,
  policies: readonly AccessPolicy[],
): PresentedProof | undefined {
  const identity = isDeviceDisabled(hub, address) ? undefined : hub.store.get(address)?.identity;
  if (identity === undefined) return undefined;
  const { host, password } = evidence;
  const token = parseSharedAccessSignature(password ?? '');
  if (token?.keyName !== undefined && token.keyName !== '') {
    return isOfPolicy(token, host, identity, policies, hub.now()) ? proofOf(token) : undefined;
  }
  const ownToken = token !== undefined && isResourceOf(token, host, identity) ? token : undefined;
  const device = isSystemModule(identity)
    ? hub.store.get({ deviceId: address.deviceId })?.identity
    : undefined;
  for (const way of device === undefined ? [identity] : [identity, device]) {
    const proof = proofBy(hub, way, ownToken, evidence.certificates);
    if (proof !== undefined) return proof;
  }
  return undefined;
}

function proofBy(
  hub: LocalHub,
  identity: Identity,
  token: SharedAccessSignature | undefined,
  [leaf, ...sent]: readonly X509Certificate[],
): PresentedProof | undefined {
  const { authentication } = identity;
  switch (authentication.type) {
    case 'none':
      return undefined;
    case 'selfSigned': {
      const { primaryThumbprint, secondaryThumbprint } = authentication.x509Thumbprint;
      const shown = leaf && [leaf.fingerprint, leaf.fingerprint256].map((text) => text.replaceAll(':', ''));
      const isKnown = shown?.some((print) => print === primaryThumbprint || print === secondaryThumbprint);
      return isKnown === true ? FOREVER : undefined;
    }
    case 'certificateAuthority': {
      if (leaf === undefined || commonName(leaf) !== addressKey(identity)) return undefined;
      const isTrusted =
        isValidAt(leaf, hub.now()) && signerOf(leaf, sent, hub.authorities(), hub.now()) !== undefined;
      return isTrusted ? FOREVER : undefined;
    }
    case 'sas': {
      if (token === undefined) return undefined;
      const { primaryKey, secondaryKey } = authentication.symmetricKey;
      return isSignedBy(token, [primaryKey, secondaryKey], hub.now()) ? proofOf(token) : undefined;
    }
  }
}

const FOREVER: PresentedProof = { expires: undefined };

function proofOf({ expiry }: SharedAccessSignature): PresentedProof {
  return { expires: expiry * 1000 };
}

/**
 * Whether the token of a policy stands for the device: its policy allows `DeviceConnect`, and its resource is the hub or
 * a part of it that contains the device (iot-hub-devguide-security.md, "token service").
 */
function isOfPolicy(
  token: SharedAccessSignature,
  host: string,
  address: Address,
  policies: readonly AccessPolicy[],
  now: number,
): boolean {
  const policy = policies.find(({ keyName }) => keyName === token.keyName);
  return (
    policy?.rights.includes('DeviceConnect') === true &&
    isSignedBy(token, [policy.key], now) &&
    (covers(token, host, `/${addressPath(address)}`) || isResourceOf(token, host, address))
  );
}

/** Some clients sign the user name's last part too: `…/devices/dev-1/api-version=2018-06-30`. */
const SIGNED_PARAMETERS = /^\/\??api-version=/;

/** Ids are case-sensitive, host names are not. */
function isResourceOf(token: SharedAccessSignature, host: string, address: Address): boolean {
  return resourcesOf(token).some((resource) => {
    const slash = resource.indexOf('/');
    if (slash < 0 || resource.slice(0, slash).toLowerCase() !== host.toLowerCase()) return false;
    const path = resource.slice(slash + 1);
    const own = addressPath(address);
    return path === own || (path.startsWith(own) && SIGNED_PARAMETERS.test(path.slice(own.length)));
  });
}
