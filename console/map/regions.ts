import type { Place } from './projection.ts';

/** `[latitude, longitude]` of each Azure region; the build puts in those of `src/regions/azure-regions.json`. */
declare const __BERTH_REGION_COORDINATES__: Readonly<Record<string, readonly [number, number]>>;

/** Where an Azure region is; undefined for a name that is none. */
export function placeOf(region: string): Place | undefined {
  const found = Object.hasOwn(__BERTH_REGION_COORDINATES__, region)
    ? __BERTH_REGION_COORDINATES__[region]
    : undefined;
  return found === undefined ? undefined : { lat: found[0], lon: found[1] };
}
