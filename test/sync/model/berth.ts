import type { Conditions } from '../../../src/allocation/conditions.ts';
import { withPackage } from '../../../src/control/packages.ts';
import type { SettingValues } from '../../../src/edge/fingerprint.ts';
import { settingContents } from '../../../src/edge/setting-contents.ts';
import { BerthError } from '../../../src/errors.ts';
import { type Fleet, rolloutContents } from '../../../src/fleet/fleet.ts';
import { BudgetShare, type HubBudget, RESYNC_PART, SYNC_PART } from '../../../src/hub/budget.ts';
import { budgetHubs } from '../../../src/hub/budgeted-hubs.ts';
import { HubPauses } from '../../../src/hub/hub-pauses.ts';
import { redactHubs } from '../../../src/hub/redacted-hubs.ts';
import { watchHubs } from '../../../src/hub/watched-hubs.ts';
import type { HostName } from '../../../src/iot-hub/host-name.ts';
import {
  addEvidence,
  type LivenessEvidence,
  NO_EVIDENCE,
  RESYNC_SHARD,
} from '../../../src/liveness/evidence.ts';
import { EvidenceCounters, NO_EVIDENCE_SINK } from '../../../src/liveness/evidence-counters.ts';
import type { HubLiveness } from '../../../src/liveness/liveness.ts';
import { type EventReader, type Look, NO_READER } from '../../../src/liveness/reader.ts';
import { RecordMemory } from '../../../src/store/twins/record-memory.ts';
import { takeBatch } from '../../../src/sync/events/batch.ts';
import { Reconciler } from '../../../src/sync/reconcile/reconciler.ts';
import type { SyncContext } from '../../../src/sync/reconcile/sync-context.ts';
import { WriteGate } from '../../../src/sync/reconcile/write-gate.ts';
import { askActivity } from '../../../src/sync/resync/activity.ts';
import { auditHubs } from '../../../src/sync/resync/audit.ts';
import { type AuditProgress, auditName, requestName } from '../../../src/sync/resync/audit-progress.ts';
import { recordDrains } from '../../../src/sync/resync/record-drains.ts';
import { resyncTwins } from '../../../src/sync/resync/resync-twins.ts';
import { advanceGates } from '../../../src/sync/resync/rollout-gates.ts';
import { countTwins } from '../../../src/sync/resync/twin-counts.ts';
import {
  type FleetLiveness,
  type LivenessWatch,
  watchLiveness,
} from '../../../src/sync/resync/watch-liveness.ts';
import { processQueue } from '../../../src/sync/resync/work-queue.ts';
import { type EpochMs, plus } from '../../../src/time/epoch-ms.ts';
import { modulesFollowed } from '../../../src/twin/events/event.ts';
import { NO_REDACTION, type Redaction } from '../../../src/twin/events/redact.ts';
import type { WorkPriority } from '../../../src/twin/snapshot/snapshot.ts';
import type { Task } from './scheduler.ts';
import { HOST, PARTITIONS, type Simulation } from './simulation.ts';

const BATCH_MS = 20_000;
const RESYNC_MS = 50_000;

/** What the app lives in. */
export interface World
  extends Pick<
    Simulation,
    'random' | 'scheduler' | 'log' | 'store' | 'hub' | 'fleet' | 'isCalm' | 'hasStages' | 'withPrevious'
  > {
  /** The app settings now. An instance keeps those that it started with. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly redaction?: Redaction;
}

/** One running instance of the app: what it remembers dies with it. */
interface Instance {
  readonly fleet: Fleet;
  readonly settings: SettingValues;
  /** How many times something was deployed before. */
  readonly deployed: number;
  readonly build: string;
  readonly memory: RecordMemory;
  readonly gate: WriteGate;
  readonly pauses: HubPauses;
  readonly shares: Map<string, HubBudget>;
  /** How far its clock is ahead, or behind if it is negative, ms. */
  readonly skewMs: number;
}

interface Invocation {
  readonly budget: HubBudget;
  readonly until: EpochMs;
  readonly shard: string;
}

/** Berth, as instances that come, go and overlap, on the pure parts and on virtual time. */
export class Berth {
  readonly #simulation: World;
  readonly #mostSkewMs: number;
  readonly #task: Task = { name: 'berth', isDead: false };
  /** How far each partition has been worked on. */
  readonly checkpoints: number[] = Array.from({ length: PARTITIONS }, () => 0);
  #instances: Instance[] = [];
  #builds = 0;
  #deployed = 0;
  /** Instances die in the middle of their work, so often. */
  crashRate = 0;
  /** Two instances work on the same batch, so often. */
  overlapRate = 0;
  deadLetters = 0;
  /** Everything that was logged. */
  readonly warnings: string[] = [];
  /** How many parts of the budget were opened, because an instance that dies loses its own. */
  openedShares = 0;
  /** Berth watches whether events arrive. Default: it does not, and audits only on request. */
  watches = false;
  /** The stored conditions, for drains. Undefined: no fleet file asks devices to move. */
  conditions: Conditions | undefined;
  /** What is stored of liveness. */
  readonly liveness = {
    reader: NO_READER as EventReader,
    hubs: new Map<HostName, HubLiveness>(),
    evidence: new Map<string, LivenessEvidence>(),
  };
  readonly #evidence: EvidenceCounters;
  /** What went wrong that never should. */
  readonly defects: string[] = [];

  /** @param mostSkewMs how far the clock of an instance may be from the true time. */
  constructor(simulation: World, mostSkewMs = 0) {
    this.#simulation = simulation;
    this.#mostSkewMs = mostSkewMs;
    this.#evidence = new EvidenceCounters(() => simulation.scheduler.now);
    this.deploy(simulation.fleet);
    for (let partition = 0; partition < PARTITIONS; partition += 1) void this.#consume(partition);
    void this.#keepResyncing();
  }

  get isCaughtUp(): boolean {
    return this.#simulation.log.partitions.every(
      (events, index) => this.checkpoints[index] === events.length,
    );
  }

  /** A new package, or the same one with other settings; instances of the one before may go on for a while. */
  deploy(fleet: Fleet, isNewBuild = true): void {
    const { store, scheduler, random, settings: present = {}, redaction } = this.#simulation;
    if (isNewBuild) this.#builds += 1;
    this.#deployed += 1;
    const values = { ...present };
    const settings: SettingValues = (name) => values[name];
    const build = `2026-11-23T00:00:${String(this.#builds).padStart(2, '0')}Z`;
    const open = (): Instance => {
      const skewMs = this.#mostSkewMs === 0 ? 0 : random.between(-this.#mostSkewMs, this.#mostSkewMs);
      return {
        fleet,
        settings,
        deployed: this.#deployed,
        build,
        memory: new RecordMemory(),
        gate: new WriteGate(store.controlSeenBy(this.#task), build, () => plus(scheduler.now, skewMs)),
        pauses: new HubPauses(() => random.next()),
        shares: new Map(),
        skewMs,
      };
    };
    const old = this.#instances.slice(0, random.between(0, 1));
    const first = open();
    this.#instances = [...old, first, open()];
    const since = plus(scheduler.now, first.skewMs);
    const contents = [...rolloutContents(fleet), ...settingContents(fleet.edge, settings, redaction?.key)];
    const followed = modulesFollowed(fleet);
    store.control = withPackage(store.control, build, contents, since, fleet.revision, followed);
  }

  /** Only the newest package is left. */
  retireOld(): void {
    this.#instances = this.#instances.filter(({ deployed }) => deployed === this.#deployed);
  }

  async #consume(partition: number): Promise<void> {
    const { random, scheduler, log } = this.#simulation;
    for (;;) {
      await scheduler.pause(random.between(10, this.#simulation.isCalm ? 60_000 : 3_000), this.#task);
      const from = this.checkpoints[partition] as number;
      const events = log.read(partition, from, random.between(1, 30));
      if (events.length === 0) continue;
      const results = [this.#work(partition, events)];
      if (random.chance(this.overlapRate)) results.push(this.#work(partition, events));
      // The first that is through moves the checkpoint.
      const done = await Promise.race(results);
      if (done) this.checkpoints[partition] = from + events.length;
      if (done && random.chance(0.5)) await Promise.all(results);
    }
  }

  /** One batch on one instance. False: it failed or the instance died, and the batch comes again. */
  #work(partition: number, events: Parameters<typeof takeBatch>[0]): Promise<boolean> {
    const { random } = this.#simulation;
    const instance = random.pick(this.#instances);
    const task: Task = { name: `batch of ${partition}`, isDead: false };
    const until = plus(this.#nowOf(instance), BATCH_MS);
    const budget = this.#share(instance, `${partition}/${PARTITIONS}`, SYNC_PART / PARTITIONS);
    const work = async (): Promise<boolean> => {
      const context = this.#context(instance, task, { budget, until, shard: String(partition) });
      try {
        const summary = await takeBatch(events, context, new Reconciler(context), {
          keepDeadLetters: async (letters) => {
            this.deadLetters += letters.length;
            this.defects.push(...letters.map(({ reason }) => `a dead letter: ${reason}`));
            return 0;
          },
          countUnknownHubs: async () => {},
          countUnknownSources: async () => {},
        });
        return summary.deadLetters === 0;
      } catch (error) {
        this.#expectOutage(error);
        return false;
      }
    };
    return Promise.race([work(), this.#death(instance, task)]);
  }

  /** Comes when the instance dies; else never. */
  async #death(instance: Instance, task: Task): Promise<boolean> {
    const { random, scheduler } = this.#simulation;
    if (!random.chance(this.crashRate)) return new Promise(() => {});
    await scheduler.pause(random.between(1, 2_000), this.#task);
    task.isDead = true;
    // What it remembered is gone; another one has taken its place.
    const index = this.#instances.indexOf(instance);
    if (index !== -1) this.#instances[index] = { ...instance, memory: new RecordMemory(), shares: new Map() };
    return false;
  }

  async #keepResyncing(): Promise<void> {
    const { scheduler, random } = this.#simulation;
    for (;;) {
      await scheduler.pause(60_000, this.#task);
      const instance = random.pick(this.#instances);
      const task: Task = { name: 'resync', isDead: false };
      await Promise.race([this.#resync(instance, task), this.#death(instance, task)]);
    }
  }

  async #resync(instance: Instance, task: Task): Promise<boolean> {
    const { store, scheduler } = this.#simulation;
    const until = plus(this.#nowOf(instance), RESYNC_MS);
    const mayGoOn = () => this.#nowOf(instance) < until;
    const budget = this.#share(instance, 'resync', RESYNC_PART);
    const shared = this.#context(instance, task, { budget, until, shard: RESYNC_SHARD });
    try {
      if ((await instance.gate.current()).isOutdated) return true;
      const context = {
        ...shared,
        twinCounts: store.countsOfTwins(task),
        control: store.controlSeenBy(task),
        progress: store.progressSeenBy(task),
        reconciler: new Reconciler(shared),
      };
      const liveness = this.watches ? await this.#watch(context) : new Map();
      const hasWork = await context.twins.hubsWithDueWork(context.hubNow());
      const hostsWith = (priority?: WorkPriority) => context.hosts.filter((host) => hasWork(host, priority));
      await processQueue(hostsWith(), context, mayGoOn, {
        pauseMs: (host) => {
          const pause = instance.pauses.of(host, this.#nowOf(instance));
          if (pause === undefined) return undefined;
          return pause.until < until ? pause.until - this.#nowOf(instance) : Number.POSITIVE_INFINITY;
        },
        wait: (ms) => scheduler.pause(ms, task),
      });
      await askActivity(hostsWith('activity'), context, mayGoOn);
      if (this.#simulation.hasStages) {
        await countTwins(context, mayGoOn);
        await advanceGates(context);
      }
      const { conditions } = this;
      if (conditions !== undefined) await recordDrains(context, { read: async () => conditions });
      await resyncTwins(context, mayGoOn);
      await auditHubs(context, mayGoOn, { withoutDevices: new Set(), liveness });
    } catch (error) {
      this.#expectOutage(error);
    }
    return true;
  }

  /** Asks for everything to be read again, and answers whether that has been done. */
  requestAudit(at: EpochMs): void {
    this.#simulation.store.setProgress(requestName(HOST), { at, author: 'ann', reason: 'test' });
  }

  get isAuditing(): boolean {
    const progress = this.#simulation.store.progress(auditName(HOST)) as AuditProgress | undefined;
    return progress?.phase !== 'done';
  }

  hasAudited(since: EpochMs): boolean {
    const progress = this.#simulation.store.progress(auditName(HOST)) as AuditProgress | undefined;
    return progress !== undefined && progress.phase === 'done' && progress.startedAt >= since;
  }

  /** As in the app, but all instances collect their evidence together. */
  #watch(context: SyncContext): Promise<FleetLiveness> {
    const { hubs, evidence } = this.liveness;
    for (const { shard, evidence: taken } of this.#evidence.take()) {
      evidence.set(shard, addEvidence(evidence.get(shard) ?? NO_EVIDENCE, taken, context.now()));
    }
    const store: LivenessWatch['store'] = {
      read: async () => stored,
      writeHub: async (host, liveness) => void hubs.set(host, liveness),
      writeRun: async (_, reader) => {
        this.liveness.reader = reader;
      },
    };
    const stored = {
      ranAt: undefined,
      reader: this.liveness.reader,
      hubs,
      evidence: new Map([[HOST, evidence]]),
    };
    const looked = this.#look();
    const watch = { store, look: async () => looked, flush: async () => {} };
    return watchLiveness(context, watch, { stored, looked });
  }

  #look(): Look {
    const partitions = this.#simulation.log.partitions.map((events, index) => {
      const handled = this.checkpoints[index] ?? 0;
      const checkpoint = handled === 0 ? undefined : handled - 1;
      return [String(index), { last: events.length - 1, isEmpty: events.length === 0, checkpoint }] as const;
    });
    return { kind: 'positions', partitions: new Map(partitions) };
  }

  #context(instance: Instance, task: Task, { budget, until, shard }: Invocation): SyncContext {
    const { store, scheduler, hub, random } = this.#simulation;
    const { gate, memory, pauses } = instance;
    const fleet = this.#simulation.withPrevious(instance.fleet);
    const now = () => this.#nowOf(instance);
    const watched = watchHubs(hub.portFor(task), { pauses, count: () => {}, now });
    const { redaction = NO_REDACTION } = this.#simulation;
    return {
      fleet,
      hosts: [HOST],
      hubs: redactHubs(budgetHubs(watched, { fleet, budget, until, now }), redaction),
      twins: store.seenBy(task, memory),
      settings: instance.settings,
      gate,
      redaction,
      now,
      // The hub's own clock is right.
      hubNow: () => scheduler.now,
      // Virtual time only: a real wait would be missed when the run comes to rest.
      wait: () => scheduler.pause(random.between(0, 250), task),
      count: () => {},
      evidence: this.watches ? this.#evidence.of(shard) : NO_EVIDENCE_SINK,
      warn: (message, facts) => void this.warnings.push(`${message} ${JSON.stringify(facts)}`),
    };
  }

  #share(instance: Instance, share: string, part: number): HubBudget {
    const known = instance.shares.get(share);
    if (known !== undefined) return known;
    const { store, scheduler } = this.#simulation;
    this.openedShares += 1;
    const opened = new BudgetShare({
      share,
      part,
      counts: store.countsSeenBy(this.#task),
      pauses: instance.pauses,
      now: () => this.#nowOf(instance),
      wait: (ms) => scheduler.pause(ms, this.#task),
    });
    instance.shares.set(share, opened);
    return opened;
  }

  #nowOf({ skewMs }: Instance): EpochMs {
    return plus(this.#simulation.scheduler.now, skewMs);
  }

  #expectOutage(error: unknown): void {
    if (error instanceof BerthError && error.code === 'BERTH_STORE_UNAVAILABLE') return;
    this.defects.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
