import type { HostName } from '../../src/iot-hub/host-name.ts';
import { BUCKET_NAMES } from '../../src/store/tables/keys.ts';
import type { TwinCountStore } from '../../src/store/twins/twin-count-store.ts';
import type { EpochMs } from '../../src/time/epoch-ms.ts';
import { type Instant, NEVER } from '../../src/time/instant.ts';

/** Counts the twins of hubs in all buckets, as a run of `resyncFleet` does. */
export async function countAll(
  { twinCounts }: { readonly twinCounts: Pick<TwinCountStore, 'count'> },
  hosts: readonly HostName[],
  at: EpochMs,
  tombstonesBefore: Instant = NEVER,
): Promise<void> {
  const hubs = new Map(hosts.map((host) => [host, tombstonesBefore]));
  await twinCounts.count(
    BUCKET_NAMES,
    () => at,
    hubs,
    () => true,
  );
}
