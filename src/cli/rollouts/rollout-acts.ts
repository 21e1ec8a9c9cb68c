import {
  abortRollout,
  approveStage,
  pauseRollout,
  resumeRollout,
  rollBack,
  stageToApprove,
} from '../../control/rollout-actions.ts';
import { checkApprover } from './approver.ts';
import type { RolloutAct } from './rollout-act.ts';

/** What operators can do with a rollout, in the order of the help. */
export const ROLLOUT_ACTS: readonly RolloutAct[] = [
  {
    name: 'pause',
    description: 'reach no further device until "berth rollouts resume"',
    exampleReason: 'sensor reads low',
    change: pauseRollout,
    done: ({ name }) => `The rollout of the policy ${name} is paused`,
    effect:
      'Within 30 seconds, no further device gets the content. Devices that have it keep it, and Berth still corrects their changes.',
  },
  {
    name: 'resume',
    description: 'continue a paused rollout, also one that has failed',
    exampleReason: 'sensors corrected',
    change: resumeRollout,
    done: ({ name }) => `The rollout of the policy ${name} is resumed`,
    effect:
      'It continues in its present stage within two minutes. If it had failed there, that stage does not fail again, and the next stage needs an approval.',
  },
  {
    name: 'approve',
    description: 'allow the next stage to begin when the gate of the present one passes',
    exampleReason: 'first stage looks good',
    check: checkApprover,
    change: approveStage,
    done: (policy, before) =>
      `Stage ${stageToApprove(before, policy)} of the rollout of the policy ${policy.name} is approved`,
    effect: 'It begins within two minutes after the gate of the present stage passes.',
  },
  {
    name: 'abort',
    description: 'end a rollout; devices keep what they have',
    exampleReason: 'replaced by another policy',
    change: abortRollout,
    done: ({ name }) => `The rollout of the policy ${name} is aborted`,
    effect:
      'No further device gets the content until the fleet file has another one. Devices that have it keep it. To give back the earlier values, run "berth rollouts rollback".',
  },
  {
    name: 'rollback',
    description: 'give back the values from before a rollout',
    exampleReason: 'devices run hot',
    inStages: 'in the stages of the rollout, without gates. Default: all devices at once',
    change: rollBack,
    done: ({ name, settings }) =>
      settings === undefined
        ? `The rollout of the policy ${name} is rolled back`
        : `The rollout of the values of settings ${name} is paused`,
    effect:
      'Devices get back the values from before the rollout, within the budgets of their hubs. Values that another writer has changed since stay, and are listed as contested. No device gets the content until the fleet file has another one.',
    effectOnSettings:
      'Berth has no earlier values of settings, so it cannot give them back: the rollback is a pause. Within 30 seconds, no further device gets the values for their own sake. A manifest that is applied for another reason carries them. To give earlier values to the devices, set them in the app again.',
  },
];
