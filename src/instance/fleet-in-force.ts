import type { ErrorDetail } from '../errors.ts';
import { BerthError } from '../errors.ts';
import type { ModelFile } from '../fleet/file/models.ts';
import type { ParsedFleet } from '../fleet/file/parse.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { JsonValue } from '../json/json.ts';
import type { RevisionStore } from '../store/state/revisions.ts';
import type { Log } from './log.ts';

export interface FleetInForceOptions {
  /** Gives the text of the fleet file. May throw. */
  readonly text: () => string;
  /** Gives the DTDL files next to it. Default: none. May throw. */
  readonly modelFiles?: () => readonly ModelFile[];
  /** Reads the text of the file with these DTDL files. Does not throw. */
  readonly read: (text: string, models: readonly ModelFile[]) => ParsedFleet;
  /** Opens the store of earlier files. May throw. */
  readonly revisions: () => Promise<Pick<RevisionStore, 'keep' | 'lastGood'>>;
  readonly build: string;
  /** The author of the commit of this package. Undefined: not known. */
  readonly author?: string | undefined;
  readonly log: Log;
}

/**
 * The fleet for all decisions: the file of this package, or the last valid file if this one has problems. Loading never
 * throws. An app that fails to start answers 404, and DPS then ends the registration of every device.
 */
export class FleetInForce {
  readonly #options: FleetInForceOptions;
  #fleet: Fleet | undefined;
  #problems: readonly ErrorDetail[] = [];
  /** The call to the state tables that has not succeeded yet. */
  #pending: (() => Promise<void>) | undefined;

  constructor(options: FleetInForceOptions) {
    this.#options = options;
    this.#load();
  }

  /** @throws BerthError `BERTH_FLEET_INVALID` while there is no valid file. */
  current(): Fleet {
    if (this.#fleet !== undefined) return this.#fleet;
    throw new BerthError(
      'BERTH_FLEET_INVALID',
      `The fleet file has ${this.#problems.length} problem${this.#problems.length === 1 ? '' : 's'}, and no earlier valid file is stored.`,
      { details: this.#problems },
    );
  }

  /** The fleet. Undefined: there is no valid file. */
  get known(): Fleet | undefined {
    return this.#fleet;
  }

  /** The problems of this package's own file. While it has problems, the app is not ready. */
  get problems(): readonly ErrorDetail[] {
    return this.#problems;
  }

  /**
   * Stores a valid file in the state tables, or reads the last valid one from them. Does nothing after the first success.
   * Never throws.
   */
  async synchronise(): Promise<void> {
    const pending = this.#pending;
    if (pending === undefined) return;
    try {
      await pending();
      if (this.#pending === pending) this.#pending = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log('warn', 'fleetRevisionsUnavailable', { reason });
    }
  }

  #load(): void {
    const { log, revisions, build, author } = this.#options;
    const { modelFiles = () => [] } = this.#options;
    const text = this.#readFile(this.#options.text, 'check FLEET_FILE', '');
    const files = this.#readFile(modelFiles, 'check the folder next to the fleet file', 'models');
    const isRead = text !== undefined && files !== undefined;
    const parsed = isRead ? this.#options.read(text, files) : undefined;
    if (isRead && parsed?.ok === true) {
      const { fleet, warnings } = parsed;
      this.#fleet = fleet;
      const models = Object.keys(fleet.models).length;
      log('info', 'fleetLoaded', { revision: fleet.revision, hubs: fleet.hubs.length, models });
      for (const { path, message } of warnings) log('warn', 'fleetWarning', { path, message });
      this.#pending = async () => (await revisions()).keep(fleet.revision, text, build, fleet.models, author);
      return;
    }
    if (parsed?.ok === false) this.#problems = parsed.problems;
    log('error', 'fleetInvalid', {
      code: 'BERTH_FLEET_INVALID',
      problems: this.#problems.map(({ path, message }) => ({ path, message })) as JsonValue,
    });
    this.#pending = async () => {
      const lastGood = await (await revisions()).lastGood();
      const { parseFleet } = await import('../fleet/file/parse.ts');
      const fallback = lastGood === undefined ? undefined : parseFleet(lastGood.text, lastGood.models);
      if (fallback?.ok !== true) return;
      this.#fleet = fallback.fleet;
      log('warn', 'fleetFellBack', { revision: fallback.fleet.revision });
    };
  }

  #readFile<Read>(read: () => Read, check: string, path: string): Read | undefined {
    try {
      return read();
    } catch (error) {
      const code = (error as { readonly code?: unknown } | null)?.code;
      const message = `cannot be read (${typeof code === 'string' ? code : 'unreadable'}): ${check}`;
      this.#problems = [...this.#problems, { path, message }];
      return undefined;
    }
  }
}
