import type { RolloutOverview } from '../../sync/resync/rollout-overview.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState } from '../shell/state.ts';
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
import { overviewsOf } from './rollout-state.ts';

/** `berth rollouts list`: every rollout in stages of the fleet file in force. */
export function registerListRollouts(rollouts: CommandGroup): void {
  rollouts.command({
    name: 'list',
    description: 'show every rollout in stages',
    example: 'berth rollouts list',
    inputs: JSON_OUTPUT,
    run: listRollouts,
  });
}

async function listRollouts(
  { terminal, env, now }: Cli,
  { json }: Given<typeof JSON_OUTPUT>,
): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const overviews = await overviewsOf(state, fleet, await state.control.read(), env, now());
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (json) {
    sayJson(terminal, { revision: fleet.revision, rollouts: overviews });
    return 0;
  }
  if (overviews.length === 0) {
    say(terminal, 'The fleet file has no rollouts in stages.');
    return 0;
  }
  sayTable(
    terminal,
    [
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
    overviews.map((overview) => row(overview, now())),
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
