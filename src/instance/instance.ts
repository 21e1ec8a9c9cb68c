import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { withPackage } from '../control/packages.ts';
import type { ContentToRead } from '../control/rollouts.ts';
import { settingContents } from '../edge/setting-contents.ts';
import { BerthError } from '../errors.ts';
import { lookAtEventHub } from '../event-hub/look.ts';
import { countPartitions } from '../event-hub/partitions.ts';
import { parseFleetWithModels } from '../fleet/file/models.ts';
import { type Fleet, hostsOf, rolloutContents } from '../fleet/fleet.ts';
import {
  BudgetShare,
  type HubBudget,
  noBudget,
  RESYNC_APPLY_MS,
  RESYNC_PART,
  SYNC_PART,
} from '../hub/budget.ts';
import { type BudgetedHubPort, type BudgetOptions, budgetHubs } from '../hub/budgeted-hubs.ts';
import { DEVELOPMENT_APP_POLICY } from '../hub/development.ts';
import { HubClock } from '../hub/hub-clock.ts';
import { HubPauses } from '../hub/hub-pauses.ts';
import { openIotHubs } from '../hub/iot-hubs.ts';
import type { HubPort } from '../hub/port.ts';
import { redactHubs } from '../hub/redacted-hubs.ts';
import { type HubCall, watchHubs } from '../hub/watched-hubs.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { EvidenceCounters } from '../liveness/evidence-counters.ts';
import type { Look } from '../liveness/reader.ts';
import type { DeferredMetrics } from '../metrics/deferred-metrics.ts';
import { addCountsTo, NO_METRICS } from '../metrics/metrics.ts';
import { SyncCounters } from '../metrics/sync-counters.ts';
import { metricsSettings } from '../settings/metrics-settings.ts';
import {
  deadLetterDays,
  iotEndpoint,
  isAzure,
  partitionsSetting,
  receiptDays,
  stamp,
} from '../settings/settings.ts';
import type { WrittenReceipt } from '../store/receipts/receipt-store.ts';
import { Lease } from '../store/state/lease.ts';
import { openStores, type Stores } from '../store/stores.ts';
import { askForParent } from '../sync/reconcile/parent/ask-for-parent.ts';
import { WriteGate } from '../sync/reconcile/write-gate.ts';
import type { ExportContainer } from '../sync/resync/daily-export.ts';
import type { StateRetention } from '../sync/resync/purge.ts';
import { WriteClaims } from '../sync/resync/write-claims.ts';
import { EPOCH, type EpochMs } from '../time/epoch-ms.ts';
import { modulesFollowed } from '../twin/events/event.ts';
import { NO_REDACTION, type Redaction } from '../twin/events/redact.ts';
import { type ConditionsCache, REFRESH_EVERY_MS } from './conditions-cache.ts';
import { exportContainer } from './export-container.ts';
import type { FleetInForce } from './fleet-in-force.ts';
import type { KeptOutCache } from './kept-out-cache.ts';
import type { Log } from './log.ts';
import type { NewerFormats } from './newer-formats.ts';
import type { Parents } from './parents.ts';
import { PartitionCount } from './partition-count.ts';
import { PreviousContents } from './previous-contents.ts';
import type { ReceiptBuffer } from './receipt-buffer.ts';
import { type WebhookOptions, WebhookState } from './webhook-state.ts';

/** The exporter says why in its own words, which may hold the connection string. */
const CANNOT_BE_OPENED = {
  code: 'BERTH_SETTING_INVALID',
  message:
    'Metrics cannot be sent: the exporter does not take the connection string of Application Insights. Copy it again from the portal.',
} as const;

/** How often counts are stored. If an instance ends in between, it loses its counts. */
const STORE_COUNTS_EVERY_MS = 60_000;

export interface InstanceOptions extends WebhookOptions {
  /** Looks at the Event Hub and at the checkpoints. Default: as the settings say. */
  readonly look?: () => Promise<Look>;
  /** How calls to hubs wait for their permit, and `resyncFleet` for work. Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
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
  /** What is measured, if a setting says where it goes. */
  readonly metrics: DeferredMetrics;
  /** The devices that nothing may be stored about. */
  readonly keptOut: KeptOutCache;
  /** The hubs of parents, for rules that name them. */
  readonly parents: Parents;
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
  /** The hubs whose twins only `resyncFleet` writes now. */
  readonly writeClaims: WriteClaims;
  /** Waits for a permit, or for work, in ms. */
  readonly wait: (ms: number) => Promise<void>;
  readonly #options: InstanceOptions;
  readonly #webhook: WebhookState;
  readonly #repetitions: (() => void)[] = [];
  readonly #pauses = new HubPauses(Math.random);
  readonly #shares = new Map<string, BudgetShare>();
  readonly #contents: PreviousContents;
  #redactionKey: Uint8Array | undefined;
  /** When this instance announced its policies. Undefined: it has not. */
  #announcedAt: EpochMs | undefined;
  #evidenceStoredAt = EPOCH;
  #stores: Stores | undefined;
  #hubs: (HubPort & { close(): Promise<void> }) | undefined;

  /** @param webhook the part that the webhook of this instance already uses; default: a new one. */
  constructor(options: InstanceOptions, webhook?: WebhookState) {
    this.#options = options;
    this.#webhook =
      webhook ??
      new WebhookState(options, {
        read: parseFleetWithModels,
        stores: async () => this.stores,
        keepReceipts: (receipts) => this.keepReceipts(receipts),
      });
    const { log, now, fleet, conditions, receipts, newerFormats, keptOut, parents, metrics } = this.#webhook;
    this.log = log;
    this.now = now;
    this.fleet = fleet;
    this.conditions = conditions;
    this.receipts = receipts;
    this.keptOut = keptOut;
    this.metrics = metrics;
    this.parents = parents;
    this.newerFormats = newerFormats;
    this.evidence = new EvidenceCounters(this.now);
    this.hubClock = new HubClock(this.now);
    this.build = options.build;
    this.wait = options.wait ?? setTimeout;
    this.#contents = new PreviousContents({
      read: (revision) => this.stores.revisions.get(revision),
      log: this.log,
      now: this.now,
    });
    const control = { read: async () => this.stores.control.read() };
    this.gate = new WriteGate(control, options.build, this.now, (content) =>
      this.#contents.isUnreadable(content),
    );
    this.writeClaims = new WriteClaims(() => this.stores.progress, this.now);
    this.partitions = new PartitionCount({
      ask: () => countPartitions(options.env),
      fallback: partitionsSetting(options.env),
      now: this.now,
      log: this.log,
    });
  }

  /** Starts the background work. It does not keep the process alive. */
  start(): void {
    this.#webhook.start();
    this.#tick();
    void this.#openMetrics();
    const { repeat } = this.#webhook;
    this.#repetitions.push(
      repeat(() => this.#tick(), REFRESH_EVERY_MS),
      repeat(() => void this.storeCounts(), STORE_COUNTS_EVERY_MS),
      repeat(() => void this.storeEvidence(), STORE_COUNTS_EVERY_MS),
    );
  }

  async stop(): Promise<void> {
    for (const end of this.#repetitions.splice(0)) end();
    await this.#webhook.stop();
    await this.storeCounts();
    await this.storeEvidence();
    await this.metrics.close();
    await this.#hubs?.close();
  }

  /** @throws BerthError `BERTH_SETTING_INVALID` if no setting names the storage account. */
  get stores(): Stores {
    this.#stores ??= openStores(this.#webhook.tables, this.newerFormats.met);
    return this.#stores;
  }

  /**
   * Stores receipts, and looks again at the parents of their devices where the fleet file names parents.
   *
   * @returns how many could not be stored
   */
  async keepReceipts(receipts: readonly WrittenReceipt[]): Promise<number> {
    const lost = await this.stores.receipts.keepAll(receipts);
    const asking = receipts.map(({ receipt }) =>
      askForParent(this.stores.twins, receipt, this.hubClock.now()),
    );
    // Without this, the next audit looks at the parents.
    await Promise.allSettled(asking);
    return lost;
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
    const { contentsToRead, generation } = await this.gate.current();
    return this.#contents.addTo(fleet, contentsToRead(rolloutContents(fleet)), generation?.number);
  }

  /** The earlier contents that rollouts need, and that could not be read the last time. */
  get unreadableContents(): readonly ContentToRead[] {
    return this.#contents.unreadable;
  }

  /** The hubs that this deployment reconciles: those of its stamp, or all if it has no stamp. */
  hosts(fleet: Fleet): readonly HostName[] {
    return hostsOf(fleet, stamp(this.#options.env));
  }

  /** How long receipts and dead letters are stored, each by its own setting. */
  readonly retention: StateRetention = {
    receiptDays: () => receiptDays(this.#options.env),
    deadLetterDays: () => deadLetterDays(this.#options.env),
  };

  /** The stamp of this deployment. Undefined: it has none. */
  get stamp(): string | undefined {
    return stamp(this.#options.env);
  }

  /** The container of the daily exports, or undefined. @throws BerthError `BERTH_SETTING_INVALID` */
  readonly exportContainer = (): ExportContainer | undefined => exportContainer(this.#options.env);

  /** The value of an app setting that a manifest of IoT Edge names. */
  readonly setting = (name: string): string | undefined => this.#options.env[name];

  /** A lease for work that only one instance may do at a time. */
  lease(name: string): Lease {
    return new Lease(this.#webhook.tables.state, name, randomUUID());
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
    const part = SYNC_PART / count;
    return this.#share(partition, part, (host) => this.writeClaims.partitionPart(host, part));
  }

  /** The part of the hubs' budgets for resync. */
  resyncBudget(): BudgetShare {
    const writePart = async (host: HostName) => this.writeClaims.resyncPart(host);
    return this.#share('resync', RESYNC_PART, writePart, RESYNC_APPLY_MS);
  }

  /** Until when this instance makes no call to a hub, because the hub has refused calls. Undefined: it makes calls. */
  pausedUntil(host: HostName): EpochMs | undefined {
    return this.#pauses.of(host, this.now())?.until;
  }

  #share(
    share: string,
    part: number,
    writePart: (host: HostName) => Promise<number>,
    longestApplyMs?: number,
  ): BudgetShare {
    const key = `${share} ${part}`;
    const known = this.#shares.get(key);
    if (known !== undefined) return known;
    const opened = new BudgetShare({
      share,
      part,
      writePart,
      ...(longestApplyMs === undefined ? {} : { longestApplyMs }),
      counts: { reserve: (key, messages, limit) => this.stores.budgets.reserve(key, messages, limit) },
      pauses: this.#pauses,
      now: this.now,
      wait: this.wait,
    });
    this.#shares.set(key, opened);
    return opened;
  }

  /** Adds the counts to the statistics of the hour, and logs them. Never throws: counts may be lost, but work must continue. */
  async storeCounts(): Promise<void> {
    for (const [hub, counts] of this.counters.take()) {
      this.log('info', 'syncCounts', { hub, ...counts });
      addCountsTo(this.metrics, hub, counts);
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
    void this.fleet.synchronise();
    void this.#announce();
  }

  /**
   * Writes the build time and the policies of this package into the control row. Instances of older packages then stop
   * writing, and rollouts begin. After the first success, it does so again only if the row was deleted or imported since.
   */
  async #announce(): Promise<void> {
    try {
      const fleet = this.fleet.known;
      const policies =
        fleet === undefined
          ? undefined
          : [
              ...rolloutContents(fleet),
              ...settingContents(fleet.edge, this.setting, (await this.redaction(fleet)).key),
            ];
      if (this.#announcedAt !== undefined) {
        if (!(await this.gate.current()).lacks(policies, this.#announcedAt)) return;
      }
      const now = this.now();
      await this.stores.control.update((control) =>
        withPackage(
          control,
          this.#options.build,
          policies,
          now,
          fleet?.revision,
          fleet === undefined ? undefined : modulesFollowed(fleet),
        ),
      );
      this.#announcedAt = policies === undefined ? undefined : now;
    } catch {
      // The next tick tries again. Until then the gate uses the row as it is.
    }
  }

  /** Loads the exporter of metrics, if a setting asks for it. Never throws: a wrong setting is logged, and nothing is measured. */
  async #openMetrics(): Promise<void> {
    if (!this.metrics.isOn) return;
    const { env, build } = this.#options;
    const warn = (facts: { readonly code: string; readonly message: string }) =>
      this.log('warn', 'metricsNotSent', facts);
    try {
      const settings = metricsSettings(env);
      if (settings === undefined) return;
      const { openMetrics } = await import('../open-telemetry/open-metrics.ts');
      this.metrics.open(await openMetrics(settings, { build, stamp: stamp(env), warn }));
    } catch (error) {
      const { code, message } = error instanceof BerthError ? error : CANNOT_BE_OPENED;
      warn({ code, message });
      this.metrics.open(NO_METRICS);
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
      developmentPolicy: DEVELOPMENT_APP_POLICY,
    });
    return this.#hubs;
  }
}
