import { setTimeout as wait } from 'node:timers/promises';
import type { EdgeFaults } from '../faults.ts';
import type { WantedModule } from '../manifest/agent-manifest.ts';
import type { EdgePace } from '../pace.ts';
import type { ContainerState } from './module-state.ts';

/** The program in a container. It runs from its start until it is stopped. */
export interface ModuleProgram {
  stop(): Promise<void>;
}

export interface ContainersOptions {
  readonly pace: EdgePace;
  readonly now: () => number;
  readonly faults: () => EdgeFaults;
  /** Starts the program of a module. `log` writes a line of its output; `end` ends the container with an exit code. */
  readonly program: (module: WantedModule, log: (line: string) => void) => ModuleProgram;
}

/** Newest lines of output that a container keeps. */
const LINES = 100;
/** What a crashed module answers: a segmentation fault. */
const CRASHED = 139;

interface Container {
  readonly module: WantedModule;
  state: ContainerState;
  program: ModuleProgram | undefined;
  crash: NodeJS.Timeout | undefined;
  lines: string[];
}

/** A pull that fails. The message is that of Docker. */
export class PullFailed extends Error {}

/** The simulated container engine of a device. */
export class Containers {
  readonly #options: ContainersOptions;
  readonly #containers = new Map<string, Container>();
  readonly #images = new Set<string>();

  constructor(options: ContainersOptions) {
    this.#options = options;
  }

  /** The state of a container; undefined if there is none. */
  state(name: string): ContainerState | undefined {
    return this.#containers.get(name)?.state;
  }

  /** The newest lines of output, oldest first. */
  lines(name: string): readonly string[] {
    return this.#containers.get(name)?.lines ?? [];
  }

  /** @throws PullFailed, and an `AbortError` if `signal` is aborted */
  async pull(image: string, signal: AbortSignal): Promise<void> {
    const { pace, faults } = this.#options;
    await wait(pace.pullMs, undefined, { signal });
    const { pullFails, offline } = faults();
    if (offline) throw new PullFailed(`Failed to pull ${image}: dial tcp: lookup failed: no such host`);
    if (pullFails !== undefined && image.includes(pullFails)) {
      throw new PullFailed(`Failed to pull ${image}: manifest for ${image} not found: manifest unknown`);
    }
    this.#images.add(image);
  }

  /** @throws PullFailed if the image is not on the device */
  create(module: WantedModule): void {
    if (!this.#images.has(module.image)) throw new PullFailed(`No such image: ${module.image}`);
    const state = { isRunning: false, exitCode: 0, startedAt: undefined, exitedAt: undefined };
    this.#containers.set(module.name, { module, state, program: undefined, crash: undefined, lines: [] });
  }

  start(name: string): void {
    const container = this.#containers.get(name);
    if (container === undefined || container.state.isRunning) return;
    const { now, program } = this.#options;
    container.state = { ...container.state, isRunning: true, startedAt: now() };
    const log = (line: string) => this.#log(container, line);
    log('started');
    const { module } = container;
    container.program = program(module, log);
    this.#crashByFault(container);
  }

  /** Applies the present faults to the containers that run. */
  applyFaults(): void {
    for (const container of this.#containers.values())
      if (container.state.isRunning) this.#crashByFault(container);
  }

  async stop(name: string): Promise<void> {
    const container = this.#containers.get(name);
    if (container?.state.isRunning === true) await this.#end(container, 0);
  }

  async remove(name: string): Promise<void> {
    await this.stop(name);
    this.#containers.delete(name);
  }

  #crashByFault(container: Container): void {
    const { faults, pace } = this.#options;
    const { name, image } = container.module;
    const { crashes } = faults();
    if (crashes === undefined || (name !== crashes && !image.includes(crashes))) {
      clearTimeout(container.crash);
      container.crash = undefined;
      return;
    }
    container.crash ??= setTimeout(() => {
      this.#log(container, 'Segmentation fault');
      void this.#end(container, CRASHED);
    }, pace.crashAfterMs).unref();
  }

  #log(container: Container, line: string): void {
    const at = new Date(this.#options.now()).toISOString();
    container.lines = [...container.lines, `${at} ${line}`].slice(-LINES);
  }

  async #end(container: Container, exitCode: number): Promise<void> {
    clearTimeout(container.crash);
    container.crash = undefined;
    const { program } = container;
    container.program = undefined;
    container.state = { ...container.state, isRunning: false, exitCode, exitedAt: this.#options.now() };
    await program?.stop();
  }
}
