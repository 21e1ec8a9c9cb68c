import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { millisecondsOf } from '../time/instant.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** A call to a hub ends after ten seconds. The rest is for a request that arrives late, and for the difference of the clocks. */
const LATEST_ARRIVAL_MS = 60_000;

/** Whether an apply that has no result may still reach the hub. */
export function mayArrive({ at }: { readonly at: EpochMs }, now: EpochMs): boolean {
  return now <= plus(at, LATEST_ARRIVAL_MS);
}

/**
 * Whether the present manifest may come from an apply that has no result. A manifest that the hub took later comes from another writer.
 */
export function mayComeFrom(
  { at }: { readonly at: EpochMs },
  { runtime }: Pick<Snapshot, 'runtime'>,
): boolean {
  return runtime === undefined || millisecondsOf(runtime.desiredAt) <= plus(at, LATEST_ARRIVAL_MS);
}
