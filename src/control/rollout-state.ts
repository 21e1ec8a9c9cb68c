import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control, RolloutState } from './control.ts';

/** The state of a rollout that has not changed yet. */
export const NOT_BEGUN: RolloutState = { done: [], approvals: [], accepted: [] };

/** The approval that allows a stage to begin. It allows this once: not again, if a later file has the stage in another place. */
export function approvalOf(
  { approvals }: RolloutState,
  stage: string,
): RolloutState['approvals'][number] | undefined {
  return approvals.find((approval) => approval.stage === stage && approval.isUsed !== true);
}

/** The stage begins, and its approval is used. */
export function withStage(state: RolloutState, stage: string, now: EpochMs): RolloutState {
  const approvals = state.approvals.map((approval) =>
    approval.stage === stage ? { ...approval, isUsed: true } : approval,
  );
  return { ...state, stage: { name: stage, since: now }, approvals, waitsFor: undefined };
}

/**
 * The control row with the new state of a rollout. Every twin is planned again, because no event of a twin would tell that
 * a stage has begun or that a rollout is over.
 */
export function withRollout(control: Control, content: string, state: RolloutState, now: EpochMs): Control {
  return {
    ...control,
    rollouts: { ...control.rollouts, [content]: state },
    generation: control.generation + 1,
    changedAt: now,
  };
}
