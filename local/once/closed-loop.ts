import * as z from 'zod';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../../src/json/json.ts';
import type { DeviceProgress, FleetProgress } from '../progress.ts';
import {
  DEVICE_STATUS,
  EVENT_COUNTERS,
  getJson,
  HUB_COUNTERS,
  HUB_TWIN,
  type LocalFleetStatus,
  type ShownTwin,
} from './apis.ts';
import { type FunctionsAccess, runResync } from './resync-run.ts';

/** The last line of `npm start -- --once --json`. */
export interface LoopResult {
  readonly devices: number;
  readonly hubs: readonly { readonly host: string; readonly weight: number; readonly devices: number }[];
  readonly twins: Readonly<Record<string, number>>;
  /** Events since the start. */
  readonly events: number;
  /** Desired patches that the hubs accepted from services since the start. */
  readonly corrections: number;
  /** Calls of services since the start. `identityOps` includes the reads of hub statistics. */
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
  | {
      readonly closed: false;
      readonly reasons: readonly string[];
      /** Whether the check ran `resyncFleet`, which reads the tables many hundred times. */
      readonly ranResync: boolean;
    };

export interface LoopOptions extends FunctionsAccess {
  readonly progress: FleetProgress;
  readonly controlUrl: string;
  /** `Date.now()` at the start. */
  readonly startedAt: number;
  /** Events that existed before the start. */
  readonly eventsBefore: number;
}

const AT_ONCE = 8;
const COUNTED_WITHIN_MS = 15_000;

/**
 * Checks whether the loop is closed: all devices are registered and have reported, all events are read, every twin
 * is in sync or rejected, and Berth's answers agree with the twins of the hubs. It uses HTTP only, like an operator.
 */
export async function checkLoop(options: LoopOptions): Promise<LoopCheck> {
  const behind = [...devicesBehind(options.progress), ...(await eventsBehind(options))];
  if (behind.length > 0) return { closed: false, reasons: behind, ranResync: false };

  const fleet = await runResync(options, COUNTED_WITHIN_MS);
  const { reasons, hubs: before } = await compareWithHubs(options, fleet);
  if (reasons.length > 0) return { closed: false, reasons, ranResync: true };
  // An event or a correction that came during the comparison makes it outdated.
  const hubs = await hubCounters(options);
  const late = [...correctedSince(before, hubs), ...(await eventsBehind(options))];
  if (late.length > 0) return { closed: false, reasons: late, ranResync: true };

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
  const reasonOf = (behind: readonly DeviceProgress[], what: string) => {
    const first = behind[0];
    if (first === undefined) return [];
    const trouble = first.trouble === undefined ? '' : `: ${first.trouble}`;
    return [`${behind.length} of ${all.length} devices ${what} (${first.profile.deviceId}${trouble})`];
  };
  const unregistered = all.filter(({ hub }) => hub === undefined);
  const silent = all.filter(({ hub, reports }) => hub !== undefined && reports < 2);
  return [...reasonOf(unregistered, 'have not registered'), ...reasonOf(silent, 'have not reported twice')];
}

async function eventsBehind({ controlUrl }: LoopOptions): Promise<readonly string[]> {
  const { unread } = await getJson(`${controlUrl}/events`, EVENT_COUNTERS);
  return unread === 0 ? [] : [`${unread} events are unread`];
}

function hubCounters({ controlUrl }: LoopOptions): Promise<readonly HubCounters[]> {
  return getJson(`${controlUrl}/hubs`, z.array(HUB_COUNTERS));
}

function correctedSince(before: readonly HubCounters[], now: readonly HubCounters[]): readonly string[] {
  return now
    .filter(({ host, twinWrites }) => before.find((hub) => hub.host === host)?.twinWrites !== twinWrites)
    .map(({ host }) => `twins of ${host} were corrected during the check`);
}

/** Compares every twin of every hub with Berth's answer about it. */
async function compareWithHubs(
  options: LoopOptions,
  fleet: LocalFleetStatus,
): Promise<{ readonly reasons: readonly string[]; readonly hubs: readonly HubCounters[] }> {
  const { controlUrl } = options;
  const hubs = await hubCounters(options);
  const reasons: string[] = [];
  for (const hub of hubs) {
    const deviceIds = await getJson(`${controlUrl}/hubs/${hub.host}/devices`, z.array(z.string()));
    const states = new Map<string, number>();
    for (let from = 0; from < deviceIds.length; from += AT_ONCE) {
      const comparisons = deviceIds
        .slice(from, from + AT_ONCE)
        .map((deviceId) => compareTwin(options, hub.host, deviceId));
      for (const found of await Promise.all(comparisons)) {
        reasons.push(...found.reasons);
        states.set(found.state, (states.get(found.state) ?? 0) + 1);
      }
    }
    const counted = fleet.hubs.find(({ host }) => host === hub.host);
    if (counted?.devices !== hub.devices) {
      reasons.push(
        `Berth counts ${counted?.devices ?? 'no'} devices on ${hub.host}, the hub has ${hub.devices}`,
      );
    }
    for (const [state, count] of Object.entries(counted?.twins ?? {})) {
      if (count === (states.get(state) ?? 0)) continue;
      reasons.push(
        `Berth counts ${count} twins as ${state} on ${hub.host}, but shows ${states.get(state) ?? 0}`,
      );
    }
  }
  return { reasons, hubs };
}

async function compareTwin(
  { controlUrl, functionsUrl, functionKey, progress }: LoopOptions,
  host: string,
  deviceId: string,
): Promise<{ readonly state: string; readonly reasons: readonly string[] }> {
  const path = encodeURIComponent(deviceId);
  const [own, status] = await Promise.all([
    getJson(`${controlUrl}/hubs/${host}/devices/${path}`, HUB_TWIN),
    getJson(`${functionsUrl}/api/devices/${path}`, DEVICE_STATUS, { 'x-functions-key': functionKey }),
  ]);
  const twin = status.twins.find(({ hub, moduleId }) => hub === host && moduleId === null);
  if (twin === undefined)
    return { state: 'notStored', reasons: [`Berth has no snapshot of ${deviceId} on ${host}`] };
  const reasons: string[] = [];
  if (twin.version !== own.version) {
    reasons.push(`Berth has version ${twin.version} of ${deviceId}, the hub has version ${own.version}`);
  }
  if (twin.workItem !== null && Date.parse(twin.workItem.at) <= Date.now())
    reasons.push(`${deviceId} has a due work item: ${twin.workItem.why}`);
  for (const leaf of twin.paths) {
    const keys = leaf.path.split('.');
    const agrees =
      sameJson(leaf.desired, at(own.properties.desired as JsonObject, keys)) &&
      sameJson(leaf.reported, at(own.properties.reported as JsonObject, keys));
    if (!agrees) reasons.push(`Berth and ${host} have different values of ${leaf.path} of ${deviceId}`);
    if (leaf.status === 'drifted') reasons.push(`${leaf.path} of ${deviceId} is drifted`);
  }
  const device = progress.devices.get(deviceId);
  return {
    state: twin.status,
    reasons: [...reasons, ...(device === undefined ? [] : openAnswers(device, twin))],
  };
}

/** The expected answer of the device to its correction, if the device has not given it yet. */
function openAnswers({ profile }: DeviceProgress, twin: ShownTwin): readonly string[] {
  if (profile.rejectsLongIntervals)
    return twin.status === 'rejected' ? [] : [`${profile.deviceId} has not rejected its correction yet`];
  if (twin.status === 'pending') return [`${profile.deviceId} has not answered its correction yet`];
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
