import type { HostName } from '../fleet/host-name.ts';
import { type Control, type ControlStore, pauseOf } from '../store/control.ts';

/** What the control row allows at this moment. */
export interface Gate {
  /** Why nothing may be written to this hub now; undefined: it may. */
  closedFor(host: HostName): string | undefined;
  readonly pausedPolicies: ReadonlySet<string>;
  /**
   * A package that was built later has run: this instance only merges events and leaves the rest to the
   * others.
   */
  readonly isOutdated: boolean;
}

/**
 * A pause takes hold everywhere within this time; a row that could not be read for so long closes the gate.
 */
const MAX_AGE_MS = 30_000;
/** How long one reading serves, so that a failed one can be tried again before the age is reached. */
const FRESH_MS = 10_000;

/** The control row as every writer sees it. */
export class WriteGate {
  readonly #store: Pick<ControlStore, 'read'>;
  readonly #build: string;
  readonly #now: () => number;
  #last: { readonly control: Control; readonly at: number } | undefined;
  #reading: Promise<void> | undefined;

  /** @param build when this package was built, ISO 8601. */
  constructor(store: Pick<ControlStore, 'read'>, build: string, now: () => number) {
    this.#store = store;
    this.#build = build;
    this.#now = now;
  }

  /** Never throws: while the row cannot be read, the gate is closed. */
  async current(): Promise<Gate> {
    if (this.#last === undefined || this.#now() - this.#last.at > FRESH_MS) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    const last = this.#last;
    if (last === undefined || this.#now() - last.at > MAX_AGE_MS) return UNREADABLE;
    const { control } = last;
    return {
      closedFor(host) {
        const pause = pauseOf(control, host);
        return pause === undefined ? undefined : `paused by ${pause.author}: ${pause.reason}`;
      },
      pausedPolicies: new Set(Object.keys(control.policies)),
      isOutdated: this.#build < control.newestBuild,
    };
  }

  async #read(): Promise<void> {
    const at = this.#now();
    try {
      this.#last = { control: await this.#store.read(), at };
    } catch {
      // The age of the last reading decides.
    }
  }
}

const UNREADABLE: Gate = {
  closedFor: () => 'the control row cannot be read',
  pausedPolicies: new Set(),
  isOutdated: false,
};
