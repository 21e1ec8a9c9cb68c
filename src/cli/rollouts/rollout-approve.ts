import type { Act } from '../../control/control.ts';
import { approveStage, stageToApprove } from '../../control/rollout-actions.ts';
import { BerthError } from '../../errors.ts';
import { ownEntry } from '../../json/json.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, reason, requiredText } from '../shell/inputs.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { tell } from '../shell/terminal.ts';
import { type ApprovalFacts, whyNotApprover } from './approver.ts';
import { changeRollout, policyInRollout } from './rollout-state.ts';

const INPUTS = {
  '<policy>': requiredText('name of the policy'),
  '--reason <text>': reason('the reason, stored with the approval'),
};

/** `berth rollouts approve`: allows the next stage to begin. */
export function registerApprove(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'approve',
    description: 'allow the next stage to begin when the gate of the present one passes',
    example: 'berth rollouts approve battery-saver --reason "first stage looks good"',
    inputs: INPUTS,
    run: approve,
  });
}

async function approve(
  { terminal, env, now }: Cli,
  { policy: name, reason: why }: Given<typeof INPUTS>,
): Promise<number> {
  const state = openState(env);
  const policy = policyInRollout(await fleetInForce(state), name);
  const author = await state.author();
  const row = await state.control.read();
  const revision = ownEntry(row.seen, policy.hash)?.revision;
  const stored = revision === undefined ? undefined : await state.revisions.get(revision);
  const facts: ApprovalFacts = {
    signIn: state.isSignedIn ? author : undefined,
    packageAuthor: stored?.author,
    approvers: policy.rollout.approvers,
  };
  const refusal = whyNotApprover(facts);
  if (refusal !== undefined) {
    throw new BerthError(
      'BERTH_APPROVAL_REFUSED',
      `The rollout of the policy "${name}" was not approved: ${refusal}`,
    );
  }
  const by: Act = { author, reason: why, at: now() };
  const stage = stageToApprove(row, policy);
  await changeRollout(state, name, (control) => approveStage(control, policy, by));
  tell(terminal, `Stage ${stage} of the rollout of the policy ${name} is approved, by ${author}: ${why}.`);
  tell(terminal, 'It begins within two minutes after the gate of the present stage passes.');
  tell(terminal, `State: ${state.place}.`);
  return 0;
}
