import type { Policy } from '../fleet/fleet.ts';
import { ownEntry } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Control } from './control.ts';
import { elapsedSince } from './elapsed.ts';
import { presentStage } from './present-stage.ts';

/**
 * The share of the devices that the rollout of a policy has reached, from 0 to 1. Pauses of hubs are ignored. A stage with
 * a condition counts as no share, because only the twins know how many devices it holds.
 */
export function rolloutShare(
  control: Control,
  policy: Pick<Policy, 'name' | 'hash' | 'rollout'>,
  now: EpochMs,
): number {
  const { rollout, hash: content } = policy;
  if (rollout === undefined) return 1;
  if (ownEntry(control.rollouts, content)?.end?.kind === 'rolledBack') return 0;
  const present = presentStage(control, policy, rollout);
  if (present.kind === 'complete') return 1;
  const stage = 'index' in present ? rollout.stages[present.index] : undefined;
  if (stage === undefined) return 0;
  if (present.kind !== 'running') return stage.shareBefore;
  if (stage.where !== undefined) return stage.shareBefore;
  if (stage.overMs === 0) return stage.share;
  const elapsed = elapsedSince(control, policy, present.since, undefined, now);
  return stage.shareBefore + (stage.share - stage.shareBefore) * Math.min(1, elapsed / stage.overMs);
}
