import type { Lease } from '../../store/state/lease.ts';
import { askActivity } from './activity.ts';
import { drainDue } from './due-work.ts';
import { type RefreshedConditions, refreshConditions } from './hub-conditions.ts';
import { replan } from './replan.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { pauseRejected } from './self-pause.ts';
import { unlessNewer } from './sparing.ts';
import { countTwins } from './twin-counts.ts';
import { walk } from './walk.ts';

/** What a run needs besides the context that its tasks share. */
export interface ResyncRun {
  readonly conditions: RefreshedConditions;
  /** Keeps it to one instance at a time. */
  readonly lease: Pick<Lease, 'take' | 'release'>;
  /** From then on no work item is begun, as hubs are left alone, ms since the epoch. */
  readonly hubsUntil: number;
}

export interface ResyncSummary {
  /** False: another instance is at it. */
  readonly ran: boolean;
  /** Twins whose due work was done. */
  readonly due: number;
  /** Partitions that were counted. */
  readonly counted: number;
  /** Twins that were judged anew, because policies have changed. */
  readonly judged: number;
  /** Twins that the walk has seen. */
  readonly walked: number;
}

/** A run ends by then; the timer starts the next after a minute. */
export const RUN_MS = 50_000;
/** Short, so that an instance that dies is soon replaced; a run that goes on renews it. */
const LEASE_MS = 15_000;

const NOTHING: ResyncSummary = { ran: false, due: 0, counted: 0, judged: 0, walked: 0 };

/**
 * What needs no event: asks the hubs for their devices and health, does the due work whose time has come, counts the
 * twins, judges them anew when policies have changed, and walks the hubs for twins that were missed. One instance at
 * a time.
 */
export async function resync(
  context: ResyncContext,
  { conditions, lease, hubsUntil }: ResyncRun,
): Promise<ResyncSummary> {
  const { now, gate } = context;
  if (!(await lease.take(now(), LEASE_MS))) return NOTHING;
  let isHeld = true;
  const until = now() + RUN_MS;
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
    // Due work waits for permits of the hubs most of the time; what needs the tables only need not wait with it.
    const [due, rest] = await Promise.allSettled([
      isOutdated ? 0 : drainDue(context, () => mayGoOn() && now() < hubsUntil),
      withoutHubs(context, mayGoOn, isOutdated),
    ]);
    if (due.status === 'rejected') throw due.reason;
    if (rest.status === 'rejected') throw rest.reason;
    return { ran: true, due: due.value, ...rest.value };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

async function withoutHubs(
  context: ResyncContext,
  mayGoOn: MayGoOn,
  isOutdated: boolean,
): Promise<Pick<ResyncSummary, 'counted' | 'judged' | 'walked'>> {
  const counted = await unlessNewer(0, () => countTwins(context, mayGoOn));
  if (isOutdated) return { counted, judged: 0, walked: 0 };
  await unlessNewer(undefined, () => pauseRejected(context));
  await askActivity(context, mayGoOn);
  const judged = await unlessNewer(0, () => replan(context, mayGoOn));
  const walked = await walk(context, mayGoOn);
  return { counted, judged, walked };
}
