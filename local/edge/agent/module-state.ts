import type { WantedModule } from '../manifest/agent-manifest.ts';
import { type EdgePace, MOST_COMMAND_TRIES, retryDelay } from '../pace.ts';

/** The container of a module. Times in milliseconds since the epoch; undefined: never. */
export interface ContainerState {
  readonly isRunning: boolean;
  /** Of the last end. */
  readonly exitCode: number;
  readonly startedAt: number | undefined;
  readonly exitedAt: number | undefined;
}

/** A module on the device: what its container was made of, and how often the agent started it again. */
export interface ModuleState {
  readonly module: WantedModule;
  readonly container: ContainerState;
  readonly restarts: number;
  readonly restartedAt: number | undefined;
}

/** `runtimeStatus` (Microsoft.Azure.Devices.Edge.Agent.Core/IModule.cs). */
export type RuntimeStatus = 'unknown' | 'backoff' | 'running' | 'stopped' | 'failed';

/** The status of a module that the agent reports. */
export function runtimeStatus({ module, container, restarts }: ModuleState): RuntimeStatus {
  if (container.isRunning) return 'running';
  if (module.status === 'running' && isRestarted(module, container)) {
    return restarts >= MOST_COMMAND_TRIES ? 'failed' : 'backoff';
  }
  return container.exitCode === 0 ? 'stopped' : 'failed';
}

/** Whether the agent starts a module again now (RestartPolicyManager: 10 s, 20 s, … up to five minutes). */
export function isRestartDue(state: ModuleState, now: number, pace: EdgePace): boolean {
  if (runtimeStatus(state) !== 'backoff') return false;
  const wait = Math.min(retryDelay(pace, state.restarts + 1), pace.longestBackoffMs);
  return now >= (state.container.exitedAt ?? now) + wait;
}

/** The state after a module has run well for long: its restarts do not count any more. */
export function forgivenRestarts(state: ModuleState, now: number, { goodAfterMs }: EdgePace): ModuleState {
  const { container, restarts } = state;
  const isGood = container.isRunning && now - (container.startedAt ?? now) >= goodAfterMs;
  return isGood && restarts > 0 ? { ...state, restarts: 0 } : state;
}

/** Whether the restart policy starts a module again that has ended by itself. */
function isRestarted({ restartPolicy }: WantedModule, { exitCode }: ContainerState): boolean {
  if (restartPolicy === 'never') return false;
  return restartPolicy === 'always' || exitCode !== 0;
}
