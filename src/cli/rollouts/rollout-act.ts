import type { Act, Control } from '../../control/control.ts';
import type { ActionResult, RolloutPolicy } from '../../control/rollout-actions.ts';
import { BerthError } from '../../errors.ts';
import { isSettingsRollout } from '../../fleet/edge/setting-values.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { reason, requiredText, toggle } from '../shell/inputs.ts';
import { fleetInForce, type State } from '../shell/state.ts';
import { tell } from '../shell/terminal.ts';
import { DEPLOYMENTS, deploymentsOf } from './deployments.ts';
import { changeRollout, type PolicyInRollout, policyInRollout } from './rollout-state.ts';

/** A change of a rollout by an operator, and the words of its command. */
export interface RolloutAct {
  readonly name: string;
  readonly description: string;
  /** A reason, for the example of the help. */
  readonly exampleReason: string;
  /** The help of `--in-stages`. Undefined: the command does not have it. */
  readonly inStages?: string;
  /** @throws BerthError if the operator may not make the change */
  readonly check?: (state: State, policy: PolicyInRollout, author: string, row: Control) => Promise<void>;
  readonly change: (row: Control, policy: RolloutPolicy, by: Act, inStages: boolean) => ActionResult;
  /** `The rollout of the policy x is paused`, from the row before the change. */
  readonly done: (policy: PolicyInRollout, before: Control) => string;
  /** What happens then, in sentences. */
  readonly effect: string;
  /** The same for values of settings, which have no previous content. Default: as for all. */
  readonly effectOnSettings?: string;
}

interface ActOptions {
  readonly policy: string;
  readonly reason: string;
  readonly state: readonly string[];
  readonly inStages?: boolean;
}

/** Adds the command of a change. All of them take a policy, a reason, and the deployments. */
export function registerAct(rollouts: CommandGroup, act: RolloutAct): void {
  rollouts.command({
    name: act.name,
    description: act.description,
    example: `berth rollouts ${act.name} battery-saver --reason "${act.exampleReason}"`,
    inputs: {
      '<policy>': requiredText('name of the policy'),
      '--reason <text>': reason('the reason, stored with the change'),
      ...(act.inStages === undefined ? {} : { '--in-stages': toggle(act.inStages) }),
      ...DEPLOYMENTS,
    },
    changes: true,
    run: (cli, options) => runAct(cli, act, options),
  });
}

/** One deployment after the other. A deployment that refuses does not stop the others. */
async function runAct(cli: Cli, act: RolloutAct, options: ActOptions): Promise<number> {
  const deployments = deploymentsOf(options.state, cli.env);
  const [first, ...others] = deployments;
  if (first !== undefined && others.length === 0) {
    tell(cli.terminal, await actOn(first.state, act, options, cli));
    tell(cli.terminal, effectOf(act, options.policy));
    tell(cli.terminal, `State: ${first.state.place}.`);
    return 0;
  }
  let failed = 0;
  for (const { state } of deployments) {
    try {
      tell(cli.terminal, `${state.place}: ${await actOn(state, act, options, cli)}`);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      failed += 1;
      tell(cli.terminal, `${state.place}: ${error.message} [${error.code}]`);
    }
  }
  if (failed < deployments.length) tell(cli.terminal, effectOf(act, options.policy));
  if (failed > 0) tell(cli.terminal, `${failed} of ${deployments.length} deployments were not changed.`);
  return failed > 0 ? 1 : 0;
}

function effectOf({ effect, effectOnSettings = effect }: RolloutAct, name: string): string {
  return isSettingsRollout(name) ? effectOnSettings : effect;
}

/** What was done, in a sentence. */
async function actOn(
  state: State,
  act: RolloutAct,
  { policy: name, reason: why, inStages = false }: ActOptions,
  { now }: Cli,
): Promise<string> {
  const before = await state.control.read();
  const policy = policyInRollout(await fleetInForce(state), before, name);
  const author = await state.author();
  await act.check?.(state, policy, author, before);
  const done = act.done(policy, before);
  const by: Act = { author, reason: why, at: now() };
  await changeRollout(state, name, (row) => act.change(row, policy, by, inStages));
  return `${done}, by ${author}: ${why}.`;
}
