import { setTimeout as wait } from 'node:timers/promises';
import type { JsonObject } from '../../../src/json/json.ts';
import type { EdgeFaults } from '../faults.ts';
import {
  type AgentManifest,
  readAgentManifest,
  type WantedModule,
  withoutVersion,
} from '../manifest/agent-manifest.ts';
import { type EdgePace, MOST_COMMAND_TRIES, retryDelay } from '../pace.ts';
import type { Containers } from './containers.ts';
import { forgivenRestarts, isRestartDue, type ModuleState } from './module-state.ts';
import { planUpdate } from './plan-update.ts';
import { agentDocument } from './report.ts';

/** The identities of a device's modules in its hub. Each call is an operation on identities. */
export interface ModuleIdentities {
  /** Creates or updates the identity of a module and sets its keys. */
  set(name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface AgentOptions {
  readonly pace: EdgePace;
  readonly now: () => number;
  readonly containers: Containers;
  readonly identities: ModuleIdentities;
  readonly faults: () => EdgeFaults;
  /** Takes the whole reported document after each reconciliation. It never throws. */
  readonly report: (document: JsonObject) => Promise<void>;
  /** Called once a manifest with the text of the fault `killedBy` is applied. */
  readonly onKilled: () => void;
}

interface Status {
  readonly code: number;
  readonly description: string;
}

interface Failure {
  readonly count: number;
  readonly nextAt: number;
  readonly message: string;
}

/** The image with which a new device starts its agent. */
const FIRST_IMAGE = 'mcr.microsoft.com/azureiotedge-agent:1.6';
const OK: Status = { code: 200, description: '' };
const ENDING: Status = { code: 406, description: 'Agent is not running' };

/**
 * The simulated agent of a device: it reads the manifest in its desired properties, brings the modules to it, and reports.
 * It reconciles every few seconds, as the real agent does (Azure/iotedge, EA.Core/Agent.cs). While its manifest is not valid, it
 * leaves the modules as they are.
 */
export class EdgeAgent {
  readonly #options: AgentOptions;
  readonly #modules = new Map<string, Omit<ModuleState, 'container'>>();
  /** Modules that an operator restarts now. Their end is no failure. */
  readonly #restarting = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  #desired: JsonObject | undefined;
  #readVersion: number | undefined;
  #manifest: AgentManifest | undefined;
  #manifestText = '';
  #isValid = false;
  #lastDesiredVersion = 0;
  #status: Status = OK;
  #update: { readonly done: Promise<Status>; readonly abort: AbortController } | undefined;
  #agent: { readonly image: string; readonly startedAt: number };
  #wake = new AbortController();

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#agent = { image: FIRST_IMAGE, startedAt: options.now() };
  }

  /** Takes the desired properties of `$edgeAgent`, with `$version`. */
  take(desired: JsonObject): void {
    this.#desired = desired;
    this.#wake.abort();
  }

  /** Reconciles until the signal is aborted. Then it stops the modules and reports 406. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      await this.reconcile();
      const wake = AbortSignal.any([signal, this.#wake.signal]);
      await wait(this.#options.pace.loopMs, undefined, { signal: wake }).catch(() => {});
    }
    this.#update?.abort.abort();
    await this.#update?.done;
    this.#status = ENDING;
    await this.#report(true);
    for (const name of this.#modules.keys()) await this.#options.containers.stop(name);
  }

  /** Reads a new manifest, works on the modules, and reports. */
  async reconcile(): Promise<void> {
    if (this.#desired === undefined) return;
    this.#readDesired(this.#desired);
    if (this.#isValid && this.#manifest !== undefined) {
      this.#status = await this.#work(this.#manifest);
      const { killedBy } = this.#options.faults();
      if (killedBy !== undefined && this.#status.code === 200 && this.#manifestText.includes(killedBy)) {
        this.#options.onKilled();
        return;
      }
    }
    await this.#report(false);
  }

  /** Stops and starts a module, for the method `RestartModule`. Returns whether there is such a module. */
  async restart(name: string): Promise<boolean> {
    const { containers, now } = this.#options;
    const known = this.#modules.get(name);
    if (known === undefined) return false;
    this.#restarting.add(name);
    try {
      await containers.stop(name);
    } finally {
      this.#restarting.delete(name);
    }
    containers.start(name);
    this.#modules.set(name, { ...known, restartedAt: now() });
    return true;
  }

  /** The names of the modules on the device. */
  moduleNames(): readonly string[] {
    return [...this.#modules.keys()];
  }

  #readDesired(desired: JsonObject): void {
    const version = desired.$version;
    if (typeof version !== 'number' || version === this.#readVersion) return;
    this.#readVersion = version;
    // A new version ends the update that still runs, and the waits after failures.
    this.#update?.abort.abort();
    this.#failures.clear();
    const read = this.#options.faults().invalid
      ? ({ ok: false, code: 400, description: 'Agent configuration format is invalid.' } as const)
      : readAgentManifest(withoutVersion(desired));
    this.#isValid = read.ok;
    if (!read.ok) {
      this.#status = { code: read.code, description: read.description };
      return;
    }
    this.#manifest = read.manifest;
    this.#manifestText = JSON.stringify(desired);
    this.#lastDesiredVersion = version;
  }

  async #work(manifest: AgentManifest): Promise<Status> {
    if (this.#update?.abort.signal.aborted === true) await this.#update.done;
    if (this.#update === undefined) {
      const abort = new AbortController();
      const done = this.#bringTo(manifest, abort.signal).finally(() => {
        this.#update = undefined;
      });
      this.#update = { done, abort };
    }
    const late = new AbortController();
    const canceled = wait(this.#options.pace.patienceMs, undefined, { signal: late.signal, ref: false }).then(
      (): Status => ({ code: 500, description: 'The operation was canceled.' }),
      () => this.#status,
    );
    const status = await Promise.race([this.#update.done, canceled]);
    late.abort();
    return status;
  }

  async #bringTo(manifest: AgentManifest, signal: AbortSignal): Promise<Status> {
    const { edgeAgent } = manifest;
    if (edgeAgent !== undefined && edgeAgent.image !== this.#agent.image) {
      await this.#try('edgeAgent', signal, () => this.#updateAgent(edgeAgent, signal));
      if (this.#failures.has('edgeAgent')) return this.#result();
    }
    const present = new Map([...this.#modules].map(([name, { module }]) => [name, module]));
    const plan = planUpdate(manifest.modules, present);
    for (const name of plan.remove) await this.#try(name, signal, () => this.#remove(name));
    for (const group of plan.update) {
      await Promise.all(
        group.map((module) => this.#try(module.name, signal, () => this.#deploy(module, signal))),
      );
    }
    for (const module of plan.changeStatus)
      await this.#try(module.name, signal, () => this.#changeStatus(module));
    this.#restartModules();
    return this.#result();
  }

  #result(): Status {
    const messages = [...this.#failures.values()].map(({ message }) => message);
    return messages.length === 0 ? OK : { code: 500, description: messages.join(' ') };
  }

  /** Runs a command. After a failure, it runs again 10 s, 20 s, 40 s … later, at most 20 times. */
  async #try(name: string, signal: AbortSignal, command: () => Promise<void>): Promise<void> {
    const { now, pace } = this.#options;
    const failure = this.#failures.get(name);
    if (failure !== undefined && (now() < failure.nextAt || failure.count >= MOST_COMMAND_TRIES)) return;
    try {
      await command();
      this.#failures.delete(name);
    } catch (error) {
      // A newer manifest has ended this update.
      if (signal.aborted) return;
      const count = (failure?.count ?? 0) + 1;
      const message = error instanceof Error ? error.message : String(error);
      this.#failures.set(name, { count, nextAt: now() + retryDelay(pace, count), message });
    }
  }

  /** An update of the agent restarts it: for a short time, it reports 406. */
  async #updateAgent(wanted: WantedModule, signal: AbortSignal): Promise<void> {
    const { containers, now, pace } = this.#options;
    if (wanted.imagePullPolicy === 'on-create') await containers.pull(wanted.image, signal);
    this.#status = ENDING;
    await this.#report(true);
    await wait(pace.restartMs, undefined, { signal });
    this.#agent = { image: wanted.image, startedAt: now() };
  }

  async #deploy(module: WantedModule, signal: AbortSignal): Promise<void> {
    const { containers, identities } = this.#options;
    if (module.imagePullPolicy === 'on-create') await containers.pull(module.image, signal);
    await identities.set(module.name);
    await containers.remove(module.name);
    containers.create(module);
    this.#modules.set(module.name, { module, restarts: 0, restartedAt: undefined });
    if (module.status === 'running') containers.start(module.name);
  }

  async #remove(name: string): Promise<void> {
    await this.#options.containers.remove(name);
    this.#modules.delete(name);
    await this.#options.identities.remove(name);
  }

  async #changeStatus(module: WantedModule): Promise<void> {
    const { containers } = this.#options;
    const known = this.#modules.get(module.name);
    if (known === undefined) return;
    if (module.status === 'stopped') await containers.stop(module.name);
    else containers.start(module.name);
    this.#modules.set(module.name, { ...known, module });
  }

  #restartModules(): void {
    const { containers, now, pace } = this.#options;
    for (const [name, state] of this.#states()) {
      if (this.#restarting.has(name)) continue;
      const { container, ...known } = forgivenRestarts(state, now(), pace);
      const isDue = isRestartDue({ ...known, container }, now(), pace);
      this.#modules.set(name, isDue ? { ...known, restarts: known.restarts + 1, restartedAt: now() } : known);
      if (isDue) containers.start(name);
    }
  }

  #states(): ReadonlyMap<string, ModuleState> {
    return new Map(
      [...this.#modules].flatMap(([name, known]) => {
        const container = this.#options.containers.state(name);
        return container === undefined ? [] : [[name, { ...known, container }] as const];
      }),
    );
  }

  async #report(isEnding: boolean): Promise<void> {
    await this.#options.report(
      agentDocument({
        lastDesiredVersion: this.#lastDesiredVersion,
        lastDesiredStatus: this.#status,
        manifest: this.#manifest,
        modules: this.#states(),
        agent: this.#agent,
        isEnding,
      }),
    );
  }
}
