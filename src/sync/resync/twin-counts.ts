import pLimit from 'p-limit';
import { ownEntry } from '../../json/json.ts';
import { type PartitionKey, partitionsOf } from '../../store/tables/keys.ts';
import { DAY_MS } from '../../time/day.ts';
import { earlierOf, plus } from '../../time/epoch-ms.ts';
import { instantOf } from '../../time/instant.ts';
import { type MayGoOn, partitionsFor, type ResyncContext } from './resync-context.ts';

const CONCURRENCY = 8;
/**
 * On most tiers, Event Hubs keep events for at most seven days. A tombstone must stay one day longer than the last event.
 * During a drain the tombstones also tell which devices have left the hub, so they stay until it ends.
 */
const TOMBSTONE_MS = 8 * DAY_MS;

/** Counts partitions until the time is over. Continues where the last run stopped. */
export async function countTwins(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { twins, now, progress, control } = context;
  const { drains } = await control.read();
  const old = plus(now(), -TOMBSTONE_MS);
  const tombstonesBefore = new Map(
    context.hosts.flatMap((host) => {
      const before = instantOf(earlierOf(old, ownEntry(drains, host)?.since ?? old));
      return partitionsOf(host).map((partition) => [partition, before] as const);
    }),
  );
  const partitions = partitionsFor(context);
  const start = Number((await progress.read('counts')) ?? 0) % Math.max(1, partitions.length);
  let counted = 0;
  const count = async (partition: PartitionKey): Promise<void> => {
    if (!mayGoOn()) return;
    await twins.count(partition, now(), tombstonesBefore.get(partition) ?? instantOf(old));
    counted += 1;
  };
  const limit = pLimit(CONCURRENCY);
  const inOrder = [...partitions.slice(start), ...partitions.slice(0, start)];
  await Promise.all(inOrder.map((partition) => limit(() => count(partition))));
  if (counted < partitions.length) await progress.write('counts', start + counted);
  return counted;
}
