import type { InvocationContext } from '@azure/functions';
import { HUB_DEADLINE_MS } from '../hub/port.ts';
import type { Instance } from '../instance/instance.ts';
import { syncContext } from '../instance/sync-context.ts';
import { RESYNC_SHARD } from '../liveness/evidence.ts';
import { ALL_DEVICES } from '../store/twins/twin-count-store.ts';
import { Reconciler } from '../sync/reconcile/reconciler.ts';
import type { SyncContext } from '../sync/reconcile/sync-context.ts';
import { exportDaily } from '../sync/resync/daily-export.ts';
import { readGauges } from '../sync/resync/gauges.ts';
import { type Purged, purgeOld } from '../sync/resync/purge.ts';
import { QUEUE_MS, RUN_MS, resync } from '../sync/resync/resync.ts';
import { recordSeries } from '../sync/resync/series.ts';
import { TaskFailures } from '../sync/resync/task-failures.ts';
import { plus } from '../time/epoch-ms.ts';

/** The longest wait for a permit of a twin that the work queue began in its last moment. */
const LAST_PERMIT_MS = 2_000;

/** Runs every minute: counts and health of hubs, work items, counts of twins, the audit, the daily export, old receipts and dead letters. */
export function resyncFleet(
  instance: Instance,
): (timer: unknown, context: InvocationContext) => Promise<void> {
  return async (_, context) => {
    const fleet = instance.fleet.current();
    const { stores, now } = instance;
    const began = now();
    const budget = instance.resyncBudget();
    const sync = await syncContext(instance, {
      fleet,
      budget,
      evidence: instance.evidence.of(RESYNC_SHARD),
      until: plus(began, RUN_MS - HUB_DEADLINE_MS),
      warn: (line) => context.warn(line),
    });
    const queueUntil = plus(began, QUEUE_MS);
    const queued = {
      ...sync,
      hubs: instance.hubs({
        fleet,
        budget,
        // A twin that has begun waits for its permit.
        until: plus(queueUntil, LAST_PERMIT_MS),
        redaction: sync.redaction,
      }),
    };
    const { control, progress, conditions, twinCounts } = stores;
    const unreadable = () => instance.unreadableContents;
    const shared = { control, progress, twinCounts, unreadable };
    const liveness = {
      store: stores.liveness,
      look: () => instance.look(),
      flush: () => instance.storeEvidence(),
    };
    let purged = NOTHING_PURGED;
    const afterTables = async () => {
      const failures = new TaskFailures(() => now() < plus(began, RUN_MS), sync.warn);
      await failures.unlessFailed('counts over time and metrics', undefined, () =>
        publishCounts(instance, sync, context),
      );
      purged = await exportAndPurge(instance, sync, context, failures);
      failures.throwFirst();
    };
    const summary = await resync(
      { ...sync, ...shared, reconciler: new Reconciler(sync) },
      {
        conditions,
        liveness,
        lease: instance.lease('resync'),
        queue: { ...queued, ...shared, reconciler: new Reconciler(queued) },
        claims: instance.writeClaims,
        queueUntil,
        pausedUntil: (host) => instance.pausedUntil(host),
        afterTables,
        wait: instance.wait,
      },
    );
    const { workItems, resynced, audited } = summary;
    const { deadLetters, receipts: purgedReceipts } = purged;
    if (workItems + resynced + audited + deadLetters + purgedReceipts > 0)
      context.log(
        JSON.stringify({ event: 'fleetResynced', ...summary, purged: deadLetters, purgedReceipts }),
      );
  };
}

type Facts = Parameters<SyncContext['warn']>[1];

const NOTHING_PURGED: Purged = { receipts: 0, deadLetters: 0 };

/** Counts for the console, for metrics and for the log. */
async function publishCounts(
  instance: Instance,
  { fleet, hosts, gate }: SyncContext,
  context: InvocationContext,
): Promise<void> {
  const { stores, now, metrics } = instance;
  // Counts of a newer package, which this one cannot read, would look like none.
  if (!(await gate.current()).isOutdated) await recordSeries({ ...stores, hosts }, now());
  if (metrics.isOn)
    metrics.set(await readGauges({ ...stores, fleet, hosts, share: instance.resyncBudget() }, now()));
  if (fleet.edge === undefined) return;
  for (const [hub, { edge }] of await stores.twinCounts.read(hosts)) {
    const devices = edge?.[ALL_DEVICES];
    if (devices !== undefined) context.log(JSON.stringify({ event: 'edgeDevices', hub, ...devices }));
  }
}

/** The steps after sync. Progress of a newer package is left to that package. */
async function exportAndPurge(
  instance: Instance,
  sync: SyncContext,
  context: InvocationContext,
  failures: TaskFailures,
): Promise<Purged> {
  const { stores, now, stamp, exportContainer: container } = instance;
  const exporting = {
    ...sync,
    ...stores,
    container,
    stamp,
    warn: (message: string, facts: Facts) =>
      context.warn(JSON.stringify({ event: 'stateExportFailed', message, ...facts })),
  };
  await failures.unlessFailed('the daily export', false, () => exportDaily(exporting));
  const purging = {
    ...stores,
    now,
    retention: instance.retention,
    warn: (message: string, facts: Facts) =>
      context.warn(JSON.stringify({ event: 'purgeFailed', message, ...facts })),
  };
  return failures.unlessFailed('the purge', NOTHING_PURGED, () => purgeOld(purging));
}
