import pLimit from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';
import { dueKey, type PartitionKey, partitionsOf } from '../../store/tables/keys.ts';
import type { DueRow } from '../../store/twins/twin-store.ts';
import type { Known } from '../../twin/events/fold.ts';
import type { DuePriority } from '../../twin/snapshot/shadow.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { sparing } from './sparing.ts';

/** Twins of a hub that are worked on at the same time; the hub's budget sets the pace. */
const CONCURRENCY = 8;
/** Rows of a partition that are read at once. */
const PAGE = 50;

/** Work on one twin at a time, the most urgent first. */
const PRIORITIES: readonly DuePriority[] = ['edit', 'drift', 'resync'];

/**
 * Does what is due, hub by hub side by side: what people have edited first, then what drifted, then the rest, and the
 * oldest first. Answers how many twins were looked at.
 */
export async function drainDue(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const done = await Promise.all(context.hosts.map((host) => drainHub(host, context, mayGoOn)));
  return done.reduce((sum, count) => sum + count, 0);
}

async function drainHub(host: HostName, context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { gate } = context;
  let done = 0;
  // Without a permit for one twin, the work items of the others stay where they are.
  let lacksPermit = false;
  // Rows that fail stay due, and are for a later run.
  const failed = new Set<string>();
  for (const priority of PRIORITIES) {
    for (;;) {
      // While a hub is paused its due work waits where it is.
      if ((await gate.current()).closedFor(host) !== undefined) return done;
      const rows = (await dueOf(host, priority, context)).filter(({ rowKey }) => !failed.has(rowKey));
      const limit = pLimit(CONCURRENCY);
      const before = done;
      await Promise.all(
        rows.map((row) =>
          limit(async () => {
            if (!mayGoOn() || lacksPermit) return;
            const isDone = await sparing(row.id, context, async () => {
              if (await doDue(row, context)) lacksPermit = true;
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
export async function dueOf(
  host: HostName,
  priority: DuePriority,
  { twins, hubNow }: Pick<ResyncContext, 'twins' | 'hubNow'>,
): Promise<readonly DueRow[]> {
  const at = hubNow();
  const pages = await Promise.all(
    partitionsOf(host).map((partition: PartitionKey) => twins.due(partition, priority, at, PAGE)),
  );
  return pages.flat().sort((one, other) => (one.rowKey < other.rowKey ? -1 : 1));
}

/** True: the hub's budget had no permit for it. */
async function doDue(row: DueRow, context: ResyncContext): Promise<boolean> {
  const { known, lacksPermit = false } = await context.reconciler.reconcile(row.id, []);
  await dropStale(row, known, context);
  return lacksPermit;
}

/** Removes a row of due work that its twin does not know of. */
export async function dropStale(
  row: DueRow,
  known: Known,
  { twins }: Pick<ResyncContext, 'twins'>,
): Promise<void> {
  const due = known.kind === 'shadow' ? known.shadow.due : undefined;
  // A row that its twin does not know would come up again for ever.
  if (due === undefined || dueKey(row.id, due.priority, due.at) !== row.rowKey) await twins.dropDue(row);
}
