import type { HostName } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject, ownMember } from '../json/json.ts';
import { openRestService, type RestEndpoint } from '../rest/service.ts';
import type { ListedDevice } from '../silent-devices/drain-choice.ts';
import type { SeenIdentity } from '../silent-devices/next-step.ts';
import { NEVER, parseInstant } from '../time/instant.ts';
import { hubErrorOf, unexpectedHubAnswer } from './failure.ts';
import { identityPath, readWholeIdentity, showsKeys } from './identities.ts';
import { HUB_DEADLINE_MS, HubError } from './port.ts';

/** The new status of an identity. */
export interface StatusChange {
  readonly status: 'enabled' | 'disabled';
  readonly statusReason: string | null;
}

/**
 * The result of a change.
 * - `changed`: the ETag is the one after the change.
 * - `kept`: the caller did not want a change after it saw the identity.
 * - `missing`: the hub does not have the device.
 * - `overtaken`: another writer changed the identity in between.
 * - `keysHidden`: the hub does not show the keys of the identity. An update without them would replace them.
 */
export type ChangedStatus =
  | { readonly kind: 'changed'; readonly etag: string }
  | { readonly kind: 'kept' | 'missing' | 'overtaken' | 'keysHidden' };

/** A page of the devices of a hub. */
export interface IdentityPage {
  readonly devices: readonly ListedDevice[];
  /** The token of the next page. Undefined: this is the last page. */
  readonly continuation: string | undefined;
}

/**
 * The identities of one hub, for commands of an operator. The app has no right to change a status. Every method throws
 * `HubError` if it fails.
 */
export interface IdentityRegistry {
  readonly host: HostName;
  /**
   * A page of at most 100 devices. The result may be some minutes old. Costs one query.
   *
   * @param continuation undefined for the first page.
   */
  list(continuation: string | undefined): Promise<IdentityPage>;
  /** The identity without its keys. Undefined: the hub does not have it. Costs one identity operation. */
  read(deviceId: string): Promise<SeenIdentity | undefined>;
  /**
   * Reads an identity, and changes its status if the caller wants it and if no other writer changes the identity in between.
   * Everything else stays as it is. Costs two identity operations.
   *
   * @param decide gets the identity. Undefined: no change.
   */
  changeStatus(
    deviceId: string,
    decide: (identity: SeenIdentity) => Promise<StatusChange | undefined>,
  ): Promise<ChangedStatus>;
  close(): Promise<void>;
}

/** A page of a query has at most 100 rows (iot-hub-devguide-query-language). */
const PAGE = 100;
const QUERY =
  'SELECT deviceId, status, connectionState, lastActivityTime, capabilities, deviceScope, parentScopes FROM devices';

/** Opens the identities of a hub. @param endpoint with a credential that may read and write identities */
export function openIdentityRegistry(host: HostName, endpoint: RestEndpoint): IdentityRegistry {
  const service = openRestService(endpoint, HUB_DEADLINE_MS);

  /** Undefined: the hub does not have the device. */
  async function find(deviceId: string): Promise<JsonObject | undefined> {
    try {
      return await readWholeIdentity(service, deviceId);
    } catch (error) {
      if (error instanceof HubError && error.code === 'BERTH_HUB_NOT_FOUND') return undefined;
      throw error;
    }
  }

  const seen = (identity: JsonObject): SeenIdentity => {
    const { status, statusReason, etag, connectionState, connectionStateUpdatedTime, lastActivityTime } =
      identity;
    if (typeof etag !== 'string') throw unexpectedHubAnswer(host, 'GET');
    return {
      status: status === 'disabled' ? 'disabled' : 'enabled',
      statusReason: typeof statusReason === 'string' ? statusReason : null,
      etag,
      isConnected: connectionState === 'Connected',
      connectionChangedAt: parseInstant(connectionStateUpdatedTime) ?? NEVER,
      lastActivityAt: parseInstant(lastActivityTime) ?? NEVER,
    };
  };

  return {
    host,
    async list(continuation) {
      const result = await service.call({
        method: 'POST',
        path: '/devices/query?api-version=2021-04-12',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'x-ms-max-item-count': PAGE,
          ...(continuation !== undefined && { 'x-ms-continuation': continuation }),
        },
        body: { query: QUERY },
      });
      if (!result.ok) throw hubErrorOf(result.failure);
      const { json, headers } = result.answer;
      if (!Array.isArray(json)) throw unexpectedHubAnswer(host, 'POST');
      const next = headers['x-ms-continuation'];
      return {
        devices: json.map((row: unknown) => toListed(host, row)),
        continuation: typeof next === 'string' && next !== '' ? next : undefined,
      };
    },
    async read(deviceId) {
      const identity = await find(deviceId);
      return identity && seen(identity);
    },
    async changeStatus(deviceId, decide) {
      const identity = await find(deviceId);
      if (identity === undefined) return { kind: 'missing' };
      if (!showsKeys(identity)) return { kind: 'keysHidden' };
      const before = seen(identity);
      const change = await decide(before);
      if (change === undefined) return { kind: 'kept' };
      const result = await service.call({
        method: 'PUT',
        path: identityPath(deviceId),
        headers: { 'content-type': 'application/json; charset=utf-8', 'if-match': `"${before.etag}"` },
        body: { ...identity, ...change },
      });
      if (result.ok) {
        const etag = ownMember(result.answer.json, 'etag');
        if (typeof etag !== 'string') throw unexpectedHubAnswer(host, 'PUT');
        return { kind: 'changed', etag };
      }
      const error = hubErrorOf(result.failure);
      if (error.code === 'BERTH_HUB_PRECONDITION_FAILED') return { kind: 'overtaken' };
      if (error.code === 'BERTH_HUB_NOT_FOUND') return { kind: 'missing' };
      throw error;
    },
    close: () => service.close(),
  };
}

function toListed(host: HostName, row: unknown): ListedDevice {
  if (!isObject(row) || typeof row.deviceId !== 'string') throw unexpectedHubAnswer(host, 'POST');
  const scope = typeof row.deviceScope === 'string' && row.deviceScope !== '' ? row.deviceScope : undefined;
  const isEdge = ownMember(row.capabilities, 'iotEdge') === true;
  const parents: unknown = row.parentScopes;
  const parent: unknown = Array.isArray(parents) ? parents[0] : undefined;
  return {
    deviceId: row.deviceId,
    status: row.status === 'disabled' ? 'disabled' : 'enabled',
    isConnected: row.connectionState === 'Connected',
    lastActivityAt: parseInstant(row.lastActivityTime) ?? NEVER,
    ownScope: isEdge ? scope : undefined,
    // Identities of before 2020-09-30 name the parent of a device without IoT Edge only in `deviceScope`.
    parentScope: typeof parent === 'string' && parent !== '' ? parent : isEdge ? undefined : scope,
  };
}
