import { basename } from 'node:path';
import type { Fleet } from '../../src/fleet/fleet.ts';
import { readChange, type SavedFleet } from './fleet-change.ts';
import { watchFile } from './watch-file.ts';

export interface FleetWatchOptions {
  readonly file: string;
  /** The fleet with which the functions started. */
  readonly fleet: Fleet;
  /** Estimates the effect of the file, as text: `12 devices would move`. */
  readonly effectOf: (file: string) => Promise<string>;
  /** What the user does to use a valid file: `press r`. */
  readonly howToUse: string;
  /** How long the file must be quiet after a save, in milliseconds. Default: as in `watchFile`. */
  readonly quietMs?: number;
}

/** Watches the fleet file, and says what its content would change. */
export class FleetWatch {
  readonly #options: FleetWatchOptions;
  readonly #name: string;
  #inForce: Fleet;
  #notice: string | undefined;
  /** Increased by each save and each use, so that an estimate for an older content is dropped. */
  #generation = 0;
  #end: () => void = () => {};

  constructor(options: FleetWatchOptions) {
    this.#options = options;
    this.#name = basename(options.file);
    this.#inForce = options.fleet;
  }

  /** Starts to watch. If the system cannot watch the folder, the notice says so. */
  start(): void {
    const { file, quietMs, howToUse } = this.#options;
    const onError = ({ message }: Error) => {
      this.#notice = `${this.#name} is not watched (${message}). After a change: ${howToUse}`;
    };
    try {
      this.#end = watchFile({
        file,
        onChange: () => void this.#estimate(),
        onError,
        ...(quietMs === undefined ? {} : { quietMs }),
      });
    } catch (error) {
      onError(error as Error);
    }
  }

  stop(): void {
    this.#end();
    this.#generation += 1;
  }

  /** One line about the saved file; undefined if there is nothing to say. */
  get notice(): string | undefined {
    return this.#notice;
  }

  /** Reads the file for a restart of the functions. If it is valid, it is in force from now on. */
  use(): SavedFleet {
    const change = readChange(this.#options.file, this.#inForce);
    if (change.kind === 'ready') this.#inForce = change.fleet;
    if (change.kind !== 'refused') {
      this.#generation += 1;
      this.#notice = undefined;
    }
    return change;
  }

  async #estimate(): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    const { file, effectOf, howToUse } = this.#options;
    const change = readChange(file, this.#inForce);
    this.#notice = noticeOf(change, this.#name);
    if (change.kind !== 'ready') return;
    const effect = await effectOf(file);
    if (generation === this.#generation) this.#notice = `${this.#name}: ${effect}: ${howToUse}`;
  }
}

function noticeOf(change: SavedFleet, name: string): string | undefined {
  switch (change.kind) {
    case 'none':
      return undefined;
    case 'refused':
      return `${name} ${change.text}`;
    case 'ready':
      return `${name} is valid; its effect is being estimated`;
  }
}
