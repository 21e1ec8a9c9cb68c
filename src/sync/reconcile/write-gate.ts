import type { Control } from '../../control/control.ts';
import { pauseOf } from '../../control/pauses.ts';
import { holdOf, type TwinPlace } from '../../control/rollouts.ts';
import type { Policy, Rollout } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { ControlStore } from '../../store/state/control.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import type { Hold } from '../../twin/plan/plan.ts';

/** What the control row allows at this moment. */
export interface Gate {
  /** Why nothing may be written to this hub now; undefined: it may. */
  closedFor(host: HostName): string | undefined;
  /** What keeps a policy from a twin at this time: a pause, or a rollout that has not reached it. */
  holdOf(policy: Policy, place: TwinPlace, rollout: Rollout | undefined, now: EpochMs): Hold | undefined;
  /** Modules that the newest package targets: an older one keeps their events for it. */
  readonly modules: ReadonlySet<string>;
  /** The hub's events are not trusted: a read comes before each decision. */
  readsFirst(host: HostName): boolean;
  /**
   * A package that was built later has run: this instance only merges events and leaves the rest to the
   * others.
   */
  readonly isOutdated: boolean;
  /**
   * Grows whenever every twin must be reconciled again, and when it last did; undefined while that
   * cannot be known.
   */
  readonly generation: { readonly number: number; readonly since: EpochMs } | undefined;
}

/**
 * A row that could not be read for so long closes the gate; with the deadline of the call that was let through last, a
 * pause takes hold everywhere within 30 s.
 */
const MAX_AGE_MS = 20_000;
/** How long one reading serves, so that a failed one can be tried again before the age is reached. */
const FRESH_MS = 10_000;

/** The control row as every writer sees it. */
export class WriteGate {
  readonly #store: Pick<ControlStore, 'read'>;
  readonly #build: string;
  readonly #now: () => EpochMs;
  #last: { readonly gate: Gate; readonly at: EpochMs } | undefined;
  #reading: Promise<void> | undefined;

  /** @param build when this package was built, ISO 8601. */
  constructor(store: Pick<ControlStore, 'read'>, build: string, now: () => EpochMs) {
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
    return last.gate;
  }

  async #read(): Promise<void> {
    const at = this.#now();
    try {
      this.#last = { gate: gateOf(await this.#store.read(), this.#build), at };
    } catch (error) {
      // Else the age of the last reading decides.
      if (error instanceof NewerFormatError) this.#last = { gate: NEWER, at };
    }
  }
}

/** What a control row means for a package of this build time. */
export function gateOf(control: Control, build: string): Gate {
  return {
    closedFor(host) {
      const pause = pauseOf(control, host);
      return pause === undefined ? undefined : `paused by ${pause.author}: ${pause.reason}`;
    },
    holdOf: (policy, place, rollout, now) => holdOf(control, policy, place, rollout, now),
    modules: new Set(Object.keys(control.modules)),
    readsFirst: (host) => host in control.untrusted,
    isOutdated: build < control.newestBuild,
    generation: { number: control.generation, since: control.changedAt },
  };
}

const UNREADABLE = closedGate('the control row cannot be read', false);
/** The package that wrote it was built later, whatever else it says. */
const NEWER = closedGate('a newer package has written the control row', true);

function closedGate(why: string, isOutdated: boolean): Gate {
  return {
    closedFor: () => why,
    // With an end: what is held without one is due nowhere, and nobody would come back to it.
    holdOf: (_policy, _place, _rollout, now) => ({ why, until: plus(now, MAX_AGE_MS) }),
    modules: new Set(),
    readsFirst: () => false,
    isOutdated,
    generation: undefined,
  };
}
