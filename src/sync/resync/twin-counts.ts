import { ownEntry } from '../../json/json.ts';
import { BUCKET_NAMES, BUCKETS } from '../../store/tables/keys.ts';
import { DAY_MS } from '../../time/day.ts';
import { earlierOf, plus } from '../../time/epoch-ms.ts';
import { instantOf } from '../../time/instant.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';

/**
 * On most tiers, Event Hubs keep events for at most seven days. A tombstone must stay one day longer than the last event.
 * During a drain the tombstones also tell which devices have left the hub, so they stay until it ends.
 */
const TOMBSTONE_MS = 8 * DAY_MS;

/** Counts the twins of all hubs, bucket by bucket, until the time is over. Continues where the last run stopped. */
export async function countTwins(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { hosts, twinCounts, now, progress, control } = context;
  const { drains } = await control.read();
  const old = plus(now(), -TOMBSTONE_MS);
  const tombstonesBefore = new Map(
    hosts.map((host) => [host, instantOf(earlierOf(old, ownEntry(drains, host)?.since ?? old))]),
  );
  const start = Number((await progress.read('counts')) ?? 0) % BUCKETS;
  const inOrder = [...BUCKET_NAMES.slice(start), ...BUCKET_NAMES.slice(0, start)];
  const counted = await twinCounts.count(inOrder, now, tombstonesBefore, mayGoOn);
  if (counted < BUCKETS) await progress.write('counts', start + counted);
  return counted;
}
