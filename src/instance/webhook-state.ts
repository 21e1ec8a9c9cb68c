import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ModelFile } from '../fleet/file/models.ts';
import type { ParsedFleet } from '../fleet/file/parse.ts';
import { DeferredMetrics } from '../metrics/deferred-metrics.ts';
import { wantsMetrics } from '../settings/metrics-settings.ts';
import { type Environment, fleetFile, stateAccount } from '../settings/settings.ts';
import type { WrittenReceipt } from '../store/receipts/receipt-store.ts';
import { ConditionsStore } from '../store/state/conditions-store.ts';
import { readKeptOut } from '../store/state/kept-out-devices.ts';
import type { Stores } from '../store/stores.ts';
import { openTables, type Tables } from '../store/tables/tables.ts';
import { type EpochMs, systemTime } from '../time/epoch-ms.ts';
import { type Repeat, repeatByTimer } from '../time/repeat.ts';
import { ConditionsCache, REFRESH_EVERY_MS } from './conditions-cache.ts';
import { FleetInForce } from './fleet-in-force.ts';
import { KeptOutCache } from './kept-out-cache.ts';
import { consoleLog, type Log } from './log.ts';
import { readModelFiles } from './model-files.ts';
import { NewerFormats } from './newer-formats.ts';
import { Parents } from './parents.ts';
import { FLUSH_EVERY_MS, ReceiptBuffer } from './receipt-buffer.ts';

export interface WebhookOptions {
  readonly env: Environment;
  /** Where the app's files are. */
  readonly directory: string;
  /** When the package was built, ISO 8601. */
  readonly build: string;
  /** The author of the commit of the package. Undefined: not known. */
  readonly author?: string | undefined;
  readonly now?: () => EpochMs;
  /** Repeats background work. Default: a timer that does not keep the process alive. */
  readonly repeat?: Repeat;
  readonly log?: Log;
}

/** What a decision and its record need. */
export type AllocationParts = Pick<
  WebhookState,
  'fleet' | 'conditions' | 'receipts' | 'metrics' | 'keptOut' | 'parents' | 'now'
>;

/** The parts of an instance that its webhook does not load at the start. */
export interface LaterParts {
  /** Reads a fleet file with the models next to it. Does not throw. */
  readonly read: (text: string, models: readonly ModelFile[]) => ParsedFleet;
  /** Opens the stores for background work. May throw. */
  readonly stores: () => Promise<Pick<Stores, 'receipts' | 'revisions' | 'twins'>>;
  /** Stores receipts, and returns how many could not be stored. May throw. */
  readonly keepReceipts: (receipts: readonly WrittenReceipt[]) => Promise<number>;
}

/**
 * What the webhook needs of one running instance: the fleet, the conditions, the receipts, and the devices that are kept out. It is apart from `Instance`, so
 * that a cold start loads nothing else before the first answer. The constructor never throws and makes no connection.
 */
export class WebhookState {
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
  /** Stored documents of a newer package that this instance has recently read. */
  readonly newerFormats: NewerFormats;
  readonly repeat: Repeat;
  readonly #env: Environment;
  readonly #repetitions: (() => void)[] = [];
  #tables: Tables | undefined;
  #conditionsStore: ConditionsStore | undefined;

  constructor(options: WebhookOptions, { read, stores, keepReceipts }: LaterParts) {
    const { env, directory, build, author } = options;
    this.#env = env;
    this.log = options.log ?? consoleLog;
    this.now = options.now ?? systemTime;
    this.repeat = options.repeat ?? repeatByTimer;
    this.metrics = new DeferredMetrics(wantsMetrics(env));
    this.newerFormats = new NewerFormats({ now: this.now, log: this.log });
    const file = resolve(directory, fleetFile(env));
    this.fleet = new FleetInForce({
      text: () => readFileSync(file, 'utf8'),
      modelFiles: () => readModelFiles(file),
      read,
      revisions: async () => (await stores()).revisions,
      build,
      author,
      log: this.log,
    });
    this.conditions = new ConditionsCache({
      read: async (now) => {
        this.#conditionsStore ??= new ConditionsStore(this.tables.state, this.newerFormats.met);
        return this.#conditionsStore.read(now);
      },
      now: this.now,
    });
    this.receipts = new ReceiptBuffer({
      keep: async (receipts) => {
        await this.keptOut.load();
        const stored = receipts.filter(({ receipt }) => !this.keptOut.hasReceipt(receipt));
        return stored.length === 0 ? 0 : keepReceipts(stored);
      },
      log: this.log,
    });
    this.keptOut = new KeptOutCache({ read: async () => readKeptOut(this.tables.state), now: this.now });
    this.parents = new Parents({ stores });
  }

  /** The tables of the state. @throws BerthError `BERTH_SETTING_INVALID` if no setting names the storage account. */
  get tables(): Tables {
    this.#tables ??= openTables(stateAccount(this.#env));
    return this.#tables;
  }

  /** Starts the background work of the webhook, once. It does not keep the process alive. */
  start(): void {
    if (this.#repetitions.length > 0) return;
    const refresh = () => {
      void this.conditions.refresh();
      void this.keptOut.refresh();
    };
    refresh();
    this.#repetitions.push(
      this.repeat(refresh, REFRESH_EVERY_MS),
      this.repeat(() => void this.receipts.flush(), FLUSH_EVERY_MS),
    );
  }

  /** Stops the background work, and stores the receipts that wait. */
  async stop(): Promise<void> {
    for (const end of this.#repetitions.splice(0)) end();
    await this.receipts.flush();
  }
}
