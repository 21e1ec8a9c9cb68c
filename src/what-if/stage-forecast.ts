import type { Control } from '../control/control.ts';
import { elapsedSince } from '../control/elapsed.ts';
import { presentStage } from '../control/present-stage.ts';
import { approvalOf } from '../control/rollout-state.ts';
import type { Policy } from '../fleet/fleet.ts';
import { leastTime, type Stage } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import type { RolloutDevice } from '../rollout/content-choice.ts';
import { reachedAfterMs, rolloutPlace, stageIndexOf } from '../rollout/stages.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** When a rollout reaches a device, at the earliest. Gates and pauses come on top. */
export interface StageForecast {
  /** Undefined: a rollout with `over`, which has no stages. */
  readonly stage: string | undefined;
  /** From now, or from the deployment if the rollout has not begun, ms. 0: at once, or it has reached the device. */
  readonly afterMs: number;
  /** This stage, or one before it, still needs an approval. */
  readonly needsApproval: boolean;
  /** The first write also waits for the maintenance window of the device. */
  readonly hasWindow: boolean;
}

/**
 * When the rollout of a policy reaches a device.
 *
 * @param control undefined: no rollout has begun
 * @returns undefined if the content reaches every device at once, or no device any more
 */
export function stageForecast(
  control: Control | undefined,
  policy: Policy,
  device: RolloutDevice,
  now: EpochMs,
): StageForecast | undefined {
  const { rollout, hash: content, mode } = policy;
  if (rollout === undefined || mode === 'observe') return undefined;
  const state = control && ownEntry(control.rollouts, content);
  const present = control && presentStage(control, policy, rollout);
  if (state?.end !== undefined || present?.kind === 'complete') return undefined;
  const { stages, window, isShort } = rollout;
  if (isShort && leastTime(stages[0]) === 0 && window === undefined) return undefined;
  const place = rolloutPlace(device.deviceId, content);
  const index = stageIndexOf(rollout, place, device.matches);
  const own = stages[index] ?? stages[0];
  const running = present?.kind === 'running' ? present : undefined;
  const elapsed =
    control === undefined || running === undefined
      ? 0
      : elapsedSince(control, policy, running.since, undefined, now);
  const at = present !== undefined && 'index' in present ? present.index : 0;
  const isPast = index < at;
  const [first, ...between] = stages.slice(at, index);
  const ownMs = reachedAfterMs(own, place);
  // The present stage may have run longer than its least time. The stages after it still take theirs.
  const afterMs =
    first === undefined
      ? Math.max(0, ownMs - elapsed)
      : Math.max(0, leastTime(first) - elapsed) + sumOf(between) + ownMs;
  const lacksApproval = ({ name, isApproved }: Stage) =>
    isApproved && (state === undefined || approvalOf(state, name) === undefined);
  const ahead = stages.slice(running === undefined ? at : at + 1, index + 1);
  return {
    stage: isShort ? undefined : own.name,
    afterMs: isPast ? 0 : afterMs,
    needsApproval: !isPast && ahead.some(lacksApproval),
    hasWindow: window !== undefined,
  };
}

function sumOf(stages: readonly Stage[]): number {
  return stages.reduce((sum, stage) => sum + leastTime(stage), 0);
}
