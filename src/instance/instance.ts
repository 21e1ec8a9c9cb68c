import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { withPackage } from '../control/packages.ts';
import { type Fleet, hostsOf } from '../fleet/fleet.ts';
import { BudgetShare, type HubBudget, noBudget, RESYNC_PART, SYNC_PART } from '../hub/budget.ts';
import { type BudgetedHubPort, type BudgetOptions, budgetHubs } from '../hub/budgeted-hubs.ts';
import { HubClock } from '../hub/hub-clock.ts';
import { HubPauses } from '../hub/hub-pauses.ts';
import { openIotHubs } from '../hub/iot-hubs.ts';
import type { HubPort } from '../hub/port.ts';
import { redactHubs } from '../hub/redacted-hubs.ts';
import { type HubCall, watchHubs } from '../hub/watched-hubs.ts';
import type { HostName } from '../iot-hub/host-name.ts';
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
import { type EpochMs, plus, systemTime } from '../time/epoch-ms.ts';
import { NO_REDACTION, type Redaction } from '../twin/events/redact.ts';
import { ConditionsCache, REFRESH_EVERY_MS } from './conditions-cache.ts';
import { FleetInForce } from './fleet-in-force.ts';
import { consoleLog, type Log } from './log.ts';
import { readModelFiles } from './model-files.ts';
import { NewerFormats } from './newer-formats.ts';
import { countPartitions, PartitionCount } from './partition-count.ts';
import { FLUSH_EVERY_MS, ReceiptBuffer } from './receipt-buffer.ts';

/** How often counts are told; what an instance that dies has counted since is lost. */
const TELL_EVERY_MS = 60_000;
/** Old counts are looked for once in so many runs of resync. */
const FORGET_EVERY = 60;
/** Dead letters, and counts of events of which nothing else is kept, go after 30 days. */
export const LETTERS_KEPT_MS = 30 * DAY_MS;

export interface InstanceOptions {
  readonly env: Environment;
  /** Where the app's files are. */
  readonly directory: string;
  /** When the package was built, ISO 8601. */
  readonly build: string;
  readonly now?: () => EpochMs;
  /** How calls to hubs wait for their budget; default a timer. */
  readonly wait?: (ms: number) => Promise<void>;
  readonly log?: Log;
}

/** What an invocation brings to the hubs. */
export interface HubsOptions extends Omit<BudgetOptions, 'now'> {
  readonly redaction: Redaction;
}

/**
 * What one running instance of the app holds: its fleet, its clients, and what it has read lately. Making one
 * never throws and connects to nothing; settings that are wrong come to light where they are used, as coded
 * errors.
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
  /** What sync has done since it was last told. */
  readonly counters = new SyncCounters();
  /** The hubs' clock, as their answers have it. */
  readonly hubClock: HubClock;
  /** Stored documents of a newer package that this instance has met lately. */
  readonly newerFormats: NewerFormats;
  /** How many partitions the Event Hub has. */
  readonly partitions: PartitionCount;
  readonly #options: InstanceOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #pauses = new HubPauses(Math.random);
  readonly #shares = new Map<string, BudgetShare>();
  #redactionKey: Uint8Array | undefined;
  #isAnnounced = false;
  #tables: Tables | undefined;
  #stores: Stores | undefined;
  #hubs: (HubPort & { close(): Promise<void> }) | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.log = options.log ?? consoleLog;
    this.now = options.now ?? systemTime;
    this.hubClock = new HubClock(this.now);
    this.newerFormats = new NewerFormats({ now: this.now, log: this.log });
    this.fleet = new FleetInForce({
      read: () => readFileSync(resolve(options.directory, fleetFile(options.env)), 'utf8'),
      readModels: () => readModelFiles(resolve(options.directory, fleetFile(options.env))),
      revisions: () => this.stores.revisions,
      build: options.build,
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
    this.partitions = new PartitionCount({
      ask: () => countPartitions(options.env),
      fallback: partitionsSetting(options.env),
      now: this.now,
      log: this.log,
    });
  }

  /** Begins what runs beside requests. Its timers hold no process open. */
  start(): void {
    this.#tick();
    this.#timers.push(
      setInterval(() => this.#tick(), REFRESH_EVERY_MS).unref(),
      setInterval(() => void this.receipts.flush(), FLUSH_EVERY_MS).unref(),
      setInterval(() => void this.tellCounts(), TELL_EVERY_MS).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.receipts.flush();
    await this.tellCounts();
    await this.#hubs?.close();
  }

  /** @throws BerthError `BERTH_SETTING_INVALID` where no setting says where the tables are. */
  get stores(): Stores {
    this.#stores ??= openStores(this.#openedTables(), this.newerFormats.met);
    return this.#stores;
  }

  /** The hubs as one invocation may call them: each call with a permit, and every answer redacted. */
  hubs({ fleet, budget, until, redaction }: HubsOptions): BudgetedHubPort {
    const watched = watchHubs(this.#openedHubs(), {
      pauses: this.#pauses,
      count: (host: HostName, call: HubCall) => this.counters.add(host, call),
      now: this.now,
      clock: this.hubClock,
    });
    return redactHubs(budgetHubs(watched, { fleet, budget, until, now: this.now }), redaction);
  }

  /** The hubs that this deployment reconciles: those of its stamp, all where it has none. */
  hosts(fleet: Fleet): readonly HostName[] {
    return hostsOf(fleet, stamp(this.#options.env));
  }

  /** For work that is done once at a time: by this instance or another. */
  lease(name: string): Lease {
    return new Lease(this.#openedTables().state, name, randomUUID());
  }

  /** What must be redacted, and with which key. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
  async redaction(fleet: Fleet): Promise<Redaction> {
    const paths = fleet.twins.redact;
    if (paths.length === 0) return NO_REDACTION;
    this.#redactionKey ??= await this.stores.redactionKey.get();
    return { paths, key: this.#redactionKey };
  }

  /**
   * The part of the hubs' budgets that a partition of the Event Hub has; none for one that is beyond their number, which
   * would be more than the budget.
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

  /** The part of the hubs' budgets that resync has. */
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

  /** Forgets counts that nobody asks for any more, now and then. Never throws. */
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
      // There is time.
    }
  }

  /** Adds what was counted to the hour's statistics, and to the log. Never throws: counts may be lost, not work. */
  async tellCounts(): Promise<void> {
    for (const [hub, counts] of this.counters.take()) {
      this.log('info', 'syncCounts', { hub, ...counts });
      try {
        await this.stores.statistics.add(hub, counts, this.now());
      } catch {
        // The log has them.
      }
    }
  }

  #tick(): void {
    void this.conditions.refresh();
    void this.fleet.synchronise();
    void this.#announce();
  }

  /**
   * Says that this package runs and with which policies, so that instances of an older one stop judging and
   * writing, and that rollouts begin. Again until it has worked.
   */
  async #announce(): Promise<void> {
    if (this.#isAnnounced) return;
    try {
      const policies = this.fleet.known?.twins.policies;
      await this.stores.control.update((control) =>
        withPackage(control, this.#options.build, policies, this.now()),
      );
      this.#isAnnounced = policies !== undefined;
    } catch {
      // The next tick tries again; until then the gate goes by what the row says.
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
