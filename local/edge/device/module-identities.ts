import { createHmac } from 'node:crypto';
import { request } from 'node:https';
import { isObject, type JsonObject, jsonOrUndefined } from '../../../src/json/json.ts';
import type { ModuleIdentities } from '../agent/agent.ts';

export interface DeviceIdentity {
  readonly hub: string;
  readonly deviceId: string;
  /** Base64 key of the device. */
  readonly key: string;
  readonly httpsPort: number;
  /** PEM of the root that issued the certificate of the local servers. */
  readonly ca: string;
}

/** The API version of the identity service of IoT Edge. */
const API_VERSION = '2017-11-08-preview';
const TOKEN_SECONDS = 3_600;

/** The identities of a device's modules, with the keys that the device has derived for them. */
export interface DeviceModuleIdentities extends ModuleIdentities {
  /** The key of a module; undefined until its identity is set. */
  keyOf(name: string): string | undefined;
}

/**
 * The identity service of a device. It manages the modules in the hub with the key of the device, as Azure/iot-identity-service
 * does: a PUT without credentials creates a module, and a second PUT sets keys that the device derives.
 */
export function moduleIdentities(device: DeviceIdentity): DeviceModuleIdentities {
  const keys = new Map<string, string>();
  const moduleId = (name: string) => (name === 'edgeHub' ? '$edgeHub' : name);
  return {
    keyOf: (name) => keys.get(name),
    async set(name) {
      const id = moduleId(name);
      const body = { deviceId: device.deviceId, moduleId: id };
      const found = await call(device, 'GET', id);
      const identity = found.status === 404 ? await call(device, 'PUT', id, { body }) : found;
      check(identity, `read or create the module ${id}`);
      const generation = isObject(identity.body) ? identity.body.generationId : undefined;
      const derived = (kind: string) =>
        createHmac('sha256', Buffer.from(device.key, 'base64'))
          .update(`${id}${String(generation)}${kind}`)
          .digest('base64');
      const primaryKey = derived('primary');
      const symmetricKey = { primaryKey, secondaryKey: derived('secondary') };
      const authentication = { type: 'sas', symmetricKey };
      check(
        await call(device, 'PUT', id, { body: { ...body, authentication }, ifMatch: '*' }),
        `update the module ${id}`,
      );
      keys.set(name, primaryKey);
    },
    async remove(name) {
      keys.delete(name);
      const id = moduleId(name);
      if (id === '$edgeHub') return;
      const answer = await call(device, 'DELETE', id, { ifMatch: '*' });
      if (answer.status !== 404) check(answer, `delete the module ${id}`);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function check({ status, body }: Answer, what: string): void {
  if (status < 300) return;
  const message = isObject(body) ? body.Message : undefined;
  throw new Error(`Could not ${what}: ${status} ${String(message ?? '')}`.trim());
}

function call(
  device: DeviceIdentity,
  method: string,
  moduleId: string,
  { body, ifMatch }: { readonly body?: JsonObject; readonly ifMatch?: string } = {},
): Promise<Answer> {
  const { hub, deviceId, httpsPort, ca } = device;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: 'localhost',
        port: httpsPort,
        ca,
        method,
        path: `/devices/${encodeURIComponent(deviceId)}/modules/${encodeURIComponent(moduleId)}?api-version=${API_VERSION}`,
        headers: {
          host: hub,
          authorization: tokenOf(device),
          'content-type': 'application/json',
          ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        },
        timeout: 30_000,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: jsonOrUndefined(Buffer.concat(chunks).toString('utf8')),
          }),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('The hub did not answer in 30 s.')));
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The token of the device: its resource is the device itself. */
function tokenOf({ hub, deviceId, key }: DeviceIdentity): string {
  const resource = encodeURIComponent(`${hub}/devices/${deviceId}`);
  const expiry = Math.floor(Date.now() / 1000) + TOKEN_SECONDS;
  const signature = createHmac('sha256', Buffer.from(key, 'base64'))
    .update(`${resource}\n${expiry}`)
    .digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}
