import type { Control } from '../control/control.ts';
import { elapsedOf } from '../control/rollouts.ts';
import type { Policy, Rollout } from '../fleet/fleet.ts';
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
  | { readonly kind: 'begins'; readonly overHours: number }
  /** @property reached share of the devices, from 0 to 1 */
  | { readonly kind: 'runs'; readonly overHours: number; readonly reached: number }
  | { readonly kind: 'over' };

/**
 * The rollout depends on the content of the policy only: content that has run before continues its rollout.
 */
export function policyRolloutOf(
  control: Control,
  policy: Named,
  rollout: Rollout | undefined,
  now: EpochMs,
): PolicyRollout {
  if (rollout === undefined || rollout.overMs === 0) return { kind: 'none' };
  const overHours = rollout.overMs / 3_600_000;
  const elapsed = elapsedOf(control, policy, undefined, now);
  if (elapsed === undefined) return { kind: 'begins', overHours };
  return elapsed >= rollout.overMs
    ? { kind: 'over' }
    : { kind: 'runs', overHours, reached: elapsed / rollout.overMs };
}
