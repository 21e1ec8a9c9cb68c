import type { Lease } from '../../store/state/lease.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';
import { askActivity } from './activity.ts';
import { auditHubs } from './audit.ts';
import { type RefreshedConditions, refreshConditions } from './hub-conditions.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { resyncTwins } from './resync-twins.ts';
import { pauseRejected } from './self-pause.ts';
import { unlessNewer } from './sparing.ts';
import { countTwins } from './twin-counts.ts';
import { processQueue } from './work-queue.ts';

/** What a run needs besides the context that its tasks share. */
export interface ResyncRun {
  readonly conditions: RefreshedConditions;
  /** Keeps it to one instance at a time. */
  readonly lease: Pick<Lease, 'take' | 'release'>;
  /** From then on no work item is begun, as hubs are left alone. */
  readonly hubsUntil: EpochMs;
}

export interface ResyncSummary {
  /** False: another instance is at it. */
  readonly ran: boolean;
  /** Twins whose work items was done. */
  readonly workItems: number;
  /** Partitions that were counted. */
  readonly counted: number;
  /** Twins that were reconciled again, because policies have changed. */
  readonly resynced: number;
  /** Twins that the audit has seen. */
  readonly audited: number;
}

/** A run ends by then; the timer starts the next after a minute. */
export const RUN_MS = 50_000;
/** Short, so that an instance that dies is soon replaced; a run that goes on renews it. */
const LEASE_MS = 15_000;

const NOTHING: ResyncSummary = { ran: false, workItems: 0, counted: 0, resynced: 0, audited: 0 };

/**
 * What needs no event: asks the hubs for their devices and health, does the work items whose time has come, counts the
 * twins, reconciles them again when policies have changed, and audits the hubs for twins that were missed. One instance at
 * a time.
 */
export async function resync(
  context: ResyncContext,
  { conditions, lease, hubsUntil }: ResyncRun,
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
    await refreshConditions(context, conditions);
    const { isOutdated } = await gate.current();
    // Work items waits for permits of the hubs most of the time; what needs the tables only need not wait with it.
    const [workItems, rest] = await Promise.allSettled([
      isOutdated ? 0 : processQueue(context, () => mayGoOn() && now() < hubsUntil),
      withoutHubs(context, mayGoOn, isOutdated),
    ]);
    if (workItems.status === 'rejected') throw workItems.reason;
    if (rest.status === 'rejected') throw rest.reason;
    return { ran: true, workItems: workItems.value, ...rest.value };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

async function withoutHubs(
  context: ResyncContext,
  mayGoOn: MayGoOn,
  isOutdated: boolean,
): Promise<Pick<ResyncSummary, 'counted' | 'resynced' | 'audited'>> {
  const counted = await unlessNewer(0, () => countTwins(context, mayGoOn));
  if (isOutdated) return { counted, resynced: 0, audited: 0 };
  await unlessNewer(undefined, () => pauseRejected(context));
  await askActivity(context, mayGoOn);
  const resynced = await unlessNewer(0, () => resyncTwins(context, mayGoOn));
  const audited = await auditHubs(context, mayGoOn);
  return { counted, resynced, audited };
}
