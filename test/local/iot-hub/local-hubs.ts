import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type AuthenticationProvider, SharedAccessSignature } from 'azure-iot-common';
import {
  Client,
  ModuleClient,
  SharedAccessKeyAuthenticationProvider,
  type Twin,
  X509AuthenticationProvider,
} from 'azure-iot-device';
import { Amqp, AmqpWs } from 'azure-iot-device-amqp';
import { Mqtt, MqttWs } from 'azure-iot-device-mqtt';
import { Registry, Client as ServiceClient } from 'azure-iothub';
import { Amqp as ServiceAmqp } from 'azure-iothub/dist/amqp.js';
import { AmqpWs as ServiceAmqpWs } from 'azure-iothub/dist/amqp_ws.js';
import { type AmqpServer, startAmqp } from '../../../local/amqp/index.ts';
import { azureWebSockets } from '../../../local/azure-web-sockets.ts';
import { type CertificateAuthority, type KeyedCertificate, openAuthority } from '../../../local/ca/index.ts';
import { type HttpServer, startHttp } from '../../../local/https/index.ts';
import {
  createIotHubs,
  DEVELOPMENT_SERVICE_KEY,
  type HubEvent,
  type IotHubs,
  type LocalIotHubsOptions,
} from '../../../local/iot-hub/index.ts';
import { builtInPolicies } from '../../../local/iot-hub/model/access-policy.ts';
import { listen } from '../../../local/listen.ts';
import { type MqttServer, startMqtt } from '../../../local/mqtt/index.ts';

export const WEU = 'contoso-weu.azure-devices.net';
export const EUS = 'contoso-eus.azure-devices.net';

/** An event with its body read, and where it came from. */
export interface SeenEvent extends Omit<HubEvent, 'body'> {
  readonly host: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any;
  readonly raw: Buffer;
}

const TRANSPORTS = { Mqtt, MqttWs, Amqp, AmqpWs };
export type TransportName = keyof typeof TRANSPORTS;

/** Two hubs behind real servers on free ports, and the official clients to reach them. */
export interface LocalHubs {
  readonly hubs: IotHubs;
  readonly authority: CertificateAuthority;
  readonly events: SeenEvent[];
  readonly ports: {
    readonly https: number;
    readonly http: number;
    readonly mqtt: number;
    readonly amqps: number;
  };
  /** The port of MQTT whose connections `dropConnections` cuts. */
  readonly relayedMqtt: number;
  readonly log: string[];
  registry(host: string, key?: string): Registry;
  /** @param proof the key of the device, or its certificate. */
  device(
    host: string,
    deviceId: string,
    proof: string | KeyedCertificate,
    transport?: TransportName,
  ): Promise<Client>;
  module(
    host: string,
    deviceId: string,
    moduleId: string,
    proof: string | KeyedCertificate,
    transport?: TransportName,
  ): Promise<ModuleClient>;
  /** A service client over AMQP, as the policy `service` unless another one is named. It is closed with the hubs. */
  service(host: string, options?: ServiceOptions): ServiceClient;
  /** A raw call of the service API over plain http, as `IOT_ENDPOINT` makes it. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Cuts all connections of devices, as a failing network does. */
  dropConnections(): void;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly policy?: string;
  /** Default: the key of the policy `service`. */
  readonly key?: string;
  readonly isWebSocket?: boolean;
}

export interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly host?: string;
  /** The api-version of the call; null: none. A path with a version keeps it. */
  readonly version?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
  readonly body: any;
  readonly text: string;
}

let sharedAuthority: Promise<CertificateAuthority> | undefined;

export async function startLocalHubs(options: Partial<LocalIotHubsOptions> = {}): Promise<LocalHubs> {
  sharedAuthority ??= openAuthority();
  const authority = await sharedAuthority;
  const events: SeenEvent[] = [];
  const lines: string[] = [];
  const write = (message: string) => void lines.push(message);
  const log = { info: write, warn: write, error: write };
  const hubs = createIotHubs({
    hubs: [
      { host: WEU, tier: 'S1', units: 1 },
      { host: EUS, tier: 'S1', units: 1 },
    ],
    sink: (host) => (event) => {
      const text = event.body.toString();
      let body: unknown = text;
      try {
        body = JSON.parse(text);
      } catch {}
      events.push({ ...event, host, body, raw: event.body });
    },
    log,
    authorities: [authority.root],
    ...options,
  });
  const certificate = authority.server;
  const mqtt = await startMqtt({ port: 0, certificate, services: [hubs.mqtt], log });
  const amqp = await startAmqp({ port: 0, certificate, services: [hubs.amqp], log });
  const webSockets = azureWebSockets({ mqtt, amqp });
  const https = await startHttp({ port: 0, services: [hubs.https], webSockets, certificate, log });
  const http = await startHttp({ port: 0, services: [hubs.https], log });
  const servers: (HttpServer | MqttServer | AmqpServer)[] = [https, http, mqtt, amqp];
  const relays = {
    Mqtt: await startRelay(mqtt.port),
    Amqp: await startRelay(amqp.port),
    Ws: await startRelay(https.port),
  };
  const agents: Agent[] = [];
  const clients: (Client | ModuleClient)[] = [];
  const services: ServiceClient[] = [];
  const gateway = (transport: TransportName) => {
    const isWebSocket = transport === 'MqttWs' || transport === 'AmqpWs';
    return isWebSocket ? 'localhost' : `localhost:${relays[transport].port}`;
  };
  const prepare = async (
    client: Client | ModuleClient,
    proof: string | KeyedCertificate,
    transport: TransportName,
  ) => {
    clients.push(client);
    const certificate = typeof proof === 'string' ? {} : { cert: proof.certificate, key: proof.key };
    // The SDK opens WebSockets on port 443 only.
    const webSocketAgent = new RedirectAgent(relays.Ws.port, { ca: authority.root, ...certificate });
    agents.push(webSocketAgent);
    await client.setOptions({
      ca: authority.root,
      ...certificate,
      ...(transport === 'MqttWs' && { mqtt: { webSocketAgent } }),
      ...(transport === 'AmqpWs' && { amqp: { webSocketAgent } }),
    });
  };

  return {
    hubs,
    authority,
    events,
    log: lines,
    ports: { https: https.port, http: http.port, mqtt: mqtt.port, amqps: amqp.port },
    relayedMqtt: relays.Mqtt.port,
    registry(host, key = DEVELOPMENT_SERVICE_KEY) {
      const registry = Registry.fromConnectionString(
        `HostName=${host};SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`,
      );
      const agent = new Agent({ host: '127.0.0.1', port: https.port, ca: authority.root, keepAlive: true });
      agents.push(agent);
      // biome-ignore lint/suspicious/noExplicitAny: there is no public way to give the SDK an agent
      (registry as any)._restApiClient.setOptions({ http: { agent } });
      return registry;
    },
    async device(host, deviceId, proof, transport = 'Mqtt') {
      const client = Client.fromAuthenticationProvider(
        providerOf({ host, deviceId, gatewayHostName: gateway(transport) }, proof),
        TRANSPORTS[transport],
      );
      await prepare(client, proof, transport);
      return client;
    },
    async module(host, deviceId, moduleId, proof, transport = 'Mqtt') {
      const client = ModuleClient.fromAuthenticationProvider(
        providerOf({ host, deviceId, moduleId, gatewayHostName: gateway(transport) }, proof),
        TRANSPORTS[transport],
      );
      await prepare(client, proof, transport);
      return client;
    },
    service(host, { policy = 'service', key, isWebSocket = false } = {}) {
      const secret = key ?? builtInPolicies().find(({ keyName }) => keyName === policy)?.key;
      const client = ServiceClient.fromConnectionString(
        `HostName=${host};SharedAccessKeyName=${policy};SharedAccessKey=${secret}`,
        isWebSocket ? ServiceAmqpWs : ServiceAmqp,
      );
      redirect(client, { host, isWebSocket, ca: authority.root, amqp: amqp.port, https: https.port });
      services.push(client);
      return client;
    },
    call: (method, path, options = {}) => callService(http.port, method, path, options),
    dropConnections() {
      for (const relay of Object.values(relays)) relay.drop();
    },
    async close() {
      await Promise.all([...clients, ...services].map((client) => client.close().catch(() => {})));
      for (const agent of agents) agent.destroy();
      for (const relay of Object.values(relays)) await relay.close();
      await Promise.all(servers.map((server) => server.close()));
      hubs.close();
    },
  };
}

/** Makes a service client connect to a local port. The SDK has no option for this. */
function redirect(
  client: ServiceClient,
  {
    host,
    isWebSocket,
    ca,
    amqp,
    https,
  }: { host: string; isWebSocket: boolean; ca: string; amqp: number; https: number },
): void {
  // biome-ignore lint/suspicious/noExplicitAny: the transport is private
  const transport = (client as any)._transport;
  const connect = transport._amqp.connect.bind(transport._amqp);
  transport._amqp.connect = (config: object, done: unknown) =>
    connect(
      isWebSocket
        ? { ...config, uri: `wss://localhost:${https}/$iothub/websocket`, sslOptions: { ca } }
        : {
            ...config,
            sslOptions: { ca },
            policyOverride: { host: 'localhost', port: amqp, hostname: host, servername: host },
          },
      done,
    );
}

interface Caller {
  readonly host: string;
  readonly deviceId: string;
  readonly moduleId?: string;
  readonly gatewayHostName: string;
}

function providerOf(caller: Caller, proof: string | KeyedCertificate): AuthenticationProvider {
  if (typeof proof !== 'string') return new X509AuthenticationProvider(caller);
  const { host, deviceId, moduleId, gatewayHostName } = caller;
  const module = moduleId === undefined ? '' : `;ModuleId=${moduleId}`;
  return SharedAccessKeyAuthenticationProvider.fromConnectionString(
    `HostName=${host};DeviceId=${deviceId}${module};SharedAccessKey=${proof};GatewayHostName=${gatewayHostName}`,
  );
}

/** Connects to another port than the one that the client asks for. */
class RedirectAgent extends Agent {
  readonly #port: number;

  constructor(port: number, options: AgentOptions) {
    super(options);
    this.#port = port;
  }

  override createConnection(options: object, callback?: (error: Error | null, stream: Duplex) => void) {
    // biome-ignore lint/suspicious/noExplicitAny: the types of Node.js do not have this method of agents
    const create = (Agent.prototype as any).createConnection;
    return create.call(this, { ...options, host: 'localhost', port: this.#port }, callback);
  }
}

/** Stands between the devices and the hubs, so that a test can cut the wire. */
async function startRelay(target: number) {
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: await listen(server, 0, 'the relay'),
    drop,
    close() {
      drop();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A token of the service policy. `expiry` in seconds. */
export function serviceToken(
  resource = WEU,
  key = DEVELOPMENT_SERVICE_KEY,
  expiry = Math.ceil(Date.now() / 1000) + 3600,
  policy = 'iothubowner',
): string {
  return SharedAccessSignature.create(encodeURIComponent(resource), policy, key, expiry).toString();
}

function callService(
  port: number,
  method: string,
  path: string,
  { headers = {}, body, host = WEU, version = '2021-04-12' }: CallOptions,
): Promise<Answer> {
  const isVersioned = version === null || path.includes('api-version');
  const versioned = isVersioned ? path : `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: versioned,
        headers: { host, authorization: serviceToken(), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.includes('json');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: isJson ? JSON.parse(text) : undefined,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** Waits until `probe` answers something, for as long as a busy machine may take. */
export async function until<T>(probe: () => T | undefined | false, what: string): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function report(twin: Twin, patch: object): Promise<void> {
  return new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}

/** A symmetric key for tests: 32 bytes of one value. */
export function testKey(byte: number): string {
  return Buffer.alloc(32, byte).toString('base64');
}

/** The SHA-1 thumbprint of the first certificate in a PEM, as identities hold it. */
export function thumbprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint.replaceAll(':', '');
}

/** Creates the device `dev-1` with the module `camera`, and forgets their events. */
export async function createDeviceWithCamera(
  local: LocalHubs,
  keys: { readonly device: string; readonly camera: string },
): Promise<void> {
  const authentication = (primaryKey: string) => ({
    symmetricKey: { primaryKey, secondaryKey: testKey(9) },
  });
  const registry = local.registry(WEU);
  await registry.create({ deviceId: 'dev-1', authentication: authentication(keys.device) });
  await registry.addModule({
    deviceId: 'dev-1',
    moduleId: 'camera',
    authentication: authentication(keys.camera),
  });
  local.events.length = 0;
}
