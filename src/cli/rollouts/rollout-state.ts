import type { Control } from '../../control/control.ts';
import type { ActionResult, RolloutPolicy } from '../../control/rollout-actions.ts';
import { settingsInForce } from '../../control/setting-values.ts';
import { BerthError } from '../../errors.ts';
import { type Fleet, hostsOf, rolloutContents } from '../../fleet/fleet.ts';
import type { RolloutContent } from '../../fleet/rollout.ts';
import { type RolloutOverview, rolloutOverviews } from '../../sync/resync/rollout-overview.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { knownPolicy } from '../shell/known.ts';
import type { State } from '../shell/state.ts';
import type { Deployment } from './deployments.ts';

/** A policy, a deployment, or the values of the settings of a deployment of the fleet file in force, with a rollout. */
export type PolicyInRollout = RolloutContent & RolloutPolicy;

/**
 * @param name of a policy or a deployment, or `DEPLOYMENT/settings` for the changed values of its settings
 * @throws BerthError `BERTH_POLICY_UNKNOWN`; `BERTH_ROLLOUT_REFUSED` for a policy without a rollout
 */
export function policyInRollout(fleet: Fleet, control: Control, name: string): PolicyInRollout {
  const contents = [...rolloutContents(fleet), ...settingsInForce(fleet, control)];
  const names = contents.map((content) => content.name);
  knownPolicy(name, names, 'The fleet file in force');
  const policy = contents.find((each) => each.name === name);
  if (policy?.rollout !== undefined) return { ...policy, rollout: policy.rollout };
  throw refusal(name, 'it has none: its content reaches all devices at once');
}

/**
 * Changes the rollout of a policy.
 *
 * @throws BerthError `BERTH_ROLLOUT_REFUSED` if it cannot be changed in this way now
 */
export async function changeRollout(
  state: State,
  name: string,
  change: (control: Control) => ActionResult,
): Promise<Control> {
  let refused: string | undefined;
  const control = await state.control.update((row) => {
    const result = change(row);
    refused = result.kind === 'refused' ? result.why : undefined;
    return result.kind === 'refused' ? row : result.control;
  });
  if (refused !== undefined) throw refusal(name, refused);
  return control;
}

/** The rollouts in stages, with the counts of the hubs of this deployment. */
export async function overviewsOf(
  { state, stamp }: Deployment,
  fleet: Fleet,
  control: Control,
  now: EpochMs,
): Promise<readonly RolloutOverview[]> {
  const hosts = hostsOf(fleet, stamp);
  const counted = await state.twinCounts.read(hosts);
  return rolloutOverviews(fleet, control, counted, now);
}

function refusal(name: string, why: string): BerthError {
  return new BerthError(
    'BERTH_ROLLOUT_REFUSED',
    `The rollout of the policy "${name}" was not changed: ${why}. Run "berth rollouts show ${name}".`,
  );
}
