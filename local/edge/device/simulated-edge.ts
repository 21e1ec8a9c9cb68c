import type { JsonObject } from '../../../src/json/json.ts';
import { EdgeAgent } from '../agent/agent.ts';
import { Containers, type ModuleProgram } from '../agent/containers.ts';
import { reportSummary } from '../agent/report-summary.ts';
import { type EdgeFaults, NO_EDGE_FAULTS } from '../faults.ts';
import type { WantedModule } from '../manifest/agent-manifest.ts';
import { simulatedModule } from '../modules/image-program.ts';
import { type EdgePace, REAL_PACE } from '../pace.ts';
import type { RoutedMessage } from '../routes/message.ts';
import { agentMethods } from './agent-methods.ts';
import { EdgeHub } from './edge-hub.ts';
import { type HubAddress, ModuleConnection } from './module-connection.ts';
import { type DeviceModuleIdentities, moduleIdentities } from './module-identities.ts';

export interface SimulatedEdgeOptions extends HubAddress {
  /** Base64 key of the device. */
  readonly key: string;
  readonly httpsPort: number;
  readonly pace?: EdgePace;
  /** The faults of this device now. They are asked for as often as the agent reconciles. */
  readonly faults?: () => EdgeFaults | Promise<EdgeFaults>;
  /** Called with the state of the device in one line, when it changes. */
  readonly onChange?: (summary: string) => void;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
  /** The runtime ends when it is aborted. */
  readonly signal: AbortSignal;
}

/** A module that runs: its connection, and the way to its inputs. */
interface RunningModule extends ModuleProgram {
  readonly connection: ModuleConnection;
  input(input: string, body: Buffer): void;
  setOnline(isOnline: boolean): void;
}

/**
 * The simulated runtime of an Edge device: the agent, the hub of the device, its containers and modules. All of them connect to
 * the hub in the cloud with Microsoft's SDK. Modules run in this process.
 */
export class SimulatedEdge {
  readonly #options: SimulatedEdgeOptions;
  readonly #now: () => number;
  readonly #identities: DeviceModuleIdentities;
  readonly #containers: Containers;
  readonly #agent: EdgeAgent;
  readonly #running = new Map<string, RunningModule>();
  #agentConnection: ModuleConnection | undefined;
  #edgeHub: EdgeHub | undefined;
  #faults: EdgeFaults = NO_EDGE_FAULTS;
  #isKilled = false;
  #told = '';

  constructor(options: SimulatedEdgeOptions) {
    this.#options = options;
    const { pace = REAL_PACE, now = Date.now } = options;
    this.#now = now;
    this.#identities = moduleIdentities(options);
    const faults = () => this.#faults;
    this.#containers = new Containers({
      pace,
      now,
      faults,
      program: (module, log) => this.#start(module, log),
    });
    this.#agent = new EdgeAgent({
      pace,
      now,
      containers: this.#containers,
      identities: {
        set: (name) => this.#whileOnline(() => this.#identities.set(name)),
        remove: (name) => this.#whileOnline(() => this.#identities.remove(name)),
      },
      faults,
      report: async (document) => {
        this.#tell(reportSummary(document));
        await this.#agentConnection?.report(document);
      },
      onKilled: () => {
        this.#isKilled = true;
        this.#setOnline();
      },
    });
  }

  /** Runs until the signal is aborted. At its end, the agent stops the modules and reports 406. */
  async run(): Promise<void> {
    await this.#refreshFaults();
    const connection = new ModuleConnection(
      {
        ...this.#options,
        moduleId: '$edgeAgent',
        methods: agentMethods(this.#agent, this.#containers),
        onDesired: (desired) => this.#agent.take(desired),
      },
      this.#isOnline,
    );
    this.#agentConnection = connection;
    const { pace = REAL_PACE, signal } = this.#options;
    const asking = setInterval(() => void this.#refreshFaults(), pace.loopMs).unref();
    try {
      await this.#agent.run(signal);
    } finally {
      clearInterval(asking);
      await connection.close();
    }
  }

  get #isOnline(): boolean {
    return !this.#faults.offline && !this.#isKilled;
  }

  #tell(summary: string): void {
    if (summary === this.#told) return;
    this.#told = summary;
    this.#options.onChange?.(summary);
  }

  async #whileOnline(call: () => Promise<void>): Promise<void> {
    if (!this.#isOnline) throw new Error('The hub cannot be reached.');
    await call();
  }

  async #refreshFaults(): Promise<void> {
    this.#faults = (await this.#options.faults?.()) ?? NO_EDGE_FAULTS;
    if (this.#faults.killedBy === undefined) this.#isKilled = false;
    this.#containers.applyFaults();
    this.#setOnline();
  }

  #setOnline(): void {
    this.#agentConnection?.setOnline(this.#isOnline);
    for (const module of this.#running.values()) module.setOnline(this.#isOnline);
  }

  /** The program of a container: the hub of the device, or a module. */
  #start(module: WantedModule, log: (line: string) => void): ModuleProgram {
    const running = module.name === 'edgeHub' ? this.#startHub() : this.#startModule(module, log);
    this.#running.set(module.name, running);
    return {
      stop: async () => {
        if (this.#running.get(module.name) === running) this.#running.delete(module.name);
        await running.stop();
      },
    };
  }

  #startHub(): RunningModule {
    const hub: EdgeHub = new EdgeHub({
      deviceId: this.#options.deviceId,
      now: this.#now,
      upstream: (message) => this.#sendUpstream(message),
      input: (moduleId, input, { body }) => this.#running.get(moduleId)?.input(input, body),
      report: (document) => void connection.report(document),
    });
    const connection: ModuleConnection = new ModuleConnection(
      {
        ...this.#options,
        moduleId: '$edgeHub',
        key: this.#identities.keyOf('edgeHub') ?? this.#options.key,
        methods: { RefreshDeviceScopeIdentityCache: async () => ({ status: 200, payload: null }) },
        onDesired: (desired) => hub.take(desired),
        onConnected: () => void hub.flush(),
      },
      this.#isOnline,
    );
    this.#edgeHub = hub;
    for (const [name, { connection: own }] of this.#running) if (own.isConnected) hub.client(name, true);
    return {
      connection,
      input: () => {},
      setOnline: (isOnline) => connection.setOnline(isOnline),
      stop: async () => {
        if (this.#edgeHub === hub) this.#edgeHub = undefined;
        await connection.close();
      },
    };
  }

  #startModule(module: WantedModule, log: (line: string) => void): RunningModule {
    const { name } = module;
    let seenVersion: unknown;
    const program = simulatedModule(module, {
      now: this.#now,
      log,
      report: (patch) => void connection.reportChange(patch),
      send: (output, message) =>
        this.#edgeHub?.route({
          deviceId: this.#options.deviceId,
          moduleId: name,
          output,
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          messageId: undefined,
          ...message,
        }),
    });
    const connection: ModuleConnection = new ModuleConnection(
      {
        ...this.#options,
        moduleId: name,
        key: this.#identities.keyOf(name) ?? this.#options.key,
        methods: program.methods,
        onDesired: (desired: JsonObject) => {
          if (desired.$version === seenVersion) return;
          program.onDesired(desired, seenVersion !== undefined);
          seenVersion = desired.$version;
        },
        onConnected: () => {
          this.#edgeHub?.client(name, true);
          void this.#edgeHub?.flush();
        },
        onDisconnected: () => this.#edgeHub?.client(name, false),
      },
      this.#isOnline,
    );
    return {
      connection,
      input: (input, body) => program.onInput(input, body),
      setOnline: (isOnline) => connection.setOnline(isOnline),
      stop: async () => {
        await program.stop();
        await connection.close();
      },
    };
  }

  /** Sends a message as its module. The output does not travel to the cloud. */
  async #sendUpstream(message: RoutedMessage): Promise<boolean> {
    const module = this.#running.get(message.moduleId);
    // The module is gone, so that no one can send the message for it.
    if (module === undefined) return true;
    return module.connection.send(message);
  }
}
