import type { DeviceManifest } from '../../../edge/manifest-for.ts';
import type { BerthError } from '../../../errors.ts';
import type { Fleet } from '../../../fleet/fleet.ts';
import { HubError } from '../../../hub/port.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import type { Known } from '../../../twin/events/apply-event.ts';
import type { Snapshot, WorkItem } from '../../../twin/snapshot/snapshot.ts';
import type { Gate } from '../write-gate.ts';
import type { EdgeTwinStatus } from './edge-statuses.ts';

/* Small questions of `EdgeWork`, about what is stored and about failures. */

/** The snapshot of what is known. Undefined: there is none. */
export function knownSnapshot(known: Known | undefined): Snapshot | undefined {
  return known?.kind === 'snapshot' ? known.snapshot : undefined;
}

/** Another instance applies now. If it ends, its work item starts the device again. */
export function isInFlight(agent: Snapshot | undefined, now: EpochMs): boolean {
  return agent?.edge?.intent !== undefined && agent.unread === undefined && (agent.workItem?.at ?? 0) > now;
}

/** The work item, or one for an earlier time. After a failed call its wait stays. */
export function withTime(workItem: WorkItem | undefined, at: EpochMs | undefined): WorkItem | undefined {
  if (at === undefined || (workItem !== undefined && (workItem.tries > 0 || workItem.at <= at)))
    return workItem;
  return { priority: 'drift', at, why: 'the deadline of a rollout', tries: 0 };
}

/** After a failed call, events of the device do not shorten the wait. */
export function isWaiting(agent: Snapshot | undefined, now: EpochMs): boolean {
  const { workItem } = agent ?? {};
  return workItem !== undefined && workItem.tries > 0 && workItem.at > now;
}

/** A pause of a deployment of the manifest. Undefined: none is paused. */
export function pausedBy(
  { provenance: { deployments } }: DeviceManifest,
  { edge }: Pick<Fleet, 'edge'>,
  gate: Pick<Gate, 'holdOf'>,
  now: EpochMs,
): string | undefined {
  const own = (edge?.deployments ?? []).filter(({ name }) => deployments.includes(name));
  return own.flatMap((deployment) => gate.holdOf(deployment, now)?.why ?? [])[0];
}

/** The status while an apply waits. */
export function drifted(why: string): EdgeTwinStatus {
  return { status: 'drifted', why, isHeld: false, nextAt: undefined };
}

/** The hub finds fault with the manifest: 400, 413, and 403100 for one that is too large. */
export function isRefusal(error: BerthError): boolean {
  if (error.code === 'BERTH_HUB_REFUSED') return true;
  const tooLarge = ['403100', 'DeviceModelMaxPropertiesExceeded'];
  return error instanceof HubError && tooLarge.includes(error.hubCode ?? '');
}
