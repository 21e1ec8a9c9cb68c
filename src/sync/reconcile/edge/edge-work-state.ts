import type { DeviceManifest } from '../../../edge/manifest-for.ts';
import type { BerthError } from '../../../errors.ts';
import type { Fleet } from '../../../fleet/fleet.ts';
import { HUB_DEADLINE_MS, HubError } from '../../../hub/port.ts';
import type { Hold } from '../../../rollout/content-choice.ts';
import { type EpochMs, plus } from '../../../time/epoch-ms.ts';
import type { Known } from '../../../twin/events/apply-event.ts';
import type { Snapshot, WorkItem } from '../../../twin/snapshot/snapshot.ts';
import type { Gate } from '../write-gate.ts';
import type { EdgeTwinStatus } from './edge-statuses.ts';

/* Small questions of `EdgeWork`, about what is stored and about failures. */

/** The snapshot of what is known. Undefined: there is none. */
export function knownSnapshot(known: Known | undefined): Snapshot | undefined {
  return known?.kind === 'snapshot' ? known.snapshot : undefined;
}

/** Whether the device twin is not stored although its `$edgeAgent` is: its event is not applied yet, or was lost. */
export function mayAppear(device: Known, agent: Snapshot | undefined): boolean {
  if (device.kind !== 'deleted') return device.kind === 'nothing';
  return agent !== undefined && agent.asOf > device.at;
}

/** How long an apply may take after its intent was stored. A call to a hub ends after a third of it. */
export const APPLY_MS = 3 * HUB_DEADLINE_MS;

/**
 * Until when an instance may be applying a manifest. Undefined: none is. Only the time of the intent counts: meanwhile, other
 * instances may mark `$edgeAgent` to be read, read it, or change its work item.
 */
export function appliesUntil(agent: Snapshot | undefined, now: EpochMs): EpochMs | undefined {
  const { intent } = agent?.edge ?? {};
  if (intent === undefined) return undefined;
  const until = plus(intent.at, APPLY_MS);
  return until > now ? until : undefined;
}

/** The work item of an apply, for the case that its instance ends. */
export function applyingUntil(at: EpochMs, tries: number): WorkItem {
  return { priority: 'drift', at, why: 'a manifest is being applied', tries };
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

/** The pause of a deployment of the manifest. Undefined: none is paused. */
export function pausedBy(
  { provenance: { deployments } }: DeviceManifest,
  { edge }: Pick<Fleet, 'edge'>,
  gate: Pick<Gate, 'holdOf'>,
  now: EpochMs,
): Hold | undefined {
  const own = (edge?.deployments ?? []).filter(({ name }) => deployments.includes(name));
  return own.flatMap((deployment) => gate.holdOf(deployment, now) ?? [])[0];
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
