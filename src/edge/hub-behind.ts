import type { EpochMs } from '../time/epoch-ms.ts';
import { type Instant, instantOf, latestBelievable } from '../time/instant.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/**
 * The hub's time of the manifest in `$edgeAgent`, if the stored `$edgeHub` is older. Then `$edgeHub` may not have the routes of that
 * manifest yet: the event of its creation, or of an earlier apply, may be handled after the apply. Undefined: the two can be compared.
 *
 * The hub has written both twins, so their times can be compared. `$edgeHub` is as new as the manifest after one read, also if the apply
 * did not write it. A time that is too far ahead of the hub's clock is not believed: no read would reach it.
 *
 * @param now the hub's clock
 */
export function hubBehindSince(
  { desired, runtime }: Pick<Snapshot, 'desired' | 'runtime'>,
  hub: Pick<Snapshot, 'asOf'> | undefined,
  now: EpochMs,
): Instant | undefined {
  const appliedAt = runtime?.desiredAt;
  const hasManifest = Object.keys(desired).length > 0;
  if (hub === undefined || appliedAt === undefined || !hasManifest) return undefined;
  return hub.asOf < appliedAt && appliedAt <= latestBelievable(instantOf(now)) ? appliedAt : undefined;
}
