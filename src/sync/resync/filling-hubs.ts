import type { HostName } from '../../iot-hub/host-name.ts';
import { manyTwins } from './queue-size.ts';
import type { ResyncContext } from './resync-context.ts';
import { resyncedAt } from './resync-twins.ts';
import { unlessNewer } from './sparing.ts';

/** Whether `resyncTwins` must still plan twins with the present fleet file and control row, in this run or a later one. */
export async function isResyncPending(
  context: Pick<ResyncContext, 'fleet' | 'gate' | 'progress'>,
): Promise<boolean> {
  const { generation, isOutdated } = await context.gate.current();
  if (generation === undefined || isOutdated) return false;
  // A newer package plans by its own progress.
  return unlessNewer(false, async () => (await resyncedAt(context, generation.number)) === undefined);
}

/**
 * The hubs with so many twins that the resync may give each many writes. Their writes are claimed while the resync waits for the other
 * instances, because a claim takes effect later.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function hubsWithManyTwins({
  fleet,
  hosts,
  twinCounts,
}: Pick<ResyncContext, 'fleet' | 'hosts' | 'twinCounts'>): Promise<ReadonlySet<HostName>> {
  const counted = await twinCounts.read(hosts);
  const large = hosts.filter((host) => {
    const hub = fleet.hubByHost.get(host);
    const twins = Object.values(counted.get(host)?.statuses ?? {}).reduce((sum, count) => sum + count, 0);
    return hub !== undefined && twins >= manyTwins(hub);
  });
  return new Set(large);
}
