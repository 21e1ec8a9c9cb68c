import { isConnected } from '../../../edge/connection.ts';
import type { EdgeDecision } from '../../../edge/edge-decision.ts';
import {
  EDGE_DEADLINES,
  type EdgeDeviceState,
  edgeStatus,
  type RuntimeTwin,
} from '../../../edge/edge-status.ts';
import type { FilledManifest } from '../../../fleet/edge/manifest.ts';
import { type EpochMs, earlierOf, plus } from '../../../time/epoch-ms.ts';
import { millisecondsOf } from '../../../time/instant.ts';
import type { EdgeDeviceStatus } from '../../../twin/snapshot/edge-device-status.ts';
import type { LeftProperty } from '../../../twin/snapshot/runtime-twin.ts';
import type { LastReconcile, PolicyStatus, Snapshot, TwinStatus } from '../../../twin/snapshot/snapshot.ts';

/** The status of an IoT Edge device for the lists, counts and rollouts that policies use too. */
export interface EdgeTwinStatus {
  readonly status: TwinStatus;
  readonly why: string;
  /** Nothing to do for an operator: a pause, or no deployment. */
  readonly isHeld: boolean;
  /** When the status changes without an event. */
  readonly nextAt: EpochMs | undefined;
  /** How the device stands, for the counts of deployments. Default: by `status`. */
  readonly device?: EdgeDeviceStatus;
  /** For the gates of rollouts. Default: `status`. */
  readonly inRollouts?: TwinStatus;
  /** The device has earlier values of its settings, because the rollout of the present ones has not reached it. */
  readonly valuesWait?: boolean;
}

/** How a device stands, from the twins of its runtime. */
export function deviceState(
  agent: Snapshot,
  hub: Snapshot | undefined,
  wanted: FilledManifest,
  now: EpochMs,
): EdgeDeviceState {
  const isKnown = hub !== undefined && hub.unread === undefined && Object.keys(hub.desired).length > 0;
  return edgeStatus(
    {
      agent: runtimeTwinOf(agent),
      hub: isKnown ? runtimeTwinOf(hub) : undefined,
      isConnected: isConnected(agent, hub, now),
    },
    wanted,
    now,
  );
}

function runtimeTwinOf({ desiredVersion, reported, runtime, asOf }: Snapshot): RuntimeTwin {
  const { desiredAt = asOf, statusAt } = runtime ?? {};
  return {
    desiredVersion,
    reported,
    desiredAt: millisecondsOf(desiredAt),
    statusAt: statusAt === undefined ? undefined : millisecondsOf(statusAt),
  };
}

/** The status of a decision that makes no call. */
export function statusOfDecision(
  decision: Exclude<EdgeDecision, { kind: 'read' | 'apply' }>,
  agent: Snapshot,
  hub: Snapshot | undefined,
  now: EpochMs,
): EdgeTwinStatus {
  switch (decision.kind) {
    case 'none':
      return notMatched();
    case 'stopped': {
      const [problem] = decision.problems;
      const why = problem === undefined ? '' : `${problem.code}: ${problem.path} ${problem.message}`;
      return { status: 'rejected', why, isHeld: false, nextAt: undefined };
    }
    case 'contested':
      return { status: 'contested', why: decision.why, isHeld: false, nextAt: decision.until };
    case 'inPlace': {
      const status = withLeft(
        statusOfState(deviceState(agent, hub, decision.filled, now), agent, now),
        agent.edge?.applied[0]?.left ?? [],
      );
      const { waits } = decision;
      return waits === undefined
        ? status
        : { ...status, nextAt: sooner(status.nextAt, waits.until), valuesWait: true };
    }
  }
}

/** What a rollback could not give back needs an operator, although the device runs what is wanted. */
function withLeft(status: EdgeTwinStatus, left: readonly LeftProperty[]): EdgeTwinStatus {
  const [first, ...more] = left;
  if (first === undefined || status.status !== 'inSync') return status;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
  const why = `module ${first.module}: ${first.path} ${first.why}${rest}`;
  return { ...status, status: 'contested', why, inRollouts: status.status };
}

/** Berth leaves the device alone. */
export function notMatched(): EdgeTwinStatus {
  return { status: 'inSync', why: '', isHeld: true, nextAt: undefined, device: 'notMatched' };
}

/** A module that keeps ending is pending first, because it may need another module that starts later. */
function statusOfState(
  { status, isInSync, why, nextAt }: EdgeDeviceState,
  agent: Snapshot,
  now: EpochMs,
): EdgeTwinStatus {
  const device = status;
  if (isInSync) return { status: 'inSync', why: '', isHeld: false, nextAt, device };
  if (status === 'failed') return { status: 'rejected', why, isHeld: false, nextAt, device };
  if (status !== 'backingOff' && status !== 'unhealthy')
    return { status: 'pending', why, isHeld: false, nextAt, device };
  const { desiredAt, statusAt } = runtimeTwinOf(agent);
  const until = plus(Math.max(desiredAt, statusAt ?? desiredAt) as EpochMs, EDGE_DEADLINES.startMs);
  return now < until
    ? { status: 'pending', why, isHeld: false, nextAt: until, device }
    : { status: 'rejected', why, isHeld: false, nextAt, device };
}

const POLICY_STATUS: Readonly<Record<TwinStatus, PolicyStatus | undefined>> = {
  inSync: 'inSync',
  pending: 'pending',
  drifted: 'drifted',
  rejected: 'rejected',
  contested: 'contested',
  suspended: undefined,
  unknown: undefined,
};

/** The status of the deployments in a manifest, as the gates of rollouts count it. */
export function policyStatusOf({
  status: own,
  inRollouts: status = own,
  isHeld,
}: EdgeTwinStatus): PolicyStatus | undefined {
  return status === 'drifted' && isHeld ? 'held' : POLICY_STATUS[status];
}

/** How a device stands, for the counts of deployments, if only its status is known. */
export const EDGE_STATUS_OF: Readonly<Record<TwinStatus, EdgeDeviceStatus>> = {
  inSync: 'running',
  pending: 'pending',
  drifted: 'pending',
  rejected: 'failed',
  contested: 'contested',
  suspended: 'pending',
  unknown: 'pending',
};

/** The result of a reconciliation. */
export function edgeReconcile(
  before: LastReconcile,
  { status, why, isHeld, device = EDGE_STATUS_OF[status] }: EdgeTwinStatus,
  { policies, stages, reached }: Pick<LastReconcile, 'policies' | 'stages' | 'reached'>,
  revision: string,
  now: EpochMs,
): LastReconcile {
  return {
    status,
    since: before.status === status ? before.since : now,
    why,
    revision,
    policies,
    ...(stages === undefined || Object.keys(stages).length === 0 ? {} : { stages }),
    ...(reached === undefined || reached.length === 0 ? {} : { reached }),
    isHeld,
    edge: device,
  };
}

/** The earlier of two times that may be missing. */
export function sooner(one: EpochMs | undefined, other: EpochMs | undefined): EpochMs | undefined {
  return one === undefined || other === undefined ? (one ?? other) : earlierOf(one, other);
}
