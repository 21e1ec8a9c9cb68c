import type { Policy } from '../../fleet/fleet.ts';
import { type ContentChoice, REACHED } from '../../rollout/content-choice.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { PathHistory, PolicyStatus, Snapshot } from '../snapshot/snapshot.ts';
import { ARRIVED, type Contents, givenContent } from './contents.ts';
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
  /** The contents that have reached the twin and own no property there. So it keeps them, although it has nothing of them. */
  readonly reached: readonly string[];
  readonly rollouts: readonly PlannedRollout[];
  readonly nextAt: readonly (EpochMs | undefined)[];
  readonly askAt: readonly (EpochMs | undefined)[];
}

const NONE: RolloutStatuses = { policies: {}, stages: {}, reached: [], rollouts: [], nextAt: [], askAt: [] };

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
  const reached: string[] = [];
  const rollouts: PlannedRollout[] = [];
  const nextAt: (EpochMs | undefined)[] = [];
  const askAt: (EpochMs | undefined)[] = [];
  for (const [policy, choice] of choices) {
    const { id, name, rollout } = policy;
    const status = statuses[id];
    const given = givenContent(policy, choice);
    const ofGiven = given && statuses[given.id];
    nextAt.push(closingOf(choice, ofGiven));
    if (given !== undefined && ofGiven === undefined && 'mayFallBack' in choice) reached.push(given.id);
    if (choice.kind === 'new') {
      if (choice.stage === undefined || status === undefined || rollout === undefined) continue;
      const life = lifeAfterWrite(status, policy, snapshot, paths, rollout.gate.deadlineMs, now);
      policies[id] = life.status;
      nextAt.push(life.nextAt);
      askAt.push(life.askAt);
    } else {
      const { hold } = choice;
      const awaits = choice.kind === 'back' ? choice.awaits : undefined;
      // What the twin has now ends then, also if it gets nothing in its place.
      const mayEnd = choice.kind !== 'nothing' && ofGiven !== undefined;
      if (awaits !== undefined && (mayEnd || matches(awaits.policy))) nextAt.push(awaits.until);
      if (hold !== undefined) {
        const takesPart = status !== undefined || matches(policy);
        if (mayEnd) nextAt.push(hold.until);
        if (!takesPart) continue;
        policies[id] = status ?? 'unreached';
        // With stages, the twin is counted as reached only after it was planned again.
        if (choice.kind !== 'nothing' || choice.stage !== undefined) nextAt.push(hold.until);
      }
    }
    if (choice.stage !== undefined && (policies[id] ?? status) !== undefined) stages[id] = choice.stage;
    const { why = '', until } = ('hold' in choice ? choice.hold : undefined) ?? {};
    rollouts.push({ policy: name, stage: choice.stage ?? null, gets: choice.kind, why, until });
  }
  return { policies, stages, reached, rollouts, nextAt, askAt };
}

/** When the window of a device closes that has nothing of the content yet. */
function closingOf(choice: ContentChoice, status: PolicyStatus | undefined): EpochMs | undefined {
  if (!('closesAt' in choice)) return undefined;
  return status === undefined || ARRIVED.has(status) ? undefined : choice.closesAt;
}
