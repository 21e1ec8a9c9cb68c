import { createServer } from 'node:http';
import { Agent } from 'node:https';
import { SharedAccessSignature } from 'azure-iot-common';
import { Http as HttpBase, RestApiClient } from 'azure-iot-http-base';
import { MqttBase } from 'azure-iot-mqtt-base';
import { ProvisioningDeviceClient, type RegistrationResult } from 'azure-iot-provisioning-device';
import { Amqp, AmqpWs } from 'azure-iot-provisioning-device-amqp';
import { Http } from 'azure-iot-provisioning-device-http';
import { Mqtt, MqttWs } from 'azure-iot-provisioning-device-mqtt';
import { ProvisioningServiceClient } from 'azure-iot-provisioning-service';
import { SymmetricKeySecurityClient } from 'azure-iot-security-symmetric-key';
import { X509Security } from 'azure-iot-security-x509';
import { startAmqp } from '../../../local/amqp/index.ts';
import { azureWebSockets } from '../../../local/azure-web-sockets.ts';
import { type CertificateAuthority, type KeyedCertificate, openAuthority } from '../../../local/ca/index.ts';
import {
  createDps,
  type Dps,
  type DpsOptions,
  deriveDeviceKey,
  type Enrollment,
  type EnrollmentGroup,
} from '../../../local/dps/index.ts';
import { startHttp } from '../../../local/https/index.ts';
import { createIotHubs, type HubEvent, type IotHubs } from '../../../local/iot-hub/index.ts';
import { listen } from '../../../local/listen.ts';
import { startMqtt } from '../../../local/mqtt/index.ts';
import { DEVELOPMENT_DPS } from '../../../src/dps/development.ts';
import { EUS, testKey, WEU } from '../iot-hub/local-hubs.ts';

export const ID_SCOPE = '0ne00000001';
export const SERVICE_HOST = 'contoso-dps.azure-devices-provisioning.net';
export const GROUP_KEY = testKey(5);
export const HUBS = [WEU, EUS];

/**
 * What a webhook shall do: answer with a status and a body, cut the connection, or keep it open without an
 * answer.
 */
export type WebhookAnswer = { readonly status: number; readonly body?: unknown } | 'hang up' | 'never answer';

export interface Webhook {
  readonly url: string;
  // biome-ignore lint/suspicious/noExplicitAny: requests are looked into at every depth
  readonly requests: any[];
  /** Answers from here on; the last of several goes on. */
  answers(...answers: WebhookAnswer[]): void;
  close(): Promise<void>;
}

export async function startWebhook(): Promise<Webhook> {
  const requests: unknown[] = [];
  let script: WebhookAnswer[] = [{ status: 200, body: { iotHubHostName: WEU } }];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      requests.push(JSON.parse(Buffer.concat(chunks).toString()));
      const answer = (script.length > 1 ? script.shift() : script[0]) ?? 'hang up';
      if (answer === 'never answer') return;
      if (answer === 'hang up') {
        request.socket.destroy();
        return;
      }
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
    });
  });
  const port = await listen(server, 0, 'the webhook');
  return {
    url: `http://127.0.0.1:${port}/api/allocate?code=very-secret`,
    requests,
    answers(...answers) {
      script = answers;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function customGroup(webhook: Webhook, terms: Partial<EnrollmentGroup> = {}): EnrollmentGroup {
  return {
    enrollmentGroupId: 'contoso-devices',
    attestation: { type: 'symmetricKey', primaryKey: GROUP_KEY, secondaryKey: testKey(6) },
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl: webhook.url, apiVersion: '2021-10-01' },
    ...terms,
  };
}

export interface LocalDps {
  readonly dps: Dps;
  readonly hubs: IotHubs;
  readonly authority: CertificateAuthority;
  readonly events: (HubEvent & { readonly host: string })[];
  readonly log: string[];
  readonly ports: {
    readonly https: number;
    readonly mqtt: number;
    readonly rest: number;
    readonly amqps: number;
  };
  /** Registers with the official SDK; the key defaults to the one derived from `GROUP_KEY`. */
  register(registrationId: string, how?: Registering): Promise<RegistrationResult>;
  /** The official service SDK, over TLS. */
  service(key?: string): ProvisioningServiceClient;
  close(): Promise<void>;
}

export const PROTOCOLS = ['http', 'mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const;
export type RegistrationProtocol = (typeof PROTOCOLS)[number];

export interface Registering {
  readonly over?: RegistrationProtocol;
  readonly key?: string;
  /** In place of a key or certificate, such as the security client of a TPM. */
  readonly security?: object;
  readonly certificate?: KeyedCertificate;
  readonly payload?: unknown;
  readonly idScope?: string;
}

let sharedAuthority: Promise<CertificateAuthority> | undefined;
export const testAuthority = (): Promise<CertificateAuthority> => {
  sharedAuthority ??= openAuthority();
  return sharedAuthority;
};

export async function startLocalDps(
  enrollments: readonly Enrollment[],
  options: Partial<DpsOptions> & { readonly hubDirectory?: string } = {},
): Promise<LocalDps> {
  const authority = await testAuthority();
  const events: (HubEvent & { readonly host: string })[] = [];
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = { info: write, warn: write, error: write };
  const hubs = createIotHubs({
    hubs: HUBS.map((host) => ({ host, tier: 'S1', units: 1 })),
    sink: (host) => (event) => events.push({ ...event, host }),
    ...(options.hubDirectory !== undefined && { directory: options.hubDirectory }),
    ...(options.now !== undefined && { now: options.now }),
    log,
  });
  const dps = createDps({
    idScope: ID_SCOPE,
    serviceHost: SERVICE_HOST,
    enrollments,
    linkedHubs: HUBS.map((host) => ({ host })),
    hub: hubs.provisioning,
    retryWaitsMs: [1, 1],
    retryAfter: 0,
    log,
    ...options,
  });
  const certificate = authority.server;
  const mqtt = await startMqtt({ port: 0, certificate, services: [hubs.mqtt, dps.mqtt], log });
  const amqp = await startAmqp({ port: 0, certificate, services: [hubs.amqp, dps.amqp], log });
  const https = await startHttp({
    port: 0,
    certificate,
    services: [dps.https, dps.service, hubs.https],
    webSockets: azureWebSockets({ mqtt, amqp }),
    log,
  });
  const rest = await startHttp({ port: 0, services: [dps.service, dps.management, hubs.https], log });
  const agents: Agent[] = [];

  const httpTransport = () => {
    const agent = new Agent({ host: '127.0.0.1', port: https.port, ca: authority.root, keepAlive: false });
    agents.push(agent);
    const base = new HttpBase();
    base.setOptions({ http: { agent } });
    return new Http(base as never); // the SDK carries a copy of the package of its own
  };
  const webSocket = `wss://localhost:${https.port}/$iothub/websocket`;
  /** The SDK fixes the ports of all transports but HTTP. */
  const at = <Transport extends object>(transport: Transport, uri: string) =>
    Object.assign(transport, { _getConnectionUri: () => uri });
  const mqttBase = () => {
    const base = new MqttBase();
    const webSocketAgent = new Agent({ ca: authority.root, keepAlive: false });
    agents.push(webSocketAgent);
    base.setOptions({ ca: authority.root, mqtt: { webSocketAgent } });
    return base as never;
  };
  /** The SDK takes no certificate authority for AMQP. */
  const trusting = (transport: Amqp) => {
    const { _amqpBase: base } = transport as unknown as {
      readonly _amqpBase: { connect(config: { readonly sslOptions?: object }, done: unknown): void };
    };
    const connect = base.connect.bind(base);
    base.connect = (config, done) =>
      connect({ ...config, sslOptions: { ...config.sslOptions, ca: authority.root } }, done);
    return transport;
  };
  const transportOver = (over: RegistrationProtocol) => {
    switch (over) {
      case 'http':
        return httpTransport();
      case 'mqtt':
        return at(new Mqtt(mqttBase()), `mqtts://localhost:${mqtt.port}`);
      case 'mqtt-ws':
        return at(new MqttWs(mqttBase()), webSocket);
      case 'amqp':
        return at(trusting(new Amqp()), `amqps://localhost:${amqp.port}`);
      case 'amqp-ws':
        return at(trusting(new AmqpWs()), webSocket);
    }
  };

  return {
    dps,
    hubs,
    authority,
    events,
    log: lines,
    ports: { https: https.port, mqtt: mqtt.port, rest: rest.port, amqps: amqp.port },
    service(key = DEVELOPMENT_DPS.key) {
      const agent = new Agent({ host: '127.0.0.1', port: https.port, ca: authority.root, keepAlive: false });
      agents.push(agent);
      const base = new HttpBase();
      base.setOptions({ http: { agent } });
      const inAnHour = Math.ceil(Date.now() / 1_000) + 3_600;
      const sharedAccessSignature = SharedAccessSignature.create(
        SERVICE_HOST,
        DEVELOPMENT_DPS.keyName,
        key,
        inAnHour,
      );
      const config = { host: SERVICE_HOST, sharedAccessSignature, tokenCredential: undefined };
      const client = new RestApiClient(config as never, 'test', base);
      return new ProvisioningServiceClient(config as never, client as never);
    },
    async register(
      registrationId,
      { over = 'http', key, certificate: own, payload, idScope = ID_SCOPE, security: given } = {},
    ) {
      const proved = own
        ? new X509Security(registrationId, { cert: own.certificate, key: own.key })
        : new SymmetricKeySecurityClient(registrationId, key ?? deriveDeviceKey(GROUP_KEY, registrationId));
      const transport = transportOver(over);
      // Over AMQP, the SDK takes a Retry-After of 0 for none.
      transport.setTransportOptions({ pollingInterval: 5 });
      transport.on('error', () => {}); // of a connection that the SDK leaves open
      const client = ProvisioningDeviceClient.create(
        'localhost',
        idScope,
        transport as never,
        (given ?? proved) as never,
      );
      if (payload !== undefined) client.setProvisioningPayload(payload as never);
      try {
        return (await client.register()) as RegistrationResult;
      } finally {
        // With a TPM, the SDK refuses to cancel what has ended.
        await Promise.resolve(client.cancel()).catch(() => {});
      }
    },
    async close() {
      for (const agent of agents) agent.destroy();
      await Promise.all([https.close(), rest.close(), mqtt.close(), amqp.close()]);
      dps.close();
      hubs.close();
    },
  };
}
