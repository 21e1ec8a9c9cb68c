import { type AmqpError, amqpError, unauthorized } from '../../amqp/conditions.ts';
import type { Claim, NodeResponse } from '../../amqp/index.ts';
import { notHere } from '../../errors.ts';
import {
  authenticateDevice,
  type DeviceEvidence,
  type PresentedProof,
} from '../device-api/device-authentication.ts';
import { isDeviceDisabled, type LocalHub } from '../hub/hub.ts';
import type { AccessPolicy, AccessRight } from '../model/access-policy.ts';
import { type Address, addressKey, addressOf, addressReadings } from '../model/address.ts';
import { readHubName } from '../model/host-name.ts';
import { HubRefusal } from '../model/hub-error.ts';
import {
  covers,
  isSignedBy,
  parseSharedAccessSignature,
  resourcesOf,
  type SharedAccessSignature,
} from '../service-api/shared-access-signature.ts';

/** The hubs that a client can use, and their policies. */
export interface Hubs {
  /** The hub of a host name or of a short name. */
  readonly hubOf: (host: string) => LocalHub | undefined;
  readonly all: readonly LocalHub[];
  readonly policies: readonly AccessPolicy[];
}

/** The parts of a user name of SASL PLAIN (iot-hub-dev-guide-sas.md, "Protocol specifics"). */
export type LoginName =
  | { readonly kind: 'device'; readonly address: Address; readonly hub: string }
  | { readonly kind: 'policy'; readonly keyName: string; readonly hub: string };

const DEVICE_LOGIN = /^(.+)@sas\.([^@.]+(?:\.[^@]+)?)$/;
const POLICY_LOGIN = /^([^@]+)@sas\.root\.([^@]+)$/;

/**
 * Reads a user name; undefined if it is not one of IoT Hub.
 *
 * @example 'dev-1@sas.contoso-weu', 'dev-1/camera@sas.contoso-weu', 'iothubowner@sas.root.contoso-weu'
 */
export function parseLoginName(userName: string): LoginName | undefined {
  const [, keyName, hubOfPolicy] = POLICY_LOGIN.exec(userName) ?? [];
  if (keyName !== undefined && hubOfPolicy !== undefined)
    return { kind: 'policy', keyName, hub: hubOfPolicy };
  const [, id, hub] = DEVICE_LOGIN.exec(userName) ?? [];
  const [deviceId, moduleId, ...rest] = id?.split('/') ?? [];
  if (!deviceId || hub === undefined || rest.length > 0) return undefined;
  return { kind: 'device', address: addressOf(deviceId, moduleId), hub };
}

/** The entity in the audience of a token: a device or module, or the hub or a part of it. */
interface Audience {
  readonly host: string;
  /** The devices or modules that the audience can mean; empty: none. */
  readonly addresses: readonly Address[];
}

/** Reads an audience: `{host}/devices/{id}[/modules/{id}]…`, encoded or not, with or without a scheme. */
function parseAudience(text: string): Audience | undefined {
  const whole = text.includes('/') ? text : decoded(text);
  const bare = whole.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const [authority = '', collection, deviceId, modules, moduleId] = bare.split('/');
  const host = decoded(authority).toLowerCase().replace(/:\d*$/, '');
  if (readHubName(host).kind === 'other' && !host.includes('.')) return undefined;
  const isDevice = collection?.toLowerCase() === 'devices' && !!deviceId;
  if (!isDevice) return { host, addresses: [] };
  return { host, addresses: addressReadings(deviceId, modules === 'modules' ? (moduleId ?? '') : undefined) };
}

interface PolicyToken {
  readonly hub: LocalHub;
  readonly host: string;
  readonly text: string;
  readonly token: SharedAccessSignature;
  readonly policy: AccessPolicy;
}

interface DeviceProof extends PresentedProof {
  readonly hub: LocalHub;
}

/** What the client of one AMQP connection has proved: its tokens, its login and its certificates. */
export class HubAccess {
  readonly #hubs: Hubs;
  readonly #policyTokens: PolicyToken[] = [];
  readonly #devices = new Map<string, DeviceProof>();
  /** The devices that use the token of a policy for the whole hub, as the connection pool of the SDK for C# does. */
  readonly #pooled = new Map<string, Address>();

  constructor(hubs: Hubs) {
    this.#hubs = hubs;
  }

  /**
   * Answers a token of `$cbs`; undefined if it is not for a hub. A wrong token gets 401 (azure-iot-amqp-base reads the status,
   * 200 for a token that counts).
   *
   * @param called the host name that the client has called. If it is a hub, the token must be for this hub.
   * @param onDevice called for a device or module whose token counts.
   */
  async putToken(
    { audience, type, token: text }: Claim,
    called: string | undefined,
    onDevice: (address: Address, expires: number | undefined) => void,
  ): Promise<NodeResponse | undefined> {
    const target = parseAudience(audience);
    if (target === undefined) return undefined;
    const hub = this.#hubs.hubOf(target.host);
    if (hub === undefined) return { status: 404, ...hubNotFound(target.host) };
    const own = called === undefined ? undefined : this.#hubs.hubOf(called);
    if (own !== undefined && own !== hub) return refused(`The token is for another hub than ${called}.`);
    if (type === 'jwt') return refused(notHere('Microsoft Entra ID tokens are not in the local hub.'));
    if (typeof text !== 'string') return refused('The token is not a shared access signature.');
    try {
      const { addresses } = target;
      if (addresses.length > 0) await hub.admit('connections');
      const granted = addresses.find((address) => this.#grantDevice(hub, target.host, address, text));
      if (granted === undefined && !this.#grantPolicy(hub, target.host, text)) return refused('Unauthorized');
      const named = granted === undefined ? addresses : [granted];
      for (const address of addresses.length === 0 ? this.#pooled.values() : named) {
        const proof = this.#proofOf(address);
        if (proof !== undefined) onDevice(address, proof.expires);
      }
      return { status: 200, description: 'OK' };
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      return { status: error.status, ...conditionOf(error) };
    }
  }

  /** Checks the user name and password of SASL PLAIN. A device waits until its hub permits one more connection. */
  async login(name: LoginName, password: string, host: string | undefined): Promise<boolean> {
    const hub =
      this.#hubs.hubOf(name.hub) ?? this.#hubs.all.find((each) => each.name === name.hub.split('.')[0]);
    if (hub === undefined) return false;
    const called = host !== undefined && this.#hubs.hubOf(host) === hub ? host : hub.host;
    if (name.kind === 'policy') return this.#grantPolicy(hub, called, password);
    try {
      await hub.admit('connections');
    } catch (error) {
      if (error instanceof HubRefusal) return false;
      throw error;
    }
    return this.#grantDevice(hub, called, name.address, password);
  }

  /** The hub for which the client has shown a policy with the right, for this path of the hub; or the refusal. */
  service(right: AccessRight, path: string): LocalHub | AmqpError {
    const now = (hub: LocalHub) => hub.now();
    const token = this.#policyTokens.find(
      (each) =>
        each.policy.rights.includes(right) &&
        each.token.expiry * 1000 > now(each.hub) &&
        covers(each.token, each.host, path),
    );
    return token?.hub ?? unauthorized(`Unauthorized access. The right '${right}' is required for '${path}'.`);
  }

  /**
   * The hub of a device or module that the client has proved to be, by its token, its login or its certificate; or the
   * refusal.
   *
   * @param host the hub that the client has called, if it is known.
   */
  device(address: Address, host: string | undefined, certificates: LeafFirst): DeviceAccess | AmqpError {
    const proof = this.#proofOf(address) ?? this.#byCertificate(address, host, certificates);
    if (proof === undefined || (proof.expires ?? Infinity) <= proof.hub.now()) {
      return unauthorized('Unauthorized access. The device has shown no valid token or certificate.');
    }
    if (isDeviceDisabled(proof.hub, address) || proof.hub.store.get(address) === undefined) {
      return amqpError('amqp:not-found', `The device ${addressKey(address)} is not registered or disabled.`);
    }
    return proof;
  }

  #proofOf(address: Address): DeviceProof | undefined {
    return this.#devices.get(addressKey(address)) ?? this.#byPolicy(address);
  }

  /** A policy with `DeviceConnect` speaks for every device (iot-hub-dev-guide-sas.md). The newest token comes first. */
  #byPolicy(address: Address): DeviceProof | undefined {
    for (const { hub, host, text, policy } of this.#policyTokens) {
      if (hub.store.get(address) === undefined) continue;
      const proof = authenticateDevice(hub, address, { host, password: text, certificates: [] }, [policy]);
      if (proof === undefined) continue;
      this.#pooled.set(addressKey(address), address);
      return { ...proof, hub };
    }
    return undefined;
  }

  #byCertificate(
    address: Address,
    host: string | undefined,
    certificates: LeafFirst,
  ): DeviceProof | undefined {
    if (certificates.length === 0) return undefined;
    for (const hub of this.#called(host)) {
      const evidence = { host: hub.host, password: undefined, certificates };
      const proof = authenticateDevice(hub, address, evidence, []);
      if (proof !== undefined) return { ...proof, hub };
    }
    return undefined;
  }

  /** The hub of a host name; all hubs for a name that is not one of Azure, such as `localhost`. */
  #called(host: string | undefined): readonly LocalHub[] {
    const named = host === undefined ? undefined : this.#hubs.hubOf(host);
    if (named !== undefined) return [named];
    return host === undefined || readHubName(host).kind === 'other' ? this.#hubs.all : [];
  }

  #grantDevice(hub: LocalHub, host: string, address: Address, text: string): boolean {
    const evidence = { host, password: text, certificates: [] };
    const proof = authenticateDevice(hub, address, evidence, this.#hubs.policies);
    if (proof === undefined) return false;
    this.#devices.set(addressKey(address), { ...proof, hub });
    return true;
  }

  #grantPolicy(hub: LocalHub, host: string, text: string): boolean {
    const token = parseSharedAccessSignature(text);
    const policy = this.#hubs.policies.find(({ keyName }) => keyName === token?.keyName);
    if (token === undefined || policy === undefined || !isSignedBy(token, [policy.key], hub.now()))
      return false;
    if (!resourcesOf(token).some((resource) => hostOf(resource) === host.toLowerCase())) return false;
    this.#policyTokens.unshift({ hub, host, text, token, policy });
    return true;
  }
}

type LeafFirst = DeviceEvidence['certificates'];

/** A device or module that may use its links, and until when. */
export type DeviceAccess = DeviceProof;

/** The refusal of an operation as an AMQP error (the table in azure-iot-amqp-base, amqp_common_errors.js). */
export function conditionOf(error: HubRefusal): AmqpError {
  return amqpError(CONDITIONS[error.refusal] ?? 'amqp:internal-error', error.message);
}

const CONDITIONS: Readonly<Partial<Record<HubRefusal['refusal'], string>>> = {
  ArgumentInvalid: 'com.microsoft:argument-error',
  ArgumentNull: 'com.microsoft:argument-error',
  IotHubFormatError: 'com.microsoft:argument-error',
  InvalidProtocolVersion: 'com.microsoft:argument-error',
  IotHubUnauthorizedAccess: 'amqp:unauthorized-access',
  IotHubUnauthorized: 'amqp:unauthorized-access',
  IotHubQuotaExceeded: 'amqp:resource-limit-exceeded',
  DeviceMaximumQueueDepthExceeded: 'amqp:resource-limit-exceeded',
  IotHubNotFound: 'com.microsoft:iot-hub-not-found-error',
  DeviceNotFound: 'amqp:not-found',
  ModuleNotFound: 'amqp:not-found',
  DeviceNotOnline: 'amqp:not-found',
  InvalidOperation: 'amqp:not-allowed',
  DeviceAlreadyExists: 'com.microsoft:device-already-exists',
  PreconditionFailed: 'com.microsoft:precondition-failed',
  DeviceMessageLockLost: 'com.microsoft:message-lock-lost',
  RequestTooLarge: 'amqp:link:message-size-exceeded',
  ThrottlingException: 'com.microsoft:device-container-throttled',
  NotInLocalHub: 'amqp:not-implemented',
  GatewayTimeout: 'com.microsoft:timeout',
  ServiceUnavailable: 'com.microsoft:timeout',
  IotHubFailingOver: 'com.microsoft:timeout',
};

/** The refusal of a client that calls an unknown hub, or of a device that calls a name for services. */
export function hubNotFound(host: string): AmqpError {
  return amqpError('com.microsoft:iot-hub-not-found-error', `Unknown hub ${host}.`);
}

function refused(reason: string): NodeResponse {
  return { status: 401, ...unauthorized(reason) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The host name at the start of a resource, in lower case. */
function hostOf(resource: string): string {
  return resource.split('/')[0]?.toLowerCase() ?? '';
}
