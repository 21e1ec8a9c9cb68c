import { askActivity } from './activity.ts';
import { drainDue } from './due-work.ts';
import { refreshConditions } from './hub-conditions.ts';
import { replan } from './replan.ts';
import type { MayGoOn, ResyncOptions } from './resync-options.ts';
import { pauseRejected } from './self-pause.ts';
import { unlessNewer } from './sparing.ts';
import { countTwins } from './twin-counts.ts';
import { walk } from './walk.ts';

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
export async function resync(options: ResyncOptions): Promise<ResyncSummary> {
  const { lease, now, gate } = options;
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
    await refreshConditions(options);
    const { isOutdated } = await gate.current();
    // Due work waits for its turn at the hubs most of the time; what needs the tables only need not wait with it.
    const [due, rest] = await Promise.allSettled([
      isOutdated ? 0 : drainDue(options, () => mayGoOn() && now() < options.until),
      withoutHubs(options, mayGoOn, isOutdated),
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
  options: ResyncOptions,
  mayGoOn: MayGoOn,
  isOutdated: boolean,
): Promise<Pick<ResyncSummary, 'counted' | 'judged' | 'walked'>> {
  const counted = await unlessNewer(0, () => countTwins(options, mayGoOn));
  if (isOutdated) return { counted, judged: 0, walked: 0 };
  await unlessNewer(undefined, () => pauseRejected(options));
  await askActivity(options, mayGoOn);
  const judged = await unlessNewer(0, () => replan(options, mayGoOn));
  const walked = await walk(options, mayGoOn);
  return { counted, judged, walked };
}
