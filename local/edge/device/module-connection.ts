import { setTimeout as delay } from 'node:timers/promises';
import { Message, NoRetry } from 'azure-iot-common';
import {
  type DeviceMethodRequest,
  type DeviceMethodResponse,
  ModuleClient,
  type Twin,
} from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { JsonObject } from '../../../src/json/json.ts';
import { aborted } from '../../aborted.ts';
import { currentTwin } from '../../current-twin.ts';
import { withoutVersion } from '../manifest/agent-manifest.ts';
import type { ModuleMethod } from '../modules/simulated-module.ts';
import { reportPatch } from '../report-patch.ts';

/** The hub of a device, and the way to it. */
export interface HubAddress {
  readonly hub: string;
  readonly deviceId: string;
  readonly mqttPort: number;
  /** PEM of the root that issued the certificate of the local servers. */
  readonly ca: string;
}

export interface ModuleConnectionOptions extends HubAddress {
  readonly moduleId: string;
  /** The key of the module; for the modules of the runtime, that of the device. */
  readonly key: string;
  readonly methods: Readonly<Record<string, ModuleMethod>>;
  /** Called with all desired properties and `$version`, at each connection and after each change. */
  readonly onDesired: (desired: JsonObject) => void;
  readonly onConnected?: () => void;
  readonly onDisconnected?: () => void;
}

/** A message of a module for its hub. */
export interface UpstreamMessage {
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly messageId: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/** The connection of one module to its hub, with Microsoft's SDK over MQTT. It connects again until it is closed. */
export class ModuleConnection {
  readonly #options: ModuleConnectionOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #client: ModuleClient | undefined;
  #twin: Twin | undefined;
  #reported: JsonObject = {};
  #reporting: Promise<unknown> = Promise.resolve();
  #cut = new AbortController();
  #isOnline: boolean;
  #online = new AbortController();

  constructor(options: ModuleConnectionOptions, isOnline = true) {
    this.#options = options;
    this.#isOnline = isOnline;
    this.#running = this.#run();
  }

  get isConnected(): boolean {
    return this.#twin !== undefined;
  }

  /** Cuts the connection and stays without one, or connects again. */
  setOnline(isOnline: boolean): void {
    if (isOnline === this.#isOnline) return;
    this.#isOnline = isOnline;
    if (isOnline) {
      this.#online.abort();
      this.#online = new AbortController();
    } else this.#cut.abort();
  }

  /** Sends the differences to what the hub has. Without a connection, and if the hub refuses them, it sends nothing. */
  report(document: JsonObject): Promise<boolean> {
    return this.#inOrder(async () => {
      const isTaken = await this.#sendReport(reportPatch(this.#reported, document));
      if (isTaken) this.#reported = document;
      return isTaken;
    });
  }

  /** Merges a patch into the reported properties. */
  reportChange(patch: JsonObject): Promise<boolean> {
    return this.#inOrder(() => this.#sendReport(patch));
  }

  /** Sends a message. Returns whether the hub has taken it. */
  async send(message: UpstreamMessage): Promise<boolean> {
    const client = this.#client;
    if (client === undefined || !this.isConnected) return false;
    const sent = new Message(message.body);
    // The types of the SDK allow only some values, the hub allows all.
    if (message.contentType !== undefined) sent.contentType = message.contentType as Message['contentType'];
    if (message.contentEncoding !== undefined)
      sent.contentEncoding = message.contentEncoding as Message['contentEncoding'];
    if (message.messageId !== undefined) sent.messageId = message.messageId;
    for (const [name, value] of Object.entries(message.properties)) sent.properties.add(name, value);
    try {
      await client.sendEvent(sent);
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  #inOrder(send: () => Promise<boolean>): Promise<boolean> {
    const sent = this.#reporting.then(send);
    this.#reporting = sent;
    return sent;
  }

  #sendReport(patch: JsonObject): Promise<boolean> {
    const twin = this.#twin;
    const { signal } = this.#cut;
    if (twin === undefined || signal.aborted || Object.keys(patch).length === 0)
      return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (isTaken: boolean) => {
        signal.removeEventListener('abort', onCut);
        resolve(isTaken);
      };
      const onCut = () => end(false);
      signal.addEventListener('abort', onCut, { once: true });
      twin.properties.reported.update(patch, (error: Error | null) => {
        end(!error);
      });
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let tries = 0; !signal.aborted; tries += 1) {
      if (!this.#isOnline) {
        await aborted(AbortSignal.any([signal, this.#online.signal]));
        tries = 0;
        continue;
      }
      this.#cut = new AbortController();
      try {
        await this.#live();
        tries = 0;
      } catch {
        // The next try follows.
      }
      await this.#hangUp();
      if (!this.#isOnline) continue;
      const pause = Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS);
      await delay(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Connects, and returns when the connection ends. */
  async #live(): Promise<void> {
    const { hub, deviceId, moduleId, key, mqttPort, ca, methods, onDesired } = this.#options;
    const client = ModuleClient.fromConnectionString(
      `HostName=${hub};DeviceId=${deviceId};ModuleId=${moduleId};SharedAccessKey=${key};GatewayHostName=localhost:${mqttPort}`,
      Mqtt,
    );
    this.#client = client;
    client.setRetryPolicy(new NoRetry());
    const lost = new Promise<void>((resolve) => {
      client.on('disconnect', () => resolve());
      client.on('error', () => resolve());
    });
    const gone = Promise.race([lost, aborted(AbortSignal.any([this.#closing.signal, this.#cut.signal]))]);
    const opened = (async () => {
      await client.setOptions({ ca });
      await client.open();
      for (const [name, method] of Object.entries(methods)) {
        client.onMethod(name, (request, response) => {
          if (request !== undefined && response !== undefined) void answer(method, request, response);
        });
      }
      return currentTwin(client);
    })();
    const twin = await Promise.race([opened, gone]);
    if (twin === undefined) {
      await opened.catch(() => {});
      return;
    }
    this.#reported = withoutVersion(plain(twin.properties.reported));
    this.#twin = twin;
    this.#options.onConnected?.();
    // The SDK emits this event at once with the current desired properties, and then for each change.
    twin.on('properties.desired', () => onDesired(plain(twin.properties.desired)));
    await gone;
  }

  async #hangUp(): Promise<void> {
    const client = this.#client;
    const wasConnected = this.isConnected;
    this.#cut.abort();
    this.#client = undefined;
    this.#twin = undefined;
    client?.removeAllListeners();
    // A client can still emit an error while it closes. Without a listener, this error would end the process.
    client?.on('error', () => {});
    await client?.close().catch(() => {});
    if (wasConnected) this.#options.onDisconnected?.();
  }
}

async function answer(
  method: ModuleMethod,
  request: DeviceMethodRequest,
  response: DeviceMethodResponse,
): Promise<void> {
  const { status, payload } = await method(request.payload).catch((error: unknown) => ({
    status: 500,
    payload: { message: error instanceof Error ? error.message : String(error) },
  }));
  await response.send(status, payload).catch(() => {});
}

/** A section of the SDK's twin as JSON, without the functions of the SDK. */
function plain(section: object): JsonObject {
  return JSON.parse(JSON.stringify(section)) as JsonObject;
}
