import pLimit from 'p-limit';
import type { PartitionKey } from '../../store/tables/keys.ts';
import { DAY_MS } from '../../time/day.ts';
import { plus } from '../../time/epoch-ms.ts';
import { instantOf } from '../../time/instant.ts';
import { type MayGoOn, partitionsFor, type ResyncContext } from './resync-context.ts';

const CONCURRENCY = 8;
/**
 * On most tiers, Event Hubs keep events for at most seven days. A tombstone must stay one day longer than the last event.
 */
const TOMBSTONE_MS = 8 * DAY_MS;

/** Counts partitions until the time is over. Continues where the last run stopped. */
export async function countTwins(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { twins, now, progress } = context;
  const partitions = partitionsFor(context);
  const start = Number((await progress.read('counts')) ?? 0) % Math.max(1, partitions.length);
  let counted = 0;
  const count = async (partition: PartitionKey): Promise<void> => {
    if (!mayGoOn()) return;
    await twins.count(partition, now(), instantOf(plus(now(), -TOMBSTONE_MS)));
    counted += 1;
  };
  const limit = pLimit(CONCURRENCY);
  const inOrder = [...partitions.slice(start), ...partitions.slice(0, start)];
  await Promise.all(inOrder.map((partition) => limit(() => count(partition))));
  if (counted < partitions.length) await progress.write('counts', start + counted);
  return counted;
}
