import type { ErrorCode } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HubBudget } from '../hub/budget.ts';
import type { JsonValue } from '../json/json.ts';
import type { EvidenceSink } from '../liveness/evidence-counters.ts';
import type { SyncContext } from '../sync/reconcile/sync-context.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Instance } from './instance.ts';

export interface InvocationOptions {
  readonly fleet: Fleet;
  /** The part of the hubs' budgets for this invocation. */
  readonly budget: HubBudget;
  /** The evidence of the shard of this invocation. */
  readonly evidence: EvidenceSink;
  /** When the invocation stops calling hubs. */
  readonly until: EpochMs;
  /** Writes a line to the log of the invocation. */
  readonly warn: (line: string) => void;
}

/** The context of twin sync for one invocation. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
export async function syncContext(
  instance: Instance,
  { fleet, budget, evidence, until, warn }: InvocationOptions,
): Promise<SyncContext> {
  const { now, stores, counters, gate, hubClock, metrics } = instance;
  const redaction = await instance.redaction(fleet);
  await instance.keptOut.load();
  const withPrevious = await instance.withPreviousContents(fleet);
  return {
    fleet: withPrevious,
    hosts: instance.hosts(fleet),
    hubs: instance.hubs({ fleet, budget, until, redaction }),
    twins: stores.twins,
    receipts: stores.receipts,
    isKeptOut: instance.keptOut.has,
    settings: instance.setting,
    gate,
    redaction,
    now,
    hubNow: hubClock.now,
    evidence,
    count: (host, what, number) => counters.add(host, what, number),
    measure: metrics.isOn ? (what, hub, ms) => metrics.record(what, ms / 1_000, { hub }) : undefined,
    warn: fewerLines((message, facts) => warn(JSON.stringify({ event: 'hubTrouble', message, ...facts }))),
  };
}

/** Errors of one twin, which do not affect other twins. */
const OF_ONE_TWIN: ReadonlySet<JsonValue | undefined> = new Set<ErrorCode>([
  'BERTH_HUB_REFUSED',
  'BERTH_SNAPSHOT_MISMATCH',
]);

/** Defects that are logged in one invocation. One defect may concern each twin of a fleet. */
const MOST_DEFECTS = 10;

/** Logs an error of a whole hub once, with the first twin that meets it, and only the first twins that a defect concerns. */
export function fewerLines(warn: SyncContext['warn']): SyncContext['warn'] {
  const logged = new Set<string>();
  let defects = 0;
  return (message, facts) => {
    const { code, hub, deviceId } = facts;
    if (code === 'BERTH_DEFECT') {
      defects += 1;
      if (defects <= MOST_DEFECTS) warn(message, facts);
      if (defects === MOST_DEFECTS + 1)
        warn(`${message} Other twins that fail so are not logged in this run.`, facts);
      return;
    }
    if (deviceId !== undefined && !OF_ONE_TWIN.has(code)) {
      const trouble = `${code} ${hub}`;
      if (logged.has(trouble)) return;
      logged.add(trouble);
    }
    warn(message, facts);
  };
}
