import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Fleet, hostsOf } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import { openIotHubs } from '../hub/iot-hubs.ts';
import type { HubPort } from '../hub/port.ts';
import { ConditionsStore } from '../store/conditions-store.ts';
import { ControlStore } from '../store/control.ts';
import { DeadLetterStore } from '../store/dead-letter-store.ts';
import { Lease } from '../store/lease.ts';
import { ReceiptStore } from '../store/receipt-store.ts';
import { RevisionStore } from '../store/revisions.ts';
import { StrangerStore } from '../store/stranger-store.ts';
import { openTables, type Tables } from '../store/tables.ts';
import { TwinStore } from '../store/twin-store.ts';
import type { Position } from '../sync/resync.ts';
import { WriteGate } from '../sync/write-gate.ts';
import { ConditionsCache, REFRESH_EVERY_MS } from './conditions-cache.ts';
import { FleetInForce } from './fleet-in-force.ts';
import { consoleLog, type Log } from './log.ts';
import { FLUSH_EVERY_MS, ReceiptBuffer } from './receipt-buffer.ts';
import { type Environment, fleetFile, iotEndpoint, isAzure, stamp, stateAccount } from './settings.ts';

export interface InstanceOptions {
  readonly env: Environment;
  /** Where the app's files are. */
  readonly directory: string;
  /** When the package was built, ISO 8601. */
  readonly build: string;
  readonly now?: () => number;
  readonly log?: Log;
}

/** The state tables, each through the store that knows its rows. */
export interface Stores {
  readonly twins: TwinStore;
  readonly conditions: ConditionsStore;
  readonly control: ControlStore;
  readonly revisions: RevisionStore;
  readonly receipts: ReceiptStore;
  readonly deadLetters: DeadLetterStore;
  readonly strangers: StrangerStore;
}

/**
 * What one running instance of the app holds: its fleet, its clients, and what it has read lately. Making one
 * never throws and connects to nothing; settings that are wrong come to light where they are used, as coded
 * errors.
 */
export class Instance {
  readonly log: Log;
  readonly now: () => number;
  readonly fleet: FleetInForce;
  readonly conditions: ConditionsCache;
  readonly receipts: ReceiptBuffer;
  readonly gate: WriteGate;
  readonly #options: InstanceOptions;
  readonly #owner = randomUUID();
  readonly #timers: NodeJS.Timeout[] = [];
  #isAnnounced = false;
  #tables: Tables | undefined;
  #stores: Stores | undefined;
  #hubs: (HubPort & { close(): Promise<void> }) | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.log = options.log ?? consoleLog;
    this.now = options.now ?? Date.now;
    this.fleet = new FleetInForce({
      read: () => readFileSync(join(options.directory, fleetFile(options.env)), 'utf8'),
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
    this.gate = new WriteGate({ read: async () => this.stores.control.read() }, options.build, this.now);
  }

  /** Begins what runs beside requests. Its timers hold no process open. */
  start(): void {
    this.#tick();
    this.#timers.push(
      setInterval(() => this.#tick(), REFRESH_EVERY_MS).unref(),
      setInterval(() => void this.receipts.flush(), FLUSH_EVERY_MS).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.receipts.flush();
    await this.#hubs?.close();
  }

  /** @throws BerthError `BERTH_SETTING_INVALID` where no setting says where the tables are. */
  get stores(): Stores {
    this.#stores ??= openStores(this.#openedTables());
    return this.#stores;
  }

  get hubs(): HubPort {
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

  /** The hubs that this deployment reconciles: those of its stamp, all where it has none. */
  hosts(fleet: Fleet): readonly HostName[] {
    return hostsOf(fleet, stamp(this.#options.env));
  }

  /** For work that one instance does at a time. */
  lease(name: string): Lease {
    return new Lease(this.#openedTables().state, name, this.#owner);
  }

  /** A number that outlives this instance. */
  position(name: string): Position {
    const table = this.#openedTables().state;
    return {
      read: async () => Number((await table.get('positions', name))?.properties.value ?? 0),
      write: (value) => table.put('positions', name, { value }),
    };
  }

  #tick(): void {
    void this.conditions.refresh();
    void this.fleet.synchronise();
    void this.#announce();
  }

  /**
   * Says that this package runs, so that instances of an older one stop judging and writing. Again until it
   * has worked.
   */
  async #announce(): Promise<void> {
    if (this.#isAnnounced) return;
    try {
      await this.stores.control.announce(this.#options.build);
      this.#isAnnounced = true;
    } catch {
      // The next tick tries again; until then the gate goes by what the row says.
    }
  }

  #openedTables(): Tables {
    this.#tables ??= openTables(stateAccount(this.#options.env));
    return this.#tables;
  }
}

function openStores(tables: Tables): Stores {
  return {
    twins: new TwinStore(tables.twins),
    conditions: new ConditionsStore(tables.state),
    control: new ControlStore(tables.state),
    revisions: new RevisionStore(tables.state),
    receipts: new ReceiptStore(tables.receipts),
    deadLetters: new DeadLetterStore(tables.deadLetters),
    strangers: new StrangerStore(tables.state),
  };
}
