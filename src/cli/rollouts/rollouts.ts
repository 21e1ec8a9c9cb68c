import type { CommandGroup } from '../shell/command-line.ts';
import { registerAct } from './rollout-act.ts';
import { ROLLOUT_ACTS } from './rollout-acts.ts';
import { registerListRollouts } from './rollout-list.ts';
import { registerShowRollout } from './rollout-show.ts';

/** `berth rollouts`: commands for rollouts in stages. */
export function registerRollouts(berth: CommandGroup): void {
  const rollouts = berth.group(
    'rollouts',
    'list, show, pause, resume, approve, abort and roll back rollouts in stages',
  );
  registerListRollouts(rollouts);
  registerShowRollout(rollouts);
  for (const act of ROLLOUT_ACTS) registerAct(rollouts, act);
}
