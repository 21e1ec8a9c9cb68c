import type { Registry } from 'azure-iothub';
import type { Agent } from 'undici';
import { BerthError } from '../errors.ts';
import type { Hub } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../json/json.ts';
import { NEVER, parseInstant } from '../time/instant.ts';
import { readTwin, type Twin, type TwinId } from '../twin/snapshot/twin.ts';
import {
  type HubCredential,
  identityCredential,
  parseConnectionString,
  sharedAccessCredential,
} from './credential.ts';
import { DEVELOPMENT_POLICY } from './development.ts';
import { hubTime } from './hub-time.ts';
import {
  type ActivityQuestion,
  HubError,
  type HubPort,
  type ListedActivity,
  type ListedTwin,
  type TwinKind,
} from './port.ts';
import { HubTransport, openAgent, unexpected } from './transport.ts';

export interface IotHubsOptions {
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
  /** Milliseconds after which a call is given up; default 10 s. */
  readonly deadlineMs?: number;
}

/** IoT hubs through `azure-iothub`, each opened when it is first needed. */
export function openIotHubs(options: IotHubsOptions): HubPort & { close(): Promise<void> } {
  const registries = new Map<HostName, Promise<Registry>>();
  const agents: Promise<Agent>[] = [];
  const identity = lazily(async () => identityCredential(options.clientId, options.isAzure));

  const registry = (host: HostName): Promise<Registry> => {
    const opened = registries.get(host);
    if (opened !== undefined) return opened;
    const opening = openRegistry(host);
    registries.set(host, opening);
    // A setting that is wrong now may be right after the next restart of the settings; it is looked at again.
    opening.catch(() => registries.delete(host));
    return opening;
  };

  async function openRegistry(host: HostName): Promise<Registry> {
    // The package's index would load AMQP and jobs too: 315 modules for the 41 of the registry.
    const { Registry: IotHubRegistry } = await import('azure-iothub/dist/registry.js');
    const serviceHost = options.hub(host)?.serviceHost ?? host;
    const credential = await credentialFor(host, serviceHost);
    const origin = options.endpoint() ?? `https://${serviceHost}`;
    // One for each hub: behind one endpoint, a hub that does not answer would keep the connections of all others.
    const agent = openAgent();
    agents.push(agent);
    const transport = new HubTransport({
      host,
      serviceHost,
      credential,
      origin,
      agent,
      deadlineMs: options.deadlineMs,
    });
    // The signature in the config is never used: the transport authorises. The second argument takes anything
    // with `executeApiCall`.
    const restApiClient = transport as unknown as ConstructorParameters<typeof IotHubRegistry>[1];
    return new IotHubRegistry({ host: serviceHost, sharedAccessSignature: 'unused' }, restApiClient);
  }

  async function credentialFor(host: HostName, serviceHost: string): Promise<HubCredential> {
    const setting = options.hub(host)?.connection;
    if (setting !== undefined) {
      const text = options.settings[setting];
      if (text === undefined) {
        throw new BerthError(
          'BERTH_SETTING_INVALID',
          `The setting ${setting}, which ${host} names as its connection, is missing.`,
        );
      }
      return sharedAccessCredential(serviceHost, parseConnectionString(text, setting, host));
    }
    return options.endpoint() === undefined
      ? identity()
      : sharedAccessCredential(serviceHost, DEVELOPMENT_POLICY);
  }

  return {
    async readTwin({ host, deviceId, moduleId }) {
      const hub = await registry(host);
      const { httpResponse } =
        moduleId === undefined ? await hub.getTwin(deviceId) : await hub.getModuleTwin(deviceId, moduleId);
      return toTwin(host, 'GET', httpResponse);
    },
    async patchDesired({ host, deviceId, moduleId }: TwinId, desired: JsonObject, etag: string) {
      const hub = await registry(host);
      const patch = { properties: { desired } };
      const { httpResponse } =
        moduleId === undefined
          ? await hub.updateTwin(deviceId, patch, etag)
          : await hub.updateModuleTwin(deviceId, moduleId, patch, etag);
      return toTwin(host, 'PATCH', httpResponse);
    },
    async identityStatus({ host, deviceId, moduleId }) {
      const hub = await registry(host);
      try {
        // A device may be there without the module.
        if (moduleId !== undefined) await hub.getModule(deviceId, moduleId);
        const { responseBody } = await hub.get(deviceId);
        return responseBody.status === 'disabled' ? 'disabled' : 'enabled';
      } catch (error) {
        if (error instanceof HubError && error.code === 'BERTH_HUB_NOT_FOUND') return 'missing';
        throw error;
      }
    },
    async countDevices(host) {
      const { responseBody } = await (await registry(host)).getRegistryStatistics();
      const count: unknown = isObject(responseBody) ? responseBody.totalDeviceCount : undefined;
      if (typeof count !== 'number') throw unexpected(host, 'GET');
      return count;
    },
    async listTwins(host, of, continuation) {
      const hub = await registry(host);
      // With an explicit token: the promise form of `next()` asks for the first page for ever (azure-iothub 1.16.6).
      const query = hub.createQuery(TWIN_QUERIES[of], TWIN_PAGE);
      const page = await (continuation === undefined ? query.next() : query.next(continuation));
      const { result, message } = page as QueryResult;
      return {
        twins: toListedTwins(host, result),
        continuation: query.continuationToken || undefined,
        readAt: hubTime(headersOf(message)),
      };
    },
    async readActivity(host, question) {
      const hub = await registry(host);
      const page = await hub.createQuery(activityQuery(question), TWIN_PAGE).next();
      const { result, message } = page as QueryResult;
      return { readAt: hubTime(headersOf(message)), devices: toActivity(host, result) };
    },
    async close() {
      await Promise.all(agents.map(async (agent) => (await agent).close()));
    },
  };
}

/**
 * From what was sent and not from the SDK's `Twin`, which loses properties named `constructor` or `__proto__`
 * and types no `version`.
 */
function toTwin(host: HostName, method: string, response: unknown): Twin {
  const twin = readTwin(isObject(response) ? response.json : undefined, hubTime(headersOf(response)));
  if (twin === undefined) throw unexpected(host, method);
  return twin;
}

/** What the SDK makes of a page: the rows, and the transport's answer. */
interface QueryResult {
  readonly result: unknown;
  readonly message?: unknown;
}

/** At most 100 twins come in a page (iot-hub-devguide-query-language). */
const TWIN_PAGE = 100;
const TWIN_QUERIES: Readonly<Record<TwinKind, string>> = {
  devices: 'SELECT deviceId, version, etag FROM devices',
  modules: 'SELECT deviceId, moduleId, version, etag FROM devices.modules',
};

/** Escapes are those of the query language's string literals (iot-hub-devguide-query-language-expressions). */
function activityQuery({ deviceIds, moduleId }: ActivityQuestion): string {
  const literal = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const ids = `deviceId IN [${deviceIds.map(literal).join(', ')}]`;
  return moduleId === undefined
    ? `SELECT deviceId, connectionState, lastActivityTime FROM devices WHERE ${ids}`
    : `SELECT deviceId, connectionState, lastActivityTime FROM devices.modules WHERE moduleId = ${literal(moduleId)} AND ${ids}`;
}

function toActivity(host: HostName, rows: unknown): ReadonlyMap<string, ListedActivity> {
  if (!Array.isArray(rows)) throw unexpected(host, 'POST');
  return new Map(
    rows.map((row: unknown) => {
      if (!isObject(row) || typeof row.deviceId !== 'string') throw unexpected(host, 'POST');
      const isConnected = row.connectionState === 'Connected';
      const lastActivityAt = parseInstant(row.lastActivityTime) ?? NEVER;
      return [row.deviceId, { isConnected, lastActivityAt }] as const;
    }),
  );
}

/** What the transport hands through the SDK. */
function headersOf(response: unknown): Readonly<Record<string, string | string[] | undefined>> | undefined {
  const headers = isObject(response) ? response.headers : undefined;
  return isObject(headers) ? (headers as Readonly<Record<string, string | string[]>>) : undefined;
}

function toListedTwins(host: HostName, rows: unknown): readonly ListedTwin[] {
  if (!Array.isArray(rows)) throw unexpected(host, 'POST');
  return rows.map((row: unknown) => {
    if (!isObject(row) || typeof row.deviceId !== 'string' || typeof row.version !== 'number') {
      throw unexpected(host, 'POST');
    }
    const { deviceId, moduleId, version, etag } = row;
    return {
      id: { host, deviceId, moduleId: typeof moduleId === 'string' ? moduleId : undefined },
      version,
      etag: typeof etag === 'string' ? etag : undefined,
    };
  });
}

function lazily<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
