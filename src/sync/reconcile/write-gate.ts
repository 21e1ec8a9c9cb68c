import { isDeepStrictEqual } from 'node:util';
import type { Control, Drain } from '../../control/control.ts';
import { drainOf } from '../../control/drains.ts';
import { hasAnnounced } from '../../control/packages.ts';
import { pauseOf } from '../../control/pauses.ts';
import { type ContentToRead, contentOf, contentsToRead, holdOf } from '../../control/rollouts.ts';
import { settingsInForce } from '../../control/setting-values.ts';
import type { SettingContent } from '../../fleet/edge/setting-values.ts';
import type { Fleet, Policy } from '../../fleet/fleet.ts';
import type { RolloutContent } from '../../fleet/rollout.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type ContentChoice, type Hold, REACHED, type RolloutDevice } from '../../rollout/content-choice.ts';
import type { ControlStore } from '../../store/state/control.ts';
import { NewerFormatError } from '../../store/tables/newer-format.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';

/** What the control row allows at this moment. */
export interface Gate {
  /** Why Berth may not write to this hub now. Undefined: it may. */
  closedFor(host: HostName): string | undefined;
  /** Why a policy may not write to a twin now: a pause. */
  holdOf(policy: Pick<Policy, 'name'>, now: EpochMs): Hold | undefined;
  /** What a device gets of a policy. `previous`: the earlier contents that are read, by hash. */
  contentOf<Content extends RolloutContent>(
    policy: Content,
    device: RolloutDevice<Content>,
    previous: ReadonlyMap<string, Content>,
    now: EpochMs,
  ): ContentChoice<Content>;
  /** The drain of a hub that its devices are asked to follow, or its end. Undefined: the hub has not drained. */
  drainOf(host: HostName, now: EpochMs): Drain | undefined;
  /** The earlier contents that devices may get while these policies are in the fleet file. */
  contentsToRead(policies: readonly RolloutContent[]): readonly ContentToRead[];
  /** The changed values of settings of the deployments of a fleet file. */
  settingsInForce(fleet: Pick<Fleet, 'edge'>): readonly SettingContent[];
  /** Modules that the newest package targets. Older packages store their events too. */
  readonly modules: ReadonlySet<string>;
  /** Whether the hub's events are not trusted, so that Berth reads before each decision. */
  readsFirst(host: HostName): boolean;
  /**
   * Whether the row does not say what this package has announced, although no later package has run: the row was deleted or
   * imported since.
   *
   * @param contents those of the fleet file; undefined: there is no valid file
   * @param announcedAt when this instance announced them
   */
  lacks(contents: readonly Pick<RolloutContent, 'hash'>[] | undefined, announcedAt: EpochMs): boolean;
  /**
   * Whether a package that was built later has run. Then this instance only applies events.
   */
  readonly isOutdated: boolean;
  /**
   * `number` grows when every twin must be reconciled again. `since` is the time of the last change. Undefined: not known.
   */
  readonly generation: { readonly number: number; readonly since: EpochMs } | undefined;
}

/**
 * If the row could not be read for this long, the gate closes. Together with the deadline of the last call, a pause takes
 * effect everywhere within 30 s.
 */
const MAX_AGE_MS = 20_000;
/** How long one read is used. It is shorter than `MAX_AGE_MS`, so that a failed read can be repeated in time. */
const FRESH_MS = 10_000;

/** Reads the control row for every writer. */
export class WriteGate {
  readonly #store: Pick<ControlStore, 'read'>;
  readonly #build: string;
  readonly #isUnreadable: ((content: string) => boolean) | undefined;
  readonly #now: () => EpochMs;
  #last: { readonly gate: Gate; readonly at: EpochMs } | undefined;
  /** The last row that was read, and its gate. */
  #row: { readonly control: Control; readonly gate: Gate } | undefined;
  #reading: Promise<void> | undefined;

  /**
   * @param build when this package was built, ISO 8601.
   * @param isUnreadable whether this instance cannot read an earlier content. Default: it can read all.
   */
  constructor(
    store: Pick<ControlStore, 'read'>,
    build: string,
    now: () => EpochMs,
    isUnreadable?: (content: string) => boolean,
  ) {
    this.#store = store;
    this.#build = build;
    this.#isUnreadable = isUnreadable;
    this.#now = now;
  }

  /**
   * Never throws. While the row cannot be read, the gate is closed. While the row is unchanged, it is the same object: a caller compares
   * them to see whether its decision still holds.
   */
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
      const control = await this.#store.read();
      if (this.#row === undefined || !isDeepStrictEqual(control, this.#row.control))
        this.#row = { control, gate: gateOf(control, this.#build, this.#isUnreadable) };
      this.#last = { gate: this.#row.gate, at };
    } catch (error) {
      // After other errors, the age of the last read decides.
      if (error instanceof NewerFormatError) this.#last = { gate: NEWER, at };
    }
  }
}

/** What a control row allows a package with this build time. */
export function gateOf(
  control: Control,
  build: string,
  isUnreadable: (content: string) => boolean = () => false,
): Gate {
  return {
    closedFor(host) {
      const pause = pauseOf(control, host);
      return pause === undefined ? undefined : `paused by ${pause.author}: ${pause.reason}`;
    },
    holdOf: (policy) => holdOf(control, policy),
    contentOf: (policy, device, previous, now) =>
      contentOf(control, policy, device, { get: (hash) => previous.get(hash), isUnreadable }, now),
    drainOf: (host) => drainOf(control, host),
    contentsToRead: (policies) => contentsToRead(control, policies),
    settingsInForce: (fleet) => settingsInForce(fleet, control),
    modules: new Set(Object.keys(control.modules)),
    readsFirst: (host) => host in control.untrusted,
    lacks: (contents, announcedAt) =>
      build > control.newestBuild ||
      (build === control.newestBuild &&
        contents !== undefined &&
        !hasAnnounced(control, contents, announcedAt)),
    isOutdated: build < control.newestBuild,
    generation: { number: control.generation, since: control.changedAt },
  };
}

const UNREADABLE = closedGate('the control row cannot be read', false);
/** Only a package that was built later can have written it. */
const NEWER = closedGate('a newer package has written the control row', true);

function closedGate(why: string, isOutdated: boolean): Gate {
  return {
    closedFor: () => why,
    // With an end, because a correction that is held without an end gets no work item.
    holdOf: (_policy, now) => ({ why, until: plus(now, MAX_AGE_MS) }),
    // What a device gets is not known, and `holdOf` holds everything.
    contentOf: () => REACHED,
    // Whether a hub drains is not known. As at the end of a drain, the requests stay as they are.
    drainOf: (_host, now) => ({ changedAt: now }),
    contentsToRead: () => [],
    settingsInForce: () => [],
    modules: new Set(),
    readsFirst: () => false,
    lacks: () => false,
    isOutdated,
    generation: undefined,
  };
}
