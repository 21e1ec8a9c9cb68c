import type { Policy } from '../fleet/fleet.ts';
import type { Rollout, Stage } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import { NO_DEVICE_TAKES_PART } from '../rollout/gate.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control, RolloutState } from './control.ts';

const FIRST_NEEDS_APPROVAL = 'the first stage begins only after an approval';

/** Where a rollout stands. */
export type PresentStage =
  /** No instance has announced the content yet. */
  | { readonly kind: 'unseen' }
  /** This stage is next and has not begun. `needsApproval`: why it begins only after an approval. Undefined: it needs none. */
  | {
      readonly kind: 'waiting';
      readonly index: number;
      readonly stage: string;
      readonly needsApproval: string | undefined;
    }
  | { readonly kind: 'running'; readonly index: number; readonly name: string; readonly since: EpochMs }
  /** Every stage is done. */
  | { readonly kind: 'complete' };

/**
 * The present stage of a rollout: the first stage of the file that is not done. The stages of the file may have changed since
 * the rollout began. A stage that is done stays done, by its name. If the present stage is not the one that ran, it has not
 * begun: it may need an approval, and its time begins when `resyncFleet` begins it.
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
    if (first.isApproved || waitsForFirst(state, stages)) return waiting(0, first, state);
    return { kind: 'running', index: 0, name: first.name, since: seen.since };
  }
  const { name, since } = state.stage;
  const index = firstNotDone(stages, state.done);
  const present = stages[index] ?? first;
  return present.name === name ? { kind: 'running', index, name, since } : waiting(index, present, state);
}

/** The stage that runs after this one. Undefined: this one is the last. */
export function stageAfter(
  { stages }: Pick<Rollout, 'stages'>,
  { done }: Pick<RolloutState, 'done'>,
  index: number,
): Stage | undefined {
  const present = stages[index];
  if (present === undefined || index === stages.length - 1) return undefined;
  return stages[firstNotDone(stages, [...done, present.name])];
}

/**
 * The index of the first stage that is not done. The last one holds every device. So it is done only when the rollout is
 * complete, although an earlier file may have had its name for a smaller stage.
 */
function firstNotDone(stages: Rollout['stages'], done: readonly string[]): number {
  const index = stages.findIndex(({ name }) => !done.includes(name));
  return index === -1 ? stages.length - 1 : index;
}

/**
 * Whether the first stage of an earlier file has waited for its approval, so that no stage has begun. An older package did not
 * store the name of a first stage that ran. Its row may name a later stage that waits.
 */
function waitsForFirst(state: RolloutState | undefined, [, ...later]: Rollout['stages']): boolean {
  const waitsFor = state?.waitsFor;
  if (waitsFor === undefined) return false;
  return waitsFor.why === FIRST_NEEDS_APPROVAL || !later.some(({ name }) => name === waitsFor.stage);
}

function waiting(index: number, stage: Stage, state: RolloutState | undefined): PresentStage {
  return { kind: 'waiting', index, stage: stage.name, needsApproval: whyApproval(index, stage, state) };
}

function whyApproval(
  index: number,
  { isApproved }: Stage,
  state: RolloutState | undefined,
): string | undefined {
  const ran = state?.stage?.name;
  // The file may have renamed or removed the stage that waited, or have a new one before it.
  if (ran !== undefined && state?.waitsFor?.why === NO_DEVICE_TAKES_PART) return NO_DEVICE_TAKES_PART;
  if (ran !== undefined && state?.accepted.includes(ran) === true)
    return 'the rollout failed in the stage before, and it was resumed';
  if (!isApproved) return undefined;
  return index === 0 ? FIRST_NEEDS_APPROVAL : 'the stage begins only after an approval';
}
