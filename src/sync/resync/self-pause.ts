import { type Control, SELF } from '../../control/control.ts';
import { isTrusted, pauseFor, withPause } from '../../control/pauses.ts';
import type { Policy } from '../../fleet/fleet.ts';
import { addStatusCounts, type PolicyStatusCounts } from '../../store/twins/twin-count-store.ts';
import type { ResyncContext } from './resync-context.ts';

/** With fewer devices, one or two rejections prove nothing. */
const LEAST_REACHED = 20;

/** How many twins a policy has reached, and how many reject it. */
export interface PolicyProgress {
  /** Twins in which the policy owns a property and may write. */
  readonly reached: number;
  readonly rejected: number;
  /** Twins in which a correction of the policy is held. */
  readonly held: number;
}

export function policyProgressOf(counts: PolicyStatusCounts): PolicyProgress {
  const { held = 0, rejected = 0, inSync = 0, pending = 0, drifted = 0, contested = 0 } = counts;
  const { lost = 0, silent = 0 } = counts;
  return { reached: inSync + pending + drifted + contested + rejected + lost + silent, rejected, held };
}

/** Why a policy must pause itself. Undefined: it need not. */
export function whyPause(
  policy: Pick<Policy, 'hash' | 'name'>,
  { reached, rejected }: PolicyProgress,
  pauseWhen: number,
  control: Control,
): string | undefined {
  if (pauseFor(control, { kind: 'policy', name: policy.name }) !== undefined) return undefined;
  if (isTrusted(control, policy)) return undefined;
  if (reached < LEAST_REACHED || rejected / reached <= pauseWhen) return undefined;
  return `${rejected} of the ${reached} devices that it has reached reject it`;
}

/** Pauses every policy with `rollout.over` that too many of its reached devices reject. */
export async function pauseRejected({
  fleet,
  hosts,
  twinCounts,
  control,
  now,
  warn,
}: ResyncContext): Promise<void> {
  const policies = fleet.twins.policies.filter(({ rollout }) => rollout?.isShort === true);
  if (policies.length === 0) return;
  const counted = [...(await twinCounts.read(hosts)).values()];
  const row = await control.read();
  for (const policy of policies) {
    const statusCounts = counted.reduce<PolicyStatusCounts>(
      (sum, { policies: hubs }) => addStatusCounts(sum, hubs[policy.id] ?? {}),
      {},
    );
    const reason = whyPause(policy, policyProgressOf(statusCounts), policy.rollout?.gate.rejected ?? 1, row);
    if (reason === undefined) continue;
    const pause = { author: SELF, reason, at: now(), content: policy.hash };
    await control.update((latest) => withPause(latest, { kind: 'policy', name: policy.name }, pause));
    warn(`The policy ${policy.name} has paused itself: ${reason}.`, {
      code: 'BERTH_POLICY_REJECTED',
      policy: policy.name,
    });
  }
}
