import type { Fleet } from '../../fleet/fleet.ts';
import { type HostName, hostName } from '../../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../../json/json.ts';
import {
  coordinatesOf,
  expectedRoundTripMs,
  type RegionPlace,
  regionName,
  roundTripMs,
} from '../../regions/regions.ts';
import type { AllocationRequest } from '../request/request.ts';

/** Where a latency comes from, the best source first. */
export type LatencySource = 'measured' | 'regions' | 'distance';

export interface Latency {
  readonly ms: number;
  readonly source: LatencySource;
}

/**
 * What a device sent about latency, as far as it was read; `null` stands for what could not be used. The same
 * input gives the same latencies again.
 */
export interface LatencyInputs {
  /** ms by the identity of a linked hub or by its region. */
  readonly latency?: Readonly<Record<string, number | null>> | null;
  readonly region?: string | null;
  readonly location?: { readonly lat: number; readonly lon: number } | null;
}

export interface Latencies {
  /** Of the linked hubs; a hub that no source knows is not there. */
  readonly byHost: ReadonlyMap<HostName, Latency>;
  readonly inputs: LatencyInputs;
  /** What the device sent and could not be used. Holds no values, and no names but those of hubs and regions. */
  readonly notes: readonly string[];
}

export const NO_LATENCIES: Latencies = { byHost: new Map(), inputs: {}, notes: [] };

/** No round trip that anybody would measure; above it, it is another unit or nonsense. */
const LONGEST_MS = 60_000;

/**
 * How far each linked hub is from a device, by the first source that knows: what the device measured
 * (`payload.latency`, host or region → ms), the times between Azure regions from its own (`payload.region`),
 * the distance from where it is (`payload.location {lat, lon}`, else its region).
 */
export function latenciesOf(
  { latency: sent, linkedHubs }: Pick<AllocationRequest, 'latency' | 'linkedHubs'>,
  fleet: Fleet,
): Latencies {
  if (sent === undefined) return NO_LATENCIES;
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
  /** Undefined: the hub is not in the fleet file. */
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
  if (hubRegion === undefined) return undefined;
  const published = region === undefined ? undefined : roundTripMs(region, hubRegion);
  if (published !== undefined) return { ms: published, source: 'regions' };
  const there = coordinatesOf(hubRegion);
  if (place === undefined || there === undefined) return undefined;
  return { ms: Math.round(expectedRoundTripMs(place, there)), source: 'distance' };
}

function readInputs({ latency, region, location }: JsonObject, hubs: readonly LinkedRegion[]): LatencyInputs {
  return {
    ...(latency === undefined ? {} : { latency: isObject(latency) ? readFigures(latency, hubs) : null }),
    ...(region === undefined ? {} : { region: readRegion(region) }),
    ...(location === undefined ? {} : { location: readPlace(location) }),
  };
}

/** What was measured to hubs or regions that are none of the linked ones is of no use here, and no mistake. */
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
    // Another spelling of the same name may have said better.
    else figures[name] ??= null;
  }
  return figures;
}

/** The name that a person may have written otherwise: in another case, or another host name of the hub. */
function spelling(key: string, wanted: ReadonlySet<string>): string | undefined {
  if (wanted.has(key)) return key;
  const host = hostName(key);
  if (wanted.has(host)) return host;
  const region = regionName(key);
  return wanted.has(region) ? region : undefined;
}

function readRegion(region: JsonValue): string | null {
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
    ...(latency === null ? ['payload.latency is no object of host or region and ms'] : []),
    ...wrong.map(([name]) => `payload.latency of ${name} is no number from 0 to ${LONGEST_MS}`),
    ...(region === null ? ['payload.region is no Azure region'] : []),
    ...(location === null ? ['payload.location is no {lat, lon} in degrees'] : []),
  ];
}
