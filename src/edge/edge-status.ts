import type { FilledManifest } from '../fleet/edge/manifest.ts';
import { isObject, type JsonObject, ownMember } from '../json/json.ts';
import { type EpochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { type EdgeModuleState, leftoverModules, moduleStates } from './reported-modules.ts';

/**
 * How an IoT Edge device stands, the best first.
 * - `running`: the four conditions hold, so it has what is wanted.
 * - `applied`: the hub has the manifest, and the device has not taken it yet.
 * - `pending`: the device works on it, or reports a code that usually passes.
 * - `backingOff`, `unhealthy`, `failed`: the worst module, or the device cannot use the manifest.
 * - `offline`: the device is not connected, or has not answered in time.
 */
export const EDGE_STATUSES = [
  'running',
  'applied',
  'pending',
  'backingOff',
  'unhealthy',
  'failed',
  'offline',
] as const;
export type EdgeStatus = (typeof EDGE_STATUSES)[number];

/** One of the two twins of the runtime, with the hub's times. */
export interface RuntimeTwin {
  readonly desiredVersion: number;
  readonly reported: JsonObject;
  /** When the hub took the present desired properties. */
  readonly desiredAt: EpochMs;
  /** When the device last changed `lastDesiredStatus`. Undefined: never. */
  readonly statusAt: EpochMs | undefined;
}

/** What is known of the runtime of a device. */
export interface EdgeObservation {
  readonly agent: RuntimeTwin;
  /** Undefined: `$edgeHub` has not been read. */
  readonly hub: RuntimeTwin | undefined;
  /**
   * Whether `$edgeHub` is connected. The connection state of `$edgeAgent` is always Disconnected
   * (how-to-monitor-module-twins). Undefined: not known.
   */
  readonly isConnected: boolean | undefined;
}

export interface EdgeDeviceState {
  readonly status: EdgeStatus;
  /**
   * The four conditions hold: the device has taken the newest desired version, with code 200, every module has its wanted
   * status, and every image is the wanted one. A device that is offline may have met them before.
   */
  readonly isInSync: boolean;
  /** One sentence; empty if the device runs what is wanted. */
  readonly why: string;
  readonly modules: readonly EdgeModuleState[];
  /** Modules that the device still has and should not have. */
  readonly leftovers: readonly string[];
  /** When the state changes without a report, because a deadline is over. */
  readonly nextAt: EpochMs | undefined;
}

const MINUTE_MS = 60_000;

/** How long a state that usually passes may last. Counted from the apply, or from the report if that is newer. */
export const EDGE_DEADLINES = {
  /** A device whose runtime is not known to be connected takes a new manifest in seconds. */
  answerMs: 10 * MINUTE_MS,
  /** A connected runtime reads its whole twin at least hourly (`ConfigRefreshFrequencySecs` 3600). */
  connectedAnswerMs: 70 * MINUTE_MS,
  /** 406 and 417 while edgeAgent itself is replaced (doc/reported_states_during_deployment.md). */
  restartMs: 10 * MINUTE_MS,
  /** 500 while images are pulled: up to 30 minutes on a Raspberry Pi 3 (iotedge#891). */
  pullMs: 60 * MINUTE_MS,
  /** After code 200: for the first start and the first reports of the modules. A back-off waits at most 300 s. */
  startMs: 10 * MINUTE_MS,
} as const;

/**
 * How a device stands, from what it reports. Pure; test/edge/edge-status.test.ts is the specification. Sources: iotedge,
 * Agent.Core/Agent.cs, Agent.IoTHub/reporters/IoTHubReporter.cs, Edge.Hub.Core/EdgeHubConnection.cs.
 *
 * @param wanted the manifest that the hub has now
 */
export function edgeStatus(
  { agent, hub, isConnected }: EdgeObservation,
  wanted: FilledManifest,
  now: EpochMs,
): EdgeDeviceState {
  const modules = moduleStates(wanted, agent.reported);
  const leftovers = leftoverModules(wanted, agent.reported);
  const found = settled(now, ofAgent(agent, isConnected), () => ofModules(agent, hub, modules));
  const state = { modules, leftovers, isInSync: found.status === 'running' };
  if (isConnected === false) {
    const why = found.why === '' ? 'edgeHub is not connected' : `edgeHub is not connected; ${found.why}`;
    return { ...state, status: 'offline', why, nextAt: undefined };
  }
  return { ...state, status: found.status, why: found.why, nextAt: found.nextAt };
}

/** A state that holds until a deadline, and what it becomes then. */
interface Passing {
  readonly status: EdgeStatus;
  readonly why: string;
  /** Undefined: the state stays until the device reports. */
  readonly until?: EpochMs;
  readonly after?: EdgeStatus;
}

interface Found {
  readonly status: EdgeStatus;
  readonly why: string;
  readonly nextAt: EpochMs | undefined;
}

/** @param next what applies if the manifest as a whole is fine */
function settled(now: EpochMs, first: Passing | undefined, next: () => Passing): Found {
  const { status, why, until, after = status } = first ?? next();
  if (until === undefined) return { status, why, nextAt: undefined };
  return now < until ? { status, why, nextAt: until } : { status: after, why, nextAt: undefined };
}

/** The state of the manifest as a whole. Undefined: the device has taken it with code 200. */
function ofAgent(agent: RuntimeTwin, isConnected: boolean | undefined): Passing | undefined {
  const { desiredVersion, desiredAt, reported, statusAt } = agent;
  const { code, description } = statusIn(reported);
  const version = ownMember(reported, 'lastDesiredVersion');
  const said = description === '' ? '' : `: ${description}`;
  const isNew = statusAt !== undefined && statusAt > desiredAt;
  // The version may stay the old one for a manifest that edgeAgent cannot read.
  const isRefusal = (code === 400 || code === 412) && (version === desiredVersion || isNew);
  if (isRefusal) {
    const what = code === 412 ? 'does not support its schema version' : 'cannot read it';
    return { status: 'failed', why: `edgeAgent ${what} (${code}${said})` };
  }
  const restarting = laterOf(desiredAt, statusAt ?? desiredAt);
  if (isNew && code === 406) {
    const why = 'edgeAgent is stopped or restarts (406)';
    return { status: 'pending', why, until: plus(restarting, EDGE_DEADLINES.restartMs), after: 'offline' };
  }
  if (version !== desiredVersion) {
    const wait = isConnected === true ? EDGE_DEADLINES.connectedAnswerMs : EDGE_DEADLINES.answerMs;
    const known = typeof version === 'number' ? ` and reports version ${version}` : '';
    return {
      status: 'applied',
      why: `the device has not taken version ${desiredVersion} yet${known}`,
      until: plus(desiredAt, wait),
      after: isConnected === true ? 'failed' : 'offline',
    };
  }
  switch (code) {
    case 200:
      return undefined;
    case 406:
      return {
        status: 'pending',
        why: 'edgeAgent is stopped or restarts (406)',
        until: plus(restarting, EDGE_DEADLINES.restartMs),
        after: 'offline',
      };
    case 417:
      return {
        status: 'pending',
        why: `edgeAgent reports an empty configuration (417)`,
        until: plus(restarting, EDGE_DEADLINES.restartMs),
        after: 'failed',
      };
    default:
      return {
        status: 'pending',
        why: `edgeAgent reports ${code ?? 'no code'}${said}`,
        // From the apply, because edgeAgent changes the description while it tries again.
        until: plus(desiredAt, EDGE_DEADLINES.pullMs),
        after: 'failed',
      };
  }
}

/** The worst last. A pending module may still become all others. */
const ORDER = ['running', 'stopped', 'pending', 'backingOff', 'unhealthy', 'failed'] as const;

function ofModules(
  agent: RuntimeTwin,
  hub: RuntimeTwin | undefined,
  modules: readonly EdgeModuleState[],
): Passing {
  const routes = hub === undefined ? undefined : ofRoutes(hub);
  if (routes !== undefined) return routes;
  const worst = modules.reduce<EdgeModuleState | undefined>(
    (one, other) =>
      one === undefined || ORDER.indexOf(other.status) > ORDER.indexOf(one.status) ? other : one,
    undefined,
  );
  if (worst === undefined || worst.status === 'running' || worst.status === 'stopped')
    return { status: 'running', why: '' };
  const why = `${worst.name} ${worst.why}`;
  if (worst.status !== 'pending') return { status: worst.status, why };
  const from = laterOf(agent.desiredAt, agent.statusAt ?? agent.desiredAt);
  return { status: 'pending', why, until: plus(from, EDGE_DEADLINES.startMs), after: 'failed' };
}

/** edgeHub refuses all new routes if it cannot read one of them. `$edgeAgent` says 200 nevertheless. */
function ofRoutes({ desiredVersion, desiredAt, reported, statusAt }: RuntimeTwin): Passing | undefined {
  const { code, description } = statusIn(reported);
  const isNew = statusAt !== undefined && statusAt > desiredAt;
  const version = ownMember(reported, 'lastDesiredVersion');
  if (code !== undefined && code !== 200 && (isNew || version === desiredVersion)) {
    const said = description === '' ? '' : `: ${description}`;
    return { status: 'failed', why: `edgeHub refuses its routes (${code}${said})` };
  }
  if (version === desiredVersion) return undefined;
  return {
    status: 'pending',
    why: `edgeHub has not taken version ${desiredVersion} of its routes yet`,
    until: plus(desiredAt, EDGE_DEADLINES.startMs),
    after: 'failed',
  };
}

/** The longest description that is shown; exceptions can be long. */
const MOST_DESCRIPTION = 200;

function statusIn(reported: JsonObject): { readonly code: number | undefined; readonly description: string } {
  const status = ownMember(reported, 'lastDesiredStatus');
  const code = ownMember(status, 'code');
  const description = ownMember(status, 'description');
  return {
    code: isObject(status) && typeof code === 'number' ? code : undefined,
    description: typeof description === 'string' ? description.slice(0, MOST_DESCRIPTION) : '',
  };
}
