import type { Rollout, RolloutContent } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import type { Act, Control, PastPause, RolloutState } from './control.ts';
import { rolloutScope } from './elapsed.ts';
import { presentStage, stageAfter } from './present-stage.ts';
import { approvalOf, NOT_BEGUN, withRollout } from './rollout-state.ts';

/** A policy with a rollout. */
export type RolloutPolicy = Pick<RolloutContent, 'name' | 'hash' | 'settings'> & {
  readonly rollout: Rollout;
};

/** What an operator asked for: the changed row, or why it was not changed. */
export type ActionResult =
  | { readonly kind: 'changed'; readonly control: Control }
  | { readonly kind: 'refused'; readonly why: string };

/** How many past pauses are stored, as for other pauses. */
const MAX_PAST_PAUSES = 500;

/** No further device is reached until the rollout is resumed. Devices that have the content keep it. */
export function pauseRollout(control: Control, policy: RolloutPolicy, by: Act): ActionResult {
  const state = stateOf(control, policy);
  const refusal = whyOver(control, policy, state);
  if (refusal !== undefined) return refused(refusal);
  if (state.pause !== undefined)
    return refused(`it is paused already by ${state.pause.author}: ${state.pause.reason}`);
  return changed(withRollout(control, policy.hash, { ...state, pause: by }, by.at));
}

/** The rollout continues. A stage in which it failed does not fail again, and the next stage needs an approval. */
export function resumeRollout(control: Control, policy: RolloutPolicy, by: Act): ActionResult {
  const state = stateOf(control, policy);
  const { pause } = state;
  if (pause === undefined) return refused('it is not paused');
  const { at: from, stage, author, reason } = pause;
  const past: PastPause = {
    scope: rolloutScope(policy.hash),
    from,
    to: by.at,
    author,
    reason,
    resumed: { author: by.author, reason: by.reason },
  };
  const accepted = stage === undefined ? state.accepted : [...state.accepted, stage];
  const resumed = { ...control, pastPauses: [...control.pastPauses, past].slice(-MAX_PAST_PAUSES) };
  return changed(withRollout(resumed, policy.hash, { ...state, pause: undefined, accepted }, by.at));
}

/** The next stage may begin when the gate of the present stage allows it. */
export function approveStage(control: Control, policy: RolloutPolicy, by: Act): ActionResult {
  const state = stateOf(control, policy);
  const refusal = whyOver(control, policy, state);
  if (refusal !== undefined) return refused(refusal);
  const stage = stageToApprove(control, policy);
  if (stage === undefined) return refused('its last stage runs, so there is nothing to approve');
  const earlier = approvalOf(state, stage);
  if (earlier !== undefined) {
    return refused(`stage ${stage} is approved already by ${earlier.author}: ${earlier.reason}`);
  }
  const approvals = [...state.approvals, { ...by, stage }];
  // No twin sees an approval. `resyncFleet` begins the stage.
  return changed({ ...control, rollouts: { ...control.rollouts, [policy.hash]: { ...state, approvals } } });
}

/** The stage that an approval is for: the present one if it waits for an approval, else the next one. */
export function stageToApprove(control: Control, policy: RolloutPolicy): string | undefined {
  const present = presentStage(control, policy, policy.rollout);
  if (present.kind === 'waiting' && present.needsApproval !== undefined) return present.stage;
  return present.kind === 'waiting' || present.kind === 'running'
    ? stageAfter(policy.rollout, stateOf(control, policy), present.index)?.name
    : undefined;
}

/** The stage that an approval would allow now. Undefined: there is nothing to approve. */
export function approvableStage(control: Control, policy: RolloutPolicy): string | undefined {
  const state = stateOf(control, policy);
  if (whyOver(control, policy, state) !== undefined) return undefined;
  const stage = stageToApprove(control, policy);
  return stage === undefined || approvalOf(state, stage) !== undefined ? undefined : stage;
}

/** The rollout ends. Devices that have the content keep it; no other device gets it until the file holds another content. */
export function abortRollout(control: Control, policy: RolloutPolicy, by: Act): ActionResult {
  const state = stateOf(control, policy);
  const refusal = whyOver(control, policy, state);
  if (refusal !== undefined) return refused(refusal);
  const next: RolloutState = {
    ...state,
    pause: undefined,
    waitsFor: undefined,
    end: { ...by, kind: 'aborted' },
  };
  return changed(withRollout(control, policy.hash, next, by.at));
}

/**
 * Devices get back the values from before the rollout. No device gets the content until the file holds another one. Values of
 * settings have no previous content: their rollout is paused.
 *
 * @param inStages the devices go back in the stages of the rollout, without gates; else all at once
 */
export function rollBack(control: Control, policy: RolloutPolicy, by: Act, inStages: boolean): ActionResult {
  if (policy.settings !== undefined) return pauseRollout(control, policy, by);
  const state = stateOf(control, policy);
  if (!Object.hasOwn(control.seen, policy.hash)) return refused('it has not begun');
  if (state.end?.kind === 'rolledBack') {
    return refused(`it is rolled back already by ${state.end.author}: ${state.end.reason}`);
  }
  const [first, ...others] = policy.rollout.stages;
  const stage = inStages && others.length > 0 ? { stage: { name: first.name, since: by.at } } : {};
  const { completedAt: _, ...rest } = state;
  const end = { ...by, kind: 'rolledBack' as const, ...stage };
  return changed(
    withRollout(control, policy.hash, { ...rest, pause: undefined, waitsFor: undefined, end }, by.at),
  );
}

function stateOf(control: Control, { hash: content }: RolloutPolicy): RolloutState {
  return ownEntry(control.rollouts, content) ?? NOT_BEGUN;
}

/** Why a rollout cannot be changed any more. Undefined: it can. */
function whyOver(control: Control, policy: RolloutPolicy, { end }: RolloutState): string | undefined {
  if (end !== undefined) {
    const what = end.kind === 'aborted' ? 'aborted' : 'rolled back';
    return `it was ${what} by ${end.author}: ${end.reason}`;
  }
  const { kind } = presentStage(control, policy, policy.rollout);
  if (kind === 'unseen') return 'it has not begun: no instance has announced this content';
  return kind === 'complete' ? 'it is complete' : undefined;
}

function changed(control: Control): ActionResult {
  return { kind: 'changed', control };
}

function refused(why: string): ActionResult {
  return { kind: 'refused', why };
}
