import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../src/json/json.ts';
import type { DeviceProgress, FleetProgress } from '../progress.ts';
import {
  DEVICE_STATUS,
  EVENT_COUNTERS,
  FLEET_STATUS,
  type FleetStatus,
  getJson,
  HUB_COUNTERS,
  HUB_TWIN,
  type TwinStatus,
} from './apis.ts';

/** The JSON that `npm start -- --once --json` ends with. */
export interface LoopResult {
  readonly devices: number;
  readonly hubs: readonly { readonly host: string; readonly weight: number; readonly devices: number }[];
  readonly twins: Readonly<Record<string, number>>;
  /** Events since the start. */
  readonly events: number;
  /** Desired patches that the hubs have accepted from the service side since the start. */
  readonly corrections: number;
  /** Calls of the service side since the start; `identityOps` holds the reads of hub statistics too. */
  readonly hubOps: {
    readonly twinReads: number;
    readonly twinWrites: number;
    readonly queries: number;
    readonly identityOps: number;
  };
  readonly seconds: number;
}

export type LoopCheck =
  | { readonly closed: true; readonly result: LoopResult }
  | { readonly closed: false; readonly missing: readonly string[] };

export interface LoopOptions {
  readonly progress: FleetProgress;
  readonly controlUrl: string;
  readonly functionsUrl: string;
  readonly functionKey: string;
  readonly masterKey: string;
  /** `Date.now()` at the start. */
  readonly startedAt: number;
  /** Events that there were already at the start. */
  readonly eventsBefore: number;
}

const AT_ONCE = 8;
const COUNTED_WITHIN_MS = 15_000;

/**
 * Whether the loop has closed: devices registered and reported, every event read, every twin where the
 * policies want it or rejected, and what Berth says agrees with the hubs' own twins. Asks over HTTP only, as
 * an operator would.
 */
export async function checkLoop(options: LoopOptions): Promise<LoopCheck> {
  const behind = [...devicesBehind(options.progress), ...(await eventsBehind(options))];
  if (behind.length > 0) return { closed: false, missing: behind };

  const fleet = await freshFleetStatus(options);
  const { missing, hubs } = await compareWithHubs(options, fleet);
  if (missing.length > 0) return { closed: false, missing };
  // What was compared must still be all there is.
  const late = await eventsBehind(options);
  if (late.length > 0) return { closed: false, missing: late };

  const { events } = await getJson(`${options.controlUrl}/events`, EVENT_COUNTERS);
  const total = (pick: (hub: HubCounters) => number) => hubs.reduce((sum, hub) => sum + pick(hub), 0);
  return {
    closed: true,
    result: {
      devices: options.progress.devices.size,
      hubs: hubs.map(({ host, devices }) => ({
        host,
        weight: fleet.hubs.find((hub) => hub.host === host)?.weight ?? 0,
        devices,
      })),
      twins: fleet.twins,
      events: events - options.eventsBefore,
      corrections: total((hub) => hub.twinWrites),
      hubOps: {
        twinReads: total((hub) => hub.twinReads),
        twinWrites: total((hub) => hub.twinWrites),
        queries: total((hub) => hub.queries),
        identityOps: total((hub) => hub.identityOps + hub.statisticsReads),
      },
      seconds: Math.round((Date.now() - options.startedAt) / 100) / 10,
    },
  };
}

type HubCounters = z.output<typeof HUB_COUNTERS>;

function devicesBehind({ devices }: FleetProgress): readonly string[] {
  const all = [...devices.values()];
  const say = (behind: readonly DeviceProgress[], what: string) => {
    const first = behind[0];
    if (first === undefined) return [];
    const trouble = first.trouble === undefined ? '' : `: ${first.trouble}`;
    return [`${behind.length} of ${all.length} devices ${what} (${first.profile.deviceId}${trouble})`];
  };
  const unregistered = all.filter(({ hub }) => hub === undefined);
  const silent = all.filter(({ hub, reports }) => hub !== undefined && reports < 2);
  return [...say(unregistered, 'have not registered'), ...say(silent, 'have not reported twice')];
}

async function eventsBehind({ controlUrl }: LoopOptions): Promise<readonly string[]> {
  const { unread } = await getJson(`${controlUrl}/events`, EVENT_COUNTERS);
  return unread === 0 ? [] : [`${unread} events are unread`];
}

/**
 * Fires `resyncFleet` by hand, which does work items and counts, and waits for counts that are newer than that.
 */
async function freshFleetStatus({ functionsUrl, functionKey, masterKey }: LoopOptions): Promise<FleetStatus> {
  const fired = Date.now();
  await fetch(`${functionsUrl}/admin/functions/resyncFleet`, {
    method: 'POST',
    headers: { 'x-functions-key': masterKey, 'content-type': 'application/json' },
    body: '{}',
    signal: AbortSignal.timeout(10_000),
  });
  for (;;) {
    const fleet = await getJson(`${functionsUrl}/api/fleet`, FLEET_STATUS, {
      'x-functions-key': functionKey,
    });
    const isFresh = fleet.hubs.every(({ twinsCountedAt }) => Date.parse(twinsCountedAt ?? '') >= fired);
    if (isFresh || Date.now() - fired > COUNTED_WITHIN_MS) return fleet;
    await delay(250);
  }
}

/** Every twin of every hub, as the hub has it and as Berth has it. */
async function compareWithHubs(
  options: LoopOptions,
  fleet: FleetStatus,
): Promise<{ readonly missing: readonly string[]; readonly hubs: readonly HubCounters[] }> {
  const { controlUrl } = options;
  const hubs = await getJson(`${controlUrl}/hubs`, z.array(HUB_COUNTERS));
  const missing: string[] = [];
  for (const hub of hubs) {
    const deviceIds = await getJson(`${controlUrl}/hubs/${hub.host}/devices`, z.array(z.string()));
    const states = new Map<string, number>();
    for (let from = 0; from < deviceIds.length; from += AT_ONCE) {
      const looks = deviceIds
        .slice(from, from + AT_ONCE)
        .map((deviceId) => compareTwin(options, hub.host, deviceId));
      for (const found of await Promise.all(looks)) {
        missing.push(...found.missing);
        states.set(found.state, (states.get(found.state) ?? 0) + 1);
      }
    }
    const said = fleet.hubs.find(({ host }) => host === hub.host);
    if (said?.devices !== hub.devices) {
      missing.push(`Berth counts ${said?.devices ?? 'no'} devices on ${hub.host}, which has ${hub.devices}`);
    }
    for (const [state, count] of Object.entries(said?.twins ?? {})) {
      if (count === (states.get(state) ?? 0)) continue;
      missing.push(
        `Berth counts ${count} twins ${state} on ${hub.host}, and shows ${states.get(state) ?? 0}`,
      );
    }
  }
  return { missing, hubs };
}

async function compareTwin(
  { controlUrl, functionsUrl, functionKey, progress }: LoopOptions,
  host: string,
  deviceId: string,
): Promise<{ readonly state: string; readonly missing: readonly string[] }> {
  const path = encodeURIComponent(deviceId);
  const [own, status] = await Promise.all([
    getJson(`${controlUrl}/hubs/${host}/devices/${path}`, HUB_TWIN),
    getJson(`${functionsUrl}/api/devices/${path}`, DEVICE_STATUS, { 'x-functions-key': functionKey }),
  ]);
  const twin = status.twins.find(({ hub, moduleId }) => hub === host && moduleId === null);
  if (twin === undefined)
    return { state: 'missing', missing: [`Berth does not know ${deviceId} on ${host}`] };
  const missing: string[] = [];
  if (twin.version !== own.version) {
    missing.push(`Berth has version ${twin.version} of ${deviceId}, the hub ${own.version}`);
  }
  if (twin.workItem !== null && Date.parse(twin.workItem.at) <= Date.now())
    missing.push(`${deviceId} is due: ${twin.workItem.why}`);
  for (const leaf of twin.paths) {
    const keys = leaf.path.split('.');
    const agrees =
      sameJson(leaf.desired, at(own.properties.desired as JsonObject, keys)) &&
      sameJson(leaf.reported, at(own.properties.reported as JsonObject, keys));
    if (!agrees) missing.push(`Berth and ${host} differ over ${leaf.path} of ${deviceId}`);
    if (leaf.status === 'drifted') missing.push(`${leaf.path} of ${deviceId} is drifted`);
  }
  const device = progress.devices.get(deviceId);
  return {
    state: twin.status,
    missing: [...missing, ...(device === undefined ? [] : playedBy(device, twin))],
  };
}

/** Whether the device's part has been played to its end. */
function playedBy({ profile }: DeviceProgress, twin: TwinStatus): readonly string[] {
  if (profile.isPicky)
    return twin.status === 'rejected' ? [] : [`${profile.deviceId} has not rejected its correction yet`];
  if (profile.battery !== 'low') return [];
  const acknowledged = twin.paths.some(
    ({ wanted, reported, writes }) =>
      writes.some(({ value }) => sameJson(value, wanted)) &&
      isObject(reported) &&
      reported.ac === 200 &&
      sameJson(reported.value, wanted),
  );
  return acknowledged ? [] : [`${profile.deviceId} has not acknowledged its correction yet`];
}

function at(json: JsonObject, keys: readonly string[]): JsonValue {
  let value: JsonValue | undefined = json;
  for (const key of keys) value = isObject(value) ? value[key] : undefined;
  return value ?? null;
}
