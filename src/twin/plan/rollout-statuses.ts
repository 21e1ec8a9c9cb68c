import type { Policy } from '../../fleet/fleet.ts';
import { type ContentChoice, REACHED } from '../../rollout/content-choice.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { PathHistory, PolicyStatus, Snapshot } from '../snapshot/snapshot.ts';
import { ARRIVED, type Contents } from './contents.ts';
import { lifeAfterWrite } from './life-after-write.ts';

/** What a twin gets of a policy whose rollout is not complete, for `GET /api/devices`. */
export interface PlannedRollout {
  readonly policy: string;
  readonly stage: string | null;
  /** `new`: the content of the fleet file. `back`: the values from before a rollout that was rolled back. */
  readonly gets: ContentChoice['kind'];
  /** Why the rollout has not reached the twin; empty: it has. */
  readonly why: string;
  /** When it does; undefined: not known. */
  readonly until: EpochMs | undefined;
}

/** What the rollouts of a twin add to its plan. */
export interface RolloutStatuses {
  /** The status of each policy in a rollout, in place of the worst status of its properties. */
  readonly policies: Readonly<Record<string, PolicyStatus>>;
  /** The stage of the twin in each rollout in stages that is not complete. */
  readonly stages: Readonly<Record<string, string>>;
  readonly rollouts: readonly PlannedRollout[];
  readonly nextAt: readonly (EpochMs | undefined)[];
  readonly askAt: readonly (EpochMs | undefined)[];
}

const NONE: RolloutStatuses = { policies: {}, stages: {}, rollouts: [], nextAt: [], askAt: [] };

/**
 * The statuses of the policies whose rollout is not complete.
 *
 * @param statuses the worst status of the properties of each policy
 * @param matches whether the twin matches a policy that does not apply yet
 */
export function rolloutStatuses(
  { choices }: Contents,
  statuses: Readonly<Record<string, PolicyStatus>>,
  paths: Readonly<Record<string, PathHistory>>,
  { snapshot, now }: { readonly snapshot: Snapshot; readonly now: EpochMs },
  matches: (policy: Policy) => boolean,
): RolloutStatuses {
  if (choices.every(([, choice]) => choice === REACHED)) return NONE;
  const policies: Record<string, PolicyStatus> = {};
  const stages: Record<string, string> = {};
  const rollouts: PlannedRollout[] = [];
  const nextAt: (EpochMs | undefined)[] = [];
  const askAt: (EpochMs | undefined)[] = [];
  for (const [policy, choice] of choices) {
    const { id, name, rollout } = policy;
    const status = statuses[id];
    nextAt.push(closingOf(policy, choice, statuses));
    if (choice.kind === 'new') {
      if (choice.stage === undefined || status === undefined || rollout === undefined) continue;
      const life = lifeAfterWrite(status, policy, snapshot, paths, rollout.gate.deadlineMs, now);
      policies[id] = life.status;
      nextAt.push(life.nextAt);
      askAt.push(life.askAt);
    } else if (choice.kind !== 'back') {
      if (status === undefined && !matches(policy)) continue;
      policies[id] = status ?? 'unreached';
      // With stages, the twin is counted as reached only after it was planned again.
      if (choice.kind === 'previous' || choice.stage !== undefined) nextAt.push(choice.hold.until);
    }
    if (choice.stage !== undefined && (policies[id] ?? status) !== undefined) stages[id] = choice.stage;
    const { why = '', until } = 'hold' in choice ? choice.hold : {};
    rollouts.push({ policy: name, stage: choice.stage ?? null, gets: choice.kind, why, until });
  }
  return { policies, stages, rollouts, nextAt, askAt };
}

/** When the window of a device closes that has nothing of the content yet. */
function closingOf(
  policy: Policy,
  choice: ContentChoice,
  statuses: RolloutStatuses['policies'],
): EpochMs | undefined {
  if (!('closesAt' in choice)) return undefined;
  const { id } = choice.kind === 'new' ? policy : (choice.policy ?? policy);
  const status = statuses[id];
  return status === undefined || ARRIVED.has(status) ? undefined : choice.closesAt;
}
