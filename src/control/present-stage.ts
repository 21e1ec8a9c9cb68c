import type { Policy } from '../fleet/fleet.ts';
import type { Rollout } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control } from './control.ts';

/** Where a rollout stands. */
export type PresentStage =
  /** No instance has announced the content yet. */
  | { readonly kind: 'unseen' }
  /** The first stage needs an approval. */
  | { readonly kind: 'waiting'; readonly stage: string }
  | { readonly kind: 'running'; readonly index: number; readonly name: string; readonly since: EpochMs }
  /** Every stage is done. */
  | { readonly kind: 'complete' };

/**
 * The present stage of a rollout. The stages of the file may have changed since it began: a stage that is done stays done,
 * by its name. If the present stage is no longer in the file, the first stage that is not done takes its place.
 */
export function presentStage(
  control: Control,
  { hash: content }: Pick<Policy, 'hash'>,
  { stages }: Pick<Rollout, 'stages'>,
): PresentStage {
  const state = ownEntry(control.rollouts, content);
  if (state?.completedAt !== undefined) return { kind: 'complete' };
  const seen = ownEntry(control.seen, content);
  if (seen === undefined) return { kind: 'unseen' };
  const [first] = stages;
  if (state?.stage === undefined) {
    return first.isApproved
      ? { kind: 'waiting', stage: first.name }
      : { kind: 'running', index: 0, name: first.name, since: seen.since };
  }
  const { name, since } = state.stage;
  const named = stages.findIndex((stage) => stage.name === name);
  const index = named >= 0 ? named : stages.findIndex((stage) => !state.done.includes(stage.name));
  const present = stages[index];
  return present === undefined ? { kind: 'complete' } : { kind: 'running', index, name: present.name, since };
}
