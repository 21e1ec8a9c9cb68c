import type { JsonObject } from '../../../src/json/json.ts';
import { withoutVersion } from '../manifest/agent-manifest.ts';
import { type HubConfig, readHubConfig } from '../manifest/hub-config.ts';
import type { RoutedMessage } from '../routes/message.ts';
import { isRouted } from '../routes/route.ts';

export interface EdgeHubOptions {
  readonly deviceId: string;
  readonly now: () => number;
  /** Sends a message to the hub in the cloud, as the module. Returns whether the hub has taken it. */
  readonly upstream: (message: RoutedMessage) => Promise<boolean>;
  /** Gives a message to the input of a module. */
  readonly input: (moduleId: string, input: string, message: RoutedMessage) => void;
  /** Takes the whole reported document. */
  readonly report: (document: JsonObject) => void;
}

interface Client {
  readonly status: 'Connected' | 'Disconnected';
  readonly lastConnectedTimeUtc?: string;
  readonly lastDisconnectedTimeUtc?: string;
}

/** Most messages that wait for a connection. The oldest ones are dropped first. */
const MOST_STORED = 1_000;
const VERSION = { version: '1.6.1', build: 'simulated', commit: 'simulated' };

/**
 * The simulated hub of a device: it routes the messages of modules and stores those to the cloud while there is no connection.
 * It reports 200 or 400. A configuration with a wrong route changes nothing, so the earlier routes stay
 * (EH.Edge.Hub.Core/EdgeHubConnection.cs).
 */
export class EdgeHub {
  readonly #options: EdgeHubOptions;
  readonly #clients = new Map<string, Client>();
  #config: HubConfig = { routes: [], timeToLiveSecs: 7200 };
  #lastDesired = { version: 0, code: 200, description: '' };
  #stored: { readonly message: RoutedMessage; readonly at: number }[] = [];
  #isSending = false;

  constructor(options: EdgeHubOptions) {
    this.#options = options;
  }

  /** Takes the desired properties of `$edgeHub`, with `$version`. */
  take(desired: JsonObject): void {
    const version = Number(desired.$version);
    if (version === this.#lastDesired.version) return;
    const read = readHubConfig(withoutVersion(desired));
    if (read.ok) this.#config = read.config;
    this.#lastDesired = {
      version,
      ...(read.ok ? { code: 200, description: '' } : { code: 400, description: read.description }),
    };
    this.#report();
  }

  /** Routes a message of a module. A sink gets it once, however many routes lead there. */
  route(message: RoutedMessage): void {
    const sinks = this.#config.routes.filter((route) => isRouted(route, message)).map(({ sink }) => sink);
    const inputs = new Map(
      sinks.flatMap((sink) =>
        sink.kind === 'input' ? [[`${sink.moduleId}/${sink.input}`, sink] as const] : [],
      ),
    );
    for (const { moduleId, input } of inputs.values()) this.#options.input(moduleId, input, message);
    if (!sinks.some(({ kind }) => kind === 'upstream')) return;
    this.#stored = [...this.#stored, { message, at: this.#options.now() }].slice(-MOST_STORED);
    void this.flush();
  }

  /** Sends the stored messages in their order, until one cannot be sent. */
  async flush(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        if (!(await this.#options.upstream(next))) return;
        this.#stored = this.#stored.filter(({ message }) => message !== next);
      }
    } finally {
      this.#isSending = false;
    }
  }

  /** Notes that a module has connected or disconnected. */
  client(moduleId: string, isConnected: boolean): void {
    const key = encodedKey(`${this.#options.deviceId}/${moduleId}`);
    const at = new Date(this.#options.now()).toISOString();
    const before = this.#clients.get(key);
    this.#clients.set(
      key,
      isConnected
        ? { ...before, status: 'Connected', lastConnectedTimeUtc: at }
        : { ...before, status: 'Disconnected', lastDisconnectedTimeUtc: at },
    );
    this.#report();
  }

  /** The oldest message that has not expired. A message of a negative time to live never expires. */
  #next(): RoutedMessage | undefined {
    const { timeToLiveSecs } = this.#config;
    const now = this.#options.now();
    this.#stored = this.#stored.filter(({ at }) => timeToLiveSecs < 0 || now - at <= timeToLiveSecs * 1000);
    return this.#stored[0]?.message;
  }

  #report(): void {
    const { version, code, description } = this.#lastDesired;
    this.#options.report({
      schemaVersion: '1.0',
      version: VERSION,
      lastDesiredVersion: version,
      lastDesiredStatus: { code, description },
      clients: Object.fromEntries([...this.#clients].map(([key, client]) => [key, { ...client }])),
    });
  }
}

/** The names of properties cannot hold these characters. */
function encodedKey(key: string): string {
  return key.replace(/[.$ ]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
