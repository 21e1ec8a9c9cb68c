import { setTimeout } from 'node:timers/promises';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { Lease } from '../../store/state/lease.ts';
import type { HasDueWork } from '../../store/twins/twin-store.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { askActivity } from './activity.ts';
import { auditHubs } from './audit.ts';
import { planWhenReadAgain } from './earlier-contents.ts';
import { FillingHubs } from './filling-hubs.ts';
import { type RefreshedConditions, refreshConditions } from './hub-conditions.ts';
import { recordDrains } from './record-drains.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { resyncTwins } from './resync-twins.ts';
import { advanceGates } from './rollout-gates.ts';
import { pauseRejected } from './self-pause.ts';
import { unlessNewer } from './sparing.ts';
import { TaskFailures } from './task-failures.ts';
import { countTwins } from './twin-counts.ts';
import { type FleetLiveness, type LivenessWatch, watchLiveness } from './watch-liveness.ts';
import { processQueue } from './work-queue.ts';
import type { WriteClaims } from './write-claims.ts';

/** What a run needs in addition to the shared context. */
export interface ResyncRun {
  readonly conditions: RefreshedConditions;
  readonly liveness: LivenessWatch;
  /** Allows only one instance to run at a time. */
  readonly lease: Pick<Lease, 'take' | 'release'>;
  /** The context of the work queue, whose calls end later than those of the other tasks. Default: the shared context. */
  readonly queue?: ResyncContext;
  /** The hubs whose twins only this run writes. */
  readonly claims: Pick<WriteClaims, 'load' | 'isClaimed' | 'claim' | 'release'>;
  /** Until when no call to a hub is made, because it has refused calls. Default: calls are made. */
  readonly pausedUntil?: (host: HostName) => EpochMs | undefined;
  /** After this time, no work item is started. */
  readonly queueUntil: EpochMs;
  /** Work on the tables that follows the other work on them, and does not wait for the work queue. Default: none. */
  readonly afterTables?: () => Promise<void>;
  /** Waits for work that other tasks make. Default: a timer. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

export interface ResyncSummary {
  /** False: another instance has the lease. */
  readonly ran: boolean;
  /** Twins whose work items were done. */
  readonly workItems: number;
  /** Buckets whose twins were counted. */
  readonly counted: number;
  /** Twins that were reconciled again because policies changed. */
  readonly resynced: number;
  /** Twins that the audit listed. */
  readonly audited: number;
}

/** Work on the tables ends after this time. */
export const RUN_MS = 50_000;
/**
 * The work queue goes on until shortly before the next run, because no twin is written between two runs. If a call takes longer, the
 * timer starts the next run as soon as this one ends (webjobs-sdk-extensions, `TimerListener.cs`).
 */
export const QUEUE_MS = 58_000;
/** Short, so that another instance can soon continue if this one ends. A run renews its lease. */
const LEASE_MS = 15_000;

/** How often a run tries to plan twins that it cannot plan yet. */
const PLAN_AGAIN_MS = 2_000;

const NOTHING: ResyncSummary = { ran: false, workItems: 0, counted: 0, resynced: 0, audited: 0 };

/**
 * Does the work that has no event. It asks the hubs for their devices and health, does the due work items, and counts the
 * twins. It reconciles twins again after policies changed, and audits the hubs for missed twins. One instance at a time.
 */
export async function resync(
  context: ResyncContext,
  {
    conditions,
    liveness: watch,
    lease,
    claims,
    queue = context,
    queueUntil,
    pausedUntil = () => undefined,
    afterTables = async () => {},
    wait = setTimeout,
  }: ResyncRun,
): Promise<ResyncSummary> {
  const { now, hubNow, gate, twins, hosts } = context;
  if (!(await lease.take(now(), LEASE_MS))) return NOTHING;
  let isHeld = true;
  const until = plus(now(), RUN_MS);
  const mayGoOn: MayGoOn = () => isHeld && now() < until;
  const renewing = setInterval(() => {
    lease.take(now(), LEASE_MS).then(
      (held) => {
        isHeld = held;
      },
      () => {
        isHeld = false;
      },
    );
  }, LEASE_MS / 3);
  try {
    const { isOutdated } = await gate.current();
    await watch.flush();
    const stored = await watch.store.read();
    // The answers of the hubs set their clock, by which the run assesses.
    const [looked, withoutDevices] = await Promise.all([
      watch.look(),
      refreshConditions(context, conditions, stored.hubs),
    ]);
    // An instance of an older package leaves the watch to the newer ones.
    const liveness: FleetLiveness = isOutdated
      ? new Map()
      : await watchLiveness(context, watch, { stored, looked });
    // What a newer package claims is not known. That package writes.
    const own = await unlessNewer(undefined, async () => {
      await claims.load();
      return isOutdated ? undefined : claims;
    });
    const filling = await FillingHubs.open(context, own);
    const dueWork = async (): Promise<HasDueWork> =>
      isOutdated ? () => false : await twins.hubsWithDueWork(hubNow());
    const hostsWith = (hasWork: HasDueWork) => hosts.filter((host) => hasWork(host) || own?.isClaimed(host));
    const hasWork = await dueWork();
    const mayGoOnWithQueue: MayGoOn = () => isHeld && now() < queueUntil;
    const work = (of: readonly HostName[]) =>
      processQueue(of, queue, mayGoOnWithQueue, {
        claims: own,
        isFilling: (host) => filling.has(host),
        pauseMs: (host) => {
          const end = pausedUntil(host);
          if (end === undefined) return undefined;
          return end < queueUntil ? end - now() : Number.POSITIVE_INFINITY;
        },
        wait,
      });
    const known = {
      mayGoOnWithQueue,
      isOutdated,
      hasWork,
      withoutDevices,
      liveness,
      conditions,
      filling,
      afterTables,
      wait,
    };
    // Work items often wait for permits. Tasks that only need the tables run at the same time.
    const [worked, rest] = await Promise.allSettled([
      work(hostsWith(hasWork)),
      withoutQueue(context, mayGoOn, known).catch((error) => {
        filling.end();
        throw error;
      }),
    ]);
    if (worked.status === 'rejected') {
      if (rest.status === 'fulfilled') rest.value.failures.logAll();
      throw worked.reason;
    }
    if (rest.status === 'rejected') throw rest.reason;
    const { failures, ...done } = rest.value;
    const more = done.resynced > 0 ? await work(hostsWith(await dueWork())) : 0;
    failures.throwFirst();
    return { ran: true, workItems: worked.value + more, ...done };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

/** What this run knows of the deployment and of the hubs. */
interface Known {
  readonly mayGoOnWithQueue: MayGoOn;
  readonly isOutdated: boolean;
  /** As it was at the start. */
  readonly hasWork: HasDueWork;
  readonly withoutDevices: ReadonlySet<HostName>;
  readonly liveness: FleetLiveness;
  readonly conditions: RefreshedConditions;
  readonly filling: FillingHubs;
  readonly afterTables: () => Promise<void>;
  readonly wait: (ms: number) => Promise<unknown>;
}

/**
 * Everything but the work queue, in an order in which each task sees the result of those before. If a task fails, those after it
 * go on: gates and self-pauses then use the last counts.
 */
async function withoutQueue(
  context: ResyncContext,
  mayGoOn: MayGoOn,
  known: Known,
): Promise<Pick<ResyncSummary, 'counted' | 'resynced' | 'audited'> & { readonly failures: TaskFailures }> {
  const { filling, hasWork } = known;
  const failures = new TaskFailures(mayGoOn, context.warn);
  const counted = await failures.unlessFailed('the counts of twins', 0, () => countTwins(context, mayGoOn));
  let [resynced, audited] = [0, 0];
  const plan = async (mayPlan: MayGoOn) => {
    resynced += await unlessNewer(0, () => resyncTwins(context, mayPlan));
    await filling.check();
  };
  if (!known.isOutdated) {
    await failures.unlessFailed('drains', undefined, () => recordDrains(context, known.conditions));
    await failures.unlessFailed('earlier contents', undefined, () => planWhenReadAgain(context));
    await failures.unlessFailed('self-pauses', undefined, () => pauseRejected(context));
    await failures.unlessFailed('the gates of rollouts', undefined, () => advanceGates(context));
    const withQuestions = context.hosts.filter((host) => hasWork(host, 'activity'));
    // Questions and audits of a hub need its queries. Side by side, each gets every second one.
    await Promise.all([
      failures.unlessFailed('questions for signs of life', undefined, () =>
        askActivity(withQuestions, context, mayGoOn),
      ),
      (async () => {
        const isPlanned = await failures.unlessFailed('the resync', false, async () => {
          await plan(mayGoOn);
          return true;
        });
        if (!isPlanned) filling.end();
        audited = await failures.unlessFailed('audits', 0, () => auditHubs(context, mayGoOn, known));
      })(),
    ]);
  }
  await failures.unlessFailed('counts, exports and the purge', undefined, known.afterTables);
  // The resync waits for the other instances. It should not wait for the next run as well.
  while (!filling.isEmpty && known.mayGoOnWithQueue()) {
    await known.wait(PLAN_AGAIN_MS);
    await plan(known.mayGoOnWithQueue);
  }
  return { counted, resynced, audited, failures };
}
