import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { withPackage } from '../control/packages.ts';
import { lookAtEventHub } from '../event-hub/look.ts';
import { countPartitions } from '../event-hub/partitions.ts';
import { type Fleet, hostsOf, rolloutContents } from '../fleet/fleet.ts';
import { BudgetShare, type HubBudget, noBudget, RESYNC_PART, SYNC_PART } from '../hub/budget.ts';
import { type BudgetedHubPort, type BudgetOptions, budgetHubs } from '../hub/budgeted-hubs.ts';
import { HubClock } from '../hub/hub-clock.ts';
import { HubPauses } from '../hub/hub-pauses.ts';
import { openIotHubs } from '../hub/iot-hubs.ts';
import type { HubPort } from '../hub/port.ts';
import { redactHubs } from '../hub/redacted-hubs.ts';
import { type HubCall, watchHubs } from '../hub/watched-hubs.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { EvidenceCounters } from '../liveness/evidence-counters.ts';
import type { Look } from '../liveness/reader.ts';
import { SyncCounters } from '../metrics/sync-counters.ts';
import {
  type Environment,
  fleetFile,
  iotEndpoint,
  isAzure,
  partitionsSetting,
  stamp,
  stateAccount,
} from '../settings/settings.ts';
import { Lease } from '../store/state/lease.ts';
import { openStores, type Stores } from '../store/stores.ts';
import { openTables, type Tables } from '../store/tables/tables.ts';
import { WriteGate } from '../sync/reconcile/write-gate.ts';
import { DAY_MS, dayOf } from '../time/day.ts';
import { EPOCH, type EpochMs, plus, systemTime } from '../time/epoch-ms.ts';
import { modulesFollowed } from '../twin/events/event.ts';
import { NO_REDACTION, type Redaction } from '../twin/events/redact.ts';
import { ConditionsCache, REFRESH_EVERY_MS } from './conditions-cache.ts';
import { FleetInForce } from './fleet-in-force.ts';
import { consoleLog, type Log } from './log.ts';
import { readModelFiles } from './model-files.ts';
import { NewerFormats } from './newer-formats.ts';
import { PartitionCount } from './partition-count.ts';
import { PreviousContents } from './previous-contents.ts';
import { FLUSH_EVERY_MS, ReceiptBuffer } from './receipt-buffer.ts';

/** How often counts are stored. If an instance ends in between, it loses its counts. */
const STORE_COUNTS_EVERY_MS = 60_000;
/** Old counts are removed in about one of this many runs of resync. */
const FORGET_EVERY = 60;
/** How long dead letters are stored, and counts of events that are not stored. */
export const LETTERS_KEPT_MS = 30 * DAY_MS;

export interface InstanceOptions {
  readonly env: Environment;
  /** Where the app's files are. */
  readonly directory: string;
  /** When the package was built, ISO 8601. */
  readonly build: string;
  /** The author of the commit of the package. Undefined: not known. */
  readonly author?: string | undefined;
  readonly now?: () => EpochMs;
  /** Looks at the Event Hub and at the checkpoints. Default: as the settings say. */
  readonly look?: () => Promise<Look>;
  /** How calls to hubs wait for their permit. Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
  readonly log?: Log;
}

/** What one invocation needs to call hubs. */
export interface HubsOptions extends Omit<BudgetOptions, 'now'> {
  readonly redaction: Redaction;
}

/**
 * The objects that one running instance of the app shares: its fleet, its clients and its caches. The constructor never
 * throws and makes no connection. A wrong setting becomes a coded error where it is first used.
 */
export class Instance {
  readonly log: Log;
  readonly now: () => EpochMs;
  readonly fleet: FleetInForce;
  readonly conditions: ConditionsCache;
  readonly receipts: ReceiptBuffer;
  /** When this package was built, ISO 8601. */
  readonly build: string;
  readonly gate: WriteGate;
  /** The counts of sync since they were last stored. */
  readonly counters = new SyncCounters();
  /** What shows whether the twin change events arrive, since it was last stored. */
  readonly evidence: EvidenceCounters;
  /** The hubs' clock, from their answers. */
  readonly hubClock: HubClock;
  /** Stored documents of a newer package that this instance has recently read. */
  readonly newerFormats: NewerFormats;
  /** How many partitions the Event Hub has. */
  readonly partitions: PartitionCount;
  readonly #options: InstanceOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #pauses = new HubPauses(Math.random);
  readonly #shares = new Map<string, BudgetShare>();
  readonly #contents: PreviousContents;
  #redactionKey: Uint8Array | undefined;
  #isAnnounced = false;
  #evidenceStoredAt = EPOCH;
  #tables: Tables | undefined;
  #stores: Stores | undefined;
  #hubs: (HubPort & { close(): Promise<void> }) | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.log = options.log ?? consoleLog;
    this.now = options.now ?? systemTime;
    this.evidence = new EvidenceCounters(this.now);
    this.hubClock = new HubClock(this.now);
    this.newerFormats = new NewerFormats({ now: this.now, log: this.log });
    this.fleet = new FleetInForce({
      read: () => readFileSync(resolve(options.directory, fleetFile(options.env)), 'utf8'),
      readModels: () => readModelFiles(resolve(options.directory, fleetFile(options.env))),
      revisions: () => this.stores.revisions,
      build: options.build,
      author: options.author,
      log: this.log,
    });
    this.conditions = new ConditionsCache({
      read: async (now) => this.stores.conditions.read(now),
      now: this.now,
    });
    this.receipts = new ReceiptBuffer({
      keep: async (receipt) => this.stores.receipts.keep(receipt),
      log: this.log,
    });
    this.build = options.build;
    this.gate = new WriteGate({ read: async () => this.stores.control.read() }, options.build, this.now);
    this.#contents = new PreviousContents({
      read: (revision) => this.stores.revisions.get(revision),
      log: this.log,
    });
    this.partitions = new PartitionCount({
      ask: () => countPartitions(options.env),
      fallback: partitionsSetting(options.env),
      now: this.now,
      log: this.log,
    });
  }

  /** Starts the background work. Its timers do not keep the process alive. */
  start(): void {
    this.#tick();
    this.#timers.push(
      setInterval(() => this.#tick(), REFRESH_EVERY_MS).unref(),
      setInterval(() => void this.receipts.flush(), FLUSH_EVERY_MS).unref(),
      setInterval(() => void this.storeCounts(), STORE_COUNTS_EVERY_MS).unref(),
      setInterval(() => void this.storeEvidence(), STORE_COUNTS_EVERY_MS).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.receipts.flush();
    await this.storeCounts();
    await this.storeEvidence();
    await this.#hubs?.close();
  }

  /** @throws BerthError `BERTH_SETTING_INVALID` if no setting names the storage account. */
  get stores(): Stores {
    this.#stores ??= openStores(this.#openedTables(), this.newerFormats.met);
    return this.#stores;
  }

  /** The hubs for one invocation: each call has a permit, and every answer is redacted. */
  hubs({ fleet, budget, until, redaction }: HubsOptions): BudgetedHubPort {
    const watched = watchHubs(this.#openedHubs(), {
      pauses: this.#pauses,
      count: (host: HostName, call: HubCall) => this.counters.add(host, call),
      now: this.now,
      clock: this.hubClock,
    });
    return redactHubs(budgetHubs(watched, { fleet, budget, until, now: this.now }), redaction);
  }

  /**
   * The fleet file with the earlier contents that rollouts need now.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE` if their revisions cannot be read
   */
  async withPreviousContents(fleet: Fleet): Promise<Fleet> {
    const gate = await this.gate.current();
    return this.#contents.addTo(fleet, gate.contentsToRead(rolloutContents(fleet)));
  }

  /** The hubs that this deployment reconciles: those of its stamp, or all if it has no stamp. */
  hosts(fleet: Fleet): readonly HostName[] {
    return hostsOf(fleet, stamp(this.#options.env));
  }

  /** The value of an app setting that a manifest of IoT Edge names. */
  readonly setting = (name: string): string | undefined => this.#options.env[name];

  /** A lease for work that only one instance may do at a time. */
  lease(name: string): Lease {
    return new Lease(this.#openedTables().state, name, randomUUID());
  }

  /** The redacted paths, and the key of their hashes. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
  async redaction(fleet: Fleet): Promise<Redaction> {
    const paths = fleet.twins.redact;
    const hidesRuntime = fleet.edge !== undefined;
    if (paths.length === 0 && !hidesRuntime) return NO_REDACTION;
    this.#redactionKey ??= await this.stores.redactionKey.get();
    return { paths, key: this.#redactionKey, hidesRuntime };
  }

  /**
   * The part of the hubs' budgets for one partition of the Event Hub. A partition beyond the known number gets none, because
   * all parts together would exceed the budget.
   */
  async partitionBudget(partition: string): Promise<HubBudget> {
    const count = await this.partitions.atLeast(Number(partition));
    if (count === undefined) {
      return noBudget('the number of partitions of the Event Hub is not known', 60_000, this.now);
    }
    if (!(Number(partition) < count)) {
      return noBudget(
        `partition ${partition} is beyond the ${count} partitions of the Event Hub that are known`,
        60_000,
        this.now,
      );
    }
    return this.#share(partition, SYNC_PART / count);
  }

  /** The part of the hubs' budgets for resync. */
  resyncBudget(): HubBudget {
    return this.#share('resync', RESYNC_PART);
  }

  #share(share: string, part: number): HubBudget {
    const key = `${share} ${part}`;
    const known = this.#shares.get(key);
    if (known !== undefined) return known;
    const opened = new BudgetShare({
      share,
      part,
      counts: { reserve: (key, messages, limit) => this.stores.budgets.reserve(key, messages, limit) },
      pauses: this.#pauses,
      now: this.now,
      wait: this.#options.wait ?? setTimeout,
    });
    this.#shares.set(key, opened);
    return opened;
  }

  /** Removes old counts, in some of its calls. Never throws. */
  async forgetOld(): Promise<void> {
    if (Math.random() > 1 / FORGET_EVERY) return;
    try {
      await this.stores.statistics.forget(this.now());
      const before = plus(this.now(), -LETTERS_KEPT_MS);
      for (const counts of [this.stores.letterHours, this.stores.unknownHubs, this.stores.unknownSources]) {
        await counts.forget(before);
      }
      for (const days of [2, 3, 4]) {
        const day = dayOf(plus(this.now(), -days * DAY_MS));
        await this.stores.budgets.forget(day);
      }
    } catch {
      // A later call removes them.
    }
  }

  /** Adds the counts to the statistics of the hour, and logs them. Never throws: counts may be lost, but work must continue. */
  async storeCounts(): Promise<void> {
    for (const [hub, counts] of this.counters.take()) {
      this.log('info', 'syncCounts', { hub, ...counts });
      try {
        await this.stores.statistics.add(hub, counts, this.now());
      } catch {
        // The counts are in the log.
      }
    }
  }

  /** One look at the Event Hub and at the checkpoints. Never throws. */
  look(): Promise<Look> {
    return this.#options.look === undefined ? lookAtEventHub(this.#options.env) : this.#options.look();
  }

  /**
   * Adds the evidence to the tables. What cannot be stored now is kept for the next time. Never throws.
   *
   * @param everyMs does nothing if it was stored less than this before. Default: always stores it.
   */
  async storeEvidence(everyMs = 0): Promise<void> {
    if (this.now() - this.#evidenceStoredAt < everyMs) return;
    this.#evidenceStoredAt = this.now();
    for (const each of this.evidence.take()) {
      try {
        await this.stores.liveness.addEvidence(each, this.now());
      } catch {
        this.evidence.putBack(each);
      }
    }
  }

  #tick(): void {
    void this.conditions.refresh();
    void this.fleet.synchronise();
    void this.#announce();
  }

  /**
   * Writes the build time and the policies of this package into the control row. Instances of older packages then stop
   * writing, and rollouts begin. Does nothing after the first success.
   */
  async #announce(): Promise<void> {
    if (this.#isAnnounced) return;
    try {
      const fleet = this.fleet.known;
      const policies = fleet === undefined ? undefined : rolloutContents(fleet);
      await this.stores.control.update((control) =>
        withPackage(
          control,
          this.#options.build,
          policies,
          this.now(),
          fleet?.revision,
          fleet === undefined ? undefined : modulesFollowed(fleet),
        ),
      );
      this.#isAnnounced = policies !== undefined;
    } catch {
      // The next tick tries again. Until then the gate uses the row as it is.
    }
  }

  #openedHubs(): HubPort {
    const { env } = this.#options;
    this.#hubs ??= openIotHubs({
      hub: (host) => this.fleet.current().hubByHost.get(host),
      settings: env,
      clientId: env.AZURE_CLIENT_ID || undefined,
      isAzure: isAzure(env),
      endpoint: () => iotEndpoint(env),
    });
    return this.#hubs;
  }

  #openedTables(): Tables {
    this.#tables ??= openTables(stateAccount(this.#options.env));
    return this.#tables;
  }
}
