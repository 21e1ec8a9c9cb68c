import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control, RolloutState } from './control.ts';

/** The state of a rollout that has not changed yet. */
export const NOT_BEGUN: RolloutState = { done: [], approvals: [], accepted: [] };

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
