import type { RolloutOverview } from '../../sync/resync/rollout-overview.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, requiredText } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce } from '../shell/state.ts';
import { count, moment, right, say, sayJson, sayTable, type Terminal, tell } from '../shell/terminal.ts';
import { DEPLOYMENTS, deploymentsOf } from './deployments.ts';
import { noteOf } from './rollout-list.ts';
import { overviewsOf, policyInRollout } from './rollout-state.ts';

const INPUTS = { '<policy>': requiredText('name of the policy'), ...DEPLOYMENTS, ...JSON_OUTPUT };

/** `berth rollouts show`: the stages of one rollout. */
export function registerShowRollout(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'show',
    description: 'show the stages of the rollout of a policy',
    example: 'berth rollouts show battery-saver',
    inputs: INPUTS,
    changes: false,
    run: showRollout,
  });
}

async function showRollout(
  { terminal, env, now }: Cli,
  { policy, state: states, json }: Given<typeof INPUTS>,
): Promise<number> {
  const shown = [];
  for (const deployment of deploymentsOf(states, env)) {
    const { state } = deployment;
    const fleet = await fleetInForce(state);
    const control = await state.control.read();
    policyInRollout(fleet, control, policy);
    const overviews = await overviewsOf(deployment, fleet, control, now());
    const overview = overviews.find((each) => each.policy === policy);
    tell(terminal, `State: ${state.place}. Each deployment has its own rollout.`);
    shown.push({ place: state.place, rollout: overview ?? null });
    if (json) continue;
    if (overview === undefined)
      say(terminal, `The policy ${policy} has no stages. "berth policies" shows its rollout.`);
    else sayRollout(terminal, overview, states);
  }
  if (json) sayJson(terminal, states.length === 0 ? (shown[0]?.rollout ?? null) : { deployments: shown });
  return 0;
}

function sayRollout(terminal: Terminal, overview: RolloutOverview, states: readonly string[]): void {
  const { policy, status, stage: present, gateWaits, waitsFor } = overview;
  const note = noteOf(overview);
  say(terminal, `${policy}: ${status}${note === '' ? '' : ` (${note})`}`);
  sayStages(terminal, overview);
  if (gateWaits !== undefined && present !== undefined)
    say(terminal, `Stage ${present.name} is not done: ${gateWaits}.`);
  for (const { stage, author, at, reason } of overview.approvals) {
    say(terminal, `Stage ${stage} was approved ${moment(at)} by ${printable(author)}: ${printable(reason)}.`);
  }
  if (waitsFor !== undefined) {
    const where = states.length === 0 ? '' : ' --state URI';
    say(terminal, `To begin stage ${waitsFor.stage}: berth rollouts approve ${policy} --reason TEXT${where}`);
  }
}

function sayStages(terminal: Terminal, { stages }: RolloutOverview): void {
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
