import type { Cloud } from '../cloud.ts';
import type { ProcessStatus } from '../control-api/index.ts';
import type { KeptRunning } from '../processes/kept-running.ts';

/**
 * The processes of the stack, for `GET /processes` and the live view. The supervisor holds hubs, DPS and Event Hubs.
 *
 * @param ownRestarts how often the supervisor was restarted.
 */
export function processList(
  running: readonly KeptRunning[],
  cloud: Cloud | undefined,
  ownRestarts: number,
): readonly ProcessStatus[] {
  const azurite = cloud === undefined ? [] : [cloud.azurite];
  return [
    { name: 'supervisor', pid: process.pid, running: true, restarts: ownRestarts },
    ...[...azurite, ...running].map(({ name, pid, isRunning, restarts }) => ({
      name,
      pid: pid ?? null,
      running: isRunning,
      restarts,
    })),
  ];
}
