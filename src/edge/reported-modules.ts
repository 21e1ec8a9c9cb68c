import type { RestartPolicy } from '../fleet/edge/edge.ts';
import type { FilledManifest } from '../fleet/edge/manifest.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../json/json.ts';
import { type Instant, parseInstant } from '../time/instant.ts';

/*
 * What `$edgeAgent` reports of each module. Sources: iotedge, Edge.Agent.Core/IModule.cs, Edge.Agent.Docker;
 * doc/reported_states_during_deployment.md.
 */

/**
 * How one module stands.
 * - `running`, `stopped`: as wanted.
 * - `pending`: not yet; the runtime works on it.
 * - `backingOff`: it ended, and the runtime waits before it starts it again.
 */
export const EDGE_MODULE_STATUSES = [
  'running',
  'stopped',
  'pending',
  'backingOff',
  'unhealthy',
  'failed',
] as const;
export type EdgeModuleStatus = (typeof EDGE_MODULE_STATUSES)[number];

/** One module of a device, for the device's page. */
export interface EdgeModuleState {
  readonly name: string;
  readonly status: EdgeModuleStatus;
  /** One sentence; empty if the module is as wanted. */
  readonly why: string;
  readonly wantedImage: string;
  /** Read from the container, so it is what truly runs. Undefined: not reported. */
  readonly image: string | undefined;
  /** How often the runtime has started it again. Ten good minutes clear it. */
  readonly restartCount: number;
  readonly exitCode: number | undefined;
  /** When its container last started, by the clock of the device. Undefined: never, or not reported. */
  readonly startedAt: Instant | undefined;
  /** When its container last ended. Undefined: never, or not reported. */
  readonly exitedAt: Instant | undefined;
  /** What the runtime says of the container, such as `running` or `exited`. Empty: nothing. */
  readonly description: string;
}

interface WantedModule {
  readonly name: string;
  readonly image: string;
  readonly status: 'running' | 'stopped';
  readonly restartPolicy: RestartPolicy;
  readonly section: 'modules' | 'systemModules';
}

/** Every module that a manifest wants, the two of the runtime first. */
export function moduleStates(manifest: FilledManifest, reported: JsonObject): readonly EdgeModuleState[] {
  const { edgeAgent, edgeHub } = manifest.runtime;
  const system = { section: 'systemModules' } as const;
  const wanted: readonly WantedModule[] = [
    { ...system, name: 'edgeAgent', image: edgeAgent.image, status: 'running', restartPolicy: 'always' },
    {
      ...system,
      name: 'edgeHub',
      image: edgeHub.image,
      status: edgeHub.status,
      restartPolicy: edgeHub.restartPolicy,
    },
    ...[...manifest.modules].map(([name, { image, status, restartPolicy }]) => ({
      name,
      image,
      status,
      restartPolicy,
      section: 'modules' as const,
    })),
  ];
  return wanted.map((module) => stateOf(module, ownMember(ownMember(reported, module.section), module.name)));
}

/** Modules that a device reports and the manifest does not have. The runtime removes them. */
export function leftoverModules(manifest: FilledManifest, reported: JsonObject): readonly string[] {
  const modules = ownMember(reported, 'modules');
  return isObject(modules) ? Object.keys(modules).filter((name) => !manifest.modules.has(name)) : [];
}

function stateOf(wanted: WantedModule, reported: JsonValue | undefined): EdgeModuleState {
  const { name, image: wantedImage } = wanted;
  const image = textAt(ownMember(reported, 'settings'), 'image');
  const state = {
    name,
    wantedImage,
    image,
    restartCount: numberAt(reported, 'restartCount') ?? 0,
    exitCode: numberAt(reported, 'exitCode'),
    startedAt: timeAt(reported, 'lastStartTimeUtc'),
    exitedAt: timeAt(reported, 'lastExitTimeUtc'),
    description: (textAt(reported, 'statusDescription') ?? '').slice(0, MOST_DESCRIPTION),
  };
  if (!isObject(reported)) return { ...state, status: 'pending', why: 'is not reported yet' };
  if (image !== undefined && !isSameImage(image, wantedImage)) {
    return { ...state, status: 'pending', why: `still has the image ${image}` };
  }
  return { ...state, ...runState(wanted, reported) };
}

function runState(
  { status: wanted, restartPolicy }: WantedModule,
  reported: JsonObject,
): Pick<EdgeModuleState, 'status' | 'why'> {
  const runtimeStatus = textAt(reported, 'runtimeStatus')?.toLowerCase();
  const code = numberAt(reported, 'exitCode');
  const exit = code === undefined ? '' : ` with exit code ${code}`;
  if (wanted === 'stopped') {
    const isStopped = ['stopped', 'failed', 'dead'].includes(runtimeStatus ?? '');
    return isStopped
      ? { status: 'stopped', why: '' }
      : { status: 'pending', why: `should be stopped and is ${runtimeStatus ?? 'not reported'}` };
  }
  switch (runtimeStatus) {
    case 'running':
      return { status: 'running', why: '' };
    case 'backoff':
      return { status: 'backingOff', why: `ended${exit}, and the runtime starts it again later` };
    case 'unhealthy':
      return { status: 'unhealthy', why: 'runs and its health check fails' };
    case 'failed':
      return {
        status: 'failed',
        why: `ended${exit}, and the runtime has given up or may not start it again`,
      };
    case 'stopped':
    case 'dead':
      return restartPolicy === 'never'
        ? { status: 'failed', why: `ended${exit}, and its restart policy is never` }
        : { status: 'pending', why: `is ${runtimeStatus}${exit}` };
    default:
      return { status: 'pending', why: `has the status ${runtimeStatus ?? 'unknown'}` };
  }
}

/**
 * The tag of an image may be left out. edgeAgent replaces `$upstream` and variables of its host before it pulls, so the part
 * before them cannot be compared.
 */
function isSameImage(reported: string, wanted: string): boolean {
  if (withTag(reported) === withTag(wanted)) return true;
  if (/^\$upstream/i.test(wanted)) {
    const path = (image: string) => withTag(image).split('/').slice(1).join('/');
    return path(reported) === path(wanted);
  }
  return wanted.includes('$');
}

function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`;
}

function textAt(json: JsonValue | undefined, key: string): string | undefined {
  const value = ownMember(json, key);
  return typeof value === 'string' ? value : undefined;
}

/** Longest description that is shown. A device chooses the text. */
const MOST_DESCRIPTION = 200;

/** A time of the device. It writes the year 1 for "never" (Edge.Agent.Docker, DockerRuntimeModule). */
function timeAt(json: JsonValue | undefined, key: string): Instant | undefined {
  const at = parseInstant(ownMember(json, key));
  return at === undefined || at.startsWith('0001-') ? undefined : at;
}

function numberAt(json: JsonValue | undefined, key: string): number | undefined {
  const value = ownMember(json, key);
  return typeof value === 'number' ? value : undefined;
}
