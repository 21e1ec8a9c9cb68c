import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import type { ModuleProgram } from '../agent/containers.ts';

/** A direct method: takes the payload and returns the answer. */
export type ModuleMethod = (
  payload: unknown,
) => Promise<{ readonly status: number; readonly payload: JsonValue }>;

/** What a module gets from its device. */
export interface ModuleHost {
  /** Sends a message to an output. The routes of the device decide where it goes. */
  send(output: string, message: OutputMessage): void;
  /** Merges a patch into the reported properties. */
  report(patch: JsonObject): void;
  log(line: string): void;
  now(): number;
}

export interface OutputMessage {
  readonly body: Buffer;
  readonly properties: Readonly<Record<string, string>>;
}

/** A simulated module. Its host calls it for everything that comes from outside. */
export interface SimulatedModule extends ModuleProgram {
  readonly methods: Readonly<Record<string, ModuleMethod>>;
  /** Takes all desired properties. `isPatch`: they have changed while the module ran. */
  onDesired(desired: JsonObject, isPatch: boolean): void;
  onInput(input: string, body: Buffer): void;
}
