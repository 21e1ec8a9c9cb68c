import { leastTime, type RolloutGate, type Stage } from '../fleet/rollout.ts';

/** The devices of a stage, by what the rollout knows of them. */
export interface StageCounts {
  /** Not written yet: not reached, held, or waiting for a budget. */
  readonly waiting: number;
  /** Written, and without a result. */
  readonly pending: number;
  readonly inSync: number;
  readonly rejected: number;
  readonly contested: number;
  /** They showed life before their first write, and none within the deadline after it. */
  readonly lost: number;
  /** They showed no life in the 24 hours before their first write, so they do not take part. */
  readonly silent: number;
}

export const NO_DEVICES: StageCounts = {
  waiting: 0,
  pending: 0,
  inSync: 0,
  rejected: 0,
  contested: 0,
  lost: 0,
  silent: 0,
};

/** Why a stage begins only after an approval: the one before it has shown nothing. */
export const NO_DEVICE_TAKES_PART = 'no device takes part in the stage';

export interface GateInput {
  readonly stage: Stage;
  /** The stage after it. Undefined: it is the last one. */
  readonly next: Pick<Stage, 'name' | 'isApproved'> | undefined;
  /** The devices of this stage only. */
  readonly own: StageCounts;
  /** The devices of this stage and of those before it, without stages whose failure an operator has accepted. */
  readonly all: StageCounts;
  readonly gate: RolloutGate;
  /** How long the stage has run, without pauses, ms. */
  readonly elapsedMs: number;
  /** The next stage is approved. */
  readonly isApproved: boolean;
  /** An operator has resumed the rollout after it failed in this stage. */
  readonly isAccepted: boolean;
}

export type GateDecision =
  /** The stage continues. */
  | { readonly kind: 'wait'; readonly why: string }
  /** The stage is done, and the next one begins. */
  | { readonly kind: 'pass' }
  /** The next stage begins only after an approval. */
  | { readonly kind: 'needsApproval'; readonly stage: string; readonly why: string }
  | { readonly kind: 'fail'; readonly why: string };

/**
 * Whether a stage is done. Pure; test/rollout/gate.test.ts is the specification. Failures are seen at any time, also before
 * the least time of the stage.
 */
export function decideGate(input: GateInput): GateDecision {
  const { stage, next, own, all, gate, elapsedMs, isApproved, isAccepted } = input;
  if (!isAccepted) {
    const failure = failureOf(own, gate) ?? failureOf(all, gate);
    if (failure !== undefined) return { kind: 'fail', why: failure };
  }
  if (elapsedMs < leastTime(stage)) return { kind: 'wait', why: 'the least time of the stage is not over' };
  const open: GateDecision =
    next?.isApproved === true && !isApproved
      ? { kind: 'needsApproval', stage: next.name, why: 'the next stage begins only after an approval' }
      : { kind: 'pass' };
  const taking = takingPart(own);
  if (taking === 0) return unlessApproved(input, NO_DEVICE_TAKES_PART);
  if (isAccepted) return unlessApproved(input, 'the rollout failed in the stage, and it was resumed');
  const results = resultsOf(own);
  const needed = Math.min(gate.sample, taking);
  // A device may show life and never answer. The stage does not wait for it for ever.
  const isOver = own.waiting === 0 && (own.pending === 0 || elapsedMs >= leastTime(stage) + gate.deadlineMs);
  if (results < needed && !isOver) return { kind: 'wait', why: `${results} of ${needed} results are there` };
  if (own.inSync / taking >= gate.inSync) return open;
  const why = `${own.inSync} of the ${taking} devices that take part are in sync`;
  return isOver ? { kind: 'fail', why: `only ${why}, and the others will not be` } : { kind: 'wait', why };
}

/** Devices that take part: they must be in sync before the next stage. */
export function takingPart({ waiting, pending, inSync, rejected, contested, lost }: StageCounts): number {
  return waiting + pending + inSync + rejected + contested + lost;
}

function resultsOf({ inSync, rejected, lost, contested }: StageCounts): number {
  return inSync + rejected + lost + contested;
}

/** A lost device counts as rejected: a value that ends devices must not pass. */
function failureOf(counts: StageCounts, { rejected, sample }: RolloutGate): string | undefined {
  const results = resultsOf(counts);
  const bad = counts.rejected + counts.lost;
  if (bad === 0 || results < Math.min(sample, takingPart(counts)) || bad / results <= rejected)
    return undefined;
  const lost = counts.lost === 0 ? '' : ` or are lost (${counts.lost})`;
  return `${bad} of ${results} devices with a result reject it${lost}`;
}

/** After the last stage there is nothing to approve. */
function unlessApproved({ next, isApproved }: GateInput, why: string): GateDecision {
  return next === undefined || isApproved
    ? { kind: 'pass' }
    : { kind: 'needsApproval', stage: next.name, why };
}
