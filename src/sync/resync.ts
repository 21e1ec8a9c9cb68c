import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { HubBudget } from '../hub/budget.ts';
import type { HubPort } from '../hub/port.ts';
import type { JsonValue } from '../json.ts';
import type { ConditionsStore } from '../store/conditions-store.ts';
import type { ControlStore } from '../store/control.ts';
import { type PartitionKey, partitionsOf } from '../store/keys.ts';
import type { Lease } from '../store/lease.ts';
import type { ProgressStore } from '../store/progress-store.ts';
import type { TwinStore } from '../store/twin-store.ts';
import type { Redaction } from '../twin/redact.ts';
import { drainDue } from './due-work.ts';
import { refreshConditions } from './hub-conditions.ts';
import type { Reconciler } from './reconciler.ts';
import { replan } from './replan.ts';
import { pauseRejected } from './self-pause.ts';
import type { SyncCount } from './sync-counters.ts';
import { countTwins } from './twin-counts.ts';
import { walk } from './walk.ts';
import type { Gate } from './write-gate.ts';

export interface ResyncOptions {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  readonly hubs: HubPort;
  readonly twins: TwinStore;
  readonly conditions: ConditionsStore;
  readonly control: ControlStore;
  readonly progress: ProgressStore;
  readonly lease: Lease;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'judge'>;
  readonly budget: HubBudget;
  /** Whether the hub's budget has said no: what is due there stays due. */
  readonly isRefused: (host: HostName) => boolean;
  readonly redaction: Redaction;
  readonly gate: Gate;
  readonly now: () => number;
  readonly count: (host: HostName, what: SyncCount) => void;
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
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

/** False when the time is over, or another instance has the lease. */
export type MayGoOn = () => boolean;

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
    // Due work waits for its turn at the hubs most of the time; what needs the tables only need not wait with it.
    const [due, rest] = await Promise.all([
      gate.isOutdated ? 0 : drainDue(options, mayGoOn),
      withoutHubs(options, mayGoOn),
    ]);
    return { ran: true, due, ...rest };
  } finally {
    clearInterval(renewing);
    await lease.release();
  }
}

async function withoutHubs(
  options: ResyncOptions,
  mayGoOn: MayGoOn,
): Promise<Pick<ResyncSummary, 'counted' | 'judged' | 'walked'>> {
  const counted = await countTwins(options, mayGoOn);
  if (options.gate.isOutdated) return { counted, judged: 0, walked: 0 };
  await pauseRejected(options);
  const judged = await replan(options, mayGoOn);
  const walked = await walk(options, mayGoOn);
  return { counted, judged, walked };
}

/** The partitions of all hubs that this deployment reconciles. */
export function partitionsFor({ hosts }: Pick<ResyncOptions, 'hosts'>): readonly PartitionKey[] {
  return hosts.flatMap((host) => partitionsOf(host));
}
