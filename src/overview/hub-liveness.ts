import type { HostName } from '../iot-hub/host-name.ts';
import { MINUTE_MS } from '../liveness/evidence.ts';
import type { Heartbeats, HubLiveness, LivenessState } from '../liveness/liveness.ts';
import type { StoredLiveness } from '../store/state/liveness-store.ts';
import type { Stores } from '../store/stores.ts';
import { type AuditProgress, auditName, readAudit } from '../sync/resync/audit-progress.ts';
import { type EpochMs, laterOf } from '../time/epoch-ms.ts';

/** Whether the twin change events of a hub arrive, for operators. */
export interface LivenessOverview {
  readonly state: LivenessState;
  /** Undefined: it was never assessed. */
  readonly since: EpochMs | undefined;
  /** One sentence without its end. Empty: there is nothing to say. */
  readonly why: string;
  /** The newest twin change event. */
  readonly changedAt: EpochMs | undefined;
  /** The newest write that came back. */
  readonly echoedAt: EpochMs | undefined;
  readonly heartbeat: Pick<Heartbeats, 'result' | 'at' | 'why'> | undefined;
  /** While the hub is silent: the twins that the audit has not compared. */
  readonly unchecked: Unchecked | undefined;
}

/** Twins of a silent hub that may have changed without an event. */
export interface Unchecked {
  readonly twins: number;
  /** The stored twins of the hub. */
  readonly of: number;
  /** What changed in them since this time may not be known. */
  readonly since: EpochMs;
  /** Why the audit waits. Undefined: it does not. */
  readonly waits: string | undefined;
}

/** `resyncFleet` runs every minute. What it stored is too old after this time. */
const RUN_LATE_MS = 5 * MINUTE_MS;

/** Whether the timer has run lately. Without its runs, nothing new is known of any hub. */
export function isTimerLate(ranAt: EpochMs | undefined, now: EpochMs): boolean {
  return ranAt === undefined || now - ranAt > RUN_LATE_MS;
}

/** What is stored of one hub. */
export interface StoredHub {
  readonly audit: AuditProgress | undefined;
  /** How many twins of the hub are stored. */
  readonly twins: number;
}

/** What the tables hold of one hub. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
export async function storedHub(
  { twinCounts, progress }: Pick<Stores, 'twinCounts' | 'progress'>,
  host: HostName,
): Promise<StoredHub> {
  const [counted, audit] = await Promise.all([twinCounts.of(host), progress.read(auditName(host))]);
  const count = Object.values(counted.statuses).reduce((sum, each) => sum + each, 0);
  return { audit: readAudit(audit), twins: count };
}

/** The liveness of a hub at this time. A assessment that is too old counts for nothing. */
export function livenessOverview(
  host: HostName,
  { hubs, ranAt }: Pick<StoredLiveness, 'hubs' | 'ranAt'>,
  { audit, twins }: StoredHub,
  now: EpochMs,
): LivenessOverview {
  const found = hubs.get(host);
  const facts = {
    changedAt: found?.changedAt,
    echoedAt: found?.echoedAt,
    heartbeat: found?.beats,
    unchecked: found === undefined ? undefined : uncheckedTwins(found, audit, twins),
  };
  if (isTimerLate(ranAt, now)) {
    const since = ranAt === undefined ? 'yet' : `since ${new Date(ranAt).toISOString()}`;
    return { ...facts, state: 'late', since: ranAt, why: `resyncFleet has not run ${since}` };
  }
  if (found === undefined)
    return { ...facts, state: 'quiet', since: undefined, why: 'it was not assessed yet' };
  const { state, since, why } = found;
  return { ...facts, state, since, why };
}

function uncheckedTwins(
  { state, silence }: HubLiveness,
  audit: AuditProgress | undefined,
  of: number,
): Unchecked | undefined {
  if (state !== 'silent' || silence === undefined) return undefined;
  const isDone = audit?.phase === 'done';
  const doneAt = isDone ? audit.startedAt : audit?.lastDone?.startedAt;
  const since = doneAt === undefined ? silence.since : laterOf(doneAt, silence.since);
  // An audit of before the silence has compared nothing that changed in it.
  const hasCompared = audit !== undefined && audit.startedAt >= silence.since;
  const compared = !hasCompared ? 0 : isDone ? of : audit.seen;
  return { twins: Math.max(0, of - compared), of, since, waits: audit?.waits?.why };
}

/** The state with its reason, for tables and log lines. */
export function livenessText({ state, why, unchecked }: LivenessOverview): string {
  const rest =
    unchecked === undefined || unchecked.twins === 0
      ? ''
      : `; ${unchecked.twins} of ${unchecked.of} twins are unchecked since ${new Date(unchecked.since).toISOString()}${
          unchecked.waits === undefined ? '' : `, because ${unchecked.waits}`
        }`;
  return why === '' ? state : `${state} (${why}${rest})`;
}
