import type { Control, Pause } from '../../control/control.ts';
import { pauseFor } from '../../control/pauses.ts';
import { presentStage } from '../../control/present-stage.ts';
import { rolloutShare } from '../../control/rollout-share.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { ALL_DEVICES, type CountedTwins } from '../../store/twins/twin-count-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import {
  EDGE_COUNTS,
  EDGE_DEVICE_STATUSES,
  type EdgeCount,
  type EdgeDeviceStatus,
} from '../../twin/snapshot/edge-device-status.ts';

/** The IoT Edge devices of a fleet, for operators. */
export interface EdgeOverview {
  /** All IoT Edge devices by status. */
  readonly devices: Readonly<Record<EdgeDeviceStatus, number>>;
  readonly deployments: readonly DeploymentOverview[];
}

/** The present state of a deployment of IoT Edge. */
export interface DeploymentOverview {
  readonly name: string;
  readonly id: string;
  /** When this content was first seen. Undefined: not yet. */
  readonly since: EpochMs | undefined;
  /** The progress of its rollout, from 0 to 1. Pauses of hubs are ignored. */
  readonly rollout: number;
  /** The present stage of a rollout in stages. Undefined: it has none, or it is complete. */
  readonly stage: string | undefined;
  readonly pause: Pause | undefined;
  /** The devices that match it, by the status of the whole device. */
  readonly devices: Readonly<Record<EdgeCount, number>>;
}

/** Undefined: the fleet file has no deployments. */
export function edgeOverview(
  { edge }: Fleet,
  control: Control,
  counted: ReadonlyMap<HostName, CountedTwins>,
  now: EpochMs,
): EdgeOverview | undefined {
  if (edge === undefined) return undefined;
  const sum = <Status extends EdgeCount>(id: string, statuses: readonly Status[]) =>
    Object.fromEntries(
      statuses.map((status) => [
        status,
        [...counted.values()].reduce((total, { edge: counts }) => total + (counts?.[id]?.[status] ?? 0), 0),
      ]),
    ) as Record<Status, number>;
  return {
    devices: sum(ALL_DEVICES, EDGE_DEVICE_STATUSES),
    deployments: edge.deployments.map((deployment) => {
      const { name, id, hash, rollout } = deployment;
      const present = rollout && !rollout.isShort ? presentStage(control, deployment, rollout) : undefined;
      return {
        name,
        id,
        since: control.seen[hash]?.since,
        rollout: rolloutShare(control, deployment, now),
        stage: present?.kind === 'running' ? present.name : undefined,
        pause: pauseFor(control, { kind: 'policy', name }),
        devices: sum(id, EDGE_COUNTS),
      };
    }),
  };
}
