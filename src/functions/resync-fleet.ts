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
import { RUN_MS, resync } from '../sync/resync/resync.ts';
import { recordSeries } from '../sync/resync/series.ts';
import { unlessNewer } from '../sync/resync/sparing.ts';
import { plus } from '../time/epoch-ms.ts';

/** Runs every minute: counts and health of hubs, work items, counts of twins, the audit, the daily export, old receipts and dead letters. */
export function resyncFleet(
  instance: Instance,
): (timer: unknown, context: InvocationContext) => Promise<void> {
  return async (_, context) => {
    const fleet = instance.fleet.current();
    const { stores, now } = instance;
    const hubsUntil = plus(now(), RUN_MS - HUB_DEADLINE_MS);
    const sync = await syncContext(instance, {
      fleet,
      budget: instance.resyncBudget(),
      evidence: instance.evidence.of(RESYNC_SHARD),
      until: hubsUntil,
      warn: (line) => context.warn(line),
    });
    const { control, progress, conditions, twinCounts } = stores;
    const liveness = {
      store: stores.liveness,
      look: () => instance.look(),
      flush: () => instance.storeEvidence(),
    };
    const summary = await resync(
      { ...sync, reconciler: new Reconciler(sync), control, progress, twinCounts },
      { conditions, liveness, lease: instance.lease('resync'), hubsUntil },
    );
    if (summary.ran) await recordSeries({ ...stores, hosts: sync.hosts }, now());
    if (summary.ran && instance.metrics.isOn)
      instance.metrics.set(
        await readGauges({ ...stores, fleet, hosts: sync.hosts, share: instance.resyncBudget() }, now()),
      );
    if (summary.ran && fleet.edge !== undefined) {
      for (const [host, { edge }] of await twinCounts.read(sync.hosts)) {
        const devices = edge?.[ALL_DEVICES];
        if (devices !== undefined)
          context.log(JSON.stringify({ event: 'edgeDevices', hub: host, ...devices }));
      }
    }
    const purged = summary.ran ? await exportAndPurge(instance, sync, context) : NOTHING_PURGED;
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

/** The steps after sync. Progress of a newer package is left to that package. */
async function exportAndPurge(
  instance: Instance,
  sync: SyncContext,
  context: InvocationContext,
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
  await unlessNewer(false, () => exportDaily(exporting));
  const purging = {
    ...stores,
    now,
    retention: () => instance.retention(),
    warn: (message: string, facts: Facts) =>
      context.warn(JSON.stringify({ event: 'purgeFailed', message, ...facts })),
  };
  return unlessNewer(NOTHING_PURGED, () => purgeOld(purging));
}
