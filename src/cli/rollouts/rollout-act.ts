import type { Act, Control } from '../../control/control.ts';
import {
  type ActionResult,
  abortRollout,
  pauseRollout,
  type RolloutPolicy,
  resumeRollout,
  rollBack,
} from '../../control/rollout-actions.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { reason, requiredText, toggle } from '../shell/inputs.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { tell } from '../shell/terminal.ts';
import { changeRollout, policyInRollout } from './rollout-state.ts';

const INPUTS = {
  '<policy>': requiredText('name of the policy'),
  '--reason <text>': reason('the reason, stored with the change'),
};
const BACK_INPUTS = {
  ...INPUTS,
  '--in-stages': toggle('in the stages of the rollout, without gates. Default: all devices at once'),
};

/** `berth rollouts pause`: no further device is reached. */
export function registerPauseRollout(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'pause',
    description: 'reach no further device until "berth rollouts resume"',
    example: 'berth rollouts pause battery-saver --reason "sensor reads low"',
    inputs: INPUTS,
    run: (cli, { policy, reason: why }) =>
      act(cli, policy, why, pauseRollout, {
        done: 'is paused',
        effect:
          'Within 30 seconds, no further device gets the content. Devices that have it keep it, and Berth still corrects their changes.',
      }),
  });
}

/** `berth rollouts resume`: the rollout continues. */
export function registerResumeRollout(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'resume',
    description: 'continue a paused rollout, also one that has failed',
    example: 'berth rollouts resume battery-saver --reason "sensors corrected"',
    inputs: INPUTS,
    run: (cli, { policy, reason: why }) =>
      act(cli, policy, why, resumeRollout, {
        done: 'is resumed',
        effect:
          'It continues in its present stage within two minutes. If it had failed there, that stage does not fail again, and the next stage needs an approval.',
      }),
  });
}

/** `berth rollouts abort`: the rollout ends, and devices keep what they have. */
export function registerAbort(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'abort',
    description: 'end a rollout; devices keep what they have',
    example: 'berth rollouts abort battery-saver --reason "replaced by another policy"',
    inputs: INPUTS,
    run: (cli, { policy, reason: why }) =>
      act(cli, policy, why, abortRollout, {
        done: 'is aborted',
        effect:
          'No further device gets the content until the fleet file has another one. Devices that have it keep it. To give back the earlier values, run "berth rollouts rollback".',
      }),
  });
}

/** `berth rollouts rollback`: devices get back the values from before the rollout. */
export function registerRollback(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'rollback',
    description: 'give back the values from before a rollout',
    example: 'berth rollouts rollback battery-saver --reason "devices run hot"',
    inputs: BACK_INPUTS,
    run: (cli, { policy, reason: why, inStages }) =>
      act(cli, policy, why, (control, of, by) => rollBack(control, of, by, inStages), {
        done: 'is rolled back',
        effect:
          'Devices get back the values from before the rollout, within the budgets of their hubs. Values that another writer has changed since stay, and are listed as contested. No device gets the content until the fleet file has another one.',
      }),
  });
}

async function act(
  { terminal, env, now }: Cli,
  name: string,
  why: string,
  change: (control: Control, policy: RolloutPolicy, by: Act) => ActionResult,
  { done, effect }: { readonly done: string; readonly effect: string },
): Promise<number> {
  const state = openState(env);
  const policy = policyInRollout(await fleetInForce(state), name);
  const by: Act = { author: await state.author(), reason: why, at: now() };
  await changeRollout(state, name, (control) => change(control, policy, by));
  tell(terminal, `The rollout of the policy ${name} ${done}, by ${by.author}: ${why}.`);
  tell(terminal, effect);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}
