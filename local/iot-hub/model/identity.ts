import { randomBytes } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { Address } from './address.ts';
import { HubRefusal } from './hub-error.ts';

/** How a device or module proves its identity. Keys are base64, thumbprints hexadecimal (SHA-1 or SHA-256). */
export type Authentication =
  | {
      readonly type: 'sas';
      readonly symmetricKey: { readonly primaryKey: string; readonly secondaryKey: string };
    }
  | {
      readonly type: 'selfSigned';
      readonly x509Thumbprint: {
        readonly primaryThumbprint: string;
        readonly secondaryThumbprint: string | null;
      };
    }
  /** A certificate whose chain ends at a CA certificate of the hub, with the id as common name. */
  | { readonly type: 'certificateAuthority' }
  /** A module that the hub made for IoT Edge, until its device sets its keys. */
  | { readonly type: 'none' };

/** The identity of a device, or of a module of it. */
export interface Identity extends Address {
  /** New for each created device or module, also if an earlier one had the same id. */
  readonly generationId: string;
  readonly etag: string;
  readonly status: 'enabled' | 'disabled';
  readonly statusReason: string | null;
  readonly statusUpdatedTime: string;
  readonly authentication: Authentication;
  readonly capabilities: { readonly iotEdge: boolean };
  /**
   * The scope of IoT Edge: of an Edge device its own, of another device the one of its parent. Modules have none.
   *
   * @example 'ms-azure-iot-edge://gateway-1-637176526047419634'
   */
  readonly deviceScope?: string;
  /** The scope of the parent, in an array of one (service REST API 2020-09-30). */
  readonly parentScopes?: readonly string[];
  /** Only for modules: the manager of the module, such as `IotEdge`. */
  readonly managedBy?: string | null;
}

/** The fields of an identity that a client can set. */
export type IdentityChoice = Pick<
  Identity,
  'status' | 'statusReason' | 'authentication' | 'capabilities' | 'managedBy' | 'deviceScope' | 'parentScopes'
>;

/** Longest scope: its prefix, the longest id and a number. */
const MAX_SCOPE_LENGTH = 256;
/** A device has one parent (iot-edge-limits-and-restrictions.md). */
const MAX_PARENTS = 1;

/** Case-sensitive, up to 128 characters (iot-hub-devguide-identity-registry.md). */
const DEVICE_OR_MODULE_ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/;
/** A key has 16 to 64 bytes, as base64 (same page). */
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 64;
const GENERATED_KEY_BYTES = 32;
const THUMBPRINT = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/i;

export function isDeviceOrModuleId(id: string): boolean {
  return DEVICE_OR_MODULE_ID.test(id);
}

/**
 * Reads the body of a request that creates or updates a device. Absent or empty keys are generated.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readIdentityChoice(body: JsonObject): IdentityChoice {
  const status = ownMember(body, 'status') ?? 'enabled';
  if (status !== 'enabled' && status !== 'disabled') throw invalid('status must be enabled or disabled');
  const reason = ownMember(body, 'statusReason') ?? null;
  if (reason !== null && typeof reason !== 'string') throw invalid('statusReason must be a string');
  const capabilities = objectOf(ownMember(body, 'capabilities'));
  return {
    status,
    statusReason: reason,
    authentication: readAuthentication(objectOf(ownMember(body, 'authentication'))),
    capabilities: { iotEdge: ownMember(capabilities, 'iotEdge') === true },
    ...readScopes(body),
  };
}

/**
 * Reads the body of a request that creates or updates a module. A module has the status of its device.
 *
 * @throws HubRefusal `ArgumentInvalid`
 */
export function readModuleChoice(body: JsonObject): IdentityChoice {
  const managedBy = ownMember(body, 'managedBy') ?? null;
  if (managedBy !== null && typeof managedBy !== 'string') throw invalid('managedBy must be a string');
  return {
    status: 'enabled',
    statusReason: null,
    authentication: readAuthentication(objectOf(ownMember(body, 'authentication'))),
    capabilities: { iotEdge: false },
    managedBy,
  };
}

/** What the hub writes about a module that it makes for IoT Edge (an exported registry of azure-iot-cli-extension, 2022-09). */
export const MADE_FOR_EDGE: IdentityChoice = {
  status: 'enabled',
  statusReason: null,
  authentication: { type: 'none' },
  capabilities: { iotEdge: false },
  managedBy: 'iotEdge',
};

function readScopes(body: JsonObject): Pick<Identity, 'deviceScope' | 'parentScopes'> {
  const deviceScope = ownMember(body, 'deviceScope') || undefined;
  const parentScopes = ownMember(body, 'parentScopes') ?? [];
  if (deviceScope !== undefined && !isScope(deviceScope))
    throw invalid(`deviceScope must be a text of at most ${MAX_SCOPE_LENGTH} characters`);
  if (!Array.isArray(parentScopes) || parentScopes.length > MAX_PARENTS || !parentScopes.every(isScope)) {
    throw invalid(
      `parentScopes must be an array of at most ${MAX_PARENTS} text of at most ${MAX_SCOPE_LENGTH} characters`,
    );
  }
  return {
    ...(deviceScope !== undefined && { deviceScope }),
    ...(parentScopes.length > 0 && { parentScopes }),
  };
}

function isScope(value: JsonValue): value is string {
  return typeof value === 'string' && value.length <= MAX_SCOPE_LENGTH;
}

/**
 * The scopes of a device after a write. The hub makes the scope of an Edge device once, and a client cannot change it. It
 * fills `parentScopes` of another device from its `deviceScope`.
 *
 * A client that reads an identity, changes `iotEdge` and writes it back sends the earlier scope, which is accepted.
 *
 * @param before the identity before the write; undefined for a new one.
 * @param fresh a new scope.
 * @throws HubRefusal `ArgumentInvalid` for another scope of an Edge device
 */
export function scopesOf(
  { capabilities, deviceScope, parentScopes }: IdentityChoice,
  before: Pick<Identity, 'capabilities' | 'deviceScope'> | undefined,
  fresh: string,
): Pick<Identity, 'deviceScope' | 'parentScopes'> {
  const wasEdge = before?.capabilities.iotEdge === true;
  if (capabilities.iotEdge) {
    if (deviceScope !== undefined && deviceScope !== before?.deviceScope) {
      throw invalid('deviceScope of an IoT Edge device is made by the hub and cannot be changed');
    }
    const own = wasEdge ? before?.deviceScope : undefined;
    return { deviceScope: own ?? fresh, ...(parentScopes && { parentScopes }) };
  }
  const isOwn = wasEdge && deviceScope === before?.deviceScope;
  const parent = (isOwn ? undefined : deviceScope) ?? parentScopes?.[0];
  return parent === undefined ? {} : { deviceScope: parent, parentScopes: [parent] };
}

function readAuthentication(authentication: JsonObject): Authentication {
  const thumbprints = objectOf(ownMember(authentication, 'x509Thumbprint'));
  const type =
    ownMember(authentication, 'type') ?? (textOf(thumbprints, 'primaryThumbprint') ? 'selfSigned' : 'sas');
  if (type === 'sas') {
    const keys = objectOf(ownMember(authentication, 'symmetricKey'));
    return {
      type,
      symmetricKey: { primaryKey: readKey(keys, 'primaryKey'), secondaryKey: readKey(keys, 'secondaryKey') },
    };
  }
  if (type === 'selfSigned') {
    const primary = textOf(thumbprints, 'primaryThumbprint');
    const secondary = textOf(thumbprints, 'secondaryThumbprint');
    const wrong = [primary ?? '', secondary ?? primary ?? ''].find((text) => !THUMBPRINT.test(text));
    if (primary === undefined || wrong !== undefined)
      throw invalid('a thumbprint must be 40 or 64 hexadecimal digits');
    return {
      type,
      x509Thumbprint: {
        primaryThumbprint: primary.toUpperCase(),
        secondaryThumbprint: secondary?.toUpperCase() ?? null,
      },
    };
  }
  if (type === 'certificateAuthority') return { type };
  throw invalid('authentication type must be sas, selfSigned or certificateAuthority');
}

function readKey(keys: JsonObject, name: string): string {
  const key = textOf(keys, name);
  if (key === undefined) return randomBytes(GENERATED_KEY_BYTES).toString('base64');
  const bytes = Buffer.from(key, 'base64');
  if (bytes.toString('base64') !== key || bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    throw invalid(`${name} must be base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`); // never the key itself
  }
  return key;
}

/** A new entity tag for an identity. It is random, unlike the etag of a twin. @example 'ODQ4NDk5Mzk=' */
export function newIdentityEtag(): string {
  return Buffer.from(String(randomBytes(4).readUInt32BE() % 1_000_000_000)).toString('base64');
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function textOf(object: JsonObject, key: string): string | undefined {
  const value = ownMember(object, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(message: string): HubRefusal {
  return new HubRefusal('ArgumentInvalid', message);
}
