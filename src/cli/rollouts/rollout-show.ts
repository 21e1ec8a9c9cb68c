import type { RolloutOverview } from '../../sync/resync/rollout-overview.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, requiredText } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, moment, right, say, sayJson, sayTable, tell } from '../shell/terminal.ts';
import { noteOf } from './rollout-list.ts';
import { overviewsOf, policyInRollout } from './rollout-state.ts';

const INPUTS = { '<policy>': requiredText('name of the policy'), ...JSON_OUTPUT };

/** `berth rollouts show`: the stages of one rollout. */
export function registerShowRollout(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'show',
    description: 'show the stages of the rollout of a policy',
    example: 'berth rollouts show battery-saver',
    inputs: INPUTS,
    run: showRollout,
  });
}

async function showRollout(
  { terminal, env, now }: Cli,
  { policy: name, json }: Given<typeof INPUTS>,
): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  policyInRollout(fleet, name);
  const overviews = await overviewsOf(state, fleet, await state.control.read(), env, now());
  const overview = overviews.find((each) => each.policy === name);
  tell(terminal, `State: ${state.place}. Each deployment has its own rollout.`);
  if (overview === undefined) {
    say(terminal, `The policy ${name} has no stages. "berth policies" shows its rollout.`);
    return 0;
  }
  if (json) {
    sayJson(terminal, overview);
    return 0;
  }
  const note = noteOf(overview);
  say(terminal, `${name}: ${overview.status}${note === '' ? '' : ` (${note})`}`);
  sayStages(terminal, overview);
  if (overview.gateWaits !== undefined) {
    say(terminal, `Stage ${overview.stage?.name} is not done: ${overview.gateWaits}.`);
  }
  for (const { stage, author, at, reason } of overview.approvals) {
    say(terminal, `Stage ${stage} was approved ${moment(at)} by ${printable(author)}: ${printable(reason)}.`);
  }
  if (overview.waitsFor !== undefined) {
    say(terminal, `To begin stage ${overview.waitsFor.stage}: berth rollouts approve ${name} --reason TEXT`);
  }
  return 0;
}

function sayStages(terminal: Cli['terminal'], { stages }: RolloutOverview): void {
  sayTable(
    terminal,
    [
      'stage',
      'state',
      right('take part'),
      right('reached'),
      right('in sync'),
      right('pending'),
      right('rejected'),
      right('lost'),
      right('silent before'),
      'ends at about',
    ],
    stages.map((stage) => [
      stage.name,
      stage.status,
      count(stage.takePart),
      count(stage.reached),
      count(stage.inSync),
      count(stage.pending),
      count(stage.rejected),
      count(stage.lost),
      count(stage.silent),
      stage.endsAt === undefined ? '-' : moment(stage.endsAt),
    ]),
  );
}
