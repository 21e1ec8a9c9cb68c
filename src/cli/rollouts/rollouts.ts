import type { CommandGroup } from '../shell/command-line.ts';
import {
  registerAbort,
  registerPauseRollout,
  registerResumeRollout,
  registerRollback,
} from './rollout-act.ts';
import { registerApprove } from './rollout-approve.ts';
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
  registerPauseRollout(rollouts);
  registerResumeRollout(rollouts);
  registerApprove(rollouts);
  registerAbort(rollouts);
  registerRollback(rollouts);
}
