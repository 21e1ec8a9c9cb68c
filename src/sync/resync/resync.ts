import type { HostName } from '../../iot-hub/host-name.ts';
import type { Lease } from '../../store/state/lease.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { askActivity } from './activity.ts';
import { auditHubs } from './audit.ts';
import { type RefreshedConditions, refreshConditions } from './hub-conditions.ts';
import { recordDrains } from './record-drains.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { resyncTwins } from './resync-twins.ts';
import { advanceGates } from './rollout-gates.ts';
import { pauseRejected } from './self-pause.ts';
import { unlessNewer } from './sparing.ts';
import { countTwins } from './twin-counts.ts';
import { type FleetLiveness, type LivenessWatch, watchLiveness } from './watch-liveness.ts';
import { processQueue } from './work-queue.ts';

/** What a run needs in addition to the shared context. */
export interface ResyncRun {
  readonly conditions: RefreshedConditions;
  readonly liveness: LivenessWatch;
  /** Allows only one instance to run at a time. */
  readonly lease: Pick<Lease, 'take' | 'release'>;
  /** After this time, hubs are not called, so no work item is started. */
  readonly hubsUntil: EpochMs;
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

/** The longest run. The timer starts the next one after a minute. */
export const RUN_MS = 50_000;
/** Short, so that another instance can soon continue if this one ends. A run renews its lease. */
const LEASE_MS = 15_000;

const NOTHING: ResyncSummary = { ran: false, workItems: 0, counted: 0, resynced: 0, audited: 0 };

/**
 * Does the work that has no event. It asks the hubs for their devices and health, does the due work items, and counts the
 * twins. It reconciles twins again after policies changed, and audits the hubs for missed twins. One instance at a time.
 */
export async function resync(
  context: ResyncContext,
  { conditions, liveness: watch, lease, hubsUntil }: ResyncRun,
): Promise<ResyncSummary> {
  const { now, gate } = context;
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
    const hasWork = isOutdated ? () => false : await context.twins.hubsWithDueWork(context.hubNow());
    const withWork = context.hosts.filter(hasWork);
    // Work items often wait for permits. Tasks that only need the tables run at the same time.
    const [workItems, rest] = await Promise.allSettled([
      processQueue(withWork, context, () => mayGoOn() && now() < hubsUntil),
      withoutHubs(context, mayGoOn, { isOutdated, withWork, withoutDevices, liveness, conditions }),
    ]);
    if (workItems.status === 'rejected') throw workItems.reason;
    if (rest.status === 'rejected') throw rest.reason;
    return { ran: true, workItems: workItems.value, ...rest.value };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

/** What this run knows of the deployment and of the hubs. */
interface Known {
  readonly isOutdated: boolean;
  /** The hubs that have due work items. */
  readonly withWork: readonly HostName[];
  readonly withoutDevices: ReadonlySet<HostName>;
  readonly liveness: FleetLiveness;
  readonly conditions: RefreshedConditions;
}

async function withoutHubs(
  context: ResyncContext,
  mayGoOn: MayGoOn,
  { isOutdated, withWork, withoutDevices, liveness, conditions }: Known,
): Promise<Pick<ResyncSummary, 'counted' | 'resynced' | 'audited'>> {
  const counted = await unlessNewer(0, () => countTwins(context, mayGoOn));
  if (isOutdated) return { counted, resynced: 0, audited: 0 };
  await unlessNewer(undefined, () => recordDrains(context, conditions));
  await unlessNewer(undefined, () => pauseRejected(context));
  await unlessNewer(undefined, () => advanceGates(context));
  await askActivity(withWork, context, mayGoOn);
  const resynced = await unlessNewer(0, () => resyncTwins(context, mayGoOn));
  const audited = await auditHubs(context, mayGoOn, { withoutDevices, liveness });
  return { counted, resynced, audited };
}
