import pLimit from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type PartitionKey, partitionsOf, workItemKey } from '../../store/tables/keys.ts';
import type { WorkItemRow } from '../../store/twins/twin-store.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import type { WorkPriority } from '../../twin/snapshot/snapshot.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';

/** Twins of a hub that are reconciled at the same time. The hub's budget limits the rate. */
const CONCURRENCY = 8;
/** Rows of a partition that are read at once. */
const PAGE = 50;

/** The priorities of work on single twins, the most urgent first. */
const PRIORITIES: readonly WorkPriority[] = ['edit', 'drift', 'resync'];

/**
 * Does the due work items of hubs at the same time. In each hub, edits come first, then drifts, then resyncs; the oldest
 * first.
 *
 * @returns how many twins were handled.
 */
export async function processQueue(
  hosts: readonly HostName[],
  context: ResyncContext,
  mayGoOn: MayGoOn,
): Promise<number> {
  const done = await Promise.all(hosts.map((host) => processHub(host, context, mayGoOn)));
  return done.reduce((sum, count) => sum + count, 0);
}

async function processHub(host: HostName, context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { gate } = context;
  let done = 0;
  // Without a permit for one twin, the work items of the others stay where they are.
  let lacksPermit = false;
  // Rows that fail stay due for a later run.
  const failed = new Set<string>();
  for (const priority of PRIORITIES) {
    for (;;) {
      // While a hub is paused, its work items stay in the queue.
      if ((await gate.current()).closedFor(host) !== undefined) return done;
      const rows = (await dueItems(host, priority, context)).filter(({ rowKey }) => !failed.has(rowKey));
      const limit = pLimit(CONCURRENCY);
      const before = done;
      await Promise.all(
        rows.map((row) =>
          limit(async () => {
            if (!mayGoOn() || lacksPermit) return;
            const isDone = await sparing(row.id, context, async () => {
              if (await processItem(row, context)) lacksPermit = true;
            });
            if (!isDone) failed.add(row.rowKey);
            done += 1;
          }),
        ),
      );
      if (!mayGoOn() || lacksPermit) return done;
      if (rows.length === 0 || done === before) break;
    }
  }
  return done;
}

/** The oldest rows of a priority in all partitions of a hub. */
export async function dueItems(
  host: HostName,
  priority: WorkPriority,
  { twins, hubNow }: Pick<ResyncContext, 'twins' | 'hubNow'>,
): Promise<readonly WorkItemRow[]> {
  const at = hubNow();
  const pages = await Promise.all(
    partitionsOf(host).map((partition: PartitionKey) => twins.dueItems(partition, priority, at, PAGE)),
  );
  return pages.flat().sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
}

/** Returns true if there was no permit for it. */
async function processItem(row: WorkItemRow, context: ResyncContext): Promise<boolean> {
  const { known, lacksPermit = false } = await context.reconciler.reconcile(row.id, []);
  await dropStale(row, known, context);
  return lacksPermit;
}

/** Removes the row of a work item that its twin no longer has. */
export async function dropStale(
  row: WorkItemRow,
  known: Known,
  { twins }: Pick<ResyncContext, 'twins'>,
): Promise<void> {
  const workItem = known.kind === 'snapshot' ? known.snapshot.workItem : undefined;
  // Such a row would otherwise be due in every run.
  if (workItem === undefined || workItemKey(row.id, workItem.priority, workItem.at) !== row.rowKey)
    await twins.dropItem(row);
}
