import type { Registry } from 'azure-iothub';
import { HEARTBEAT_DEVICE, HEARTBEAT_TAG } from '../iot-hub/heartbeat-device.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../json/json.ts';
import { type RestHeaders, serviceTime } from '../rest/headers.ts';
import { sdkRestClient } from '../rest/sdk-client.ts';
import { openRestService, type RestService } from '../rest/service.ts';
import { NEVER, parseInstant } from '../time/instant.ts';
import { readTwin, type Twin, type TwinId } from '../twin/snapshot/twin.ts';
import { type HubConnectionOptions, hubEndpoints } from './connection.ts';
import { invokeDirectMethod } from './direct-method.ts';
import { hubErrorOf, unexpectedHubAnswer } from './failure.ts';
import { enterParent, readScopes } from './identities.ts';
import {
  type ActivityQuestion,
  HUB_DEADLINE_MS,
  HubError,
  type HubPort,
  type ListedActivity,
  type ListedTwin,
  type TwinKind,
} from './port.ts';

export interface IotHubsOptions extends HubConnectionOptions {
  /** The deadline of a call. Default: 10 s. */
  readonly deadlineMs?: number;
}

/** IoT hubs through `azure-iothub`, each opened when it is first needed. */
export function openIotHubs(options: IotHubsOptions): HubPort & { close(): Promise<void> } {
  const { deadlineMs = HUB_DEADLINE_MS } = options;
  const registries = new Map<HostName, Promise<Registry>>();
  const services = new Map<HostName, RestService>();
  const endpointOf = hubEndpoints(options);

  const registry = (host: HostName): Promise<Registry> => {
    const opened = registries.get(host);
    if (opened !== undefined) return opened;
    const opening = openRegistry(host);
    registries.set(host, opening);
    // The setting may be corrected later, so the next call opens the hub again.
    opening.catch(() => registries.delete(host));
    return opening;
  };

  const serviceOf = (host: HostName): RestService => {
    const service = services.get(host) ?? openRestService(endpointOf(host), deadlineMs);
    services.set(host, service);
    return service;
  };

  async function openRegistry(host: HostName): Promise<Registry> {
    // The index of the package would load AMQP and jobs too: 315 modules. The registry needs 41.
    const { Registry: IotHubRegistry } = await import('azure-iothub/dist/registry.js');
    const endpoint = endpointOf(host);
    const service = serviceOf(host);
    // The signature in the config is never used: the service authorises.
    const client = sdkRestClient(service, hubErrorOf) as ConstructorParameters<typeof IotHubRegistry>[1];
    return new IotHubRegistry(
      { host: endpoint.serviceHost ?? host, sharedAccessSignature: 'unused' },
      client,
    );
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
    async applyManifest({ host, deviceId }, content) {
      const hub = await registry(host);
      await hub.applyConfigurationContentOnDevice(deviceId, content as Content);
    },
    async identityStatus({ host, deviceId, moduleId }) {
      const hub = await registry(host);
      try {
        // The device may exist without the module.
        if (moduleId !== undefined) await hub.getModule(deviceId, moduleId);
        const { responseBody } = await hub.get(deviceId);
        return responseBody.status === 'disabled' ? 'disabled' : 'enabled';
      } catch (error) {
        if (error instanceof HubError && error.code === 'BERTH_HUB_NOT_FOUND') return 'missing';
        throw error;
      }
    },
    readScopes: async ({ host, deviceId }) => readScopes(serviceOf(host), deviceId),
    enterParent: async ({ host, deviceId }, scope) => enterParent(serviceOf(host), deviceId, scope),
    invokeMethod: async ({ host, deviceId }, name, payload) =>
      invokeDirectMethod(serviceOf(host), deviceId, name, payload),
    async countDevices(host) {
      const { responseBody } = await (await registry(host)).getRegistryStatistics();
      const count: unknown = isObject(responseBody) ? responseBody.totalDeviceCount : undefined;
      if (typeof count !== 'number') throw unexpectedHubAnswer(host, 'GET');
      return count;
    },
    async listTwins(host, of, continuation) {
      const hub = await registry(host);
      // With an explicit token, because the promise form of `next()` always asks for the first page (azure-iothub 1.16.6).
      const query = hub.createQuery(TWIN_QUERIES[of], TWIN_PAGE);
      const page = await (continuation === undefined ? query.next() : query.next(continuation));
      const { result, message } = page as QueryResult;
      return {
        twins: toListedTwins(host, result),
        continuation: query.continuationToken || undefined,
        readAt: serviceTime(headersOf(message)),
      };
    },
    async readActivity(host, question) {
      const hub = await registry(host);
      const page = await hub.createQuery(activityQuery(question), TWIN_PAGE).next();
      const { result, message } = page as QueryResult;
      return { readAt: serviceTime(headersOf(message)), devices: toActivity(host, result) };
    },
    async beat(host, at) {
      const hub = await registry(host);
      const patch = { tags: { [HEARTBEAT_TAG]: new Date(at).toISOString() } };
      await hub.updateTwin(HEARTBEAT_DEVICE, patch, '*');
    },
    async close() {
      await Promise.all([...services.values()].map((service) => service.close()));
    },
  };
}

/**
 * Reads the original JSON and not the SDK's `Twin`: that loses properties named `constructor` or `__proto__` and does not
 * declare `version`.
 */
function toTwin(host: HostName, method: string, response: unknown): Twin {
  const twin = readTwin(isObject(response) ? response.json : undefined, serviceTime(headersOf(response)));
  if (twin === undefined) throw unexpectedHubAnswer(host, method);
  return twin;
}

type Content = Parameters<Registry['applyConfigurationContentOnDevice']>[1];

/** A page as the SDK returns it: the rows, and the answer of the transport. */
interface QueryResult {
  readonly result: unknown;
  readonly message?: unknown;
}

/** A page has at most 100 twins (iot-hub-devguide-query-language). */
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
  if (!Array.isArray(rows)) throw unexpectedHubAnswer(host, 'POST');
  return new Map(
    rows.map((row: unknown) => {
      if (!isObject(row) || typeof row.deviceId !== 'string') throw unexpectedHubAnswer(host, 'POST');
      const isConnected = row.connectionState === 'Connected';
      const lastActivityAt = parseInstant(row.lastActivityTime) ?? NEVER;
      return [row.deviceId, { isConnected, lastActivityAt }] as const;
    }),
  );
}

/** The headers of an answer, which the SDK passes on from the transport. */
function headersOf(response: unknown): RestHeaders | undefined {
  const headers = isObject(response) ? response.headers : undefined;
  return isObject(headers) ? (headers as RestHeaders) : undefined;
}

function toListedTwins(host: HostName, rows: unknown): readonly ListedTwin[] {
  if (!Array.isArray(rows)) throw unexpectedHubAnswer(host, 'POST');
  return rows.map((row: unknown) => {
    if (!isObject(row) || typeof row.deviceId !== 'string' || typeof row.version !== 'number') {
      throw unexpectedHubAnswer(host, 'POST');
    }
    const { deviceId, moduleId, version, etag } = row;
    return {
      id: { host, deviceId, moduleId: typeof moduleId === 'string' ? moduleId : undefined },
      version,
      etag: typeof etag === 'string' ? etag : undefined,
    };
  });
}
