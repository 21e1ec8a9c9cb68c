import type { Control } from '../control/control.ts';
import { presentStage } from '../control/present-stage.ts';
import { rolloutShare } from '../control/rollout-share.ts';
import type { Policy } from '../fleet/fleet.ts';
import { leastDuration } from '../fleet/rollout.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** How a policy of the tried fleet file differs from the policy before, by the hash of its content. */
export type PolicyChange = 'new' | 'changed' | 'unchanged' | 'removed';

type Named = Pick<Policy, 'name' | 'hash'>;

export function changeOf({ name, hash }: Named, before: readonly Named[]): Exclude<PolicyChange, 'removed'> {
  const same = before.filter((each) => each.name === name);
  if (same.length === 0) return 'new';
  return same.some((each) => each.hash === hash) ? 'unchanged' : 'changed';
}

/** The names of policies that the tried fleet file no longer has. */
export function removedPolicies(policies: readonly Named[], before: readonly Named[]): readonly string[] {
  const names = new Set(policies.map(({ name }) => name));
  return [...new Set(before.map(({ name }) => name))].filter((name) => !names.has(name)).sort();
}

/** The policies that the deployment runs, as its control row records them. */
export function policiesInForce({ seen }: Control): readonly Named[] {
  return Object.entries(seen)
    .filter(([, { leftAt }]) => leftAt === undefined)
    .map(([hash, { name }]) => ({ name, hash }));
}

/** The rollout of a policy. */
export type PolicyRollout =
  | { readonly kind: 'none' }
  /** @property overHours the least duration */
  | { readonly kind: 'begins'; readonly overHours: number; readonly isStaged?: true }
  /** @property reached share of the devices, from 0 to 1 */
  | { readonly kind: 'runs'; readonly overHours: number; readonly reached: number }
  | { readonly kind: 'over' };

/**
 * The rollout depends on the content of the policy only: content that has run before continues its rollout.
 */
export function policyRolloutOf(
  control: Control,
  policy: Named & Pick<Policy, 'rollout'>,
  now: EpochMs,
): PolicyRollout {
  const { rollout } = policy;
  if (rollout === undefined || (rollout.isShort && leastDuration(rollout) === 0)) return { kind: 'none' };
  const overHours = leastDuration(rollout) / 3_600_000;
  const present = presentStage(control, policy, rollout);
  if (present.kind === 'unseen') {
    return { kind: 'begins', overHours, ...(rollout.isShort ? {} : { isStaged: true }) };
  }
  const reached = rolloutShare(control, policy, now);
  const isOver = present.kind === 'complete' || (rollout.isShort && reached === 1);
  return isOver ? { kind: 'over' } : { kind: 'runs', overHours, reached };
}
