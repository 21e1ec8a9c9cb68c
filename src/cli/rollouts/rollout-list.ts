import type { RolloutOverview } from '../../sync/resync/rollout-overview.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce } from '../shell/state.ts';
import {
  count,
  moment,
  right,
  say,
  sayJson,
  sayTable,
  shortRevision,
  span,
  tell,
} from '../shell/terminal.ts';
import { DEPLOYMENTS, deploymentsOf } from './deployments.ts';
import { overviewsOf } from './rollout-state.ts';

const INPUTS = { ...DEPLOYMENTS, ...JSON_OUTPUT };

/** `berth rollouts list`: every rollout in stages of the fleet file in force. */
export function registerListRollouts(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'list',
    description: 'show every rollout in stages',
    example: 'berth rollouts list',
    inputs: INPUTS,
    changes: false,
    run: listRollouts,
  });
}

async function listRollouts(
  { terminal, env, now }: Cli,
  { state: states, json }: Given<typeof INPUTS>,
): Promise<number> {
  const deployments = await Promise.all(
    deploymentsOf(states, env).map(async (deployment) => {
      const { state } = deployment;
      const fleet = await fleetInForce(state);
      const rollouts = await overviewsOf(deployment, fleet, await state.control.read(), now());
      return { place: state.place, revision: fleet.revision, rollouts };
    }),
  );
  for (const { place, revision } of deployments)
    tell(terminal, `State: ${place}. Fleet file: revision ${shortRevision(revision)}.`);
  if (json) {
    const [{ place: _, ...only } = { place: '' }] = deployments;
    sayJson(terminal, states.length === 0 ? only : { deployments });
    return 0;
  }
  if (deployments.every(({ rollouts }) => rollouts.length === 0)) {
    say(terminal, 'The fleet file has no rollouts in stages.');
    return 0;
  }
  const hasSeveral = deployments.length > 1;
  sayTable(
    terminal,
    [
      ...(hasSeveral ? ['state tables'] : []),
      'policy',
      'rollout',
      'stage',
      right('since'),
      right('reached'),
      right('in sync'),
      right('rejected'),
      right('lost'),
      'note',
    ],
    deployments.flatMap(({ place, rollouts }) =>
      rollouts.map((overview) => [...(hasSeveral ? [place] : []), ...row(overview, now())]),
    ),
  );
  return 0;
}

function row(overview: RolloutOverview, now: EpochMs): readonly string[] {
  const { policy, status, stage, stages } = overview;
  const sum = (of: 'reached' | 'inSync' | 'rejected' | 'lost') =>
    count(stages.reduce((total, each) => total + each[of], 0));
  return [
    policy,
    status,
    stage?.name ?? '-',
    stage === undefined ? '-' : `${span(now - stage.since)} ago`,
    sum('reached'),
    sum('inSync'),
    sum('rejected'),
    sum('lost'),
    noteOf(overview),
  ];
}

/** Why a rollout does not go on. */
export function noteOf({ pause, end, waitsFor }: RolloutOverview): string {
  const act = end ?? pause;
  if (act !== undefined) return `${printable(act.author)}, ${moment(act.at)}: ${printable(act.reason)}`;
  return waitsFor === undefined ? '' : `stage ${waitsFor.stage}: ${waitsFor.why}`;
}
