import table from './azure-regions.json' with { type: 'json' };

/** A place on earth, in degrees. */
export interface RegionPlace {
  readonly lat: number;
  readonly lon: number;
}

const COORDINATES: Readonly<Record<string, readonly number[]>> = table.coordinates;
/** Each pair once. A map with both directions would take 2 ms of each cold start. */
const ROUND_TRIPS: Readonly<Record<string, Readonly<Record<string, number>>>> = table.roundTripMs;

/** Regions come from files and requests: `constructor` is none. */
function ownOf<Value>(
  values: Readonly<Record<string, Value>> | undefined,
  region: string,
): Value | undefined {
  return values !== undefined && Object.hasOwn(values, region) ? values[region] : undefined;
}

/**
 * Round-trip time within a region. Microsoft publishes no figure for a region, only "less than about 2 ms"
 * between its availability zones (learn: availability zones overview).
 */
const SAME_REGION_MS = 1;

/** The normalized name of an Azure region: `West Europe` and `westeurope` are both `westeurope`. */
export function regionName(text: string): string {
  return text.toLowerCase().replace(/[\s_-]/g, '');
}

/** The coordinates of a region; undefined for an unknown region. */
export function coordinatesOf(region: string): RegionPlace | undefined {
  const [lat, lon] = ownOf(COORDINATES, region) ?? [];
  return lat === undefined || lon === undefined ? undefined : { lat, lon };
}

/** Median round-trip time between two regions, in milliseconds; undefined if Microsoft publishes none. */
export function roundTripMs(one: string, other: string): number | undefined {
  if (one === other && Object.hasOwn(COORDINATES, one)) return SAME_REGION_MS;
  return ownOf(ownOf(ROUND_TRIPS, one), other) ?? ownOf(ownOf(ROUND_TRIPS, other), one);
}

/** Least-squares line through the 1,226 pairs of the table. Its average error is 26 ms. */
const MS_AT_NO_DISTANCE = 26.07;
const MS_PER_KM = 0.01426;

/** Expected round-trip time for the distance between two places, in milliseconds. */
export function expectedRoundTripMs(one: RegionPlace, other: RegionPlace): number {
  return MS_AT_NO_DISTANCE + MS_PER_KM * distanceKm(one, other);
}

const EARTH_RADIUS_KM = 6_371;

/** Great-circle distance (haversine). */
export function distanceKm(one: RegionPlace, other: RegionPlace): number {
  const lat = radians(other.lat - one.lat);
  const lon = radians(other.lon - one.lon);
  const chord =
    Math.sin(lat / 2) ** 2 +
    Math.cos(radians(one.lat)) * Math.cos(radians(other.lat)) * Math.sin(lon / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
