import table from './azure-regions.json' with { type: 'json' };

/** A place on earth, in degrees. */
export interface RegionPlace {
  readonly lat: number;
  readonly lon: number;
}

const COORDINATES = new Map(
  Object.entries(table.coordinates).map(([region, [lat, lon]]) => [region, { lat, lon } as RegionPlace]),
);
/** Both directions of each pair, so that a look-up is one step. */
const ROUND_TRIPS = new Map<string, Map<string, number>>();
for (const [one, others] of Object.entries(table.roundTripMs)) {
  for (const [other, ms] of Object.entries(others)) {
    roundTripsOf(one).set(other, ms);
    roundTripsOf(other).set(one, ms);
  }
}

function roundTripsOf(region: string): Map<string, number> {
  const known = ROUND_TRIPS.get(region);
  if (known !== undefined) return known;
  const made = new Map<string, number>();
  ROUND_TRIPS.set(region, made);
  return made;
}

/**
 * Within a region. Microsoft publishes no figure for it; between the availability zones of one it names less
 * than about 2 ms (learn: availability zones overview).
 */
const SAME_REGION_MS = 1;

/** An Azure region's name as the fleet file writes it, whichever way a person does: `West Europe`, `westeurope`. */
export function regionName(text: string): string {
  return text.toLowerCase().replace(/[\s_-]/g, '');
}

/** Where a region is; undefined for a name that is no Azure region. */
export function coordinatesOf(region: string): RegionPlace | undefined {
  return COORDINATES.get(region);
}

/** Median round-trip time between two regions, ms; undefined where Microsoft publishes none. */
export function roundTripMs(one: string, other: string): number | undefined {
  if (one === other && COORDINATES.has(one)) return SAME_REGION_MS;
  return ROUND_TRIPS.get(one)?.get(other);
}

/** The line of least squares through the table's 1,226 pairs; it errs by 26 ms on average. */
const MS_AT_NO_DISTANCE = 26.07;
const MS_PER_KM = 0.01426;

/** What the distance between two places lets one expect of the round-trip time, ms. */
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
