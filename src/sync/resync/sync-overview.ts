import type { Control, Pause } from '../../control/control.ts';
import { pauseFor } from '../../control/pauses.ts';
import { presentStage } from '../../control/present-stage.ts';
import { rolloutShare } from '../../control/rollout-share.ts';
import type { Fleet, Hub, PolicyMode } from '../../fleet/fleet.ts';
import { dailyLimit } from '../../hub/budget.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { type HubCounts, noCounts } from '../../metrics/sync-counters.ts';
import {
  addStatusCounts,
  type CountedTwins,
  type PolicyStatusCounts,
} from '../../store/twins/twin-count-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { type PolicyProgress, policyProgressOf } from './self-pause.ts';

/** The present state of a policy, for operators. */
export interface PolicyOverview extends PolicyProgress {
  readonly name: string;
  readonly id: string;
  readonly mode: PolicyMode;
  /** When this content was first seen. Undefined: not yet. */
  readonly since: EpochMs | undefined;
  /** The progress of its rollout, from 0 to 1. Pauses of hubs are ignored. */
  readonly rollout: number;
  /** The present stage of a rollout in stages. Undefined: it has none, or it is complete. */
  readonly stage: string | undefined;
  readonly pause: Pause | undefined;
  readonly contested: number;
  readonly drifted: number;
  /** Written, and not answered by the device yet. */
  readonly pending: number;
  readonly inSync: number;
}

export function policyOverviews(
  { twins }: Fleet,
  control: Control,
  counted: ReadonlyMap<HostName, CountedTwins>,
  now: EpochMs,
): readonly PolicyOverview[] {
  return twins.policies.map((policy) => {
    const { id } = policy;
    let statusCounts: PolicyStatusCounts = {};
    for (const { policies } of counted.values())
      statusCounts = addStatusCounts(statusCounts, policies[id] ?? {});
    const { rollout } = policy;
    const present = rollout && !rollout.isShort ? presentStage(control, policy, rollout) : undefined;
    return {
      name: policy.name,
      id,
      mode: policy.mode,
      since: control.seen[policy.hash]?.since,
      rollout: rolloutShare(control, policy, now),
      stage: present?.kind === 'running' ? present.name : undefined,
      pause: pauseFor(control, { kind: 'policy', name: policy.name }),
      ...policyProgressOf(statusCounts),
      contested: statusCounts.contested ?? 0,
      drifted: statusCounts.drifted ?? 0,
      pending: statusCounts.pending ?? 0,
      inSync: statusCounts.inSync ?? 0,
    };
  });
}

/** What sync has recently cost a hub, and whether its events are complete. */
export interface HubSyncOverview {
  readonly messagesToday: number;
  /** The number that `budget.daily` allows. */
  readonly messagesLimit: number;
  /** The counts of this hour and the one before. */
  readonly counts: HubCounts;
  /** The part of the events that did not follow their snapshot. Undefined: there were no events. */
  readonly gapRate: number | undefined;
  /** Why Berth reads before every decision. Undefined: the events are trusted. */
  readonly untrusted: { readonly since: EpochMs; readonly why: string } | undefined;
}

export function hubSyncOverview(
  hub: Hub,
  control: Control,
  used: ReadonlyMap<HostName, number>,
  statistics: ReadonlyMap<HostName, HubCounts>,
): HubSyncOverview {
  const counts = statistics.get(hub.host) ?? noCounts();
  const events = counts.merged + counts.replayed + counts.gaps;
  return {
    messagesToday: used.get(hub.host) ?? 0,
    messagesLimit: dailyLimit(hub, 1),
    counts,
    gapRate: events === 0 ? undefined : counts.gaps / events,
    untrusted: control.untrusted[hub.host],
  };
}
