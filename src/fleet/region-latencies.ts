import type { HostName } from '../iot-hub/host-name.ts';
import { coordinatesOf, expectedRoundTripMs, type RegionPlace, roundTripMs } from '../regions/regions.ts';

/** A latency that follows from the region of a device and that of a hub. */
export interface RegionLatency {
  readonly ms: number;
  /** `regions`: a published time between the regions. `distance`: an estimate from their distance. */
  readonly source: 'regions' | 'distance';
}

/**
 * The latencies from an Azure region to the hubs of a fleet. Each region is computed at its first use, because most fleets have
 * devices in a few regions, and each device would otherwise compute the same 50 numbers.
 */
export class RegionLatencies {
  readonly #hubs: readonly { readonly host: HostName; readonly region: string }[];
  /** By region. Only regions of Azure, so that devices cannot make it grow. */
  readonly #known = new Map<string, ReadonlyMap<HostName, RegionLatency>>();

  constructor(hubs: readonly { readonly host: HostName; readonly region: string }[]) {
    this.#hubs = hubs;
  }

  /** By hub; a hub in an unknown region is missing. Empty for an unknown region. */
  from(region: string): ReadonlyMap<HostName, RegionLatency> {
    const known = this.#known.get(region);
    if (known !== undefined) return known;
    const place = coordinatesOf(region);
    if (place === undefined) return NONE;
    const latencies = new Map<HostName, RegionLatency>();
    for (const { host, region: there } of this.#hubs) {
      const latency = regionLatency(region, place, there);
      if (latency !== undefined) latencies.set(host, latency);
    }
    this.#known.set(region, latencies);
    return latencies;
  }
}

const NONE: ReadonlyMap<HostName, RegionLatency> = new Map();

/**
 * The latency to a hub from a region or a place: the published time between regions, else an estimate from the distance. Undefined
 * if neither is known.
 */
export function regionLatency(
  from: string | undefined,
  place: RegionPlace | undefined,
  hubRegion: string,
): RegionLatency | undefined {
  const published = from === undefined ? undefined : roundTripMs(from, hubRegion);
  if (published !== undefined) return { ms: published, source: 'regions' };
  const there = coordinatesOf(hubRegion);
  if (place === undefined || there === undefined) return undefined;
  return { ms: Math.round(expectedRoundTripMs(place, there)), source: 'distance' };
}
