import type { Fleet } from '../../fleet/fleet.ts';
import { regionLatency } from '../../fleet/region-latencies.ts';
import { type HostName, hostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import { coordinatesOf, type RegionPlace, regionName } from '../../regions/regions.ts';
import type { AllocationRequest } from '../request/request.ts';

/** The source of a latency, the best source first. */
export type LatencySource = 'measured' | 'regions' | 'distance';

export interface Latency {
  readonly ms: number;
  readonly source: LatencySource;
}

/**
 * The latency inputs that a device sent, as far as Berth read them. `null` stands for an unusable value. The
 * same inputs give the same latencies.
 */
export interface LatencyInputs {
  /** Milliseconds, by the identity of a linked hub or by its region. */
  readonly latency?: Readonly<Record<string, number | null>> | null;
  readonly region?: string | null;
  readonly location?: { readonly lat: number; readonly lon: number } | null;
}

export interface Latencies {
  /** Latencies of the linked hubs, and perhaps of others. A hub without a source is missing. */
  readonly byHost: ReadonlyMap<HostName, Latency>;
  readonly inputs: LatencyInputs;
  /**
   * Inputs of the device that could not be used. It contains no values, and only names of hubs and regions.
   */
  readonly notes: readonly string[];
}

export const NO_LATENCIES: Latencies = { byHost: new Map(), inputs: {}, notes: [] };

/** Longest plausible round trip. A larger value is in another unit or wrong. */
const LONGEST_MS = 60_000;

/**
 * Finds the latency from a device to each linked hub, from the first source that has one:
 *
 * 1. the measurements of the device (`payload.latency`, from host or region to milliseconds);
 * 2. the published times between Azure regions, from the region of the device (`payload.region`);
 * 3. the distance from the device (`payload.location {lat, lon}`, else its region).
 */
export function latenciesOf(
  { latency: sent, linkedHubs }: Pick<AllocationRequest, 'latency' | 'linkedHubs'>,
  fleet: Fleet,
): Latencies {
  if (sent === undefined) return NO_LATENCIES;
  const byRegion = sent.latency === undefined && sent.location === undefined ? readRegion(sent.region) : null;
  if (byRegion !== null) {
    return {
      byHost: fleet.allocation.regionLatencies.from(byRegion),
      inputs: { region: byRegion },
      notes: [],
    };
  }
  const hubs = linkedHubs.map(({ host }) => ({ host, region: fleet.hubByHost.get(host)?.region }));
  const inputs = readInputs(sent, hubs);
  const { latency, region, location } = inputs;
  const place = location ?? (region ? coordinatesOf(region) : undefined);
  const byHost = new Map<HostName, Latency>();
  for (const hub of hubs) {
    const found = latencyTo(hub, latency ?? {}, region ?? undefined, place);
    if (found !== undefined) byHost.set(hub.host, found);
  }
  return { byHost, inputs, notes: notesOn(inputs) };
}

interface LinkedRegion {
  readonly host: HostName;
  /** Undefined if the hub is not in the fleet file. */
  readonly region: string | undefined;
}

function latencyTo(
  { host, region: hubRegion }: LinkedRegion,
  measured: Readonly<Record<string, number | null>>,
  region: string | undefined,
  place: RegionPlace | undefined,
): Latency | undefined {
  const own = measured[host] ?? (hubRegion === undefined ? undefined : measured[hubRegion]);
  if (typeof own === 'number') return { ms: own, source: 'measured' };
  return hubRegion === undefined ? undefined : regionLatency(region, place, hubRegion);
}

function readInputs({ latency, region, location }: JsonObject, hubs: readonly LinkedRegion[]): LatencyInputs {
  return {
    ...(latency === undefined ? {} : { latency: isObject(latency) ? readFigures(latency, hubs) : null }),
    ...(region === undefined ? {} : { region: readRegion(region) }),
    ...(location === undefined ? {} : { location: readPlace(location) }),
  };
}

/** Reads the measurements to linked hubs and their regions. Others are ignored without a note. */
function readFigures(latency: JsonObject, hubs: readonly LinkedRegion[]): Record<string, number | null> {
  const wanted = new Set<string>();
  for (const { host, region } of hubs) {
    wanted.add(host);
    if (region !== undefined) wanted.add(region);
  }
  const figures: Record<string, number | null> = {};
  for (const key in latency) {
    const name = spelling(key, wanted);
    if (name === undefined) continue;
    const ms = latency[key];
    if (typeof ms === 'number' && ms >= 0 && ms <= LONGEST_MS) figures[name] = ms;
    // Another spelling of the same name may have a valid value.
    else figures[name] ??= null;
  }
  return figures;
}

/**
 * The wanted name for a key in another case, or for another host name of the hub; undefined if there is none.
 */
function spelling(key: string, wanted: ReadonlySet<string>): string | undefined {
  if (wanted.has(key)) return key;
  const host = hostName(key);
  if (wanted.has(host)) return host;
  const region = regionName(key);
  return wanted.has(region) ? region : undefined;
}

function readRegion(region: JsonValue | undefined): string | null {
  const name = typeof region === 'string' && region.length <= 64 ? regionName(region) : '';
  return coordinatesOf(name) === undefined ? null : name;
}

function readPlace(location: JsonValue): RegionPlace | null {
  if (!isObject(location)) return null;
  const { lat, lon } = location;
  if (typeof lat !== 'number' || typeof lon !== 'number') return null;
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : null;
}

function notesOn({ latency, region, location }: LatencyInputs): readonly string[] {
  const wrong = Object.entries(latency ?? {}).filter(([, ms]) => ms === null);
  return [
    ...(latency === null ? ['payload.latency is not an object from host or region to milliseconds'] : []),
    ...wrong.map(([name]) => `payload.latency of ${name} is not a number from 0 to ${LONGEST_MS}`),
    ...(region === null ? ['payload.region is not an Azure region'] : []),
    ...(location === null ? ['payload.location is not {lat, lon} in degrees'] : []),
  ];
}
