import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../../src/json/json.ts';
import type { AgentManifest, WantedModule } from '../manifest/agent-manifest.ts';
import { splitCreateOptions } from '../manifest/create-options.ts';
import { type ModuleState, runtimeStatus } from './module-state.ts';

/* The reported properties of `$edgeAgent` (EA.IoTHub/AgentState.cs, EA.Docker; twins in Microsoft's documentation). */

export interface AgentReport {
  readonly lastDesiredVersion: number;
  readonly lastDesiredStatus: { readonly code: number; readonly description: string };
  /** The last valid manifest; undefined: there was none. */
  readonly manifest: AgentManifest | undefined;
  readonly modules: ReadonlyMap<string, ModuleState>;
  /** The image that the agent runs, and when it started. */
  readonly agent: { readonly image: string; readonly startedAt: number };
  /** Whether the agent is shutting down. It then knows no statuses. */
  readonly isEnding: boolean;
}

const NEVER = '0001-01-01T00:00:00';
const VERSION = { version: '1.6.1', build: 'simulated', commit: 'simulated' };
const PLATFORM = { os: 'linux', architecture: 'x86_64', version: VERSION.version };

/** The whole document. The credentials of registries are in it, as the real agent reports them. */
export function agentDocument(report: AgentReport): JsonObject {
  const { manifest, modules, agent, lastDesiredVersion, lastDesiredStatus, isEnding } = report;
  const { edgeHub, ...others } = Object.fromEntries(
    [...modules].map(([name, state]) => [name, describeModule(state, isEnding)]),
  );
  return {
    schemaVersion: '1.0',
    version: VERSION,
    lastDesiredVersion,
    lastDesiredStatus: { ...lastDesiredStatus },
    ...(manifest && { runtime: { ...manifest.runtime, platform: PLATFORM } }),
    systemModules: {
      edgeAgent: describeAgent(manifest?.edgeAgent, agent, isEnding),
      ...(edgeHub && { edgeHub }),
    },
    modules: others,
  };
}

/** The entry of the agent has no wanted status, restart policy and restarts. */
function describeAgent(
  wanted: WantedModule | undefined,
  { image, startedAt }: AgentReport['agent'],
  isEnding: boolean,
): JsonObject {
  return {
    type: 'docker',
    imagePullPolicy: wanted?.imagePullPolicy ?? 'on-create',
    settings: settingsOf(image, wanted?.createOptions ?? '{}'),
    env: envOf(wanted),
    exitCode: 0,
    statusDescription: 'running',
    lastStartTimeUtc: timeOf(startedAt),
    lastExitTimeUtc: NEVER,
    runtimeStatus: isEnding ? 'unknown' : 'running',
  };
}

function describeModule(state: ModuleState, isEnding: boolean): JsonObject {
  const { module, container, restarts, restartedAt } = state;
  return {
    type: 'docker',
    status: module.status,
    restartPolicy: module.restartPolicy,
    imagePullPolicy: module.imagePullPolicy,
    ...(module.startupOrder !== undefined && { startupOrder: module.startupOrder }),
    ...(module.version !== undefined && { version: module.version }),
    env: envOf(module),
    settings: settingsOf(module.image, module.createOptions),
    exitCode: container.exitCode,
    statusDescription: container.isRunning ? 'running' : `Exited (${container.exitCode})`,
    lastStartTimeUtc: timeOf(container.startedAt),
    lastExitTimeUtc: timeOf(container.exitedAt),
    restartCount: restarts,
    lastRestartTimeUtc: timeOf(restartedAt),
    runtimeStatus: isEnding ? 'unknown' : runtimeStatus(state),
  };
}

function settingsOf(image: string, createOptions: string): JsonObject {
  const hash = createHash('sha256').update(image).digest('hex');
  return { image, imageHash: `sha256:${hash}`, ...splitCreateOptions(createOptions) };
}

function envOf(module: WantedModule | undefined): JsonObject {
  return Object.fromEntries(
    Object.entries(module?.env ?? {}).map(([key, value]): [string, JsonValue] => [key, { value }]),
  );
}

function timeOf(at: number | undefined): string {
  return at === undefined ? NEVER : new Date(at).toISOString();
}
