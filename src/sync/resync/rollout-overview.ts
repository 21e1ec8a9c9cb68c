import { presentGate } from '../../control/advance.ts';
import type { Act, Control, RolloutState } from '../../control/control.ts';
import { elapsedSince } from '../../control/elapsed.ts';
import { type PresentStage, presentStage } from '../../control/present-stage.ts';
import { approvableStage } from '../../control/rollout-actions.ts';
import { settingsInForce } from '../../control/setting-values.ts';
import { stageCountsOf } from '../../control/stage-counts.ts';
import { type Fleet, rolloutContents } from '../../fleet/fleet.ts';
import { leastTime, type Rollout, type RolloutContent, type RolloutGate } from '../../fleet/rollout.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { ownEntry } from '../../json/json.ts';
import { type StageCounts, takingPart } from '../../rollout/gate.ts';
import {
  addStatusCounts,
  type CountedTwins,
  type PolicyStatusCounts,
  stageKey,
} from '../../store/twins/twin-count-store.ts';
import { type EpochMs, plus } from '../../time/epoch-ms.ts';

/** How a rollout stands, for operators. */
export type RolloutStatus =
  | 'not begun'
  | 'needs approval'
  | 'running'
  | 'paused'
  | 'complete'
  | 'aborted'
  | 'rolling back'
  | 'rolled back';

/** One stage of a rollout, for operators. The counts are those of the devices of this stage only. */
export interface StageOverview extends StageCounts {
  readonly name: string;
  readonly status: 'done' | 'running' | 'later' | 'ended';
  /** The condition of its devices, as the file has it. Undefined: the stage holds a share of all devices. */
  readonly where: string | undefined;
  /** Of all devices, from 0 to 1, with the stages before. 0 for a stage with a condition. */
  readonly share: number;
  /** Its least time. */
  readonly leastMs: number;
  /** It begins only after an approval. */
  readonly isApproved: boolean;
  /** Devices that showed life before their first write, or are not written yet. */
  readonly takePart: number;
  /** Devices that got the content. */
  readonly reached: number;
  /** When its least time is over. Gates and approvals come on top. Undefined: it is done, or that is not known. */
  readonly endsAt: EpochMs | undefined;
}

/** A rollout in stages, for operators. */
export interface RolloutOverview {
  readonly policy: string;
  readonly content: string;
  readonly status: RolloutStatus;
  /** The present stage, and since when. */
  readonly stage: { readonly name: string; readonly since: EpochMs } | undefined;
  readonly waitsFor: RolloutState['waitsFor'];
  /** Why the present stage is not done yet, by the present counts. Undefined: no stage runs, or its gate passes. */
  readonly gateWaits: string | undefined;
  /** The stage that an approval would allow now. */
  readonly approvable: string | undefined;
  readonly gate: RolloutGate;
  readonly onFailure: Rollout['onFailure'];
  readonly approvers: readonly string[];
  readonly pause: RolloutState['pause'];
  readonly end: RolloutState['end'];
  readonly approvals: readonly (Act & { readonly stage: string })[];
  readonly stages: readonly StageOverview[];
}

/**
 * The rollouts in stages of a fleet file, in the order of its policies, then of its deployments. Those of changed values of
 * settings come last.
 */
export function rolloutOverviews(
  fleet: Pick<Fleet, 'twins' | 'edge'>,
  control: Control,
  counted: ReadonlyMap<HostName, CountedTwins>,
  now: EpochMs,
): readonly RolloutOverview[] {
  return [...rolloutContents(fleet), ...settingsInForce(fleet, control)].flatMap((policy) => {
    const { rollout, mode } = policy;
    if (rollout === undefined || rollout.isShort || mode === 'observe') return [];
    return [overviewOf(policy, rollout, control, counted, now)];
  });
}

function overviewOf(
  policy: RolloutContent,
  rollout: Rollout,
  control: Control,
  counted: ReadonlyMap<HostName, CountedTwins>,
  now: EpochMs,
): RolloutOverview {
  const state = ownEntry(control.rollouts, policy.hash);
  const present = presentStage(control, policy, rollout);
  const running = present.kind === 'running' ? present : undefined;
  const first = 'index' in present ? present.index : 0;
  let endsAt: EpochMs | undefined;
  const stages = rollout.stages.map((stage, index): StageOverview => {
    const isDone = present.kind === 'complete' || index < first;
    const isRunning = index === running?.index;
    if (state?.end !== undefined) endsAt = undefined;
    else if (isRunning) {
      const elapsed = elapsedSince(control, policy, running.since, undefined, now);
      endsAt = plus(now, Math.max(0, leastTime(stage) - elapsed));
    } else if (endsAt !== undefined) endsAt = plus(endsAt, leastTime(stage));
    const counts = countsOf(policy, stage.name, counted);
    const { where, share, isApproved } = stage;
    const { pending, inSync, rejected, contested, lost, silent } = counts;
    return {
      name: stage.name,
      status: isDone ? 'done' : stageStatus(state, isRunning),
      where: where?.source,
      share,
      leastMs: leastTime(stage),
      isApproved,
      takePart: takingPart(counts),
      reached: pending + inSync + rejected + contested + lost + silent,
      ...counts,
      endsAt: isDone ? undefined : endsAt,
    };
  });
  const status = statusOf(state, present);
  const gate =
    status === 'running'
      ? presentGate(control, policy, rollout, (stage) => countsOf(policy, stage, counted), now)
      : undefined;
  return {
    policy: policy.name,
    content: policy.hash,
    status,
    stage: running && { name: running.name, since: running.since },
    waitsFor: state?.waitsFor,
    gateWaits: gate === undefined || gate.kind === 'pass' ? undefined : gate.why,
    approvable: approvableStage(control, { ...policy, rollout }),
    gate: rollout.gate,
    onFailure: rollout.onFailure,
    approvers: rollout.approvers,
    pause: state?.pause,
    end: state?.end,
    approvals: (state?.approvals ?? []).map(({ isUsed: _, ...approval }) => approval),
    stages,
  };
}

function stageStatus(state: RolloutState | undefined, isRunning: boolean): StageOverview['status'] {
  if (state?.end !== undefined) return 'ended';
  return isRunning ? 'running' : 'later';
}

function statusOf(state: RolloutState | undefined, present: PresentStage): RolloutStatus {
  if (state?.end?.kind === 'aborted') return 'aborted';
  if (state?.end !== undefined) return state.end.stage === undefined ? 'rolled back' : 'rolling back';
  if (present.kind === 'complete') return 'complete';
  if (state?.pause !== undefined) return 'paused';
  const waits = present.kind === 'waiting' ? present.needsApproval : state?.waitsFor;
  if (waits !== undefined) return 'needs approval';
  return present.kind === 'unseen' ? 'not begun' : 'running';
}

function countsOf(
  { id }: RolloutContent,
  stage: string,
  counted: ReadonlyMap<HostName, CountedTwins>,
): StageCounts {
  const key = stageKey(id, stage);
  let sum: PolicyStatusCounts = {};
  for (const { policies } of counted.values()) sum = addStatusCounts(sum, policies[key] ?? {});
  return stageCountsOf(sum);
}
